"""Single payments: initiated here, authorised on the page whose address comes back.

An open payment cannot be taken back (DELETE is for those that have ended), and there is no key for
a repetition. The page's address stands in one answer alone, so that an order whose answer was lost
is one that nobody can pay. Of the vendor's calls about payments the signature is not published: the
status is asked for.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import httpx
import orjson
import structlog

from app.domain.errors import Declined, Misconfigured, OutcomeUnknown, ProviderError, TryLater
from app.domain.ids import Secret
from app.domain.payee import EUR
from app.pay_ports import (
    CancelResult,
    PaymentBegun,
    PaymentHandle,
    PaymentNow,
    PaymentOrder,
    PayStatus,
)
from app.ports import Bank, Wire
from app.side_ports import Stay
from connectors._bank_list import listed
from connectors._exchange import (
    Call,
    exchange,
    read_json,
    retry_after,
    status_error,
    unreadable,
)
from connectors._paying import not_known_yet, stated, trouble_with
from connectors._words import pay_status
from connectors.enable_banking import refusals
from connectors.enable_banking.grants import IDS
from connectors.enable_banking.settings import NAME, BankRoute, Settings, load_banks
from connectors.enable_banking.signer import Signer

_REFERENCE = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]{1,35}")
_LONGEST_NAME, _LONGEST_REMITTANCE = 70, 140
# By whether it is EUR and whether it is instant.
_KINDS = {(True, False): "SEPA", (True, True): "INST_SEPA", (False, False): "DOMESTIC"}

log = structlog.get_logger(NAME)


class Payments:
    """`PaymentPort` and `StayingPort` over payment initiation."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when the list of banks, the application or its key is unusable, or
        it is not said how long a page lasts.
        """
        if settings.payment_page_minutes is None:
            raise Misconfigured(
                "SALDO_ENABLE_BANKING_PAYMENT_PAGE_MINUTES",
                "is not set",
                "Ask the vendor how long a payment can be authorised.",
            )
        self._page_lasts = timedelta(minutes=settings.payment_page_minutes)
        self._routes = load_banks(settings.banks)
        self._signer = Signer(settings.app_id, settings.private_key, wire.real_now)
        self._base = settings.base_url
        self._page = settings.page
        self._setup = settings.http_setup()
        self._http: httpx.AsyncClient = wire.http
        self._now = wire.now

    def banks(self) -> tuple[Bank, ...]:
        """The banks of the operator's list."""
        return tuple(route.bank for route in self._routes.values())

    def stay(self) -> Stay:
        """By the operator's word: what the vendor does with an open payment is not published."""
        return Stay(self._page_lasts, page_lasts=self._page_lasts)

    async def create_payment(self, order: PaymentOrder) -> PaymentBegun:
        """Make the payment and give its page. What is lost is OutcomeUnknown: a payment may be left
        behind whose page is known to nobody.
        """
        route = self._route(order.bank_id, "create_payment")
        body = orjson.dumps(payment_body(order, route))
        call = self._call("create_payment", "POST", "/payments", body)
        answer = await exchange(self._http, call)
        if not answer.is_success:
            raise self._refused(answer, call)
        made = read_json(answer, call)
        made = made if isinstance(made, dict) else {}
        ref, url = made.get("payment_id"), made.get("url")
        page = self._page(url)
        if not IDS.fits(ref) or page is None:
            raise unreadable("the answer gives no page to go to", call, answer.content)
        now = status_of(made, route)
        if now.status in (PayStatus.REJECTED, PayStatus.CANCELLED):
            raise Declined("the payment was refused", reason=now.raw_status, **call.where)
        return PaymentBegun(PaymentHandle(route.bank.id, Secret(ref), order.instant), page, now)

    async def payment_now(self, handle: PaymentHandle) -> PaymentNow:
        """The payment's status. One the vendor does not know (yet) is TryLater, not failed."""
        operation = "payment_now"
        route = self._route(handle.bank_id, operation)
        path = f"/payments/{IDS.segment(handle.ref.reveal(), operation)}"
        call = self._call(operation, "GET", path)
        answer = await exchange(self._http, call)
        if not answer.is_success:
            raise not_known_yet(self._refused(answer, call), call)
        return status_of(stated(answer, call), route)

    async def cancel_payment(self, handle: PaymentHandle) -> CancelResult:
        """There is no call for it."""
        self._route(handle.bank_id, "cancel_payment")
        return CancelResult.IMPOSSIBLE

    def _refused(self, answer: httpx.Response, call: Call) -> ProviderError:
        """The vendor's code decides; without one the status does."""
        code = refusals.read_refusal(answer.content).code
        if code == "ASPSP_ERROR" and call.writes:
            # The vendor was refused at the bank, or lost its answer.
            return OutcomeUnknown(f"HTTP {answer.status_code} {code}", **call.where)
        if code:
            return refusals.other_refusal(answer, call, self._now())
        if answer.status_code == 429:
            return TryLater("HTTP 429", after=retry_after(answer, self._now()), **call.where)
        return status_error(answer, call, now=self._now())

    def _call(self, operation: str, method: str, path: str, body: bytes | None = None) -> Call:
        headers = {"Authorization": self._signer.header()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        url, writes = f"{self._base}{path}", method == "POST"
        return Call(NAME, operation, method, url, headers, body, writes, setup=self._setup)

    def _route(self, bank_id: str, operation: str) -> BankRoute:
        return listed(self._routes, bank_id, NAME, operation)


def payment_body(order: PaymentOrder, route: BankRoute) -> dict[str, Any]:
    """The JSON of the order. Declined for what must not be asked for.

    Only registered addresses are gone back to: the last part of ours goes as `state`.
    """
    trouble = trouble_with(order, route.bank.pays)
    if trouble is not None:
        raise _declined(*trouble)
    if not _REFERENCE.fullmatch(order.end_to_end_ref):
        raise _declined("the end-to-end reference does not fit SEPA", "END_TO_END_REFERENCE")
    if route.profile.needs_debtor_iban and order.debtor_iban is None:
        raise _declined("the bank wants the payer's IBAN", "DEBTOR_IBAN_NEEDED")
    remittance = order.remittance.strip()[:_LONGEST_REMITTANCE] or order.end_to_end_ref
    transfer = {
        "instructed_amount": {"amount": order.amount.plain(), "currency": order.amount.currency},
        "beneficiary": {
            "creditor": {"name": order.creditor_name[:_LONGEST_NAME].strip()},
            "creditor_account": _iban(order.creditor_account.reveal()),
        },
        "payment_id": {"end_to_end_id": order.end_to_end_ref},
        "remittance_information": [remittance],
    }
    request: dict[str, Any] = {"credit_transfer_transaction": [transfer]}
    if order.debtor_iban is not None:
        request["debtor_account"] = _iban(order.debtor_iban.reveal())
    registered, _, state = order.return_url.rpartition("/")
    return {
        "payment_type": _KINDS[order.amount.currency == EUR, order.instant],
        "payment_request": request,
        "aspsp": {"name": route.profile.aspsp_name, "country": route.profile.country},
        "state": state,
        "redirect_url": registered,
        "psu_type": "personal",
    }


def status_of(document: dict[str, Any], route: BankRoute) -> PaymentNow:
    """The status by the bank's entry. A word we do not know is open, with an alarm."""
    word = document.get("status")
    return PaymentNow(*pay_status(route.pay_status, word, log, bank=route.bank.id))


def _iban(number: str) -> dict[str, str]:
    return {"scheme_name": "IBAN", "identification": number}


def _declined(detail: str, reason: str) -> Declined:
    return Declined(detail, reason=reason, connector=NAME, operation="create_payment")
