"""The ways that providers have in common: a page on the way to the bank, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from app.domain.errors import ConsentGone
from app.pay_ports import PaymentBegun, PaymentPort
from app.ports import ConsentBegun, Grant, GrantNow, GrantState
from app.side_ports import ComingBackPort, RenewingPort
from connectors._http import client
from sandbox import psu
from sandbox.modes import BankMode
from sandbox.people import Person
from tests.connectors.rigs import BankRig, visiting
from tests.connectors.scene import ORIGIN


class WayBackRig(BankRig):
    """A provider at which a consent goes on under another grant once the person is back."""

    async def refusal(self, begun: ConsentBegun) -> GrantNow:
        try:
            return await self.aggregation.grant_now(await self.back(begun))
        except ConsentGone as gone:
            return GrantNow(GrantState.ENDED, end=gone.why)


class RenewedRig(WayBackRig):
    """A provider that is asked for the other grant."""

    async def back(self, begun: ConsentBegun) -> Grant:
        assert isinstance(self.aggregation, RenewingPort)
        assert self.aggregation.renewal_due(begun.grant)
        grant = await self.aggregation.renew(begun.grant)
        assert not self.aggregation.renewal_due(grant)
        return grant


class BroughtRig(WayBackRig):
    """A provider whose words are brought back by the person's browser, and handed on by our page.

    It goes back to registered addresses alone: ours without the person's own token, which comes
    as `state`.
    """

    brought: dict[str, str] = {}  # noqa: RUF012 - replaced, never added to

    def ask(self, **changes: Any) -> Any:
        return super().ask(**{"return_url": "https://saldo.example/c/back/t0k3n", **changes})

    def allow(
        self, begun: ConsentBegun, person: Person, ibans: Sequence[str] | None = None
    ) -> None:
        self._take(psu.allow(self.scene.world, self.page(begun), person, ibans))

    def forbid(self, begun: ConsentBegun, person: Person) -> None:
        self._take(psu.forbid(self.scene.world, self.page(begun), person))

    def _take(self, address: str) -> None:
        assert address.startswith("https://saldo.example/c/back?")
        self.brought = dict(parse_qsl(urlsplit(address).query))
        assert self.brought.pop("state") == "t0k3n"

    async def back(self, begun: ConsentBegun) -> Grant:
        assert isinstance(self.aggregation, ComingBackPort)
        return await self.aggregation.came_back(begun.grant, self.brought)


class SentOnRig(BankRig):
    """A provider whose own page sends the browser on to the bank.

    A link may work once, so that it is followed as soon as it is given; `at_bank` is where the
    last one led to.
    """

    at_bank = ""

    async def follow(self, address: str) -> None:
        answer = await client(transport=self.scene.recorder).get(address)
        self.at_bank = f"{ORIGIN}{answer.headers['location']}"

    async def begin(self, **changes: Any) -> ConsentBegun:
        begun = await super().begin(**changes)
        await self.follow(begun.redirect_url)
        return begun

    def page(self, begun: ConsentBegun) -> str:  # noqa: ARG002 - the link has told already
        return self.at_bank

    def lose_consent_answer(self, person: Person) -> None:
        self.scene.world.town.set_bank_mode(person.bank_id, BankMode.CONSENT_ANSWER_LOST)

    def lose_payment_answer(self, person: Person) -> None:
        self.scene.world.town.set_bank_mode(person.bank_id, BankMode.PAYMENT_ANSWER_LOST)

    def payments_over(self, transport: httpx.AsyncBaseTransport | None) -> PaymentPort:
        return visiting(super().payments_over(transport), self.visit)

    async def visit(self, begun: PaymentBegun) -> None:
        """The payer opens the provider's page, which sends him on to his bank."""
        await self.follow(begun.redirect_url)

    def refuse_to_pay(self, begun: PaymentBegun, person: Person) -> None:  # noqa: ARG002
        psu.refuse_to_pay(self.scene.world, self.at_bank, person)
