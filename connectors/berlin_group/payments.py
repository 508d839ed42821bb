"""Payment initiation: SEPA credit transfers, plain and instant, authorised by redirect."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import orjson

from app.domain.errors import Declined, ProviderError, TryLater
from app.domain.ids import Secret
from app.domain.payee import EUR
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
from connectors._exchange import read_json, unreadable
from connectors._paying import stated, trouble_with
from connectors._words import pay_status
from connectors.berlin_group import refusals
from connectors.berlin_group.desk import NAME, Desk, log, path_segment, token
from connectors.berlin_group.profile import BankRoute, Settings

PLAIN = "sepa-credit-transfers"
INSTANT = "instant-sepa-credit-transfers"
# Between product and id in the `ref` of a handle. No id of a bank holds a space.
_OF = " "

# Lengths of the specification (paymentInitiation_json) and of the SEPA rulebook for names.
_LONGEST_NAME, _LONGEST_REMITTANCE, _LONGEST_REFERENCE = 70, 140, 35
# The characters every bank must bear (section "General Remarks on Data Types").
_SEPA = re.compile(r"[a-zA-Z0-9/\-?:().,'+ ]*")
_OTHER_LETTERS = str.maketrans({"ł": "l", "Ł": "L", "ß": "ss", "ø": "o", "Ø": "O", "æ": "ae"})


class Payments:
    """`PaymentPort` over NextGenPSD2."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        self._desk = Desk(settings, wire)

    def banks(self) -> tuple[Bank, ...]:
        """The banks of the operator's list."""
        return self._desk.banks()

    async def create_payment(self, order: PaymentOrder) -> PaymentBegun:
        """Create the payment and give the bank's page where the payer authorises it.

        TryLater: surely not created. Declined: an explicit no. OutcomeUnknown: it may exist at
        the bank, but its page is known to nobody, so nobody can authorise it; PaymentWithoutPage:
        it does exist, and can be taken back.
        """
        desk = self._desk
        route = desk.route(order.bank_id, "create_payment")
        body = payment_body(order, route)
        at_home = "" if order.amount.currency == EUR else route.profile.domestic_product
        product = at_home or (INSTANT if order.instant else PLAIN)
        call = desk.call(
            route,
            "create_payment",
            "POST",
            f"{route.base}/payments/{product}",
            desk.creation_headers(route, order.presence, order.return_url, order.refused_url),
            body=orjson.dumps(body),
            writes=True,
            key=order.key,
        )
        answer = await desk.exchange(call)
        if not answer.is_success:
            raise refusals.other_refusal(answer, call, desk.now())
        made = read_json(answer, call)
        payment_id = token(made.get("paymentId")) if isinstance(made, dict) else None
        if payment_id is None:
            raise _lost(unreadable("the bank gave no payment id", call, answer.content))
        ref = f"{at_home}{_OF}{payment_id}" if at_home else payment_id
        handle = PaymentHandle(route.bank.id, Secret(ref), order.instant)
        now = payment_now_of(made, route)
        if now.status in (PayStatus.REJECTED, PayStatus.CANCELLED):
            raise Declined("the bank refused the payment", reason=now.raw_status, **call.where)
        try:
            page = await desk.redirect_of(route, made, call)
        except ProviderError as error:
            raise _lost(PaymentWithoutPage(error.detail, handle=handle, **call.where)) from None
        return PaymentBegun(handle, page, now)

    async def payment_now(self, handle: PaymentHandle) -> PaymentNow:
        """The payment's status. One the bank does not know (yet) is TryLater, not failed."""
        desk = self._desk
        route = desk.route(handle.bank_id, "payment_now")
        url = f"{_payment_url(route, handle, 'payment_now')}/status"
        call = desk.call(route, "payment_now", "GET", url)
        answer = await desk.exchange(call)
        if not answer.is_success:
            error = refusals.other_refusal(answer, call, desk.now())
            if isinstance(error, Declined) and error.reason == "RESOURCE_UNKNOWN":
                raise TryLater(error.detail, after=None, **call.where)
            raise error
        return payment_now_of(stated(answer, call, "transactionStatus"), route)

    async def cancel_payment(self, handle: PaymentHandle) -> CancelResult:
        """Take the payment back. OutcomeUnknown: ask `payment_now` before anything else."""
        desk = self._desk
        route = desk.route(handle.bank_id, "cancel_payment")
        url = _payment_url(route, handle, "cancel_payment")
        call = desk.call(route, "cancel_payment", "DELETE", url, writes=True)
        answer = await desk.exchange(call)
        if answer.status_code == 202:
            return CancelResult.NEEDS_PAYER
        if answer.is_success:
            return CancelResult.CANCELLED
        if refusals.read_refusal(answer.content).first("CANCELLATION_INVALID", "STATUS_INVALID"):
            return CancelResult.TOO_LATE
        raise refusals.other_refusal(answer, call, desk.now())


def _payment_url(route: BankRoute, handle: PaymentHandle, operation: str) -> str:
    """Of a payment at home the handle names the product, too."""
    at_home, _, payment_id = handle.ref.reveal().rpartition(_OF)
    product = path_segment(at_home, operation) if at_home else INSTANT if handle.instant else PLAIN
    return f"{route.base}/payments/{product}/{path_segment(payment_id, operation)}"


def _lost(error: ProviderError) -> ProviderError:
    """A payment made at the bank that we cannot send anybody to: an alarm, not only an error."""
    log.error("payment_without_page", detail=error.detail, reference=error.reference)
    return error


def payment_body(order: PaymentOrder, route: BankRoute) -> dict[str, Any]:
    """The JSON of the order. Declined for what no bank may be asked for."""
    trouble = trouble_with(order, route.bank.pays)
    if trouble is not None:
        raise _declined(*trouble)
    currency = order.amount.currency
    reference = order.end_to_end_ref
    if len(reference) > _LONGEST_REFERENCE or not _SEPA.fullmatch(reference):
        # It comes back on the lender's statement and must be the same there.
        raise _declined("the end-to-end reference does not fit SEPA", "END_TO_END_REFERENCE")
    if route.profile.needs_debtor_iban and order.debtor_iban is None:
        raise _declined("the bank wants the payer's IBAN", "DEBTOR_IBAN_NEEDED")
    body: dict[str, Any] = {
        "instructedAmount": {"currency": currency, "amount": order.amount.plain()},
        "creditorName": sepa_text(order.creditor_name, _LONGEST_NAME),
        "creditorAccount": {"iban": order.creditor_account.reveal()},
        "endToEndIdentification": reference,
        "remittanceInformationUnstructured": sepa_text(order.remittance, _LONGEST_REMITTANCE),
    }
    if order.debtor_iban is not None:
        body["debtorAccount"] = {"iban": order.debtor_iban.reveal()}
    return {key: value for key, value in body.items() if value}


def _declined(detail: str, reason: str) -> Declined:
    return Declined(detail, reason=reason, connector=NAME, operation="create_payment")


def sepa_text(text: str, longest: int) -> str:
    """The text in the characters every bank bears: accents fall away, the rest become spaces."""
    plain = unicodedata.normalize("NFKD", text.translate(_OTHER_LETTERS))
    kept = "".join(
        char if _SEPA.fullmatch(char) else "" if unicodedata.combining(char) else " "
        for char in plain
    )
    return " ".join(kept.split())[:longest].rstrip()


def payment_now_of(document: dict[str, Any], route: BankRoute) -> PaymentNow:
    """The status by the bank's profile. A word we do not know is open, with an alarm."""
    word = document.get("transactionStatus")
    known = word.upper() if isinstance(word, str) else word
    status, _ = pay_status(route.pay_status, known, log, bank=route.bank.id)
    return PaymentNow(status, word[:40] if isinstance(word, str) else "")
