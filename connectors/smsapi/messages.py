"""`sms.do`: send under an own key that is refused twice, and ask where a message stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import structlog

from app.domain.errors import Declined, NotAllowed, OutcomeUnknown, TryLater, Unreadable
from app.ports import (
    OPTED_OUT,
    DeliveryState,
    InboundEvent,
    InboundHttp,
    InboundKind,
    OutgoingSms,
    SendReceipt,
    Wire,
)
from connectors._exchange import Call, as_form, exchange, mask_text, unreadable
from connectors._hook_keys import check_key, fingerprint, parameters, with_key
from connectors._replies import sender_of, stop_or_start
from connectors.smsapi.refusals import USED_IDX, refusal, stated_error
from connectors.smsapi.settings import LONGEST_PAUSE_HOURS, Settings

NAME = "smsapi"

# `expiration_date` lies within these bounds after the sending, and is kept to five minutes.
SHORTEST_LIFE, LONGEST_LIFE = timedelta(hours=1), timedelta(hours=12)
UNSHARP = timedelta(minutes=5)

# The vendor's client calls QUEUE and SENT not final; the other words say what they mean.
STATES: Mapping[str, DeliveryState] = {
    **dict.fromkeys(("QUEUE", "SENT"), DeliveryState.ACCEPTED),
    "DELIVERED": DeliveryState.DELIVERED,
    **dict.fromkeys(("UNDELIVERED", "EXPIRED", "FAILED", "REJECTED"), DeliveryState.UNDELIVERED),
}
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
BLACKLIST_PAGE = 100

log = structlog.get_logger(NAME)


class SmsapiMessages:
    """`MessagePort` over `sms.do` and the account's blacklist."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when a setting is missing."""
        settings.check()
        self._settings = settings
        self._authorization = f"Bearer {settings.token.get_secret_value()}"
        self._setup = settings.http_setup()
        self._http: httpx.AsyncClient = wire.http
        self._now = wire.now
        self._real_now = wire.real_now

    async def send(self, sms: OutgoingSms) -> SendReceipt:
        """One attempt under the row's own key. A key that SMSAPI knows already was accepted
        before: the receipt then has no id, and nobody can be asked about it.

        TryLater in the last 65 minutes of a contact window, since SMSAPI cannot end a text sooner.
        """
        life = timedelta(seconds=sms.valid_seconds) - UNSHARP
        if life < SHORTEST_LIFE:
            rest = timedelta(seconds=max(1, sms.valid_seconds))
            raise TryLater("the contact window closes", after=rest, connector=NAME,
                           operation="send")  # fmt: skip
        if self._settings.check_blacklist:
            await self._refuse_blacklisted(sms)
        ends = self._now() + min(life, LONGEST_LIFE)
        form = {
            "to": sms.to.reveal().removeprefix("+"),
            "from": self._settings.sender,
            "message": sms.body,
            "encoding": "utf-8",
            "format": "json",
            "idx": sms.key.hex,
            "check_idx": "1",
            "expiration_date": str(int(ends.timestamp())),
        }
        if self._settings.report_id_field and sms.status_url:
            form["notify_url"] = with_key(
                sms.status_url, self._settings.hook_key.get_secret_value()
            )
        call = self._call("send", "POST", "/sms.do", form)
        answer = await exchange(self._http, call)
        document, code = stated_error(answer)
        if code == USED_IDX and answer.status_code < 500:
            log.info("accepted_before", reference=call.reference)
            return SendReceipt(ref="", state=DeliveryState.ACCEPTED)
        if not answer.is_success or code is not None:
            raise refusal(answer, call, code)
        item = only_item(document, call, answer.content)
        return self._receipt(item, call, answer)

    async def find(self, sms: OutgoingSms) -> SendReceipt | None:
        """None where sending again under the same key is safe: SMSAPI still knows the key if it
        has the text. OutcomeUnknown where that is not sure; nobody can search for the text.
        """
        spare = self._settings.idx_memory_hours - LONGEST_PAUSE_HOURS
        since = None if sms.sent_after is None else self._real_now() - sms.sent_after
        if since is not None and timedelta(0) <= since < timedelta(hours=spare):
            return None
        raise OutcomeUnknown(
            "SMSAPI cannot be searched, and may have forgotten the key",
            connector=NAME, operation="find",
        )  # fmt: skip

    async def message_now(self, ref: str) -> SendReceipt:
        """Where a message stands."""
        if not _ID.fullmatch(ref):
            raise Declined("not the id of a message", reason="REF", connector=NAME,
                           operation="message_now")  # fmt: skip
        query = urlencode({"status": ref, "format": "json"})
        call = self._call("message_now", "GET", f"/sms.do?{query}")
        answer = await exchange(self._http, call)
        document, code = stated_error(answer)
        if not answer.is_success or code is not None:
            raise refusal(answer, call, code)
        item = only_item(document, call, answer.content)
        if item.get("id") != ref:
            raise unreadable("the answer is about another message", call, answer.content)
        return self._receipt(item, call, answer)

    def read_webhook(self, call: InboundHttp) -> InboundEvent:
        """A delivery report or an incoming text, under the names the settings give.

        Raises NotAllowed without the secret in the address, Unreadable when it is neither.
        """
        check_key(call, self._settings.hook_key.get_secret_value())
        said = parameters(call)
        own_id, number, words = (said.get(name, "") for name in self._settings.reply_fields)
        if all(self._settings.reply_fields) and own_id and own_id.isprintable() and number:
            return InboundEvent(
                f"reply:{own_id}"[:200],
                InboundKind.INBOUND_TEXT,
                message_ref=own_id,
                sender=sender_of(number, bare=True),
                text=words,
                stop=stop_or_start(words),
            )
        ref = said.get(self._settings.report_id_field, "")
        if not self._settings.report_id_field or not _ID.fullmatch(ref):
            if not self._settings.report_id_field and not all(self._settings.reply_fields):
                raise NotAllowed("Calls of SMSAPI are not set up.")
            raise Unreadable("the call is neither a report nor a text", connector=NAME,
                             operation="webhook")  # fmt: skip
        event_id = f"{ref}:{fingerprint(said)}"
        return InboundEvent(event_id, InboundKind.MESSAGE_STATUS, message_ref=ref)

    # ------------------------------------------------------------ pieces

    async def _refuse_blacklisted(self, sms: OutgoingSms) -> None:
        """Raises Declined for a number on the account's blacklist, TryLater where it is unclear."""
        number = sms.to.reveal().removeprefix("+")
        path = f"/blacklist/phone_numbers?q={quote(number)}&limit={BLACKLIST_PAGE}"
        call = self._call("send", "GET", path)
        answer = await exchange(self._http, call)
        document, code = stated_error(answer)
        listed = document.get("collection") if isinstance(document, dict) else None
        if answer.is_success and code is None and isinstance(listed, list):
            if any(_is_number(one, number) for one in listed):
                raise Declined("on the blacklist", reason=OPTED_OUT, **call.where)
            return
        problem = refusal(answer, call, code) if not answer.is_success or code else None
        if isinstance(problem, TryLater):
            raise problem
        raise TryLater("the blacklist cannot be read; nothing was sent", after=None, **call.where)

    def _call(
        self, operation: str, method: str, path: str, form: dict[str, str] | None = None
    ) -> Call:
        kind, body = as_form(form)
        return Call(
            NAME,
            operation,
            method,
            self._settings.base_url + path,
            {"Authorization": self._authorization, **kind},
            body,
            writes=form is not None,
            reference=form["idx"] if form else "",
            setup=self._setup,
        )

    def _receipt(self, item: dict[str, Any], call: Call, answer: httpx.Response) -> SendReceipt:
        """One item of a list as a receipt. A word we do not know counts as accepted, with an
        alarm.
        """
        ref, status, wrong = item.get("id"), item.get("status"), item.get("error")
        if not isinstance(ref, str) or not _ID.fullmatch(ref):
            raise unreadable("the answer names no message", call, answer.content)
        if call.reference and item.get("idx") not in (None, "", call.reference):
            raise unreadable("the answer is about another text", call, answer.content)
        state = STATES.get(status) if isinstance(status, str) else None
        if state is None:
            shown = mask_text(status[:40]) if isinstance(status, str) else type(status).__name__
            log.warning("unknown_word", what="status", word=shown)
            state = DeliveryState.ACCEPTED
        reason = "" if state is not DeliveryState.UNDELIVERED else str(wrong or status)[:60]
        return SendReceipt(ref=ref, state=state, reason=reason)


def only_item(document: Any, call: Call, body: bytes) -> dict[str, Any]:
    """The one message an answer lists.

    Raises Unreadable (OutcomeUnknown after a send) when it lists none or several.
    """
    listed = document.get("list") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) != 1 or not isinstance(listed[0], dict):
        raise unreadable("the answer does not list one message", call, body)
    item: dict[str, Any] = listed[0]
    return item


def _is_number(entry: Any, number: str) -> bool:
    listed = entry.get("phone_number") if isinstance(entry, dict) else None
    return isinstance(listed, (str, int)) and str(listed).removeprefix("+") == number
