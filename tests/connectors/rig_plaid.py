"""Plaid over the sandbox's banks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.domain.errors import ConsentEnd, ConsentGone
from app.ports import ConsentBegun, Grant, GrantNow, GrantState
from app.side_ports import RenewingPort
from connectors._http import client
from sandbox import psu
from sandbox.bank_list import as_plaid_toml
from sandbox.faces.plaid import ROOT
from sandbox.faces.plaid_wire import CLIENT_ID, SECRET
from sandbox.modes import BankMode
from sandbox.people import Person
from tests.connectors.rigs import ORIGIN, BankRig


class PlaidRig(BankRig):
    """One bank of the sandbox behind Plaid's hosted page, which sends the browser on to it."""

    connector = "plaid"
    states_presence = False
    takes_iban = False
    asks_bank_for_status = False
    lists_at_bank = False
    given_back = ConsentEnd.UNKNOWN_AT_BANK
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
