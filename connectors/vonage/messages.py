"""`sms/json`: send once; what became of it, Vonage tells by itself."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any, NoReturn
from urllib.parse import urlencode

import httpx
import structlog

from app.domain.errors import Declined, OutcomeUnknown, ProviderError, TryLater
from app.domain.sms_text import SmsEncoding, measure
from app.ports import (
    DeliveryState,
    InboundEvent,
    InboundHttp,
    OutgoingSms,
    SendReceipt,
    Wire,
)
from connectors._exchange import Call, exchange, read_json, retry_after, status_error, unreadable
from connectors.vonage.hooks import event_of, verified
from connectors.vonage.settings import Settings

NAME = "vonage"

SHORTEST_LIFE_MS, LONGEST_LIFE_MS = 20_000, 604_800_000
LONGEST_CALLBACK = 100

SENT = "0"
# Throttled; too many binds. The request was turned away as a whole.
TOO_MANY = frozenset({"1", "10"})
# Credentials, account barred, quota: nothing leaves until somebody mends the account.
CHANNEL_BROKEN = frozenset({"4", "8", "9"})
CHANNEL_WAIT = timedelta(minutes=10)
INTERNAL = "5"

log = structlog.get_logger(NAME)


class VonageMessages:
    """`MessagePort` over the SMS API."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when a setting is missing."""
        settings.check()
        pair = f"{settings.api_key}:{settings.api_secret.get_secret_value()}".encode()
        self._authorization = "Basic " + base64.b64encode(pair).decode()
        self._settings = settings
        self._setup = settings.http_setup()
        self._http: httpx.AsyncClient = wire.http

    async def send(self, sms: OutgoingSms) -> SendReceipt:
        """One attempt. The receipt's id is that of the first part of a long text."""
        life = sms.valid_seconds * 1000
        if life < SHORTEST_LIFE_MS:
            raise TryLater(
                "the contact window closes", after=None, connector=NAME, operation="send"
            )
        form = {
            "from": self._settings.sender,
            "to": sms.to.reveal().removeprefix("+"),
            "text": sms.body,
            "type": "text" if measure(sms.body).encoding is SmsEncoding.GSM7 else "unicode",
            "ttl": str(min(life, LONGEST_LIFE_MS)),
            "client-ref": sms.key.hex,
        }
        if 0 < len(sms.status_url) <= LONGEST_CALLBACK:
            form["callback"] = sms.status_url
        call = Call(
            NAME,
            "send",
            "POST",
            f"{self._settings.base_url}/sms/json",
            {
                "Authorization": self._authorization,
                "Content-Type": "application/x-www-form-urlencoded",
            },
            urlencode(form).encode(),
            writes=True,
            reference=sms.key.hex,
            setup=self._setup,
        )
        answer = await exchange(self._http, call)
        if not answer.is_success:
            raise _refused_by_status(answer, call)
        return receipt_of(read_json(answer, call), call, answer.content)

    async def find(self, sms: OutgoingSms) -> SendReceipt | None:
        """Always OutcomeUnknown: Vonage cannot be searched, and drops no repeats."""
        del sms
        self._cannot_ask("find")

    async def message_now(self, ref: str) -> SendReceipt:
        """Always OutcomeUnknown: states come by signed receipts alone."""
        del ref
        self._cannot_ask("message_now")

    def read_webhook(self, call: InboundHttp) -> InboundEvent:
        """A receipt or an incoming text, verified by its signature.

        Raises NotAllowed when it does not verify, Unreadable when it is signed and neither.
        """
        secret = self._settings.signature_secret.get_secret_value()
        method, key = self._settings.signature_method, self._settings.api_key
        return event_of(verified(call, secret, method, key))

    def _cannot_ask(self, operation: str) -> NoReturn:
        raise OutcomeUnknown("Vonage cannot be asked", connector=NAME, operation=operation)


def receipt_of(document: Any, call: Call, body: bytes) -> SendReceipt:
    """The answer to a send, one entry for each part of the text.

    When some parts left and others did not, the text counts as undelivered: it is never repeated.
    """
    listed = document.get("messages") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not listed or not all(isinstance(p, dict) for p in listed):
        raise unreadable("the answer lists no messages", call, body)
    codes = [_code(part) for part in listed]
    if any(code is None for code in codes):
        raise unreadable("the answer states no status", call, body)
    failed = [code for code in codes if code is not None and code != SENT]
    if len(failed) == len(codes):
        raise _refused(failed[0], call)
    ref = listed[codes.index(SENT)].get("message-id")
    if not isinstance(ref, str) or not 0 < len(ref) <= 100:
        raise unreadable("the answer names no message", call, body)
    if failed:
        return SendReceipt(ref, DeliveryState.UNDELIVERED, reason=f"PARTIAL_{failed[0]}")
    return SendReceipt(ref, DeliveryState.ACCEPTED)


def _code(part: dict[str, Any]) -> str | None:
    stated = part.get("status")
    if isinstance(stated, bool) or not isinstance(stated, (str, int)) or not str(stated).isdigit():
        return None
    return str(int(stated))[:6]


def _refused(code: str, call: Call) -> ProviderError:
    said = f"status {code}"
    if code in TOO_MANY:
        return TryLater(said, after=None, **call.where)
    if code in CHANNEL_BROKEN:
        log.error("channel_misconfigured", operation=call.operation, code=code)
        return TryLater(said, after=CHANNEL_WAIT, **call.where)
    if code == INTERNAL:
        return OutcomeUnknown(said, **call.where)
    return Declined(said, reason=code, **call.where)


def _refused_by_status(answer: httpx.Response, call: Call) -> ProviderError:
    status = answer.status_code
    if status in (401, 403):
        log.error("channel_misconfigured", operation=call.operation, status=status)
        return TryLater(f"HTTP {status}", after=CHANNEL_WAIT, **call.where)
    if status == 429:
        return TryLater("HTTP 429", after=retry_after(answer), **call.where)
    return status_error(answer, call)
