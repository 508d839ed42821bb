"""Infobip's SMS API, version 3, as far as one sender needs it, under `/infobip`.

A repeated `messageId` is another text: that the real one refuses it is published nowhere. The key
of the account is that of the exchange.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faces.gateway_calls import infobip_error, infobip_status
from sandbox.faces.wire import LostResponse
from sandbox.modes import Mode
from sandbox.people import Person
from sandbox.records import Sms
from sandbox.world import World

Handler = Callable[[Request], Awaitable[Response]]

GATEWAY = "infobip"
_UNITS = {"SECONDS": 1, "MINUTES": 60, "HOURS": 3600}
_LONGEST_LIFE = 48 * 3600


class Refused(Exception):
    """An error of the API: HTTP status, id and words."""

    def __init__(self, status: int, message_id: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.content = {"requestError": {"serviceException": {"messageId": message_id,
                                                              "text": text}}}  # fmt: skip


class Infobip:
    """The API over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        return [
            Route("/infobip/sms/3/messages", self._known(self._send), methods=["POST"]),
            Route("/infobip/sms/3/logs", self._known(self._logs), methods=["GET"]),
        ]

    def _known(self, handler: Handler) -> Handler:
        async def known(request: Request) -> Response:
            try:
                expected = f"App {self._world.texts.account.token}"
                if not hmac.compare_digest(request.headers.get("authorization", ""), expected):
                    return _json(_invalid_login(), 401)
                return await handler(request)
            except Refused as refused:
                return _json(refused.content, refused.status)

        return known

    async def _send(self, request: Request) -> Response:
        try:
            (message,) = orjson.loads(await request.body())["messages"]
            (destination,) = message["destinations"]
            number, text = str(destination["to"]), str(message["content"]["text"])
            life = _life(message.get("options") or {})
        except (ValueError, KeyError, TypeError):
            raise Refused(400, "BAD_REQUEST", "Bad Request") from None
        world = self._world
        person = world.town.by_phone(f"+{number}")
        if self._happens(person, Mode.SMS_TOO_MANY):
            raise Refused(429, "TOO_MANY_REQUESTS", "Too many requests")
        if self._happens(person, Mode.SMS_ERROR_BEFORE):
            raise Refused(500, "GENERAL_ERROR", "Something went wrong")
        late = None
        if person is not None and world.town.mode(person.id, Mode.SMS_LANDLINE) is not None:
            late = 21614
        webhooks = message.get("webhooks") or {}
        sms = world.texts.accept(
            to=f"+{number}",
            sender=str(message.get("sender", "")),
            body=text,
            callback_url=str((webhooks.get("delivery") or {}).get("url") or ""),
            validity_seconds=life,
            now=world.now(),
            gateway=GATEWAY,
            reference=str(destination.get("messageId") or uuid4().hex),
            late_error=late,
        )
        if self._happens(person, Mode.SMS_ANSWER_LOST):
            return LostResponse()
        if self._happens(person, Mode.SMS_ERROR_AFTER):
            raise Refused(500, "GENERAL_ERROR", "Something went wrong")
        taken = {
            "messageId": sms.reference,
            "status": infobip_status("queued"),
            "destination": number,
            "details": {"messageCount": 1},
        }
        return _json({"bulkId": f"b{sms.sid}", "messages": [taken]})

    def _happens(self, person: Person | None, mode: Mode) -> bool:
        return person is not None and self._world.town.take(person.id, mode)

    async def _logs(self, request: Request) -> Response:
        wanted = request.query_params.get("messageId", "").split(",")
        found = [
            self._shown(sms)
            for sms in self._world.texts.all()
            if sms.gateway == GATEWAY and not sms.inbound and sms.reference in wanted
        ]
        return _json({"results": found})

    def _shown(self, sms: Sms) -> dict[str, Any]:
        status = self._world.texts.status(sms, self._world.now())
        ended = status in ("delivered", "undelivered", "failed")
        return {
            "sender": sms.sender,
            "destination": sms.to.removeprefix("+"),
            "bulkId": f"b{sms.sid}",
            "messageId": sms.reference,
            "sentAt": sms.created_at.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
            "messageCount": 1,
            "status": infobip_status(status),
            "error": infobip_error(sms.error_code if ended else None),
            "content": {"text": sms.body},
        }


def _life(options: dict[str, Any]) -> int:
    """Seconds a text lives. Raises ValueError for a window that the API refuses."""
    window = options.get("deliveryTimeWindow")
    if window is not None:
        opens, closes = (int(t["hour"]) * 60 + int(t["minute"])
                         for t in (window["from"], window["to"]))  # fmt: skip
        if not window["days"] or closes - opens < 60:
            message = "a delivery window is at least an hour long"
            raise ValueError(message)
    period = options.get("validityPeriod") or {"amount": 48, "timeUnit": "HOURS"}
    return min(int(period["amount"]) * _UNITS[period.get("timeUnit", "MINUTES")], _LONGEST_LIFE)


def _invalid_login() -> dict[str, Any]:
    words = {"messageId": "UNAUTHORIZED", "text": "Invalid login details"}
    return {"requestError": {"serviceException": words}}


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
