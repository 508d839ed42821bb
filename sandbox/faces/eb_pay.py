"""Enable Banking's payments over the same banks: made, asked for, deleted once they have ended.

How long a payment can be authorised is not published; here it is as long as the bank waits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, uuid5

from starlette.requests import Request
from starlette.responses import Response

from sandbox.banks import BANKS, BY_ID, Bank
from sandbox.faces.eb_wire import No, answer_json, json_in
from sandbox.faces.wire import LostResponse
from sandbox.ibans import is_valid
from sandbox.modes import BankMode
from sandbox.payments import status_at
from sandbox.records import Payment
from sandbox.world import World

KIND = "eb_payment"
_PRODUCTS = {
    "SEPA": "sepa-credit-transfers",
    "INST_SEPA": "instant-sepa-credit-transfers",
    "DOMESTIC": "domestic-credit-transfers",
}
_FINAL = ("ACSC", "ACCC", "RJCT", "CNCL")


@dataclass(slots=True)
class EbPayment:
    """What was asked for, word by word. Its id is that of the payment at the bank."""

    id: str
    bank_id: str
    kind: str
    request: dict[str, Any]


class EbPay:
    """The payments part of the vendor over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._payments = {one.id: one for one in world.store.all_of(KIND, EbPayment)}

    async def create(self, request: Request) -> Response:
        """POST /payments."""
        content = await json_in(request)
        bank, asked = _bank_in(content.get("aspsp")), content.get("payment_request")
        state, redirect = content.get("state"), content.get("redirect_url")
        if not isinstance(state, str) or content.get("psu_type") != "personal":
            raise No("WRONG_REQUEST_PARAMETERS")
        if not isinstance(redirect, str) or not redirect.startswith(("http://", "https://")):
            raise No("WRONG_REQUEST_PARAMETERS")
        kind = content.get("payment_type")
        if kind not in kinds_of(bank) or not isinstance(asked, dict):
            raise No("WRONG_REQUEST_PARAMETERS")
        back = f"{redirect}?{urlencode({'state': state})}"
        payment = self._world.payments.create(
            bank,
            product=_PRODUCTS[kind],
            redirect_url=back,
            refused_url=f"{back}&error=access_denied",
            now=self._world.now(),
            **_transfer_in(asked, bank.currency),
        )
        self._world.store.put(KIND, payment.id, EbPayment(payment.id, bank.id, str(kind), asked))
        self._payments[payment.id] = EbPayment(payment.id, bank.id, str(kind), asked)
        if self._world.town.take_bank(bank.id, BankMode.PAYMENT_ANSWER_LOST):
            return LostResponse()
        origin = f"{request.url.scheme}://{request.url.netloc}"
        return answer_json(
            {
                "payment_id": payment.id,
                "status": self._word(payment),
                "url": f"{origin}/banks/{bank.id}/online/payments/{payment.id}",
                "psu_id_hash": _hash_of(payment.id),
            }
        )

    async def get(self, request: Request) -> Response:
        """GET /payments/{id}."""
        found, payment = self._find(request)
        word, bank = self._word(payment), BY_ID[found.bank_id]
        return answer_json(
            {
                "payment_id": found.id,
                "status": word,
                "final_status": word in _FINAL,
                "payment_details": found.request,
                "payment_type": found.kind,
                "aspsp": {"name": bank.name, "country": bank.country},
                "psu_id_hash": _hash_of(found.id),
            }
        )

    async def delete(self, request: Request) -> Response:
        """DELETE /payments/{id}: only what has ended."""
        found, payment = self._find(request)
        if self._word(payment) not in _FINAL:
            raise No("PAYMENT_NOT_FINALIZED")
        del self._payments[found.id]
        return answer_json({"message": "OK"})

    def _word(self, payment: Payment) -> str:
        stands = status_at(payment, self._world.now())
        return "CNCL" if stands == "CANC" else stands

    def _find(self, request: Request) -> tuple[EbPayment, Payment]:
        found = self._payments.get(request.path_params["id"])
        payment = self._world.payments.get(found.bank_id, found.id) if found else None
        if found is None or payment is None:
            raise No("PAYMENT_NOT_FOUND")
        return found, payment


def _bank_in(stated: Any) -> Bank:
    asked = stated if isinstance(stated, dict) else {}
    named = (asked.get("name"), asked.get("country"))
    bank = next((one for one in BANKS if (one.name, one.country) == named), None)
    if bank is None:
        raise No("WRONG_ASPSP_PROVIDED")
    return bank


def kinds_of(bank: Bank) -> tuple[str, ...]:
    """The payment types of a bank: at home where it has no euro; none in the UK."""
    if bank.country == "GB":
        return ()
    return ("SEPA", "INST_SEPA") if bank.currency == "EUR" else ("DOMESTIC",)


def _transfer_in(asked: dict[str, Any], currency: str) -> dict[str, Any]:
    """The one transfer of a request. Raises `No`."""
    listed = asked.get("credit_transfer_transaction")
    try:
        (one,) = listed  # type: ignore[misc]
        amount, account = one["instructed_amount"], one["beneficiary"]["creditor_account"]
        name = one["beneficiary"].get("creditor", {}).get("name", "")
        named = one.get("payment_id", {}).get("end_to_end_id", "")
        about = " ".join(one.get("remittance_information", []))
        debtor = asked.get("debtor_account", {"scheme_name": "IBAN", "identification": ""})
        fits = (
            re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,2})?", amount["amount"])
            and amount["currency"] == currency
            and account["scheme_name"] == debtor["scheme_name"] == "IBAN"
            and is_valid(account["identification"])
        )
    except (TypeError, ValueError, KeyError, AttributeError):
        raise No("WRONG_REQUEST_PARAMETERS") from None
    if not fits or float(amount["amount"]) <= 0:
        raise No("INVALID_PAYMENT")
    return {
        "amount_minor": round(float(amount["amount"]) * 100),
        "currency": currency,
        "creditor_name": str(name),
        "creditor_iban": str(account["identification"]),
        "debtor_iban": str(debtor["identification"]),
        "end_to_end": str(named),
        "remittance": about,
    }


def _hash_of(payment_id: str) -> str:
    return uuid5(NAMESPACE_URL, f"psu/{payment_id}").hex
