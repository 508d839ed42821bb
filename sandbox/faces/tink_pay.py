"""Tink's one-time payments over the same banks: payment requests, the page, transfers.

A request has no state and never ends. Whoever opens its page once the transfer before is over makes
another one, also when that was paid: this is what Tink warns of. At some banks SENT is the last
word.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox.bank_list import tink_name
from sandbox.banks import BANKS, BY_ID
from sandbox.faces.tink_wire import CLIENT_ID, No, Rights, answer_json, epoch_ms, json_in
from sandbox.faces.wire import LostResponse
from sandbox.ibans import british, is_valid
from sandbox.modes import BankMode
from sandbox.payments import status_at
from sandbox.records import Payment, PayPlan
from sandbox.world import World

KIND = "tink_request"
NOTIFY = "tink"
_SCHEMES = {
    "SEPA_CREDIT_TRANSFER": ("EUR", "sepa-credit-transfers"),
    "SEPA_INSTANT_CREDIT_TRANSFER": ("EUR", "instant-sepa-credit-transfers"),
    "FASTER_PAYMENTS": ("GBP", "faster-payments"),
    "POLISH_DOMESTIC_CREDIT_TRANSFER": ("PLN", "polish-domestic"),
}
_MARKET_OF = {"GBP": "GB", "PLN": "PL"}
_LONGEST = {"REFERENCE": 18, "UNSTRUCTURED": 140}
_REMITTANCE = ("UNSTRUCTURED", "REFERENCE", "RF", "OCR", "INVOICE", "KID")
_LONGEST_NAME = 30
SENT_IS_LAST = ("foerde",)
"""Banks that never tell what became of a transfer they have taken."""


@dataclass(slots=True)
class PaymentRequest:
    """One request. `payments`: those at the banks, one for each transfer, oldest first."""

    id: str
    market: str
    amount_minor: int
    iban: str
    name: str
    reference: str
    product: str
    currency: str = "EUR"
    account_type: str = "iban"
    remittance: str = "UNSTRUCTURED"
    payments: list[str] = field(default_factory=list)


class TinkPay:
    """The payments part of Tink over one world."""

    def __init__(self, world: World, rights: Rights) -> None:
        self._world = world
        self._rights = rights
        self._requests = {one.id: one for one in world.store.all_of(KIND, PaymentRequest)}

    async def create(self, request: Request) -> Response:
        """POST /api/v1/payments/requests."""
        self._rights.of(request, "payment:write")
        made = _request_in(await json_in(request))
        self._keep(made)
        banks = [bank for bank in BANKS if bank.country == made.market]
        lost = [self._world.town.take_bank(one.id, BankMode.PAYMENT_ANSWER_LOST) for one in banks]
        return LostResponse() if any(lost) else answer_json(_shown(made))

    async def request(self, request: Request) -> Response:
        """GET one."""
        self._rights.of(request, "payment:read")
        return answer_json(_shown(self._find(request.path_params["id"])))

    async def transfers(self, request: Request) -> Response:
        """GET its transfers."""
        self._rights.of(request, "payment:read")
        found, now = self._find(request.path_params["id"]), self._world.now()
        listed = [transfer(found, payment, now) for payment in self._payments(found)]
        return answer_json({"paymentRequestCreatedTransfers": listed})

    async def page(self, request: Request) -> Response:
        """The hosted page: on to the bank, with the transfer that waits there or a new one."""
        given = request.query_params
        redirect = given.get("redirect_uri", "")
        if given.get("client_id") != CLIENT_ID or not redirect.startswith(("http://", "https://")):
            raise No(400, "bad_request", "unknown client or redirect address")
        found = self._find(given.get("payment_request_id", ""))
        bank = next((b for b in BANKS if tink_name(b) == given.get("input_provider")), None)
        if bank is None or bank.currency != found.currency:
            raise No(400, "provider.not_found", "this provider moves another currency")
        if bank.country != found.market or given.get("market") != found.market:
            raise No(400, "provider.not_found", "there is no such provider in this market")
        now = self._world.now()
        waiting = [p for p in self._payments(found) if status_at(p, now) == "RCVD"]
        payment = waiting[-1] if waiting else None
        if payment is None or payment.bank_id != bank.id:
            payment = self._world.payments.create(
                bank,
                product=found.product,
                amount_minor=found.amount_minor,
                currency=found.currency,
                creditor_name=found.name,
                creditor_iban=found.iban,
                redirect_url=f"{redirect}?payment_request_id={found.id}",
                refused_url=f"{redirect}?error=USER_CANCELLED",
                remittance=found.reference,
                end_to_end=found.reference,
                now=now,
            )
            payment.notify = NOTIFY
            self._world.store.put("payment", payment.id, payment)
            found.payments.append(payment.id)
            self._keep(found)
        return RedirectResponse(f"/banks/{bank.id}/online/payments/{payment.id}", 303)

    def _find(self, request_id: str) -> PaymentRequest:
        if request_id not in self._requests:
            raise No(404, "payment_request.not_found", "there is no such request")
        return self._requests[request_id]

    def _keep(self, request: PaymentRequest) -> None:
        self._world.store.put(KIND, request.id, request)
        self._requests[request.id] = request

    def _payments(self, request: PaymentRequest) -> list[Payment]:
        ours = set(request.payments)
        return [one for one in self._world.payments.all() if one.id in ours]


def word_of(payment: Payment, now: datetime) -> str:
    """The status of a transfer. What the payer leaves, refuses or has no money for is cancelled."""
    stands = status_at(payment, now)
    if stands == "RCVD":
        return "AWAITING_CREDENTIALS"
    if payment.authorised_at is None:
        return "CANCELLED"
    if stands == "RJCT" and payment.plan is not PayPlan.RETURNED:
        return "FAILED"
    if payment.bank_id in SENT_IS_LAST:
        return "SENT"
    moved = stands == "RJCT" or stands in BY_ID[payment.bank_id].settled_at
    return "SETTLED_PAYEE" if moved else "SENT"


def transfer(request: PaymentRequest, payment: Payment, now: datetime) -> dict[str, Any]:
    """One of paymentRequestCreatedTransfers."""
    return {
        "id": payment.id.replace("-", ""),
        "paymentRequestId": request.id,
        "status": word_of(payment, now),
        "statusMessage": "",
        "amount": request.amount_minor / 100,
        "currency": request.currency,
        "source": {"accountNumber": payment.debtor_iban, "type": "iban"},
        "created": epoch_ms(payment.created_at),
        "updated": epoch_ms(payment.authorised_at or payment.refused_at or payment.created_at),
    }


def _request_in(content: dict[str, Any]) -> PaymentRequest:
    """Raises `No` for a request that does not fit."""
    recipient, about = content.get("recipient"), content.get("remittanceInformation")
    amount, scheme = content.get("amount"), content.get("paymentScheme", "SEPA_CREDIT_TRANSFER")
    recipient = recipient if isinstance(recipient, dict) else {}
    about = about if isinstance(about, dict) else {}
    name = content.get("recipientName")
    if isinstance(amount, bool) or not isinstance(amount, (int, float)) or amount <= 0:
        raise No(400, "payment_request.invalid", "amount is a positive number")
    currency, product = _SCHEMES.get(str(scheme), ("", ""))
    if not currency or content.get("currency") != currency:
        raise No(400, "payment_request.invalid", "scheme and currency do not fit")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise No(400, "payment_request.invalid", "recipientName has 1 to 30 characters")
    number, kind = str(recipient.get("accountNumber")), recipient.get("accountType")
    british_one = british(number[:6], number[6:])
    if not (british_one if currency == "GBP" else is_valid(number)) or kind != _kind_of(currency):
        raise No(400, "payment_request.invalid", "recipient is an account of this currency")
    told = about.get("value")
    if about.get("type") not in _REMITTANCE or not isinstance(told, str) or not told:
        raise No(400, "payment_request.invalid", "remittanceInformation has a type and a value")
    if len(told) > _LONGEST.get(str(about["type"]), 35):
        raise No(400, "payment_request.invalid", "remittanceInformation is too long for its type")
    if content.get("market") not in {bank.country for bank in BANKS}:
        raise No(400, "payment_request.invalid", "unknown market")
    if content["market"] != _MARKET_OF.get(currency, content["market"]):
        raise No(400, "payment_request.invalid", "this market has another currency")
    return PaymentRequest(
        id=uuid4().hex,
        market=str(content["market"]),
        amount_minor=round(amount * 100),
        iban=number,
        name=name,
        reference=told,
        product=product,
        currency=currency,
        account_type=str(kind),
        remittance=str(about["type"]),
    )


def _kind_of(currency: str) -> str:
    return "sort-code" if currency == "GBP" else "iban"


def _shown(request: PaymentRequest) -> dict[str, Any]:
    return {
        "id": request.id,
        "amount": request.amount_minor / 100,
        "currency": request.currency,
        "market": request.market,
        "recipient": {"accountNumber": request.iban, "accountType": request.account_type},
        "recipientName": request.name,
        "remittanceInformation": {"type": request.remittance, "value": request.reference},
    }
