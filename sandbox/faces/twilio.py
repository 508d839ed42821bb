"""The Messages resource of Twilio's REST API, version 2010-04-01, as far as one sender needs it.

Under `/twilio/2010-04-01/Accounts/{sid}/`: create, fetch, list with pages, cancel, redact,
delete. All dates are the sandbox's business time.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faces.wire import LostResponse
from sandbox.modes import Mode
from sandbox.people import Person
from sandbox.records import Sms
from sandbox.world import World

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_VALIDITY_LONGEST = 36_000
_BODY_LONGEST = 1_600
_PAGE_LARGEST = 1_000
_GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€"
)

Handler = Callable[[Request], Awaitable[Response]]


class Refused(Exception):
    """An error of the API: HTTP status, Twilio's code, its message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def answer(self) -> Response:
        content = {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
        return Response(orjson.dumps(content), self.status, media_type="application/json")


def segments(body: str) -> int:
    """How many SMS a text takes: 160 signs of GSM-7 or 70 others, fewer where it is joined."""
    if all(sign in _GSM for sign in body):
        one, joined, length = 160, 153, len(body) + sum(sign in "^{}\\[~]|€" for sign in body)
    else:
        one, joined, length = 70, 67, len(body.encode("utf-16-le")) // 2
    return 1 if length <= one else -(-length // joined)


def _rfc2822(at: datetime | None) -> str | None:
    return None if at is None else format_datetime(at)


class Twilio:
    """The exchange's API over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        root = "/twilio/2010-04-01/Accounts/{account}"
        one = f"{root}/Messages/{{sid}}.json"
        return [
            Route(f"{root}/Messages.json", self._known(self._create), methods=["POST"]),
            Route(f"{root}/Messages.json", self._known(self._list), methods=["GET"]),
            Route(one, self._known(self._fetch), methods=["GET"]),
            Route(one, self._known(self._update), methods=["POST"]),
            Route(one, self._known(self._delete), methods=["DELETE"]),
        ]

    def _known(self, handler: Handler) -> Handler:
        async def known(request: Request) -> Response:
            try:
                self._authenticate(request)
                return await handler(request)
            except Refused as refused:
                return refused.answer()

        return known

    def _authenticate(self, request: Request) -> None:
        account = self._world.texts.account
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            plain = base64.b64decode(given, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            plain = ""
        good = hmac.compare_digest(plain, f"{account.sid}:{account.token}")
        if scheme.lower() != "basic" or not good or request.path_params["account"] != account.sid:
            raise Refused(401, 20003, "Authenticate")

    # ------------------------------------------------------------ create

    async def _create(self, request: Request) -> Response:
        form = await request.form()
        to, body = str(form.get("To", "")), str(form.get("Body", ""))
        service = str(form.get("MessagingServiceSid", ""))
        sender = str(form.get("From", ""))
        if not sender and service:
            sender = self._world.texts.account.numbers[0]
        self._check(to, sender, body)
        person = self._world.town.by_phone(to)
        self._refuse_by_fault(person)
        if self._world.texts.opted_out(to, sender):
            raise Refused(400, 21610, "Attempt to send to unsubscribed recipient")
        sms = self._world.texts.accept(
            to=to,
            sender=sender,
            body=body,
            callback_url=str(form.get("StatusCallback", "")),
            validity_seconds=_validity(form),
            service_sid=service,
            now=self._world.now(),
        )
        if person is not None and self._world.town.take(person.id, Mode.SMS_ANSWER_LOST):
            return LostResponse()
        if person is not None and self._world.town.take(person.id, Mode.SMS_ERROR_AFTER):
            raise Refused(500, 20500, "Internal Server Error")
        return self._json(self._shown(sms), 201)

    def _check(self, to: str, sender: str, body: str) -> None:
        if not to:
            raise Refused(400, 21604, "A 'To' phone number is required.")
        if not _E164.fullmatch(to):
            raise Refused(400, 21211, f"Invalid 'To' Phone Number: {to}")
        if not sender:
            raise Refused(400, 21603, "A 'From' phone number is required.")
        if not body:
            raise Refused(400, 21602, "Message body is required.")
        if len(body) > _BODY_LONGEST:
            raise Refused(400, 21617, "The concatenated message body exceeds the limit.")

    def _refuse_by_fault(self, person: Person | None) -> None:
        if person is None:
            return
        town = self._world.town
        if town.mode(person.id, Mode.SMS_LANDLINE) is not None:
            raise Refused(400, 21614, f"'To' number is not a valid mobile number: {person.phone}")
        if town.take(person.id, Mode.SMS_TOO_MANY):
            raise Refused(429, 20429, "Too Many Requests")
        if town.take(person.id, Mode.SMS_ERROR_BEFORE):
            raise Refused(500, 20500, "Internal Server Error")

    # ------------------------------------------------------------ the others

    def _find(self, request: Request) -> Sms:
        sms = self._world.texts.get(request.path_params["sid"])
        if sms is None:
            path = request.url.path
            raise Refused(404, 20404, f"The requested resource {path} was not found")
        return sms

    async def _fetch(self, request: Request) -> Response:
        return self._json(self._shown(self._find(request)), 200)

    async def _update(self, request: Request) -> Response:
        sms = self._find(request)
        form = await request.form()
        if form.get("Status") == "canceled":
            if self._world.texts.status(sms, self._world.now()) not in ("queued", "accepted"):
                raise Refused(409, 30409, "Message cannot be canceled any more")
            sms.cancelled = True
        elif "Body" in form and form["Body"] == "":
            sms.body = ""
        else:
            raise Refused(400, 20001, "Only Status=canceled or an empty Body can be set")
        self._world.texts.change(sms)
        return self._json(self._shown(sms), 200)

    async def _delete(self, request: Request) -> Response:
        sms = self._find(request)
        sms.deleted = True
        self._world.texts.change(sms)
        return Response(status_code=204)

    async def _list(self, request: Request) -> Response:
        asked = request.query_params
        try:
            size = min(max(int(asked.get("PageSize", "50")), 1), _PAGE_LARGEST)
            number = max(int(asked.get("Page", "0")), 0)
            found = [sms for sms in reversed(self._world.texts.all()) if self._matches(sms, asked)]
        except ValueError as wrong:
            raise Refused(400, 20001, f"Invalid parameter: {wrong}") from wrong
        shown = found[number * size : (number + 1) * size]
        kept = [
            (k, v) for k, v in asked.multi_items() if k not in ("Page", "PageToken", "PageSize")
        ]

        def link(page: int) -> str:
            query = urlencode([*kept, ("PageSize", str(size)), ("Page", str(page))])
            return f"{request.url.path.removeprefix('/twilio')}?{query}"

        more = (number + 1) * size < len(found)
        content = {
            "messages": [self._shown(sms) for sms in shown],
            "page": number,
            "page_size": size,
            "start": number * size,
            "end": number * size + max(0, len(shown) - 1),
            "uri": link(number),
            "first_page_uri": link(0),
            "previous_page_uri": link(number - 1) if number else None,
            "next_page_uri": link(number + 1) if more else None,
        }
        return self._json(content, 200)

    def _matches(self, sms: Sms, asked: Any) -> bool:
        if sms.deleted:
            return False
        if asked.get("To") not in (None, "", sms.to):
            return False
        if asked.get("From") not in (None, "", sms.sender):
            return False
        sent = self._sent_at(sms) or sms.created_at
        return all(
            _fits(sent, name[len("DateSent") :], asked[name])
            for name in ("DateSent", "DateSent<", "DateSent>")
            if asked.get(name)
        )

    # ------------------------------------------------------------ how a text is shown

    def _sent_at(self, sms: Sms) -> datetime | None:
        if sms.inbound:
            return sms.created_at
        left = sms.sent_at
        return left if left is not None and left <= self._world.now() else None

    def _shown(self, sms: Sms) -> dict[str, Any]:
        now = self._world.now()
        status = self._world.texts.status(sms, now)
        failed = status in ("undelivered", "failed")
        uri = f"/2010-04-01/Accounts/{self._world.texts.account.sid}/Messages/{sms.sid}"
        ended = sms.ends_at if sms.ends_at is not None and sms.ends_at <= now else None
        return {
            "sid": sms.sid,
            "account_sid": self._world.texts.account.sid,
            "messaging_service_sid": sms.service_sid or None,
            "to": sms.to,
            "from": sms.sender,
            "body": sms.body,
            "status": status,
            "direction": "inbound" if sms.inbound else "outbound-api",
            "num_segments": str(segments(sms.body)),
            "num_media": "0",
            "date_created": _rfc2822(sms.created_at),
            "date_sent": _rfc2822(self._sent_at(sms)),
            "date_updated": _rfc2822(ended or self._sent_at(sms) or sms.created_at),
            "price": None,
            "price_unit": "USD",
            "error_code": sms.error_code if failed else None,
            "error_message": None,
            "api_version": "2010-04-01",
            "uri": f"{uri}.json",
            "subresource_uris": {"media": f"{uri}/Media.json"},
        }

    def _json(self, content: Any, status: int) -> Response:
        return Response(orjson.dumps(content), status, media_type="application/json")


def _fits(sent: datetime, sign: str, bound: str) -> bool:
    """Whether a text's sending fits a filter; a bound without time means the whole day, UTC.

    Raises ValueError for a bound that is no date.
    """
    if len(bound) == len("2026-01-01"):
        day, of = sent.astimezone(UTC).date(), date.fromisoformat(bound)
        return day == of if not sign else (day <= of if sign == "<" else day >= of)
    moment = datetime.fromisoformat(bound)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return sent == moment if not sign else (sent <= moment if sign == "<" else sent >= moment)


def _validity(form: FormData) -> int:
    text = str(form.get("ValidityPeriod", _VALIDITY_LONGEST))
    if not text.isdigit() or not 1 <= int(text) <= _VALIDITY_LONGEST:
        raise Refused(400, 21624, "Invalid validity period value")
    return int(text)
