"""One-time payments by payment request: made here, paid on a page of Tink Link.

A request has no state, never ends, cannot be taken back, and can be paid more than once: its
transfers say what came of it. The page's address is made of the request's id, which nobody else
has; so an order whose answer was lost is one that nobody can pay.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
import structlog

from app.domain.account import BankAccount, as_uk_account
from app.domain.errors import ProviderError, TryLater
from app.domain.ids import Secret
from app.domain.payee import EUR, GBP, PLN
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
from connectors._currencies import longest_reference
from connectors._exchange import Call, retry_after, status_error, unreadable
from connectors._paying import trouble_with
from connectors._words import pay_status
from connectors.tink.desk import Desk, declined, object_in
from connectors.tink.grants import IDS
from connectors.tink.refusals import read_refusal
from connectors.tink.settings import NAME, TAKEN, Provider, Settings
from connectors.tink.tokens import PAY_SCOPE

_REQUESTS = "/api/v1/payments/requests"
_JSON = {"Content-Type": "application/json"}
# By the type of the remittance. A REFERENCE goes by Faster Payments.
_REFERENCES = {
    "UNSTRUCTURED": re.compile(r"[A-Za-z0-9/\-?:().,'+ ]{1,35}"),
    "REFERENCE": re.compile(r"[A-Za-z0-9]{1,18}"),
}
_SCHEMES = {
    (EUR, False): "SEPA_CREDIT_TRANSFER",
    (EUR, True): "SEPA_INSTANT_CREDIT_TRANSFER",
    (GBP, False): "FASTER_PAYMENTS",
    (PLN, False): "POLISH_DOMESTIC_CREDIT_TRANSFER",
}
_LONGEST_NAME = 30
_MOST_TRANSFERS = 100
# Tink ends these itself after nine minutes.
_UNDER_WAY = frozenset({"CREATED", "AWAITING_CREDENTIALS"})
_STATUS = {
    **dict.fromkeys(_UNDER_WAY, PayStatus.OPEN),
    **dict.fromkeys(TAKEN, PayStatus.AUTHORISED),
    "FAILED": PayStatus.REJECTED,
    "CANCELLED": PayStatus.CANCELLED,
}

log = structlog.get_logger(NAME)


class Payments:
    """`PaymentPort` and `StayingPort` over payment requests.

    A handle's `ref` is the request; of a second payment on its page, request and transfer.
    """

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when credentials or the list of banks are missing."""
        self._desk = Desk(settings, wire, scope=PAY_SCOPE)
        self._settings = settings
        self._providers = settings.providers()

    def banks(self) -> tuple[Bank, ...]:
        """The banks of the operator's list."""
        return tuple(
            one.bank(
                attended_reads_count=True,
                instant_payments=one.instant_payments,
                pays=one.pays,
                longest_reference=longest_reference(one.pays),
            )
            for one in self._providers.values()
        )

    def stay(self) -> Stay:
        """Tink's page never ends, and each visit could make one more transfer."""
        return Stay(timedelta(minutes=self._settings.free_after_minutes), under_way=_UNDER_WAY)

    async def create_payment(self, order: PaymentOrder) -> PaymentBegun:
        """Make the request and the address of its page. There is no key for a repetition, so what
        is lost is OutcomeUnknown.
        """
        operation = "create_payment"
        bank = self._bank(order.bank_id, operation)
        body = orjson.dumps(payment_body(order, bank))
        answer, call = await self._desk.by_app(
            operation, "POST", _REQUESTS, body, _JSON, writes=True
        )
        if not answer.is_success:
            raise self._refused(answer, call)
        request_id = object_in(answer, call).get("id")
        if not IDS.fits(request_id):
            raise unreadable("the answer names no request", call, answer.content)
        page = {
            "client_id": self._settings.client_id,
            # Only registered addresses are gone back to: ours without the borrower's own token.
            "redirect_uri": order.return_url.rpartition("/")[0],
            "market": bank.country,
            "locale": bank.locale,
            "input_provider": bank.provider_name,
            "payment_request_id": request_id,
        }
        handle = PaymentHandle(bank.id, Secret(request_id), order.instant)
        address = f"{self._settings.pay_link_url}/?{urlencode(page)}"
        return PaymentBegun(handle, address, PaymentNow(PayStatus.OPEN, "", repeats=True))

    async def payment_now(self, handle: PaymentHandle) -> PaymentNow:
        """What came of the request, by its transfers. One Tink does not know (yet) is TryLater."""
        operation = "payment_now"
        bank = self._bank(handle.bank_id, operation)
        request, _, second = handle.ref.reveal().partition("/")
        path = f"{_REQUESTS}/{IDS.segment(request, operation)}/transfers"
        answer, call = await self._desk.by_app(operation, "GET", path)
        if not answer.is_success:
            raise self._refused(answer, call)
        found = object_in(answer, call).get("paymentRequestCreatedTransfers", [])
        if not isinstance(found, list) or len(found) > _MOST_TRANSFERS:
            raise unreadable("the answer lists no transfers", call, answer.content)
        transfers = [one for one in found if isinstance(one, dict) and IDS.fits(one.get("id"))]
        if not second:
            return request_now(transfers, handle, bank)
        ours = [one for one in transfers if one["id"] == second]
        if not ours:
            raise TryLater("the transfer is not listed", after=None, **call.where)
        return _now(ours[0], bank)

    async def cancel_payment(self, handle: PaymentHandle) -> CancelResult:
        """There is no call for it."""
        self._bank(handle.bank_id, "cancel_payment")
        return CancelResult.IMPOSSIBLE

    def _refused(self, answer: httpx.Response, call: Call) -> ProviderError:
        code = read_refusal(answer.content).code
        if answer.status_code in (401, 403):
            # Our credentials, or a contract without payments: a person mends that.
            log.error("payments_refused", status=answer.status_code, code=code)
        if answer.status_code == 429:
            wait = retry_after(answer, self._desk.now())
            return TryLater("HTTP 429", after=wait, **call.where)
        return status_error(answer, call, reason=code, now=self._desk.now())

    def _bank(self, bank_id: str, operation: str) -> Provider:
        return listed(self._providers, bank_id, NAME, operation)


def payment_body(order: PaymentOrder, bank: Provider) -> dict[str, Any]:
    """The JSON of the order. Declined for what must not be asked for."""
    operation = "create_payment"
    trouble = trouble_with(order, bank.pays)
    if trouble is not None:
        raise declined(*trouble, operation)
    currency = order.amount.currency
    remittance = "REFERENCE" if currency == GBP else "UNSTRUCTURED"
    if not _REFERENCES[remittance].fullmatch(order.end_to_end_ref):
        # It is all that comes with the money, and must be the same on the lender's statement.
        raise declined("the reference does not fit", "END_TO_END_REFERENCE", operation)
    return {
        "amount": orjson.Fragment(order.amount.plain()),
        "currency": currency,
        "market": bank.country,
        "recipient": _recipient(order.creditor_account, currency),
        "recipientName": order.creditor_name[:_LONGEST_NAME].strip(),
        "remittanceInformation": {"type": remittance, "value": order.end_to_end_ref},
        "paymentScheme": _SCHEMES[currency, order.instant],
    }


def _recipient(account: BankAccount, currency: str) -> dict[str, str]:
    """Pounds go to fourteen digits, sort code and number; everything else to an IBAN."""
    uk = as_uk_account(account) if currency == GBP else None
    kind = "sort-code" if uk is not None else "iban"
    return {"accountNumber": (uk or account).reveal(), "accountType": kind}


def request_now(
    transfers: list[dict[str, Any]], handle: PaymentHandle, bank: Provider
) -> PaymentNow:
    """The first transfer that a bank has taken, and all further ones; else the newest one's word.

    Whatever it says, the page can be paid (again).
    """
    listed = sorted(transfers, key=_made_at)
    taken = [one for one in listed if one.get("status") in TAKEN]
    if not taken:
        words = [_now(one, bank) for one in listed]
        waiting = [one for one in words if one.status is PayStatus.OPEN]
        newest = (waiting or words or [PaymentNow(PayStatus.OPEN, "")])[-1]
        return PaymentNow(newest.status, newest.raw_status, repeats=True)
    request = handle.ref.reveal()
    refs = [Secret(f"{request}/{one['id']}") for one in taken]
    now = _now(taken[0], bank)
    again = tuple(PaymentHandle(handle.bank_id, ref, handle.instant) for ref in refs[1:])
    return PaymentNow(now.status, now.raw_status, again=again, repeats=True, ours=refs[0])


def _made_at(transfer: dict[str, Any]) -> tuple[float, str]:
    made: Any = transfer.get("created")
    known = isinstance(made, (int, float)) and not isinstance(made, bool)
    return (made if known else float("inf"), str(transfer["id"]))


def _now(transfer: dict[str, Any], bank: Provider) -> PaymentNow:
    """The status of one transfer. A word we do not know is open, with an alarm."""
    status, raw = pay_status(_STATUS, transfer.get("status"), log, bank=bank.id)
    return PaymentNow(PayStatus.SETTLED if raw in bank.settled_at else status, raw)
