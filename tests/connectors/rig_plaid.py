"""Plaid over the sandbox's banks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from app.domain.errors import ConsentEnd, ConsentGone
from app.domain.ids import EmailAddress, Phone
from app.ports import (
    ConsentBegun,
    Grant,
    GrantNow,
    GrantState,
    PaymentBegun,
    PaymentOrder,
    PaymentPort,
)
from app.side_ports import RenewingPort
from connectors._http import client
from sandbox import psu
from sandbox.bank_list import as_plaid_toml
from sandbox.faces.plaid_pay import KIND, PlaidPayment
from sandbox.faces.plaid_wire import CLIENT_ID, ROOT, SECRET
from sandbox.modes import BankMode
from sandbox.people import Person
from tests.connectors.rigs import ORIGIN, BankRig, visiting


class PlaidRig(BankRig):
    """One bank of the sandbox behind Plaid's hosted page, which sends the browser on to it."""

    connector = "plaid"
    states_presence = False
    takes_iban = False
    asks_bank_for_status = False
    lists_at_bank = False
    given_back = ConsentEnd.UNKNOWN_AT_BANK
    takes_back = False
    some_ref = "payment-id-sandbox-none"
    webhook_url = "https://saldo.example/hooks/plaid"

    def banks_as_toml(self) -> str:
        return as_plaid_toml()

    def given(self) -> dict[str, Any]:
        return {
            "banks": self.bank_list,
            "client_id": CLIENT_ID,
            "secret": SECRET,
            "client_name": "Préstamos Sol",
            "base_url": f"{ORIGIN}{ROOT}",
            "webhook_url": self.webhook_url,
        }

    def asked_of_banks(self) -> int:
        return sum(one.url.endswith("/accounts/balance/get") for one in self.seen)

    async def begin(self, **changes: Any) -> ConsentBegun:
        begun = await super().begin(**changes)
        answer = await client(transport=self.scene.recorder).get(begun.redirect_url)
        self.at_bank = f"{ORIGIN}{answer.headers['location']}"
        return begun

    def page(self, begun: ConsentBegun) -> str:  # noqa: ARG002 - the link has told already
        return self.at_bank

    def allow(
        self, begun: ConsentBegun, person: Person, ibans: Sequence[str] | None = None
    ) -> None:
        psu.allow(self.scene.world, self.page(begun), person, ibans)

    async def back(self, begun: ConsentBegun) -> Grant:
        assert isinstance(self.aggregation, RenewingPort)
        assert self.aggregation.renewal_due(begun.grant)
        grant = await self.aggregation.renew(begun.grant)
        assert not self.aggregation.renewal_due(grant)
        return grant

    async def refusal(self, begun: ConsentBegun) -> GrantNow:
        try:
            return await self.aggregation.grant_now(await self.back(begun))
        except ConsentGone as gone:
            return GrantNow(GrantState.ENDED, end=gone.why)

    def lose_consent_answer(self, person: Person) -> None:
        self.scene.world.town.set_bank_mode(person.bank_id, BankMode.CONSENT_ANSWER_LOST)

    # ------------------------------------------------------------ payments

    def payments_over(self, transport: httpx.AsyncBaseTransport | None) -> PaymentPort:
        return visiting(super().payments_over(transport), self.visit)

    def order(self, person: Person, **changes: Any) -> PaymentOrder:
        plain: dict[str, Any] = {
            "end_to_end_ref": "SALDO0001",
            "debtor_iban": None,
            "payer_name": person.name,
            "payer_phone": Phone.parse(person.phone),
            "payer_email": EmailAddress.parse("ana@correo.example"),
        }
        return super().order(person, **{**plain, **changes})

    def made_orders(self) -> int:
        return len(list(self.scene.world.store.all_of(KIND, PlaidPayment)))

    def lose_payment_answer(self, person: Person) -> None:
        self.scene.world.town.set_bank_mode(person.bank_id, BankMode.PAYMENT_ANSWER_LOST)

    async def visit(self, begun: PaymentBegun) -> None:
        """The payer opens Plaid's page, which sends him on to his bank."""
        answer = await client(transport=self.scene.recorder).get(begun.redirect_url)
        self.at_bank = f"{ORIGIN}{answer.headers['location']}"

    def pay(self, begun: PaymentBegun, person: Person) -> None:  # noqa: ARG002 - it is open
        assert psu.pay(self.scene.world, self.at_bank, person).endswith("/paid")

    def refuse_to_pay(self, begun: PaymentBegun, person: Person) -> None:  # noqa: ARG002
        psu.refuse_to_pay(self.scene.world, self.at_bank, person)
