"""Single payments: a recipient, the payment, and a hosted page of Link on which it is authorised.

An open payment cannot be taken back; its page ends when we said so. The page's address stands in
one answer alone, so that an order whose answer was lost, at whichever step, is one that nobody can
pay. The payment it has made is found by its reference in Plaid's list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import orjson
import structlog

from app.domain.account import BankAccount, as_uk_account
from app.domain.errors import Declined, ProviderError, TryLater
from app.domain.ids import Secret
from app.domain.payee import GBP
from app.pay_ports import (
    CancelResult,
    PaymentBegun,
    PaymentHandle,
    PaymentNow,
    PaymentOrder,
    PaymentWithoutPage,
    PayStatus,
)
from app.ports import Bank, Wire
from app.side_ports import Stay
from connectors._bank_list import listed
from connectors._exchange import Call, read_json, retry_after, status_error, unreadable
from connectors._ids import Ids
from connectors._paying import not_known_yet, stated, trouble_with
from connectors._words import pay_status
from connectors.plaid.desk import Desk
from connectors.plaid.refusals import other_refusal, read_refusal
from connectors.plaid.settings import NAME, TAKEN, WORD, Institution, Settings

_IDS = Ids(NAME, re.compile(r"[A-Za-z0-9_-]{1,100}"))
_REFERENCE = re.compile(r"[A-Za-z0-9 ]{1,18}")
LONGEST_REFERENCE = 18
_SMALLEST_MINOR = 100
_LONGEST_NAME = 70
# For somebody who is at his bank when the page ends.
_TIME_TO_FINISH = timedelta(minutes=15)
_MOST_RECIPIENTS = 100
# Of the list, newest first: as many at a time as Plaid gives, and so many times.
_LISTED_AT_ONCE = 200
_MOST_LISTS = 25
_STATUS = {
    f"{WORD}INPUT_NEEDED": PayStatus.OPEN,
    f"{WORD}AUTHORISING": PayStatus.OPEN,
    **dict.fromkeys(TAKEN, PayStatus.AUTHORISED),
    f"{WORD}INSUFFICIENT_FUNDS": PayStatus.REJECTED,
    f"{WORD}FAILED": PayStatus.REJECTED,
    f"{WORD}BLOCKED": PayStatus.REJECTED,
    f"{WORD}REJECTED": PayStatus.REJECTED,
    f"{WORD}CANCELLED": PayStatus.CANCELLED,
}
_ROOT = "/payment_initiation"

log = structlog.get_logger(NAME)


class Payments:
    """`PaymentPort`, `FindingPort` and `StayingPort` over payment initiation."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when credentials or the list of banks are missing."""
        self._institutions = settings.institutions()
        self._settings = settings
        self._desk = Desk(settings, wire, seconds=settings.payment_timeout_seconds)
        self._recipients: dict[tuple[str, str, str], str] = {}

    def banks(self) -> tuple[Bank, ...]:
        """The banks of the operator's list."""
        return tuple(
            one.bank(
                attended_reads_count=True,
                instant_payments=one.instant_payments,
                pays=one.pays,
                longest_reference=LONGEST_REFERENCE,
                needs_payer_name=self._settings.payment_users,
            )
            for one in self._institutions.values()
        )

    def stay(self) -> Stay:
        """The page ends by itself."""
        lasts = timedelta(minutes=self._settings.payment_page_minutes)
        return Stay(lasts + _TIME_TO_FINISH, page_lasts=lasts)

    async def create_payment(self, order: PaymentOrder) -> PaymentBegun:
        """Make the payment and its page. There is no key for a repetition, so what is lost is
        OutcomeUnknown: a payment may be left behind whose page is known to nobody. Once the
        payment is made, whatever keeps us from its page is PaymentWithoutPage.
        """
        operation = "create_payment"
        bank = self._bank(order.bank_id, operation)
        check(order, bank)
        person = payer_of(order) if self._settings.payment_users else None
        content: dict[str, Any] = {
            "recipient_id": await self._recipient(order, operation),
            "reference": order.end_to_end_ref,
            "amount": {
                "currency": order.amount.currency,
                "value": orjson.Fragment(order.amount.plain()),
            },
        }
        if person is not None:
            content["user_id"] = await self._made(operation, "/user/create", person, "user_id")
        if order.instant:
            content["options"] = {"scheme": "SEPA_CREDIT_TRANSFER_INSTANT"}
        ref = await self._made(operation, f"{_ROOT}/payment/create", content, "payment_id")
        handle = PaymentHandle(bank.id, Secret(ref), order.instant)
        try:
            page = await self._page(order, bank, ref, operation)
        except ProviderError as error:
            log.warning("payment_without_page", error=type(error).__name__)
            where = {"connector": NAME, "operation": operation}
            raise PaymentWithoutPage(error.detail, handle=handle, **where) from None
        return PaymentBegun(handle, page, PaymentNow(PayStatus.OPEN, "INPUT_NEEDED"))

    async def find_payment(self, order: PaymentOrder) -> PaymentHandle:
        """The payment that carries this order's reference, in Plaid's list. Declined: none does."""
        operation = "find_payment"
        bank = self._bank(order.bank_id, operation)
        where = {"connector": NAME, "operation": operation}
        content: dict[str, Any] = {"count": _LISTED_AT_ONCE}
        for _ in range(_MOST_LISTS):
            listed, before = await self._listed(operation, content)
            for one in listed:
                if one.get("reference") == order.end_to_end_ref and _IDS.fits(one["payment_id"]):
                    return PaymentHandle(bank.id, Secret(one["payment_id"]), order.instant)
            if before is None:
                raise Declined("no payment carries the reference", reason="NO_PAYMENT", **where)
            content["cursor"] = before
        raise TryLater("too many payments are younger than this one", after=None, **where)

    async def payment_now(self, handle: PaymentHandle) -> PaymentNow:
        """The payment's status. One Plaid does not know (yet) is TryLater, not failed."""
        operation = "payment_now"
        bank = self._bank(handle.bank_id, operation)
        content = {"payment_id": handle.ref.reveal()}
        answer, call = await self._desk.ask(operation, f"{_ROOT}/payment/get", content)
        if not answer.is_success:
            raise not_known_yet(self._refused(answer, call), call)
        return status_of(stated(answer, call), bank)

    async def cancel_payment(self, handle: PaymentHandle) -> CancelResult:
        """There is no call for it."""
        self._bank(handle.bank_id, "cancel_payment")
        return CancelResult.IMPOSSIBLE

    async def _listed(
        self, operation: str, content: Mapping[str, Any]
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Payments, the newest first, and where the older ones begin; None: there are none."""
        answer, call = await self._desk.ask(operation, f"{_ROOT}/payment/list", content)
        if not answer.is_success:
            raise not_known_yet(self._refused(answer, call), call)
        document = read_json(answer, call)
        stated = document.get("payments") if isinstance(document, dict) else None
        if not isinstance(stated, list):
            raise unreadable("the answer lists no payments", call, answer.content)
        older = document.get("next_cursor")
        named = [one for one in stated if isinstance(one, dict) and "payment_id" in one]
        return named, older if isinstance(older, str) and older else None

    # ------------------------------------------------------------ the steps of an order

    async def _recipient(self, order: PaymentOrder, operation: str) -> str:
        """Plaid's id of the lender's account; the same one for the same account, says Plaid."""
        name, account = order.creditor_name[:_LONGEST_NAME].strip(), order.creditor_account
        named = account_of(account, order.amount.currency)
        key = (name, order.amount.currency, account.reveal())
        known = self._recipients.get(key)
        if known is not None:
            return known
        content = {"name": name, **named}
        made = await self._made(operation, f"{_ROOT}/recipient/create", content, "recipient_id")
        while len(self._recipients) >= _MOST_RECIPIENTS:
            self._recipients.pop(next(iter(self._recipients)))
        self._recipients[key] = made
        return made

    async def _page(self, order: PaymentOrder, bank: Institution, ref: str, operation: str) -> str:
        settings = self._settings
        content = {
            "client_name": settings.client_name,
            "language": bank.language,
            "country_codes": [bank.country],
            "user": {"client_user_id": str(order.key)},
            "products": ["payment_initiation"],
            "payment_initiation": {"payment_id": ref},
            "institution_id": bank.institution_id,
            **({"webhook": settings.webhook_url} if settings.webhook_url else {}),
            "hosted_link": {
                "completion_redirect_uri": order.return_url,
                "url_lifetime_seconds": settings.payment_page_minutes * 60,
            },
        }
        answer, call = await self._desk.ask(operation, "/link/token/create", content, writes=True)
        if not answer.is_success:
            raise self._refused(answer, call)
        made = read_json(answer, call)
        url = made.get("hosted_link_url") if isinstance(made, dict) else None
        page = settings.page(url)
        if page is None:
            raise unreadable("the answer gives no page to go to", call, answer.content)
        return page

    async def _made(self, operation: str, path: str, content: Mapping[str, Any], name: str) -> str:
        """The id of what one call has made."""
        answer, call = await self._desk.ask(operation, path, content, writes=True)
        if not answer.is_success:
            raise self._refused(answer, call)
        made = read_json(answer, call)
        found = made.get(name) if isinstance(made, dict) else None
        if not _IDS.fits(found):
            raise unreadable("the answer names nothing that was made", call, answer.content)
        return found

    def _refused(self, answer: httpx.Response, call: Call) -> ProviderError:
        """Plaid's code decides; without one the status does."""
        now = self._desk.now()
        if read_refusal(answer.content).code:
            return other_refusal(answer, call, now)
        if answer.status_code == 429:
            return TryLater("HTTP 429", after=retry_after(answer, now), **call.where)
        return status_error(answer, call, now=now)

    def _bank(self, bank_id: str, operation: str) -> Institution:
        return listed(self._institutions, bank_id, NAME, operation)


def check(order: PaymentOrder, bank: Institution) -> None:
    """Raises Declined for what must not be asked for."""
    trouble = trouble_with(order, bank.pays)
    if trouble is not None:
        raise _declined(*trouble)
    if order.amount.minor < _SMALLEST_MINOR:
        raise _declined("Plaid moves one of the currency or more", "AMOUNT")
    if not _REFERENCE.fullmatch(order.end_to_end_ref):
        # Plaid would shorten it, and the lender's statement would show another one.
        raise _declined("the reference does not fit", "END_TO_END_REFERENCE")


def account_of(account: BankAccount, currency: str) -> dict[str, Any]:
    """The account in Plaid's words. Payments in pounds need the British numbers."""
    uk = as_uk_account(account) if currency == GBP else None
    if uk is not None:
        return {"bacs": {"account": uk.number, "sort_code": uk.sort_code}}
    return {"iban": account.reveal()}


def payer_of(order: PaymentOrder) -> dict[str, Any]:
    """Who pays, as Plaid demands it. The first word of his name is his given name."""
    given, _, family = order.payer_name.strip().partition(" ")
    identity: dict[str, Any] = {}
    if order.payer_email is not None:
        identity["emails"] = [{"data": order.payer_email.reveal(), "primary": True}]
    if order.payer_phone is not None:
        identity["phone_numbers"] = [{"data": order.payer_phone.reveal(), "primary": True}]
    if not given or not identity:
        raise _declined("Plaid wants to know who pays", "PAYER_UNKNOWN")
    identity["name"] = {"given_name": given[:100], "family_name": (family.strip() or given)[:100]}
    return {"client_user_id": str(order.key), "identity": identity}


def status_of(document: dict[str, Any], bank: Institution) -> PaymentNow:
    """The status by Plaid's word. One we do not know is open, with an alarm."""
    status, raw = pay_status(_STATUS, document.get("status"), log, bank=bank.id)
    shown = raw.removeprefix(WORD)
    return PaymentNow(PayStatus.SETTLED if raw in bank.settled_at else status, shown)


def _declined(detail: str, reason: str) -> Declined:
    return Declined(detail, reason=reason, connector=NAME, operation="create_payment")
