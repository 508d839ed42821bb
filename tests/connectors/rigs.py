"""One rig per connector: the sandbox's face of its provider, and hands to move the world with.

The contract suite knows only the protocols below; what is special to one provider stays in its
rig.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

import connectors
from app.domain.errors import ConsentEnd, ConsentGone, ProviderError
from app.domain.ids import Iban, Secret
from app.domain.money import Money
from app.pay_ports import PaymentBegun, PaymentOrder, PaymentPort
from app.ports import (
    AggregationPort,
    ConsentAsk,
    ConsentBegun,
    Grant,
    GrantNow,
    InboundHttp,
)
from app.side_ports import HookPort
from connectors.berlin_group.profile import BankProfile, BankRoute
from sandbox import psu
from sandbox.bank_list import as_toml
from sandbox.banks import BY_ID
from sandbox.faces.payment_news import PaymentNews
from sandbox.modes import BankMode, Mode
from sandbox.people import Person
from tests.connectors.scene import CREDITOR, HERE, ORIGIN, Exchange, Scene, Watch


class BankRig:
    """Berlin Group over the sandbox's banks. One bank at a time, named by its id.

    Rigs of other providers derive from it and say in the fields below what is different there.
    """

    connector = "berlin_group"
    states_presence = True
    """A present borrower is stated to the bank, and reads with him there are free."""
    presence_header = "psu-ip-address"
    asks_to_begin = True
    """Beginning a consent is a call; elsewhere it is only an address for the borrower."""
    lists_blocked = True
    """A blocked account is seen in the list; elsewhere only when it is read."""
    takes_iban = True
    """A consent can be asked for one account; elsewhere the borrower chooses it."""
    asks_bank_for_status = True
    """A consent's status comes from the bank, so its outage hides the status too."""
    lists_at_bank = True
    """The list of accounts is read at the bank each time."""
    unknown_consent_in_reads: type[ProviderError] = ConsentGone
    """What a read says where the provider does not know the consent."""
    given_back = ConsentEnd.CLOSED_BY_US
    """How a consent is found ended after it was given back."""
    some_ref = "no-such-payment"
    """An id that could be a payment's, and is none's."""
    refusal_ends = True
    """The payer's no at his bank ends the payment; elsewhere its page can be paid again."""
    takes_back = True
    """An open payment can be taken back; elsewhere it stays."""
    pays_again = False
    """A payment page can be paid more than once."""
    dates_calls = True
    """The provider signs the time of its calls to us, so that an old one can be refused."""

    def __init__(self, folder: Path, bank_id: str = "luz") -> None:
        self.scene = Scene()
        self.scene.world.hooks.origin = ORIGIN
        self.scene.world.hooks.urls = {self.connector: f"https://saldo.example{self.hook_path}"}
        self.bank_id = bank_id
        self.bank_list = folder / "banks.toml"
        self.bank_list.write_text(self.banks_as_toml(), encoding="utf-8")
        if connectors.discover()[self.connector].aggregation is not None:
            self.aggregation = self.aggregation_over(None)
        if connectors.discover()[self.connector].payments is not None:
            self.payments = self.payments_over(None)

    def banks_as_toml(self) -> str:
        return as_toml(ORIGIN)

    @property
    def currency(self) -> str:
        """Of the bank's accounts."""
        return BY_ID[self.bank_id].currency

    @property
    def watch(self) -> Watch:
        return self.scene.watch

    @property
    def seen(self) -> list[Exchange]:
        return self.scene.recorder.seen

    def asked_of_banks(self) -> int:
        """How many of the requests so far had a bank asked for something."""
        return len(self.seen)

    def given(self) -> dict[str, Any]:
        """The settings of the connector."""
        return {"banks": self.bank_list}

    def _settings(self) -> Any:
        return connectors.discover()[self.connector].settings.model_validate(self.given())

    def aggregation_over(self, transport: httpx.AsyncBaseTransport | None) -> AggregationPort:
        build = connectors.discover()[self.connector].aggregation
        assert build is not None
        return build(self._settings(), self.scene.wire(transport))

    def payments_over(self, transport: httpx.AsyncBaseTransport | None) -> PaymentPort:
        build = connectors.discover()[self.connector].payments
        assert build is not None
        return build(self._settings(), self.scene.wire(transport))

    # ------------------------------------------------------------ the provider's calls

    @property
    def hook_path(self) -> str:
        return f"/hooks/{self.connector}"

    def hooks_over(self, transport: httpx.AsyncBaseTransport | None) -> HookPort:
        build = connectors.discover()[self.connector].hooks
        assert build is not None
        return build(self._settings(), self.scene.wire(transport))

    def news(self) -> list[InboundHttp]:
        """What the provider tells of payments by now; each change once."""
        watch = self.watch.now
        made = PaymentNews(self.scene.world, self.scene.wire().http, watch).calls()
        return [InboundHttp(one.url, one.headers, one.content) for one in made]

    def news_refs(self, begun: PaymentBegun) -> set[str]:
        """What its news may call a payment."""
        return {begun.handle.ref.reveal()}

    # ------------------------------------------------------------ people and consents

    def person(self, **about: Any) -> Person:
        return self.scene.world.add_person(bank_id=self.bank_id, **about)

    def ask(self, **changes: Any) -> ConsentAsk:
        plain: dict[str, Any] = {
            "key": uuid4(),
            "bank_id": self.bank_id,
            "valid_until": date(2027, 1, 31),
            "recurring": True,
            "frequency_per_day": 4,
            "return_url": "https://saldo.example/back",
            "refused_url": "https://saldo.example/refused",
            "presence": HERE,
        }
        return ConsentAsk(**{**plain, **changes})

    async def begin(self, **changes: Any) -> ConsentBegun:
        return await self.aggregation.begin_consent(self.ask(**changes))

    async def granted(self, person: Person) -> Grant:
        begun = await self.begin()
        self.allow(begun, person)
        return await self.back(begun)

    def any_grant(self, token: str) -> Grant:
        """A grant that the provider is asked with, whatever it thinks of it."""
        return Grant(self.bank_id, Secret(token))

    async def back(self, begun: ConsentBegun) -> Grant:
        """The grant to go on with once the person is back from his bank."""
        return begun.grant

    async def refusal(self, begun: ConsentBegun) -> GrantNow:
        """What is known of the consent once the person is back, having said no."""
        return await self.aggregation.grant_now(begun.grant)

    def page(self, begun: ConsentBegun) -> str:
        """The bank's page behind the redirect."""
        return begun.redirect_url

    def allow(
        self, begun: ConsentBegun, person: Person, ibans: Sequence[str] | None = None
    ) -> None:
        back = psu.allow(self.scene.world, self.page(begun), person, ibans)
        assert back.partition("?")[0].endswith("/back")

    def forbid(self, begun: ConsentBegun, person: Person) -> None:
        psu.forbid(self.scene.world, self.page(begun), person)

    def revoke(self, person: Person) -> None:
        assert self.scene.world.revoke_all(person.id) == 1

    def lose_consent_answer(self, person: Person) -> None:
        self.scene.world.set_mode(person.id, Mode.CONSENT_ANSWER_LOST)

    def lose_payment_answer(self, person: Person) -> None:
        self.scene.world.set_mode(person.id, Mode.PAYMENT_ANSWER_LOST)

    def outages(self) -> list[Callable[[], None]]:
        """Ways in which the whole bank can be down, each as a switch."""

        def switch(mode: BankMode) -> Callable[[], None]:
            return lambda: self.scene.world.town.set_bank_mode(self.bank_id, mode)

        return [switch(BankMode.OUTAGE_401), switch(BankMode.OUTAGE_503)]

    # ------------------------------------------------------------ payments

    def order(self, person: Person, **changes: Any) -> PaymentOrder:
        plain: dict[str, Any] = {
            "key": uuid4(),
            "bank_id": self.bank_id,
            "amount": Money(5_000, "EUR"),
            "creditor_name": "Préstamos Sol SL",
            "creditor_account": CREDITOR,
            "end_to_end_ref": "SALDO-0001",
            "remittance": "Cuota préstamo 17 ñ/ł",
            "return_url": "https://saldo.example/paid",
            "refused_url": "https://saldo.example/not-paid",
            "presence": HERE,
            "debtor_iban": Iban.parse(person.iban),
        }
        return PaymentOrder(**{**plain, **changes})

    def made_orders(self) -> int:
        """How many orders the provider has taken."""
        return len(self.scene.world.payments.all())

    def pay(self, begun: PaymentBegun, person: Person) -> None:
        assert psu.pay(self.scene.world, begun.redirect_url, person).endswith("/paid")

    def refuse_to_pay(self, begun: PaymentBegun, person: Person) -> None:
        psu.refuse_to_pay(self.scene.world, begun.redirect_url, person)


def visiting(port: PaymentPort, visit: Callable[[PaymentBegun], Awaitable[None]]) -> PaymentPort:
    """The port of a provider whose page leads to the bank: each payer goes there at once."""
    create = port.create_payment

    async def create_and_visit(order: PaymentOrder) -> PaymentBegun:
        begun = await create(order)
        await visit(begun)
        return begun

    setattr(port, "create_payment", create_and_visit)  # noqa: B010 - mypy takes no other
    return port


def bank(**about: Any) -> BankRoute:
    plain = {
        "id": "b",
        "name": "Bank",
        "country": "ES",
        "base_url": "https://api.bank.example/psd2",
    }
    return BankRoute.of(BankProfile.model_validate({**plain, **about}))
