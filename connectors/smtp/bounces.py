"""Bounces: a delivery status notification (RFC 3464), read as what became of one of our e-mails.

The mail server hands the whole notification to POST /hooks/smtp, with two headers:
`saldo-timestamp` (seconds) and `saldo-signature`, "v1=" and the hex HMAC-SHA256 of
"timestamp.body" under SALDO_SMTP_BOUNCE_SECRET.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from email.policy import compat32
from typing import Final

from app.domain.errors import NotAllowed, Unreadable
from app.ports import DeliveryState, InboundEvent, InboundHttp, InboundKind, SendReceipt
from connectors._same import same

# Real seconds a signature may be old.
TOLERANCE_S: Final = 600

_STATES: Final = {
    "failed": DeliveryState.UNDELIVERED,
    "delivered": DeliveryState.DELIVERED,
    # Still on its way, or handed to where nobody tells: nothing new.
    "delayed": DeliveryState.ACCEPTED,
    "relayed": DeliveryState.ACCEPTED,
    "expanded": DeliveryState.ACCEPTED,
}
# RFC 3463: no such mailbox, host or address; mailbox disabled. A full one may empty itself.
_DEAD: Final = re.compile(r"5\.(?:1\.(?:1|2|3|6|10)|2\.1)\Z")
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_OURS: Final = r"<([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@"


def verify(call: InboundHttp, secret: str, real_now: datetime) -> None:
    """Raises `NotAllowed` without a secret, for a wrong signature, and for an old one."""
    stamp = call.headers.get("saldo-timestamp", "")
    given = call.headers.get("saldo-signature", "").removeprefix("v1=")
    if not secret or not re.fullmatch(r"\d{1,12}", stamp, re.ASCII):
        raise NotAllowed("The call's signature is wrong.")
    wanted = hmac.new(secret.encode(), stamp.encode() + b"." + call.body, hashlib.sha256)
    if not same(given, wanted.hexdigest()):
        raise NotAllowed("The call's signature is wrong.")
    if abs(real_now.timestamp() - int(stamp)) > TOLERANCE_S:
        raise NotAllowed("The call's signature is too old.")


def event_of(body: bytes, host: str) -> InboundEvent:
    """What the notification says of one of our e-mails. Raises `Unreadable` when it is none."""
    report = message_from_bytes(body, policy=compat32)
    if report.get_content_type() != "multipart/report":
        raise _unreadable("is no delivery status notification")
    parts = [part for part in report.walk() if part is not report]
    ref = _reference(parts, host)
    if ref is None:
        raise _unreadable("names no e-mail of ours")
    for fields in _recipients(parts):
        action = str(fields.get("Action", "")).strip().lower()
        if action in _STATES:
            found = _STATUS.search(str(fields.get("Status", "")))
            status = found.group() if found else ""
            receipt = SendReceipt(
                ref,
                _STATES[action],
                reason=status,
                permanent=action == "failed" and bool(_DEAD.match(status)),
            )
            return InboundEvent(
                event_id=hashlib.sha256(body).hexdigest(),
                kind=InboundKind.MESSAGE_STATUS,
                message_ref=ref,
                receipt=receipt,
            )
    raise _unreadable("says nothing of a recipient")


def _recipients(parts: list[Message]) -> Iterator[Message]:
    """The groups of fields in the machine-readable part; the first is about the whole."""
    for part in parts:
        if part.get_content_type() == "message/delivery-status":
            groups = part.get_payload()
            if isinstance(groups, list):
                yield from (group for group in groups if isinstance(group, Message))


def _reference(parts: list[Message], host: str) -> str | None:
    """The Message-ID of the e-mail it is about, from the copy that comes with it."""
    ours = re.compile(_OURS + re.escape(host) + ">", re.ASCII)
    for part in parts:
        kind = part.get_content_type()
        if kind == "message/rfc822":
            inner = part.get_payload()
            copies = inner if isinstance(inner, list) else []
            texts = [
                str(copy.get("Message-ID", "")) for copy in copies if isinstance(copy, Message)
            ]
        elif kind == "text/rfc822-headers":
            payload = part.get_payload(decode=True)
            headers = message_from_bytes(payload if isinstance(payload, bytes) else b"")
            texts = [str(headers.get("Message-ID", ""))]
        else:
            continue
        for text in texts:
            found = ours.search(text)
            if found:
                return found.group()
    return None


def _unreadable(what: str) -> Unreadable:
    return Unreadable(f"the bounce {what}", connector="smtp", operation="read_webhook")
