"""Tink's calls: verified, and reduced to the payment request that changed, or to the consent whose
connection is no longer in order.

X-Tink-Signature is `t=SECONDS,v1=HEX`, an HMAC-SHA256 over the seconds, a point and the exact body,
under the secret that Tink gave when the address was registered. Events have no id: equal bodies are
the same event. Every refresh that Saldo itself asked for ends in a call as well; one that found the
connection in order says nothing new.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app.domain.errors import Misconfigured, NotAllowed, Unreadable
from app.domain.ids import Secret
from app.ports import InboundEvent, InboundHttp, InboundKind, Wire
from connectors._hook_age import check_age
from connectors._json import try_json
from connectors._same import same
from connectors.tink.grants import IDS
from connectors.tink.settings import NAME, Settings

SIGNATURE = "x-tink-signature"
# Tink repeats a call up to three times. When is not published, nor whether it signs anew.
OLDEST = timedelta(days=1)
_REFRESHED = "refresh:finished"
_PAID = "payment:updated"
_IN_ORDER = ("UPDATED", "UPDATING")
_SECONDS = re.compile(r"[0-9]{1,11}")
_LONGEST_HEADER = 2000


class Hooks:
    """`HookPort` over Tink's events."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured while there is no secret."""
        self._secret = settings.webhook_secret.get_secret_value().encode()
        self._real_now = wire.real_now
        if not self._secret:
            raise Misconfigured(
                "SALDO_TINK_WEBHOOK_SECRET", "is not set", "Tink gives it with the address."
            )

    def __repr__(self) -> str:
        return "Hooks(…)"

    async def read_webhooks(self, call: InboundHttp) -> tuple[InboundEvent, ...]:
        """What the call is about; nothing for what Saldo does not use Tink for."""
        headers = {name.lower(): value for name, value in call.headers.items()}
        check_age(self._signed_at(headers.get(SIGNATURE, ""), call.body), self._real_now(), OLDEST)
        return events_in(call.body)

    def _signed_at(self, stated: str, body: bytes) -> datetime:
        parts = [part.strip().partition("=") for part in stated[:_LONGEST_HEADER].split(",")]
        times = [value for name, _, value in parts if name == "t"]
        given = [value for name, _, value in parts if name == "v1"]
        if len(times) != 1 or not _SECONDS.fullmatch(times[0]):
            raise NotAllowed("The call is not signed.")
        right = signature(self._secret, times[0], body)
        if not any(same(one.lower(), right) for one in given):
            raise NotAllowed("The call's signature is wrong.")
        return datetime.fromtimestamp(int(times[0]), UTC)


def signature(secret: bytes, seconds: str, body: bytes) -> str:
    """The value of `v1`."""
    return hmac.new(secret, seconds.encode() + b"." + body, hashlib.sha256).hexdigest()


def events_in(body: bytes) -> tuple[InboundEvent, ...]:
    """What a verified call is about. Raises Unreadable for what is no event of Tink's."""
    said: Any = try_json(body)
    said = said if isinstance(said, dict) else {}
    event, context, content = said.get("event"), said.get("context"), said.get("content")
    if not isinstance(event, str) or not isinstance(context, dict):
        raise Unreadable("the call names no event", connector=NAME, operation="read_webhooks")
    if not isinstance(content, dict):
        return ()
    event_id = hashlib.sha256(body).hexdigest()
    if event == _PAID and IDS.fits(content.get("paymentRequestId")):
        ref = Secret(str(content["paymentRequestId"]))
        return (InboundEvent(event_id, InboundKind.PAYMENT, payment_ref=ref),)
    if event != _REFRESHED:
        return ()
    consent = _uuid(context.get("externalUserId"))
    if consent is None or content.get("credentialsStatus") in _IN_ORDER:
        return ()
    return (InboundEvent(event_id, InboundKind.CONSENT, consent_key=consent),)


def _uuid(text: Any) -> UUID | None:
    """The consent's key, under which its user was made at Tink."""
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
