"""`sms/3`: send under an id of ours, look it up in the logs, ask where it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
import structlog

from app.domain.errors import (
    Declined,
    OutcomeUnknown,
    ProviderError,
    TryLater,
    Unreadable,
)
from app.ports import (
    DeliveryState,
    InboundEvent,
    InboundHttp,
    InboundKind,
    OutgoingSms,
    SendReceipt,
    Wire,
)
from connectors._exchange import Call, exchange, read_json, retry_after, status_error, unreadable
from connectors._hook_keys import check_key, fingerprint, with_key
from connectors._json import try_json
from connectors._replies import sender_of, stop_or_start
from connectors.infobip.settings import Settings
from connectors.infobip.window import delivery_options

NAME = "infobip"
SHORTEST_LIFE = 60
CHANNEL_WAIT = timedelta(minutes=10)

# Groups of statuses: 0 accepted, 1 pending, 2 undeliverable, 3 delivered, 4 expired, 5 rejected.
REJECTED = 5
STATES: Mapping[int, DeliveryState] = {
    0: DeliveryState.ACCEPTED,
    1: DeliveryState.ACCEPTED,
    2: DeliveryState.UNDELIVERED,
    3: DeliveryState.DELIVERED,
    4: DeliveryState.UNDELIVERED,
    REJECTED: DeliveryState.UNDELIVERED,
}
_ID = re.compile(r"[0-9A-Za-z_-]{1,200}", re.ASCII)

log = structlog.get_logger(NAME)


class InfobipMessages:
    """`MessagePort` over the SMS API, version 3."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when a setting is missing."""
        settings.check()
        self._settings = settings
        self._authorization = f"App {settings.api_key.get_secret_value()}"
        self._setup = settings.http_setup()
        self._http: httpx.AsyncClient = wire.http
        self._now = wire.now

    async def send(self, sms: OutgoingSms) -> SendReceipt:
        """One attempt, under the row's own key as its id."""
        if sms.valid_seconds < SHORTEST_LIFE:
            raise TryLater(
                "the contact window closes", after=None, connector=NAME, operation="send"
            )
        own_id = sms.key.hex
        message: dict[str, Any] = {
            "sender": self._settings.sender,
            "destinations": [{"to": sms.to.reveal().removeprefix("+"), "messageId": own_id}],
            "content": {"text": sms.body},
            "options": delivery_options(self._now(), sms.valid_seconds),
        }
        report_url = with_key(sms.status_url, self._settings.hook_key.get_secret_value())
        if report_url:
            message["webhooks"] = {
                "delivery": {"url": report_url},
                "contentType": "application/json",
            }
        body = orjson.dumps({"messages": [message]})
        call = self._call("send", "POST", "/sms/3/messages", body, own_id)
        answer = await exchange(self._http, call)
        if not answer.is_success:
            raise _refusal(answer, call)
        item = only_item(read_json(answer, call), "messages", call, answer.content)
        if item.get("messageId") != own_id:
            raise unreadable("the answer is about another text", call, answer.content)
        if _group(item) == REJECTED:
            reason = _word(item.get("status"), "name") or "REJECTED"
            raise Declined("rejected", reason=reason, **call.where)
        return receipt_of(item, call, answer.content)

    async def find(self, sms: OutgoingSms) -> SendReceipt | None:
        """Look for our id in the logs. OutcomeUnknown when they do not show it: a text may come
        into them late, and a repeat under the same id is not known to be refused.
        """
        found = await self._look_up(sms.key.hex, "find")
        if found is None:
            raise OutcomeUnknown("the logs do not show it", connector=NAME, operation="find")
        return found

    async def message_now(self, ref: str) -> SendReceipt:
        """Where a message stands; TryLater when the logs do not show it."""
        if not _ID.fullmatch(ref):
            raise Declined(
                "not the id of a message", reason="REF", connector=NAME, operation="message_now"
            )
        found = await self._look_up(ref, "message_now")
        if found is None:
            raise TryLater(
                "the logs do not show it", after=None, connector=NAME, operation="message_now"
            )
        return found

    def read_webhook(self, call: InboundHttp) -> InboundEvent:
        """A delivery report or an incoming text.

        Raises NotAllowed without the secret in the address, Unreadable when it is neither, and
        for several texts in one call: none of them may be lost.
        """
        check_key(call, self._settings.hook_key.get_secret_value())
        document = try_json(call.body)
        results = document.get("results") if isinstance(document, dict) else None
        listed = results if isinstance(results, list) else []
        if not all(isinstance(one, dict) for one in listed):
            raise _unknown_call("the call lists something else")
        ref = listed[0].get("messageId") if listed else None
        if not isinstance(ref, str) or not _ID.fullmatch(ref):
            raise _unknown_call("the call names no message")
        texts = [one for one in listed if isinstance(one.get("text"), str) and "from" in one]
        if not texts:
            # Several reports may come at once. They are hints: what the first leaves is polled.
            shape = fingerprint({"ref": ref, "said": orjson.dumps(listed[0]).decode()})
            return InboundEvent(f"{ref}:{shape}"[:200], InboundKind.MESSAGE_STATUS, message_ref=ref)
        if len(listed) > 1:
            raise _unknown_call("several texts in one call")
        words = texts[0]["text"]
        return InboundEvent(
            f"reply:{ref}"[:200],
            InboundKind.INBOUND_TEXT,
            message_ref=ref,
            sender=sender_of(str(texts[0]["from"]), bare=True),
            text=words,
            stop=stop_or_start(words),
        )

    # ------------------------------------------------------------ pieces

    async def _look_up(self, own_id: str, operation: str) -> SendReceipt | None:
        query = urlencode({"messageId": own_id})
        call = self._call(operation, "GET", f"/sms/3/logs?{query}")
        answer = await exchange(self._http, call)
        if not answer.is_success:
            raise _refusal(answer, call)
        document = read_json(answer, call)
        if isinstance(document, dict) and document.get("results") == []:
            return None
        item = only_item(document, "results", call, answer.content)
        if item.get("messageId") != own_id:
            raise unreadable("the answer is about another text", call, answer.content)
        return receipt_of(item, call, answer.content)

    def _call(
        self, operation: str, method: str, path: str, body: bytes | None = None, own_id: str = ""
    ) -> Call:
        headers = {"Authorization": self._authorization}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return Call(
            NAME,
            operation,
            method,
            self._settings.base_url + path,
            headers,
            body,
            writes=body is not None,
            reference=own_id,
            setup=self._setup,
        )


def only_item(document: Any, name: str, call: Call, body: bytes) -> dict[str, Any]:
    """The one entry of a list. Raises Unreadable, or OutcomeUnknown after a send."""
    listed = document.get(name) if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) != 1 or not isinstance(listed[0], dict):
        raise unreadable("the answer does not list one message", call, body)
    item: dict[str, Any] = listed[0]
    return item


def receipt_of(item: dict[str, Any], call: Call, body: bytes) -> SendReceipt:
    """One entry as a receipt. A group we do not know counts as accepted, with an alarm."""
    ref = item.get("messageId")
    if not isinstance(ref, str) or not _ID.fullmatch(ref):
        raise unreadable("the answer names no message", call, body)
    group = _group(item)
    state = STATES.get(group) if group is not None else None
    if state is None:
        log.warning("unknown_word", what="status group", word=str(group)[:20])
        state = DeliveryState.ACCEPTED
    if state is not DeliveryState.UNDELIVERED:
        return SendReceipt(ref, state)
    error = item.get("error")
    reason = _word(error, "name") or _word(item.get("status"), "name") or "UNDELIVERED"
    lasting = isinstance(error, dict) and error.get("permanent") is True
    return SendReceipt(ref, state, reason, permanent=lasting)


def _group(item: dict[str, Any]) -> int | None:
    status = item.get("status")
    group = status.get("groupId") if isinstance(status, dict) else None
    return group if isinstance(group, int) and not isinstance(group, bool) else None


def _word(holder: Any, name: str) -> str:
    """A code word of theirs, never a sentence: those may hold a number."""
    word = holder.get(name) if isinstance(holder, dict) else None
    good = isinstance(word, str) and re.fullmatch(r"[A-Z][A-Z0-9_]{0,59}", word, re.ASCII)
    return word if isinstance(word, str) and good and word != "NO_ERROR" else ""


def _refusal(answer: httpx.Response, call: Call) -> ProviderError:
    status = answer.status_code
    if status in (401, 403):
        log.error("channel_misconfigured", operation=call.operation, status=status)
        return TryLater(f"HTTP {status}", after=CHANNEL_WAIT, **call.where)
    if status == 429:
        return TryLater("HTTP 429", after=retry_after(answer), **call.where)
    return status_error(answer, call)


def _unknown_call(problem: str) -> Unreadable:
    return Unreadable(problem, connector=NAME, operation="webhook")
