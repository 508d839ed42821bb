"""Payment initiation as banks give it: single transfers by SEPA, plain or instant, or at home."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.banks import Bank
from sandbox.faces.bg_errors import Refusal
from sandbox.faces.bg_requests import (
    answer_json,
    authorisation_started,
    iban_in,
    json_object,
    named_person,
    needed_header,
    text_in,
    waits_for_person,
    with_faults,
)
from sandbox.faces.wire import LostResponse, parse_amount
from sandbox.modes import BankMode, Mode
from sandbox.payments import Cancel, status_at
from sandbox.records import Payment
from sandbox.world import World


class PaymentFace:
    """The payment endpoints of all banks over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _product(self, request: Request, bank: Bank) -> str:
        if request.path_params["service"] != "payments":
            raise Refusal(405, "SERVICE_INVALID", "this bank offers single payments only")
        product: str = request.path_params["product"]
        if product not in bank.products:
            raise Refusal(404, "PRODUCT_UNKNOWN", f"this bank does not offer {product}")
        return product

    async def create(self, request: Request, bank: Bank, request_id: str) -> Response:
        """POST /v1/payments/{product}"""
        product = self._product(request, bank)
        needed_header(request, "PSU-IP-Address")
        redirect_url = needed_header(request, "TPP-Redirect-URI")
        content = await json_object(request)
        debtor = self._debtor(content, bank)
        amount = content.get("instructedAmount")
        minor = parse_amount(amount.get("amount")) if isinstance(amount, dict) else None
        if not isinstance(amount, dict) or minor is None or minor <= 0:
            raise Refusal(400, "FORMAT_ERROR", "instructedAmount: a positive decimal amount")
        if amount.get("currency") != bank.currency:
            raise Refusal(400, "FORMAT_ERROR", f"instructedAmount: {product} is in {bank.currency}")
        person = named_person(self._world, request, debtor)
        earlier = (
            self._world.payments.by_request(bank.id, request_id) if bank.repeats_answer else None
        )
        payment = earlier or self._world.payments.create(
            bank,
            product=product,
            amount_minor=minor,
            currency=bank.currency,
            creditor_name=text_in(content, "creditorName", 70, needed=True),
            creditor_iban=iban_in(content.get("creditorAccount"), "creditorAccount"),
            redirect_url=redirect_url,
            refused_url=request.headers.get("tpp-nok-redirect-uri", redirect_url),
            debtor_iban=debtor,
            end_to_end=text_in(content, "endToEndIdentification", 35),
            remittance=text_in(content, "remittanceInformationUnstructured", 140),
            request_key=request_id,
            now=self._world.now(),
        )
        lost = self._world.town.take_bank(bank.id, BankMode.PAYMENT_ANSWER_LOST) or (
            person is not None and self._world.town.take(person.id, Mode.PAYMENT_ANSWER_LOST)
        )
        if lost:
            return LostResponse()
        made = self._made(request, bank, payment, request_id)
        return with_faults(self._world, made, person)

    def _debtor(self, content: dict[str, Any], bank: Bank) -> str:
        if "debtorAccount" not in content:
            if bank.needs_debtor_iban:
                raise Refusal(400, "FORMAT_ERROR", "debtorAccount is needed at this bank")
            return ""
        iban = iban_in(content["debtorAccount"], "debtorAccount")
        account = self._world.town.accounts.get(iban)
        if account is None or account.bank.id != bank.id:
            raise Refusal(400, "RESOURCE_UNKNOWN", "debtorAccount is not kept at this bank")
        return iban

    def _made(self, request: Request, bank: Bank, payment: Payment, request_id: str) -> Response:
        body = {
            "transactionStatus": status_at(payment, self._world.now()),
            "paymentId": payment.id,
        }
        path = f"/banks/{bank.id}/psd2/v1/payments/{payment.product}/{payment.id}"
        return waits_for_person(request, bank, "payments", payment.id, path, body, request_id)

    async def start(self, request: Request, bank: Bank, request_id: str) -> Response:
        """POST .../authorisations"""
        payment = self._find(request, bank)
        if status_at(payment, self._world.now()) != "RCVD":
            raise Refusal(409, "STATUS_INVALID", "the payment waits for nobody")
        return authorisation_started(request, bank, "payments", payment.id, request_id)

    def _find(self, request: Request, bank: Bank) -> Payment:
        product = self._product(request, bank)
        payment = self._world.payments.get(bank.id, request.path_params["id"])
        if payment is None or payment.product != product:
            raise Refusal(404, "RESOURCE_UNKNOWN", "there is no such payment")
        return payment

    async def status(self, request: Request, bank: Bank, request_id: str) -> Response:
        """GET .../status"""
        payment = self._find(request, bank)
        status = status_at(payment, self._world.now())
        return answer_json({"transactionStatus": status}, 200, request_id)

    async def cancel(self, request: Request, bank: Bank, request_id: str) -> Response:
        """DELETE /v1/payments/{product}/{id}"""
        payment = self._find(request, bank)
        result = self._world.payments.cancel(payment, self._world.now())
        if result is Cancel.DONE:
            return Response(status_code=204, headers={"X-Request-ID": request_id})
        status = status_at(payment, self._world.now())
        if result is Cancel.NEEDS_PAYER:
            path = f"/banks/{bank.id}/psd2/v1/payments/{payment.product}/{payment.id}"
            body = {
                "transactionStatus": status,
                "_links": {"startAuthorisation": {"href": f"{path}/cancellation-authorisations"}},
            }
            return answer_json(body, 202, request_id)
        raise Refusal(405, "CANCELLATION_INVALID", f"the payment is {status}")
