"""Payments by billing request: made, its bank chosen, its page made, asked for, taken back.

Only the first step makes something that money could move by, and GoCardless tells when it is
repeated under its key: so a step whose answer is lost is taken once more. Pages may be made twice;
a request is paid once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import structlog

from app.domain.errors import OutcomeUnknown
from app.domain.ids import Secret, derive_key
from app.domain.payee import Carried
from app.pay_ports import (
    CancelResult,
    PaymentBegun,
    PaymentHandle,
    PaymentNow,
    PaymentOrder,
    PayStatus,
)
from app.ports import Bank, Wire
from connectors._bank_list import listed
from connectors._paying import take_back, trouble_with, twice
from connectors.gocardless_pay.desk import IDS, AlreadyMade, Desk, declined
from connectors.gocardless_pay.settings import NAME, Institution, Settings
from connectors.gocardless_pay.words import FULFILLED, payment_now, request_now

REQUESTS, FLOWS, PAYMENTS = "billing_requests", "billing_request_flows", "payments"
_SCHEMES = {
    ("EUR", False): "sepa_credit_transfer",
    ("EUR", True): "sepa_instant_credit_transfer",
    ("GBP", False): "faster_payments",
}
_LONGEST_DESCRIPTION = 100

log = structlog.get_logger(NAME)


class Payments:
    """`PaymentPort` and `FindingPort` over billing requests. A handle's `ref` is the request."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when the token, the creditor or the banks are missing."""
        self._banks = settings.institutions()
        self._creditors = settings.creditors()
        self._confirmed_is_settled = settings.confirmed_is_settled
        self._desk = Desk(settings, wire)
        self._page_at = settings.page

    def banks(self) -> tuple[Bank, ...]:
        """The banks of the operator's list."""
        return tuple(
            one.bank(
                needs_payer_name=True,
                instant_payments=one.instant_payments,
                pays=self._pays(one),
            )
            for one in self._banks.values()
        )

    def _pays(self, bank: Institution) -> tuple[Carried, ...]:
        """What it moves, of what GoCardless pays out, and to where: no order says whom is paid."""
        return tuple(
            replace(one, only=self._creditors[one.currency])
            for one in bank.pays
            if one.currency in self._creditors
        )

    async def create_payment(self, order: PaymentOrder) -> PaymentBegun:
        """Make the request and give GoCardless's page where the payer authorises it."""
        operation = "create_payment"
        bank = self._bank(order.bank_id, operation)
        content = self._content(order, bank, operation)
        request_id = await twice(lambda: self._made(operation, content, str(order.key)))
        if bank.institution:
            await twice(lambda: self._chosen(operation, request_id, bank, order))
        page = await self._page(operation, request_id, order)
        handle = PaymentHandle(bank.id, Secret(request_id), order.instant)
        return PaymentBegun(handle, page, PaymentNow(PayStatus.OPEN, "pending"))

    async def find_payment(self, order: PaymentOrder) -> PaymentHandle:
        """The request that this order has made. One that never arrived is made now, without a page,
        so that nobody can pay it.
        """
        operation = "find_payment"
        bank = self._bank(order.bank_id, operation)
        content = self._content(order, bank, operation)
        request_id = await self._made(operation, content, str(order.key))
        return PaymentHandle(bank.id, Secret(request_id), order.instant)

    async def payment_now(self, handle: PaymentHandle) -> PaymentNow:
        """The request's status, and behind a fulfilled one its payment's."""
        operation = "payment_now"
        self._bank(handle.bank_id, operation)
        request_id = IDS.segment(handle.ref.reveal(), operation)
        request = await self._desk.read(operation, f"/{REQUESTS}/{request_id}", REQUESTS)
        links = request.get("links")
        payment_id = links.get("payment_request_payment") if isinstance(links, dict) else None
        if request.get("status") != FULFILLED or not IDS.fits(payment_id):
            return request_now(request)
        payment = await self._desk.read(operation, f"/{PAYMENTS}/{payment_id}", PAYMENTS)
        settled = self._confirmed_is_settled
        return payment_now(payment, payment_id, confirmed_is_settled=settled)

    async def cancel_payment(self, handle: PaymentHandle) -> CancelResult:
        """Take the request back with all its pages."""
        operation = "cancel_payment"
        self._bank(handle.bank_id, operation)
        request_id = IDS.segment(handle.ref.reveal(), operation)
        path = f"/{REQUESTS}/{request_id}/actions/cancel"
        key = str(derive_key(request_id, "cancel"))

        async def wish() -> None:
            try:
                await self._desk.act(operation, path, REQUESTS, {}, key)
            except AlreadyMade:
                log.info("cancelled_before")

        return await take_back(wish, lambda: self.payment_now(handle), NAME)

    # ------------------------------------------------------------ the steps of an order

    async def _made(self, operation: str, content: dict[str, Any], key: str) -> str:
        """The id of the request that this key makes, or has made."""
        try:
            made = await self._desk.make(operation, f"/{REQUESTS}", REQUESTS, content, key)
        except AlreadyMade as before:
            return before.resource_id
        made_id = made.get("id")
        if not IDS.fits(made_id):
            where = {"connector": NAME, "operation": operation, "reference": key}
            raise OutcomeUnknown("the answer names no request", **where)
        return made_id

    async def _chosen(
        self, operation: str, request_id: str, bank: Institution, order: PaymentOrder
    ) -> None:
        path = f"/{REQUESTS}/{request_id}/actions/select_institution"
        content = {"country_code": bank.country, "institution": bank.institution}
        key = str(derive_key(order.key, "institution"))
        try:
            await self._desk.act(operation, path, REQUESTS, content, key)
        except AlreadyMade:
            log.info("chosen_before")

    async def _page(self, operation: str, request_id: str, order: PaymentOrder) -> str:
        content: dict[str, Any] = {
            "redirect_uri": order.return_url,
            "exit_uri": order.refused_url,
            "prefilled_customer": prefilled(order),
            "links": {"billing_request": request_id},
        }

        async def make() -> dict[str, Any]:
            # A key of its own each time: a page that nobody has seen leads nowhere.
            try:
                return await self._desk.make(operation, f"/{FLOWS}", FLOWS, content, str(uuid4()))
            except AlreadyMade:
                raise OutcomeUnknown("its page was made before", **where) from None

        where = {"connector": NAME, "operation": operation, "reference": str(order.key)}
        page = (await twice(make)).get("authorisation_url")
        safe = self._page_at(page)
        if safe is None:
            raise OutcomeUnknown("there is no page to go to", **where)
        return safe

    def _content(self, order: PaymentOrder, bank: Institution, operation: str) -> dict[str, Any]:
        """The request of an order. Declined for what must not be asked for."""
        currency = order.amount.currency
        trouble = trouble_with(order, self._pays(bank))
        if trouble is not None:
            raise declined(*trouble, operation)
        description = order.remittance.strip() or order.end_to_end_ref
        return {
            "payment_request": {
                "amount": order.amount.minor,
                "currency": currency,
                "description": description[:_LONGEST_DESCRIPTION],
                "scheme": _SCHEMES[currency, order.instant],
                "metadata": {"reference": order.end_to_end_ref},
            },
            "purpose_code": "loan",
            "metadata": {"reference": order.end_to_end_ref},
        }

    def _bank(self, bank_id: str, operation: str) -> Institution:
        return listed(self._banks, bank_id, NAME, operation)


def prefilled(order: PaymentOrder) -> dict[str, str]:
    """What the page need not ask the payer for. The first word of his name is his given name."""
    given, _, family = order.payer_name.strip().partition(" ")
    known = {"given_name": given, "family_name": family.strip()}
    if order.payer_email is not None:
        known["email"] = order.payer_email.reveal()
    return {name: value[:100] for name, value in known.items() if value}
