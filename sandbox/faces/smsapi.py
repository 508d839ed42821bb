"""SMSAPI's `sms.do` and its blacklist, as far as one sender needs them, under `/smsapi`.

Errors come with HTTP 200. An `idx` is remembered for ever. The account is that of the exchange;
whoever texts STOP is put on the account's blacklist. A text to a number on the blacklist is taken
all the same: what the real API does with one is not published where we could read.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faces.gateway_calls import SMSAPI_WORDS
from sandbox.faces.wire import LostResponse
from sandbox.modes import Mode
from sandbox.records import Sms
from sandbox.texts import DEFAULT_SENDER
from sandbox.world import World

Handler = Callable[[Request], Awaitable[Response]]

GATEWAY = "smsapi"
_SHORTEST, _LONGEST = timedelta(minutes=55), timedelta(hours=12, minutes=5)
_DEFAULT_LIFE = timedelta(hours=12)


class Refused(Exception):
    """An error of the API: its code and message, mostly with HTTP 200."""

    def __init__(self, code: int, message: str, status: int = 200, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.content = {"error": code, "message": message, **more}


class Smsapi:
    """The API over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        return [
            Route("/smsapi/sms.do", self._known(self._send_or_ask), methods=["GET", "POST"]),
            Route("/smsapi/blacklist/phone_numbers", self._known(self._blacklist), methods=["GET"]),
        ]

    def _known(self, handler: Handler) -> Handler:
        async def known(request: Request) -> Response:
            try:
                self._authenticate(request)
                return await handler(request)
            except Refused as refused:
                return _json(refused.content, refused.status)

        return known

    def _authenticate(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        good = hmac.compare_digest(token, self._world.texts.account.token)
        if scheme.lower() != "bearer" or not good:
            raise Refused(101, "Authorization failed", 401)

    async def _send_or_ask(self, request: Request) -> Response:
        form = {**request.query_params, **(await request.form())}
        asked = {name: str(value) for name, value in form.items()}
        if asked.get("format") != "json":
            raise Refused(11, "this town speaks JSON alone")
        if "status" in asked:
            return self._status(asked["status"])
        return self._send(asked)

    def _status(self, message_id: str) -> Response:
        sms = self._world.texts.get(message_id)
        if sms is None or sms.inbound or sms.gateway != GATEWAY:
            raise Refused(301, "Message ID not found")
        return _json({"count": 1, "list": [self._shown(sms)]})

    # ------------------------------------------------------------ sending

    def _send(self, asked: dict[str, str]) -> Response:
        world = self._world
        number = asked.get("to", "")
        person = world.town.by_phone(f"+{number}")
        if person is not None and world.town.take(person.id, Mode.SMS_TOO_MANY):
            return _json({"message": "Too many requests", "error": "too_many_requests"}, 429)
        if person is not None and world.town.take(person.id, Mode.SMS_ERROR_BEFORE):
            raise Refused(201, "Internal system error")
        if not asked.get("message"):
            raise Refused(11, "No message")
        if not 1 <= len(asked.get("from", "")) <= 11:
            raise Refused(14, "Wrong sender name")
        life = self._life(asked)
        landline = person is not None and world.town.mode(person.id, Mode.SMS_LANDLINE) is not None
        if landline or not (number.isdigit() and 9 <= len(number) <= 15):
            wrong = {
                "number": number,
                "submitted_number": number,
                "message": "Invalid phone number",
            }
            raise Refused(13, "No correct phone numbers", invalid_numbers=[wrong])
        idx = asked.get("idx", "")
        if asked.get("check_idx") == "1" and idx and self._used(idx):
            raise Refused(53, "Message with the same idx was already sent")
        if asked.get("test") == "1":
            return _json({"count": 1, "list": [{"id": "test", "status": "QUEUE", "error": None}]})
        sms = world.texts.accept(
            to=f"+{number}",
            sender=asked["from"],
            body=asked["message"],
            callback_url=asked.get("notify_url", ""),
            validity_seconds=int(life.total_seconds()),
            now=world.now(),
            gateway=GATEWAY,
            reference=idx,
        )
        if person is not None and world.town.take(person.id, Mode.SMS_ANSWER_LOST):
            return LostResponse()
        if person is not None and world.town.take(person.id, Mode.SMS_ERROR_AFTER):
            raise Refused(999, "Internal system error")
        shown = self._shown(sms)
        details = {}
        if asked.get("details") == "1":
            details = {"message": sms.body, "length": len(sms.body), "parts": 1}
        return _json({"count": 1, "list": [shown], **details})

    def _life(self, asked: dict[str, str]) -> timedelta:
        text = asked.get("expiration_date", "")
        if not text:
            return _DEFAULT_LIFE
        if not text.isdigit() or len(text) > 11:
            raise Refused(11, "Wrong expiration date")
        life = datetime.fromtimestamp(int(text), UTC) - self._world.now()
        if not _SHORTEST <= life <= _LONGEST:
            raise Refused(11, "Wrong expiration date")
        return life

    def _used(self, idx: str) -> bool:
        return any(s.gateway == GATEWAY and s.reference == idx for s in self._world.texts.all())

    def _shown(self, sms: Sms) -> dict[str, Any]:
        return {
            "id": sms.sid,
            "points": 0.16,
            "number": sms.to.removeprefix("+"),
            "date_sent": int((sms.sent_at or sms.created_at).timestamp()),
            "submitted_number": sms.to.removeprefix("+"),
            "status": SMSAPI_WORDS[self._world.texts.status(sms, self._world.now())],
            "error": None,
            "idx": sms.reference or None,
            "parts": 1,
        }

    # ------------------------------------------------------------ blacklist

    async def _blacklist(self, request: Request) -> Response:
        part = request.query_params.get("q", "")
        numbers = [n.removeprefix("+") for n in self._world.texts.phones_opted_out(DEFAULT_SENDER)]
        found = [
            {
                "id": f"{number:0>24}",
                "phone_number": number,
                "expire_at": None,
                "created_at": "2026-01-01T00:00:00+01:00",
            }
            for number in numbers
            if part in number
        ]
        return _json({"size": len(found), "collection": found})


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
