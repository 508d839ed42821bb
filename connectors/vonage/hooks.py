"""Vonage's calls to us: the signature, receipts, and what people write back.

The signature is an HMAC over `&name=value` of every parameter but `sig`, names in byte order,
with `&` and `=` inside values replaced by `_`; hexadecimal. A `timestamp` must be among them.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

import structlog

from app.domain.errors import NotAllowed, Unreadable
from app.ports import DeliveryState, InboundEvent, InboundHttp, InboundKind, SendReceipt
from connectors._exchange import mask_text
from connectors._replies import sender_of, stop_or_start
from connectors._same import as_sent, same

MOST_PARAMETERS = 100
OPTED_OUT_CODE = "9"

STATES: Mapping[str, DeliveryState] = {
    **dict.fromkeys(("accepted", "buffered"), DeliveryState.ACCEPTED),
    "delivered": DeliveryState.DELIVERED,
    **dict.fromkeys(("failed", "rejected", "expired"), DeliveryState.UNDELIVERED),
}

log = structlog.get_logger("vonage")


def signature(secret: str, method: str, said: Mapping[str, str]) -> str:
    """The value of `sig` for these parameters (which hold no `sig` themselves)."""
    text = "".join(
        f"&{name}={said[name].replace('&', '_').replace('=', '_')}" for name in sorted(said)
    )
    return hmac.new(secret.encode(), as_sent(text), method).hexdigest()


def verified(call: InboundHttp, secret: str, method: str, api_key: str) -> dict[str, str]:
    """The parameters of a call that Vonage signed for our account. Raises NotAllowed."""
    try:
        query = parse_qsl(
            urlsplit(call.url).query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS
        )
    except ValueError:
        raise NotAllowed("The called address cannot be read.") from None
    pairs = [*query, *call.form]
    said = dict(pairs)
    if len(said) != len(pairs) or len(pairs) > MOST_PARAMETERS:
        raise NotAllowed("The call names a parameter twice.")
    given = said.pop("sig", "").lower()
    if not given or not said.get("timestamp"):
        raise NotAllowed("The call is not signed.")
    if not same(given, signature(secret, method, said)):
        raise NotAllowed("The call's signature is wrong.")
    if said.get("api-key", api_key) != api_key:
        raise NotAllowed("The call is for another account.")
    return said


def event_of(said: Mapping[str, str]) -> InboundEvent:
    """A verified call as an event. A receipt vouches for itself: nobody can be asked later.

    Raises Unreadable for a call that is neither a receipt nor a text.
    """
    ref = said.get("messageId", "")
    if ref and said.get("status"):
        receipt = receipt_of(ref, said["status"], said.get("err-code", ""))
        event_id = f"{ref}:{said['status']}:{said.get('err-code', '')}"[:200]
        return InboundEvent(event_id, InboundKind.MESSAGE_STATUS, message_ref=ref, receipt=receipt)
    if ref and said.get("msisdn") and "text" in said:
        words = said["text"]
        return InboundEvent(
            f"reply:{ref}"[:200],
            InboundKind.INBOUND_TEXT,
            message_ref=ref,
            sender=sender_of(said["msisdn"], bare=True),
            text=words,
            stop=stop_or_start(words),
        )
    raise Unreadable(
        "the call is neither a receipt nor a text", connector="vonage", operation="webhook"
    )


def receipt_of(ref: str, status: str, code: str) -> SendReceipt:
    """What a receipt says. A status we do not know counts as accepted, with an alarm."""
    state = STATES.get(status.lower())
    if state is None:
        log.warning("unknown_word", what="status", word=mask_text(status[:40]))
        state = DeliveryState.ACCEPTED
    opted_out = state is DeliveryState.UNDELIVERED and code == OPTED_OUT_CODE
    reason = "" if state is not DeliveryState.UNDELIVERED else (code or status)[:60]
    return SendReceipt(ref, state, reason, opted_out=opted_out, permanent=opted_out)
