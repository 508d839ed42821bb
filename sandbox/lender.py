"""The lender's own system in the demo: it fills Saldo over its public API and answers its webhooks.

Everything has a key of its own, so that a run that was killed goes on where it was: registering
twice changes nothing, a consent link that was lost is asked for anew. What is owed is answered
from the lender's book and from the payments that Saldo itself reports as settled.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.apps import Note, has_app
from sandbox.faces.pages import ROBOT
from sandbox.faces.wire import parse_amount
from sandbox.lender_book import (
    Loan,
    asks_for_bills,
    borrower_body,
    borrower_ref,
    loan_body,
    loans_of,
    parts_body,
    person_id_of,
)
from sandbox.people import Person
from sandbox.world import World

log = logging.getLogger("sandbox.lender")

_PATIENCE_S = 20.0
_AT_ONCE = 3
_TOLERANCE_S = 300.0
_LOOK_EVERY_S = 0.3
# Real seconds; the robots need about as long for the whole book.
_ANSWER_WITHIN_S = 60.0
_PAGES_AT_MOST = 50


@dataclass(frozen=True, slots=True)
class LenderConfig:
    """Where Saldo is, the file with the lender's keys, the seed of the book."""

    saldo: str
    cast: Path
    seed: int


@dataclass(slots=True)
class Registered:
    """How far one person got into Saldo: loans in order, then the consent link."""

    person_id: str
    borrower: bool = False
    loans: int = 0
    asked: bool = False


@dataclass(slots=True)
class Event:
    """One webhook of Saldo, kept before it was answered. `event_id` is Saldo's."""

    event_id: str
    kind: str
    content: dict[str, Any]
    came_at: datetime
    done: bool = False


@dataclass(slots=True)
class _Keys:
    api_key: str
    secret: bytes


class NotNow(Exception):
    """Saldo cannot be reached or is too busy; try again after `seconds` of real time."""

    def __init__(self, seconds: float = 1.0) -> None:
        super().__init__(f"again in {seconds:g} s")
        self.seconds = seconds


@dataclass(slots=True)
class Book:
    """The lender's loans by reference."""

    loans: dict[str, Loan] = field(default_factory=dict)
    of_person: dict[str, tuple[Loan, ...]] = field(default_factory=dict)


def signature(secret: bytes, event_id: str, stamp: str, body: bytes) -> str:
    """The `v1` signature of the Standard Webhooks form."""
    signed = f"{event_id}.{stamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, sha256).digest()).decode()


class Lender:
    """The lender's system over one world."""

    def __init__(self, world: World, http: httpx.AsyncClient, config: LenderConfig) -> None:
        self._world = world
        self._http = http
        self._config = config
        self._keys: _Keys | None = None
        store = world.store
        self._people = {r.person_id: r for r in store.all_of("registered", Registered)}
        self._events = {e.event_id: e for e in store.all_of("lender_event", Event)}
        self._book = Book()
        self._patience: dict[str, float] = {}
        today = world.town.begin.origin.date()
        for person in world.people.values():
            if person.id.startswith("p"):
                loans = loans_of(person, config.seed, today)
                self._book.of_person[person.id] = loans
                self._book.loans |= {loan.ref: loan for loan in loans}

    def routes(self) -> list[BaseRoute]:
        """Where Saldo calls, and what came."""
        return [
            Route("/lender/webhooks", self._webhook, methods=["POST"]),
            Route("/lender/events", self._shown),
        ]

    # ------------------------------------------------------------ the long run

    async def run(self, stop: asyncio.Event) -> None:
        """Register the whole book, then answer events until told to stop."""
        waiting = [self._book_person(stop), self._answer_events(stop)]
        await asyncio.gather(*waiting)

    async def _book_person(self, stop: asyncio.Event) -> None:
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(person: Person) -> None:
            while not stop.is_set():
                try:
                    async with room:
                        await self.register(person)
                except NotNow as wait:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), wait.seconds)
                else:
                    return

        people = [self._world.people[key] for key in self._book.of_person]
        await asyncio.gather(*(one(person) for person in people))

    async def _answer_events(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.answer_open_events()
            except NotNow as wait:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), wait.seconds)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_EVERY_S)

    # ------------------------------------------------------------ registering

    async def register(self, person: Person) -> None:
        """Borrower, consent link, loans: whatever is still missing. Raises `NotNow`.

        As in life the consent comes first, at scoring; the loans follow when it is answered, or
        when nobody has answered it for a while.
        """
        state = self._people.setdefault(person.id, Registered(person.id))
        if not state.borrower:
            body = borrower_body(person, has_app=has_app(person, self._config.seed))
            await self._call("POST", "/v1/borrowers", body)
            state.borrower = True
            self._keep(state)
        if not state.asked:
            await self._ask_consent(person, state)
        self._await_answer(person)
        loans = self._book.of_person[person.id]
        while state.loans < len(loans):
            as_of = self._stamp()
            await self._call("POST", "/v1/loans", loan_body(loans[state.loans], as_of))
            state.loans += 1
            self._keep(state)

    def _await_answer(self, person: Person) -> None:
        """Raises `NotNow` while the person is expected to answer his consent link."""
        patience = self._patience.setdefault(person.id, time.monotonic() + _ANSWER_WITHIN_S)
        walking = self._world.mind.still_walking(f"consent-{person.id}")
        if walking and time.monotonic() < patience:
            raise NotNow(0.5)

    async def _ask_consent(self, person: Person, state: Registered) -> None:
        body: dict[str, Any] = {
            "borrower_ref": borrower_ref(person),
            "purposes": ["scoring", "repayment_monitoring"],
            "window_days": 90,
        }
        made = None
        if asks_for_bills(person, self._config.seed):
            with_bills = {**body, "purposes": [*body["purposes"], "bills"]}
            made = await self._call("POST", "/v1/consent-requests", with_bills)
        # Not every provider shows transactions: then nobody can be asked for them.
        made = made or await self._call("POST", "/v1/consent-requests", body)
        now = self._world.now()
        with self._world.store.together():
            if made is not None:
                self._world.mind.send_to_consent(
                    f"consent-{person.id}", person.id, str(made["link"]), now
                )
            state.asked = True
            self._keep(state)

    def _keep(self, state: Registered) -> None:
        self._world.store.put("registered", state.person_id, state)

    def _stamp(self) -> str:
        return self._world.now().astimezone(UTC).isoformat().replace("+00:00", "Z")

    # ------------------------------------------------------------ calling Saldo

    def _read_keys(self) -> _Keys:
        if self._keys is None:
            try:
                content = json.loads(self._config.cast.read_bytes())
            except (FileNotFoundError, ValueError) as missing:
                raise NotNow from missing
            secret = str(content["webhook_secret"]).removeprefix("whsec_")
            self._keys = _Keys(str(content["api_key"]), base64.b64decode(secret))
        return self._keys

    async def _call(self, verb: str, path: str, body: Any = None) -> Any:
        """One call; the decoded answer, or None when Saldo refused it for good (logged).

        Raises `NotNow` when it may work later.
        """
        headers = {
            "Authorization": f"Bearer {self._read_keys().api_key}",
            "User-Agent": f"lender ({ROBOT})",
        }
        content = None if body is None else orjson.dumps(body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = await self._http.request(
                verb,
                f"{self._config.saldo}{path}",
                content=content,
                headers=headers,
                timeout=_PATIENCE_S,
            )
        except httpx.HTTPError as error:
            raise NotNow from error
        if answer.status_code == 429:
            raise NotNow(min(30.0, float(answer.headers.get("retry-after", "2"))))
        if answer.status_code >= 500:
            raise NotNow(2.0)
        if answer.status_code >= 400:
            log.warning("%s %s answered %s: %s", verb, path, answer.status_code, answer.text[:300])
            return None
        return orjson.loads(answer.content) if answer.content else {}

    # ------------------------------------------------------------ webhooks

    async def _webhook(self, request: Request) -> Response:
        body = await request.body()
        event_id = request.headers.get("webhook-id", "")
        stamp = request.headers.get("webhook-timestamp", "")
        given = request.headers.get("webhook-signature", "").split(" ")
        try:
            keys = self._read_keys()
        except NotNow:
            return Response("not ready", 503)
        good = signature(keys.secret, event_id, stamp, body)
        fresh = stamp.isdigit() and abs(time.time() - int(stamp)) < _TOLERANCE_S
        if not event_id or not fresh or not any(hmac.compare_digest(good, one) for one in given):
            return Response("the signature does not verify", 401)
        if event_id not in self._events:
            try:
                content = orjson.loads(body)
                kind = str(content["type"])
            except (orjson.JSONDecodeError, KeyError, TypeError):
                return Response("not an event", 400)
            event = Event(event_id, kind, content, self._world.now())
            self._world.store.put("lender_event", event_id, event)
            self._events[event_id] = event
        return Response(status_code=204)

    async def answer_open_events(self) -> int:
        """Do what the events that came ask for; how many were done. Raises `NotNow`."""
        done = 0
        for event in [e for e in self._events.values() if not e.done]:
            data = event.content.get("data", {})
            if event.kind == "loan.balance_requested":
                await self._say_owed(str(data.get("loan", "")))
            elif event.kind == "message.push_requested":
                await self._show(str(data.get("message_id", "")), str(data.get("external_ref", "")))
            event.done = True
            self._world.store.put("lender_event", event.event_id, event)
            done += 1
        return done

    async def _say_owed(self, loan_ref: str) -> None:
        loan = self._book.loans.get(loan_ref)
        if loan is None:
            log.warning("asked for a loan that is not in the book: %s", loan_ref)
            return
        as_of = self._world.now()
        came_in = await self._settled(loan, as_of)
        body = {
            "as_of": as_of.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "instalments": parts_body(loan.with_paid(came_in)),
        }
        await self._call("PUT", f"/v1/loans/{loan_ref}/owed", body)

    async def _show(self, message_id: str, ref: str) -> None:
        """Have the app show a message. It is on the screen only once Saldo knows that it will be:
        what Saldo has sent as a text by then stays away.
        """
        person, apps = self._world.people.get(person_id_of(ref)), self._world.apps
        if person is None or not apps.reaches(person):
            return
        note = apps.get(message_id)
        if note is None:
            found = await self._call("GET", f"/v1/messages/{message_id}/push")
            if found is None:
                return
            note = Note(message_id, person.id, str(found["body"]), str(found["link"]))
            apps.keep(note)
        if await self._call("POST", f"/v1/messages/{message_id}/pushed") is not None:
            note.shown_at = note.shown_at or self._world.now()
            apps.keep(note)

    async def _settled(self, loan: Loan, as_of: datetime) -> int:
        """Minor units that Saldo reports as settled on a loan up to `as_of`."""
        total, cursor = 0, ""
        for _ in range(_PAGES_AT_MOST):
            path = f"/v1/payments?borrower={loan.borrower_ref}&state=settled&limit=200"
            found = await self._call("GET", path + (f"&cursor={cursor}" if cursor else ""))
            if found is None:
                raise NotNow(5.0)
            for payment in found["items"]:
                settled = datetime.fromisoformat(payment["settled_at"])
                if settled <= as_of:
                    total += sum(
                        parse_amount(part["amount"]) or 0
                        for part in payment["loans"]
                        if part["loan_ref"] == loan.ref
                    )
            cursor = found.get("next_cursor") or ""
            if not cursor:
                break
        return total

    async def _shown(self, _: Request) -> Response:
        """The last events, newest first, as JSON."""
        newest = sorted(self._events.values(), key=lambda e: e.came_at, reverse=True)[:200]
        shown = [
            {"id": e.event_id, "type": e.kind, "at": e.came_at.isoformat(), "done": e.done,
             "content": e.content}
            for e in newest
        ]  # fmt: skip
        return Response(orjson.dumps(shown), media_type="application/json")
