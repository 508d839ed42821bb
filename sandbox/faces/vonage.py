"""Vonage's SMS API, as far as one sender needs it, under `/vonage`.

All values are strings, failures come with HTTP 200, repeats are not recognised, and texts to
people who opted out are taken and fail later. The account's secret is that of the exchange.
"""

from __future__ import annotations

import base64
import hmac
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faces.gateway_calls import VONAGE_KEY
from sandbox.faces.wire import LostResponse
from sandbox.modes import Mode
from sandbox.people import Person
from sandbox.world import World

GATEWAY = "vonage"
_LIFE_DEFAULT_MS, _LIFE_LEAST_MS, _LIFE_MOST_MS = 86_400_000, 20_000, 604_800_000


class Vonage:
    """The API over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        return [Route("/vonage/sms/json", self._send, methods=["POST"])]

    async def _send(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        if not self._authentic(request):
            return _failed("4", "Bad Credentials")
        for name in ("from", "to", "text"):
            if not form.get(name):
                return _failed("2", f"Missing {name} param")
        life = form.get("ttl", str(_LIFE_DEFAULT_MS))
        if not life.isdigit() or not _LIFE_LEAST_MS <= int(life) <= _LIFE_MOST_MS:
            return _failed("3", "Invalid value for param: ttl")
        if not form["to"].isdigit() or not 7 <= len(form["to"]) <= 15:
            return _failed("3", "Invalid value for param: to")
        return self._take(form, int(life) // 1000)

    def _authentic(self, request: Request) -> bool:
        token = self._world.texts.account.token
        expected = base64.b64encode(f"{VONAGE_KEY}:{token}".encode()).decode()
        return hmac.compare_digest(request.headers.get("authorization", ""), f"Basic {expected}")

    def _take(self, form: dict[str, str], life_seconds: int) -> Response:
        world, to = self._world, f"+{form['to']}"
        person = world.town.by_phone(to)
        if self._happens(person, Mode.SMS_TOO_MANY):
            return _failed("1", "Throughput Rate Exceeded - please wait and retry")
        if self._happens(person, Mode.SMS_ERROR_BEFORE):
            return _failed("5", "Internal Error")
        late = 21610 if world.texts.opted_out(to, form["from"]) else None
        if person is not None and world.town.mode(person.id, Mode.SMS_LANDLINE) is not None:
            late = 21614
        sms = world.texts.accept(
            to=to,
            sender=form["from"],
            body=form["text"],
            callback_url=form.get("callback", ""),
            validity_seconds=life_seconds,
            now=world.now(),
            gateway=GATEWAY,
            reference=form.get("client-ref", ""),
            late_error=late,
        )
        if self._happens(person, Mode.SMS_ANSWER_LOST):
            return LostResponse()
        if self._happens(person, Mode.SMS_ERROR_AFTER):
            return Response("Internal Server Error", 500, media_type="text/plain")
        part = {
            "to": form["to"],
            "message-id": sms.sid,
            "status": "0",
            "remaining-balance": "15.53590000",
            "message-price": "0.03330000",
            "network": "23410",
        }
        if sms.reference:
            part["client-ref"] = sms.reference
        return _json({"message-count": "1", "messages": [part]})

    def _happens(self, person: Person | None, mode: Mode) -> bool:
        return person is not None and self._world.town.take(person.id, mode)


def _failed(status: str, text: str) -> Response:
    return _json({"message-count": "1", "messages": [{"status": status, "error-text": text}]})


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), 200, media_type="application/json")
