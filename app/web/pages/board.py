"""The board: tasks and live alerts, and the stream that keeps the alerts true."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response, StreamingResponse

from app.domain.roles import Act
from app.domain.task import CALLS, TASK
from app.flows.work.call_window import About, CallWindow, call_windows
from app.reference import formats
from app.reports.alerts import Alert, live_alerts
from app.reports.assignment import Unassigned, why_unassigned
from app.reports.board import Pile, TaskLine, board_of
from app.reports.undone import undone_summaries
from app.web import words
from app.web.alerts import Ended, Event, InSync, Raised
from app.web.assignment_words import given_in_words, unassigned_in_words
from app.web.banks import bank_name
from app.web.case_work import dialling
from app.web.desk import brakes_in_force, desk_page, zone_of_seat
from app.web.seats import Seat, find_session, needs
from app.web.site import Site, site_of
from app.web.undone_words import ORDERS, why_in_words

router = APIRouter()

PILE_NAMES: Final = {
    Pile.AVAILABLE: "Available",
    Pile.MINE: "Mine",
    Pile.LATER: "Later",
    Pile.WITH_OTHERS: "With others",
}
_EMPTY: Final = {
    Pile.AVAILABLE: "Nothing waits for a person. Saldo is at work.",
    Pile.MINE: "You have taken no task.",
    Pile.LATER: "Nothing waits for its time.",
    Pile.WITH_OTHERS: "Nobody else is working on a task.",
}


@dataclass(frozen=True, slots=True)
class ShownTask:
    """A task with its words and what its lifecycle allows."""

    line: TaskLine
    events: tuple[str, ...]
    sentence: str
    situation: list[tuple[str, str]]
    why_now: str
    given: str = ""
    """Why the lender's rules gave it to whoever has it, or why they gave it to nobody."""
    not_yet: str = ""
    """Why it may not be dialled now, and when it may; empty when nothing stands against it."""


def shown_task(
    site: Site,
    line: TaskLine,
    now: datetime,
    zone: ZoneInfo,
    windows: Mapping[About, CallWindow] | None = None,
    unassigned: Mapping[UUID, Unassigned] | None = None,
) -> ShownTask:
    """Put a task into words. `windows` are the gate's answers for those that ask for a call."""
    situation = words.situation_lines(
        line.situation, lambda bank_id: bank_name(site.house, bank_id), zone
    )
    sentence = words.task_sentence(line.reason, line.situation)
    window = (windows or {}).get((line.borrower_id, line.about_case))
    not_yet = dialling(window, now) if window is not None and not window.allowed else ""
    events = TASK.events(line.state)
    return ShownTask(
        line,
        events,
        sentence,
        situation,
        why_now(line, now, window),
        _given(line, now, zone, unassigned or {}),
        not_yet,
    )


def _given(
    line: TaskLine, now: datetime, zone: ZoneInfo, unassigned: Mapping[UUID, Unassigned]
) -> str:
    if line.because is not None:
        return given_in_words(line.because, now, zone)
    found = unassigned.get(line.id)
    if found is None or line.kept_for_id is not None or line.taken_by_id is not None:
        return ""
    return unassigned_in_words(found)


def why_now(line: TaskLine, now: datetime, window: CallWindow | None = None) -> str:
    """What makes this task worth doing at this moment, and how much of the calls is used."""
    waiting = formats.ago(now - line.created_at)
    waits = "Just came in" if waiting == "just now" else f"Waits for {waiting}"
    said = [f"{waits}."]
    if line.signal_at is not None:
        seen = formats.ago(now - line.signal_at)
        said.insert(0, f"Money was seen {seen if seen == 'just now' else f'{seen} ago'}.")
    # A call that may not be made yet says so in words of its own.
    if window is not None and window.allowed and window.used:
        said.append(window.used)
    return " ".join(said)


@router.get("/")
async def board(request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_BOARD))]) -> Response:
    """Tasks of one pile, figures of today, and the alerts of this moment."""
    site = await site_of(request).of(seat.lender_id)
    pile = _pile_of(request)
    now, zone = site.now(), zone_of_seat(seat)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        found = await board_of(unit, now, user_id=seat.user_id, pile=pile, zone=zone)
        alerts = await live_alerts(unit, now)
        # Nobody is offered a call that the rules forbid at this moment.
        calls = {
            (line.borrower_id, line.about_case) for line in found.tasks if line.reason in CALLS
        }
        windows = await call_windows(unit, site.house.packs, now, calls)
        undone = await undone_summaries(unit, now, of=seat.user_id)
        unassigned = await why_unassigned(unit, now, _on_the_board(pile, found.tasks))
    counts = {
        Pile.AVAILABLE: found.figures.available,
        Pile.MINE: found.figures.mine,
        Pile.LATER: found.figures.later,
        Pile.WITH_OTHERS: found.figures.others,
    }
    return desk_page(
        site,
        request,
        seat,
        "desk/board.html",
        banners=banners,
        here="/",
        board=found,
        tasks=[shown_task(site, line, now, zone, windows, unassigned) for line in found.tasks],
        more=counts[pile] > len(found.tasks),
        pile=pile,
        piles=list(Pile),
        pile_names=PILE_NAMES,
        pile_counts=counts,
        empty=_EMPTY[pile],
        undone=undone,
        orders=ORDERS,
        why_in_words=why_in_words,
        alerts=alerts,
        newest=max((alert.id for alert in alerts), default=None) or "",
        greeting=_greeting(now, zone, seat.session.person.name),
        today=formats.weekday(now.astimezone(zone).date(), "en"),
        place=formats.place(zone, "en"),
    )


def _on_the_board(pile: Pile, lines: Iterable[TaskLine]) -> list[UUID]:
    """Those that nobody has."""
    return [line.id for line in lines if pile is Pile.AVAILABLE and line.kept_for_id is None]


def _pile_of(request: Request) -> Pile:
    wanted = request.query_params.get("pile", "")
    return Pile(wanted) if wanted in {pile.value for pile in Pile} else Pile.AVAILABLE


def _greeting(now: datetime, zone: ZoneInfo, name: str) -> str:
    hour = now.astimezone(zone).hour
    part = "morning" if 4 <= hour < 12 else "afternoon" if 12 <= hour < 18 else "evening"
    return f"Good {part}, {name.split(maxsplit=1)[0]}"


# ------------------------------------------------------------------ the stream

_BEAT_S: Final = 15.0
# Whoever is signed out, disabled or given another role is told so within this many beats.
_CHECK_EVERY_BEATS: Final = 2
_RETRY_MS: Final = 2000


@router.get("/live")
async def live(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.FOLLOW_ALERTS))]
) -> Response:
    """Server-sent events: `sync`, `raised`, `ended`. Resumes from Last-Event-ID."""
    site = site_of(request)
    room = site.alerts.has_room(seat.lender_id, seat.user_id)
    if not room or site.alerts.stopping.is_set():
        return Response(status_code=503, headers={"Retry-After": "10"})
    after = _seen(request.headers.get("last-event-id") or request.query_params.get("after", ""))
    return StreamingResponse(
        _stream(site, seat, after),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


def _seen(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def _stream(site: Site, seat: Seat, after: UUID | None) -> AsyncIterator[str]:
    zone, beats = zone_of_seat(seat), 0
    yield f"retry: {_RETRY_MS}\n\n"
    async with site.alerts.watching(seat.lender_id, seat.user_id, after) as watcher:
        while not (site.alerts.stopping.is_set() or watcher.lost):
            event = await _next(site, watcher.waiting)
            if event is not None:
                yield _said(site, event, zone)
                continue
            yield ": beat\n\n"
            beats += 1
            if beats % _CHECK_EVERY_BEATS == 0 and not await _still_here(site, seat):
                return


async def _next(site: Site, waiting: asyncio.Queue[Event]) -> Event | None:
    """The next event; None after a beat without one, or as soon as the house shuts down."""
    arriving = asyncio.ensure_future(waiting.get())
    stopping = asyncio.ensure_future(site.alerts.stopping.wait())
    try:
        await asyncio.wait(
            (arriving, stopping), timeout=_BEAT_S, return_when=asyncio.FIRST_COMPLETED
        )
        return arriving.result() if arriving.done() else None
    finally:
        for task in (arriving, stopping):
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def _still_here(site: Site, seat: Seat) -> bool:
    session = await find_session(site, seat.value, touch=False)
    return session is not None and session.person.role is seat.role


def _said(site: Site, event: Event, zone: ZoneInfo) -> str:
    match event:
        case Raised(alert, changed):
            content = {
                "id": alert.id.hex,
                "html": _card(site, alert, zone, fresh=not changed),
                "said": f"{alert.borrower_name}: {words.COVERS[alert.covers].text.lower()}.",
            }
            return _event("raised", content, last_id=str(alert.id))
        case Ended(gone):
            return _event("ended", {"id": gone.hex})
        case InSync(ids):
            return _event("sync", {"ids": [one.hex for one in ids]})


def _event(name: str, content: Mapping[str, object], *, last_id: str = "") -> str:
    head = f"id: {last_id}\n" if last_id else ""
    return f"{head}event: {name}\ndata: {json.dumps(content)}\n\n"


def _card(site: Site, alert: Alert, zone: ZoneInfo, *, fresh: bool) -> str:
    module = site.templates.get_template("desk/_alerts.html").module
    return str(module.alert_card(alert, words, site.now(), zone, fresh))  # type: ignore[attr-defined]
