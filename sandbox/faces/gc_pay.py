"""GoCardless's instant bank payments over the same banks: billing requests, pages, payments.

Under `/gocardless-pay`. The payer's page sends him on to the bank that was chosen for the request,
or lets him choose one. A key that has made a request is refused with that request's id, whatever
comes with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.banks import BANKS, BY_ID, Bank, institution_id
from sandbox.faces.bg_requests import origin_of
from sandbox.faces.gc_wire import (
    FLOWS,
    NOTIFY,
    PAYMENTS,
    REQUESTS,
    ROOT,
    BillingRequest,
    Flow,
    No,
    answer_json,
    check,
    enveloped,
    new_id,
    payment_id_of,
    payment_view,
    request_view,
    request_word,
)
from sandbox.faces.wire import LostResponse
from sandbox.modes import BankMode
from sandbox.payments import Cancel
from sandbox.records import Payment
from sandbox.world import World

Handler = Callable[[Request], Awaitable[Response]]

KIND, FLOW_KIND = "gc_request", "gc_flow"
_PRODUCTS = {
    "sepa_credit_transfer": ("EUR", "sepa-credit-transfers"),
    "sepa_instant_credit_transfer": ("EUR", "instant-sepa-credit-transfers"),
    "faster_payments": ("GBP", "faster-payments"),
}
_BY_INSTITUTION = {institution_id(bank): bank for bank in BANKS}
# Whom GoCardless pays out to: its one customer here.
CREDITOR = ("Préstamos Sol SL", "GOCARDLESS-PAYS-OUT")


class GoCardlessPay:
    """The payments API over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._requests = {one.id: one for one in world.store.all_of(KIND, BillingRequest)}
        self._by_key = {one.key: one for one in self._requests.values()}

    def routes(self) -> list[Route]:
        """Everything below /gocardless-pay."""
        one = f"/{REQUESTS}/{{id}}"
        table: tuple[tuple[str, str, Handler], ...] = (
            ("POST", f"/{REQUESTS}", self._create),
            ("GET", one, self._request),
            ("POST", f"{one}/actions/select_institution", self._choose),
            ("POST", f"{one}/actions/cancel", self._cancel),
            ("POST", f"/{FLOWS}", self._flow),
            ("GET", f"/{PAYMENTS}/{{id}}", self._payment),
        )
        return [
            *(Route(ROOT + path, _guarded(do), methods=[verb]) for verb, path, do in table),
            Route(f"{ROOT}/flow/{{id}}", self._page, methods=["GET"]),
        ]

    # ------------------------------------------------------------ requests

    async def _create(self, request: Request) -> Response:
        content = await enveloped(request, REQUESTS)
        key = request.headers.get("idempotency-key", "") or new_id("K")
        used = self._by_key.get(key)
        if used is not None:
            links = {"conflicting_resource_id": used.id}
            raise No(409, "invalid_state", "idempotent_creation_conflict", links=links)
        made = _request_in(content, key, self._world)
        self._keep(made)
        return self._shown(made, 201)

    async def _request(self, request: Request) -> Response:
        return self._shown(self._find(request))

    async def _choose(self, request: Request) -> Response:
        found, content = self._find(request), await enveloped(request, "data")
        bank = _BY_INSTITUTION.get(str(content.get("institution")))
        found_one = bank is not None and content.get("country_code") == bank.country
        if bank is None or not found_one or bank.currency != found.currency:
            raise No(422, "validation_failed", "institution_not_found")
        if not found.payment_id:
            found.bank_id = bank.id
            self._keep(found)
        return self._shown(found)

    async def _cancel(self, request: Request) -> Response:
        found, now = self._find(request), self._world.now()
        await enveloped(request, "data")
        payment = self._behind(found)
        if request_word(found, payment) == "fulfilled":
            raise No(409, "invalid_state", "billing_request_cannot_be_cancelled")
        if payment is not None and self._world.payments.cancel(payment, now) is not Cancel.DONE:
            payment = None
        found.cancelled = True
        self._keep(found)
        return self._shown(found)

    async def _payment(self, request: Request) -> Response:
        asked = request.path_params["id"]
        found = next((one for one in self._requests.values() if payment_id_of(one) == asked), None)
        payment = self._behind(found) if found else None
        if found is None or payment is None or payment.authorised_at is None:
            raise No(404, "invalid_api_usage", "resource_not_found")
        return answer_json({PAYMENTS: payment_view(found, payment, self._world.now())})

    def _find(self, request: Request) -> BillingRequest:
        found = self._requests.get(request.path_params["id"])
        if found is None:
            raise No(404, "invalid_api_usage", "resource_not_found")
        return found

    def _behind(self, request: BillingRequest) -> Payment | None:
        return self._world.payments.get(request.bank_id, request.payment_id)

    def _keep(self, request: BillingRequest) -> None:
        self._world.store.put(KIND, request.id, request)
        self._requests[request.id] = self._by_key[request.key] = request

    def _shown(self, request: BillingRequest, status: int = 200) -> Response:
        return answer_json({REQUESTS: request_view(request, self._behind(request))}, status)

    # ------------------------------------------------------------ the payer's page

    async def _flow(self, request: Request) -> Response:
        content = await enveloped(request, FLOWS)
        links = content.get("links")
        asked = links.get("billing_request") if isinstance(links, dict) else None
        found = self._requests.get(str(asked))
        if found is None:
            raise No(422, "validation_failed", "billing_request_not_found")
        if request_word(found, self._behind(found)) != "pending":
            raise No(409, "invalid_state", "billing_request_already_fulfilled")
        uris = [str(content.get(name) or "") for name in ("redirect_uri", "exit_uri")]
        flow = Flow(new_id("BRF"), found.id, *uris)
        self._world.store.put(FLOW_KIND, flow.id, flow)
        if found.bank_id:
            self._at_bank(found, flow, BY_ID[found.bank_id])
            if self._world.town.take_bank(found.bank_id, BankMode.PAYMENT_ANSWER_LOST):
                return LostResponse()
        made = {
            "id": flow.id,
            "authorisation_url": f"{origin_of(request)}{ROOT}/flow/{flow.id}",
            "redirect_uri": flow.redirect_uri,
            "exit_uri": flow.exit_uri,
            "links": {"billing_request": found.id},
        }
        return answer_json({FLOWS: made}, 201)

    async def _page(self, request: Request) -> Response:
        """On to the bank; where none was chosen, the payer chooses it first."""
        flow = self._world.store.one(FLOW_KIND, request.path_params["id"], Flow)
        if flow is None:
            return HTMLResponse("There is no such page.", 404)
        found = self._requests[flow.request_id]
        bank = BY_ID.get(found.bank_id or request.query_params.get("bank", ""))
        if bank is None or bank.currency != found.currency:
            choices = "".join(
                f'<li><a href="?{urlencode({"bank": one.id})}">{one.name}</a></li>'
                for one in BANKS
                if one.currency == found.currency
            )
            return HTMLResponse(f"<h1>Choose your bank</h1><ul>{choices}</ul>")
        payment = self._at_bank(found, flow, bank)
        return RedirectResponse(f"/banks/{payment.bank_id}/online/payments/{payment.id}", 303)

    def _at_bank(self, found: BillingRequest, flow: Flow, bank: Bank) -> Payment:
        """The payment at the bank: one for each request, whatever pages lead to it."""
        payment = self._behind(found)
        if payment is None:
            payment = self._world.payments.create(
                bank,
                product=_PRODUCTS[found.scheme][1],
                amount_minor=found.amount,
                currency=found.currency,
                creditor_name=CREDITOR[0],
                creditor_iban=CREDITOR[1],
                redirect_url="",
                refused_url="",
                end_to_end=found.payment_metadata.get("reference", ""),
                remittance=found.description,
                now=self._world.now(),
            )
            found.bank_id, found.payment_id = bank.id, payment.id
            self._keep(found)
        payment.notify = NOTIFY
        payment.redirect_url = _back(flow.redirect_uri, flow, "success")
        payment.refused_url = _back(flow.exit_uri, flow, "failure")
        self._world.store.put("payment", payment.id, payment)
        return payment


def _back(uri: str, flow: Flow, outcome: str) -> str:
    return f"{uri}?{urlencode({'outcome': outcome, 'id': flow.id})}"


def _request_in(content: dict[str, Any], key: str, world: World) -> BillingRequest:
    """Raises `No` for a request that does not fit."""
    asked = content.get("payment_request")
    asked = asked if isinstance(asked, dict) else {}
    amount, currency, scheme = (asked.get(name) for name in ("amount", "currency", "scheme"))
    metadata = [content.get("metadata") or {}, asked.get("metadata") or {}]
    if scheme not in _PRODUCTS or _PRODUCTS[scheme][0] != currency:
        raise No(422, "validation_failed", "scheme_and_currency_do_not_fit")
    if not isinstance(amount, int) or isinstance(amount, bool) or amount <= 0:
        raise No(422, "validation_failed", "amount_must_be_positive")
    if any(not isinstance(one, dict) or len(one) > 3 for one in metadata):
        raise No(422, "validation_failed", "metadata_takes_three_keys")
    return BillingRequest(
        id=new_id("BRQ"),
        key=key,
        amount=amount,
        currency=str(currency),
        scheme=str(scheme),
        description=str(asked.get("description") or ""),
        created_at=world.now(),
        metadata=metadata[0],
        payment_metadata=metadata[1],
    )


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        try:
            check(request)
            return await handler(request)
        except No as no:
            return no.answer()

    return guarded
