"""The borrowers' phones as web pages: a lock screen, the texts, their links, a field to answer.

When a person's browser opens a phone, its robot leaves that phone alone from then on, and the
keeper of the clock is told that somebody is looking.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.banks import BY_ID
from sandbox.faces.bank_pages import touch
from sandbox.faces.pages import is_robot, page, see_other
from sandbox.people import Person
from sandbox.records import Sms
from sandbox.world import World

_LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)]")
_PREVIEW = 60
_LIST_AT_MOST = 500


def linked(body: str) -> Markup:
    """A text with its links tappable, everything else escaped."""
    parts: list[str] = []
    last = 0
    for found in _LINK.finditer(body):
        parts.append(str(escape(body[last : found.start()])))
        url = str(escape(found.group()))
        parts.append(f'<a href="{url}" rel="noreferrer" target="_blank">{url}</a>')
        last = found.end()
    parts.append(str(escape(body[last:])))
    return Markup("".join(parts).replace("\n", "<br>"))  # noqa: S704 - every part was escaped


def preview(body: str) -> str:
    """What a lock screen shows of a text: the first line, cut."""
    first = body.strip().splitlines()[0] if body.strip() else ""
    return first if len(first) <= _PREVIEW else first[: _PREVIEW - 1] + "…"


@dataclass(frozen=True, slots=True)
class Handset:
    """One phone: a person's, or a number that got a text and belongs to nobody here."""

    id: str
    number: str
    name: str
    zone: str
    person: Person | None


class Phones:
    """All phones over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The list, the phones, and what their pages ask for."""
        return [
            Route("/phones", self._list),
            Route("/phones/{id}", self._phone),
            Route("/phones/{id}/news", self._news),
            Route("/phones/{id}/reply", self._reply, methods=["POST"]),
            Route("/phones/{id}/robot", self._robot, methods=["POST"]),
        ]

    def handset(self, key: str) -> Handset | None:
        """The phone with this id: a person's id, or `tel-` and the digits of a number."""
        person = self._world.people.get(key)
        if person is not None:
            return Handset(key, person.phone, person.name, person.time_zone, person)
        number = f"+{key.removeprefix('tel-')}"
        if number in self._world.texts.phones_without_person():
            return Handset(key, number, number, "Europe/Madrid", None)
        return None

    # ------------------------------------------------------------ the list

    async def _list(self, request: Request) -> Response:
        if not is_robot(request):
            touch(self._world.paths.presence)
        wanted = request.query_params.get("q", "").strip().lower()
        now = self._world.now()
        rows = [self._row(person, now) for person in self._world.people.values()]
        rows = [
            row
            for row in rows
            if not wanted or wanted in row["name"].lower() or wanted in row["number"]
        ]
        strangers = [
            self._stranger(number, now) for number in self._world.texts.phones_without_person()
        ]
        rows.sort(key=lambda row: (not row["free"], row["last"] is None, -row["stamp"]))
        return page(
            "phones.html",
            rows=strangers + rows[:_LIST_AT_MOST],
            wanted=wanted,
            now=now,
            hidden=max(0, len(rows) - _LIST_AT_MOST),
        )

    def _row(self, person: Person, now: datetime) -> dict[str, Any]:
        texts = [s for s in self._world.texts.on_phone(person.phone, now) if not s.inbound]
        last = texts[-1] if texts else None
        number = len(texts)
        unanswered = last is not None and self._world.mind.waits_for_hand(person.id, last, number)
        return {
            "id": person.id,
            "name": person.name,
            "number": person.phone,
            "bank": BY_ID[person.bank_id].name,
            "texts": number,
            "last": preview(last.body) if last else None,
            "stamp": (last.ends_at or last.created_at).timestamp() if last else 0.0,
            "free": unanswered,
            "paused": self._world.town.settings(person.id).paused,
        }

    def _stranger(self, number: str, now: datetime) -> dict[str, Any]:
        texts = self._world.texts.on_phone(number, now)
        return {
            "id": f"tel-{number.removeprefix('+')}",
            "name": number,
            "number": number,
            "bank": "nobody's in this town",
            "texts": len(texts),
            "last": preview(texts[-1].body) if texts else None,
            "stamp": 0.0,
            "free": True,
            "paused": True,
        }

    # ------------------------------------------------------------ one phone

    def _bubbles(self, handset: Handset, now: datetime) -> list[dict[str, Any]]:
        zone = ZoneInfo(handset.zone)

        def shown(sms: Sms) -> dict[str, Any]:
            at = (sms.ends_at or sms.created_at).astimezone(zone)
            return {
                "own": sms.inbound,
                "who": sms.to if sms.inbound else sms.sender,
                "html": linked(sms.body),
                "preview": preview(sms.body),
                "day": at.strftime("%a %d %b"),
                "time": at.strftime("%H:%M"),
            }

        return [shown(sms) for sms in self._world.texts.on_phone(handset.number, now)]

    async def _phone(self, request: Request) -> Response:
        handset = self.handset(request.path_params["id"])
        if handset is None:
            return Response("no such phone", 404)
        if not is_robot(request):
            touch(self._world.paths.presence)
            if handset.person is not None:
                self._world.mind.taken_by_hand(handset.person.id)
        now = self._world.now()
        bubbles = self._bubbles(handset, now)
        incoming = [bubble for bubble in bubbles if not bubble["own"]]
        person = handset.person
        return page(
            "phone.html",
            handset=handset,
            person=person,
            bank=BY_ID[person.bank_id] if person else None,
            mails=len(self._world.mails.of_person(person)) if person else 0,
            bubbles=bubbles,
            notes=self._notes(person),
            notices=list(reversed(incoming))[:4],
            local=now.astimezone(ZoneInfo(handset.zone)),
            mark=self._mark(handset, now),
            paused=person is not None and self._world.town.settings(person.id).paused,
        )

    def _notes(self, person: Person | None) -> list[dict[str, Any]]:
        """What the lender's app shows, the newest first."""
        if person is None:
            return []
        zone = ZoneInfo(person.time_zone)
        return [
            {
                "html": linked(f"{note.body}\n{note.link}"),
                "preview": preview(note.body),
                "at": at.astimezone(zone).strftime("%a %d %b, %H:%M"),
            }
            for at, note in reversed(self._world.apps.on_phone(person))
        ]

    def _mark(self, handset: Handset, now: datetime) -> str:
        """Changes exactly when the page would show another text."""
        texts = self._world.texts.on_phone(handset.number, now)
        notes = len(self._notes(handset.person))
        return f"{len(texts)}-{texts[-1].sid if texts else ''}-{notes}"

    async def _news(self, request: Request) -> Response:
        handset = self.handset(request.path_params["id"])
        if handset is None:
            return Response("no such phone", 404)
        if not is_robot(request):
            touch(self._world.paths.presence)
        now = self._world.now()
        local = now.astimezone(ZoneInfo(handset.zone))
        return JSONResponse(
            {"mark": self._mark(handset, now), "clock": local.strftime("%H:%M")},
            headers={"Cache-Control": "no-store"},
        )

    async def _reply(self, request: Request) -> Response:
        handset = self.handset(request.path_params["id"])
        if handset is None:
            return Response("no such phone", 404)
        form = await request.form()
        body = str(form.get("body", "")).strip()[:160]
        texts = self._world.texts.on_phone(handset.number, self._world.now())
        senders = [sms.sender for sms in texts if not sms.inbound]
        to = senders[-1] if senders else self._world.texts.account.numbers[0]
        if body:
            self._world.texts.from_phone(handset.number, to, body)
        return see_other(f"/phones/{handset.id}")

    async def _robot(self, request: Request) -> Response:
        handset = self.handset(request.path_params["id"])
        if handset is None or handset.person is None:
            return Response("no such phone", 404)
        self._world.mind.given_back(handset.person.id)
        return see_other("/phones")
