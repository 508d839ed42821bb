"""Live alerts: they come the moment money is seen, go by themselves, and never hold up a stop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from app.domain.detector import Cover
from app.domain.message import CancelReason
from app.domain.roles import Role
from app.flows.signals.end_signals import end_signals
from app.store.listen import listen
from app.store.unit import SIGNAL_CHANNEL
from app.web import Web
from app.web.alerts import STREAMS_PER_PERSON
from tests.flows.street import Street
from tests.rig import make_lender
from tests.web.conftest import Browser, Desk, OpenBrowser, desk_of

pytestmark = pytest.mark.anyio

PATIENCE_S = 20.0


@dataclass(slots=True)
class Stream:
    """One open stream, driven straight through ASGI: an answer that goes on."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    arrived: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _text: str = ""

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            return
        self._text += message.get("body", b"").decode()
        while "\n\n" in self._text:
            block, _, self._text = self._text.partition("\n\n")
            lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if "event" in lines:
                said = {"event": lines["event"], "last": lines.get("id", "")}
                self.arrived.put_nowait({**said, **json.loads(lines["data"])})

    async def next(self, event: str) -> dict[str, Any]:
        """The next event of this name; others before it are let go."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                said = await self.arrived.get()
                if said["event"] == event:
                    return said


@asynccontextmanager
async def stream_of(
    web: Web, desk: Browser, query: str = "", **headers: str
) -> AsyncIterator[Stream]:
    """Open /live with the desk's cookies; hang up when left."""
    stream, hang_up = Stream(), asyncio.Event()
    cookies = "; ".join(f"{name}={value}" for name, value in desk.http.cookies.items())
    sent = {"cookie": cookies, "host": "pay.sol.example", **headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": "/live",
        "raw_path": b"/live",
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": ("198.51.100.1", 1),
        "server": ("pay.sol.example", 443),
    }
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await hang_up.wait()
        return {"type": "http.disconnect"}

    async def run() -> None:
        await web.pages(scope, receive, stream.send)
        stream.ended.set()

    task = asyncio.create_task(run())
    try:
        yield stream
    finally:
        hang_up.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_alert_comes_live_and_goes_when_the_money_is_gone(
    street: Street, web: Web, sign_in_as: Desk
) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    who = await street.neighbour()
    async with web.running(), stream_of(web, desk) as stream:
        assert (await stream.next("sync"))["ids"] == []
        assert stream.status == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        signal_id = await street.money_seen(who)
        raised = await stream.next("raised")
        assert raised["id"] == signal_id.hex
        assert raised["last"] == str(signal_id)
        assert "Ana Núñez" in raised["html"]
        assert "Enough for what is due" in raised["html"]
        assert "€120.00" in raised["html"]  # what is due; never what is there
        async with street.store.engine_unit() as unit:
            await end_signals(
                unit, street.now, account_ids=[who.account_id], why=CancelReason.MONEY_GONE
            )
        assert (await stream.next("ended"))["id"] == signal_id.hex


async def test_a_text_that_left_is_seen_on_the_alert(
    street: Street, web: Web, sign_in_as: Desk
) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    who = await street.neighbour()
    async with web.running(), stream_of(web, desk) as stream:
        await stream.next("sync")
        await street.money_seen(who, Cover.PART)
        assert "Part of what is due" in (await stream.next("raised"))["html"]
        await street.tick()
        again = await stream.next("raised")
        assert "Text sent" in again["html"] or "Text waits" in again["html"]


async def test_a_browser_that_comes_back_hears_only_what_it_missed(
    street: Street, web: Web, sign_in_as: Desk
) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    people = [await street.neighbour() for _ in range(3)]
    seen = [await street.money_seen(who) for who in people]
    async with stream_of(web, desk, **{"last-event-id": str(seen[1])}) as stream:
        synced = await stream.next("sync")
        assert set(synced["ids"]) == {one.hex for one in seen}
        heard = {(await stream.next("raised"))["id"], (await stream.next("raised"))["id"]}
        assert seen[1].hex not in heard
        assert seen[2].hex in heard
    # Two minutes of real time later all of them are old news.
    later = UUID(int=seen[2].int + (120_000 << 80))
    async with stream_of(web, desk, f"after={later}") as stream:
        assert set((await stream.next("sync"))["ids"]) == {one.hex for one in seen}
        assert stream.arrived.empty()


async def test_a_stream_shows_its_own_lender_only(
    street: Street, web: Web, browser: OpenBrowser
) -> None:
    other_lender = await make_lender(street.store, street.now)
    stranger = await desk_of(street, browser, Role.COLLECTOR, lender_id=other_lender)
    ours = await desk_of(street, browser, Role.COLLECTOR)
    who = await street.neighbour()
    async with web.running(), stream_of(web, stranger) as theirs, stream_of(web, ours) as mine:
        await theirs.next("sync")
        await mine.next("sync")
        await street.money_seen(who)
        await mine.next("raised")
        assert theirs.arrived.empty()
        async with stream_of(web, stranger) as again:
            assert (await again.next("sync"))["ids"] == []


async def test_the_board_shows_the_alerts_without_a_script(
    street: Street, sign_in_as: Desk
) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    who = await street.neighbour()
    signal_id = await street.money_seen(who)
    page = await desk.open("/")
    assert f"alert-{signal_id.hex}" in page.ids
    assert page.problems == []


async def test_open_streams_end_the_moment_the_house_stops(
    street: Street, web: Web, sign_in_as: Desk
) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    async with web.running(), stream_of(web, desk) as one, stream_of(web, desk) as two:
        await one.next("sync")
        await two.next("sync")
        assert web.alerts.streams == 2
        web.stop()
        async with asyncio.timeout(2):
            await one.ended.wait()
            await two.ended.wait()
        assert web.alerts.streams == 0
    async with stream_of(web, desk) as late:
        async with asyncio.timeout(2):
            await late.ended.wait()
        assert late.status == 503


async def test_one_person_cannot_fill_the_house(street: Street, web: Web, sign_in_as: Desk) -> None:
    greedy: Browser = await sign_in_as(Role.COLLECTOR)
    other: Browser = await sign_in_as(Role.SUPERVISOR)
    async with web.running(), AsyncExitStack() as open_ones:
        for _ in range(STREAMS_PER_PERSON):
            stream = await open_ones.enter_async_context(stream_of(web, greedy))
            await stream.next("sync")
        async with stream_of(web, greedy) as late, asyncio.timeout(PATIENCE_S):
            await late.ended.wait()
            assert late.status == 503
            assert late.headers["retry-after"] == "10"
        assert web.alerts.streams == STREAMS_PER_PERSON
        async with stream_of(web, other) as his:
            await his.next("sync")
    # Closed ones make room again.
    assert web.alerts.streams == 0


async def test_many_let_in_at_once_do_not_stay(street: Street, web: Web, sign_in_as: Desk) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    async with AsyncExitStack() as open_ones:
        streams = [
            await open_ones.enter_async_context(stream_of(web, desk))
            for _ in range(2 * STREAMS_PER_PERSON)
        ]
        waiting = {asyncio.ensure_future(one.ended.wait()) for one in streams}
        async with asyncio.timeout(PATIENCE_S):
            while len(waiting) > STREAMS_PER_PERSON:
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert web.alerts.streams <= STREAMS_PER_PERSON
        for one in waiting:
            one.cancel()


async def test_a_lost_listener_opens_again(street: Street) -> None:
    heard: asyncio.Queue[str | None] = asyncio.Queue()

    async def follow() -> None:
        async for payload in listen(street.store, SIGNAL_CHANNEL):
            heard.put_nowait(payload)

    task = asyncio.create_task(follow())
    try:
        async with asyncio.timeout(PATIENCE_S):
            assert await heard.get() is None
            async with street.store.engine_unit() as unit:
                await unit.conn.execute(text("SELECT pg_notify('saldo_signals', 'one')"))
            assert await heard.get() == "one"
        await _cut(street)
        async with asyncio.timeout(PATIENCE_S):
            # Opened again: the caller is told to look for himself.
            assert await heard.get() is None
            async with street.store.engine_unit() as unit:
                await unit.conn.execute(text("SELECT pg_notify('saldo_signals', 'two')"))
            assert await heard.get() == "two"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _cut(street: Street) -> None:
    """End the listener's connection from the server's side, as a restart would."""
    async with street.store.unit(street.lender_id) as unit:
        ended = await unit.conn.scalar(
            text(
                "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'saldo alerts' AND datname = current_database()) AS cut"
            )
        )
    assert ended == 1


async def test_whoever_is_disabled_loses_the_stream(
    street: Street, web: Web, sign_in_as: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.pages.board._BEAT_S", 0.05)
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    async with stream_of(web, desk) as stream:
        await stream.next("sync")
        await street.rows("UPDATE users SET disabled_at = :now RETURNING 1", now=street.now)
        async with asyncio.timeout(PATIENCE_S):
            await stream.ended.wait()
