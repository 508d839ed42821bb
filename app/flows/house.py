"""What every flow is handed: the store, the settings, the guarded ports, the policy packs.

A flow that works for one lender goes through that lender's door first (`House.of`): then his own
providers, where he has set up any, lie over the installation's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from app.domain.errors import Misconfigured
from app.domain.ids import LenderId, Phone
from app.domain.provider_setup import Slot
from app.flows.providers.port_book import OwnPorts, PortBook
from app.pay_ports import PaymentPort
from app.ports import AggregationPort, EmailPort, LenderHookPort, MessagePort
from app.reference.packs import PackBook
from app.reference.places import country_of_number
from app.reference.templates import TemplateBook, load_templates
from app.settings import Settings
from app.side_ports import HookPort
from app.store.unit import Store

Port = TypeVar("Port")


@dataclass(frozen=True, slots=True)
class House:
    """Built once per process in wiring. Ports come wrapped by the boundary.

    `real_now` is for time-outs, claims and retries of the transport alone; business time is
    an argument (`now`) of every flow.
    """

    store: Store
    settings: Settings
    packs: PackBook
    aggregations: Mapping[str, AggregationPort]
    payments: Mapping[str, PaymentPort]
    messages: Mapping[str, MessagePort]
    lender_hooks: LenderHookPort
    real_now: Callable[[], datetime]
    emails: Mapping[str, EmailPort] = field(default_factory=dict)
    hooks: Mapping[str, HookPort] = field(default_factory=dict)
    templates: TemplateBook = field(default_factory=load_templates)
    book: PortBook | None = None
    """Lenders' own ports; None: nobody has any (tests, and rooms without providers)."""
    own: OwnPorts = field(default_factory=OwnPorts)
    whose: LenderId | None = None
    """Whose house it is, with his own ports over the installation's; None: the installation's."""

    async def of(self, lender_id: LenderId) -> House:
        """The house as this lender has it. No unit may be open.

        What he began with a provider of the installation is still followed with that.
        """
        if self.book is None or self.whose == lender_id:
            return self
        if self.whose is not None:
            message = "one lender's house was asked for another lender's"
            raise RuntimeError(message)
        return replace(self.under(await self.book.of(lender_id)), whose=lender_id)

    async def of_everybody(self, slot: Slot) -> Houses:
        """The houses of all lenders as far as one job goes, for batches over many of them."""
        return Houses(self, {} if self.book is None else await self.book.of_everybody(slot))

    def under(self, own: OwnPorts) -> House:
        """This house with somebody's own ports over its own."""
        return replace(
            self,
            aggregations={**self.aggregations, **own.aggregations},
            payments={**self.payments, **own.payments},
            messages={**self.messages, **own.messages},
            emails={**self.emails, **own.emails},
            hooks={**self.hooks, **own.hooks},
            own=own,
        )

    def aggregation(self, connector: str) -> AggregationPort:
        """The aggregation port of one connector. Raises `Misconfigured` when it is not set up."""
        return _pick(self.aggregations, connector, "SALDO_AGGREGATION_CONNECTOR")

    def payment(self, connector: str) -> PaymentPort:
        """The payment port of one connector. Raises `Misconfigured` when it is not set up."""
        return _pick(self.payments, connector, "SALDO_PAYMENT_CONNECTOR")

    def message(self, connector: str) -> MessagePort:
        """The message port of one connector. Raises `Misconfigured` when it is not set up."""
        return _pick(self.messages, connector, "SALDO_MESSAGE_CONNECTOR")

    def email(self, connector: str) -> EmailPort:
        """The e-mail port of one connector. Raises `Misconfigured` when it is not set up."""
        return _pick(self.emails, connector, "SALDO_EMAIL_CONNECTOR")

    @property
    def aggregation_name(self) -> str:
        """With whom a new consent is opened."""
        return self.own.chosen.get(Slot.AGGREGATION, self.settings.aggregation_connector)

    @property
    def payment_name(self) -> str:
        """With whom a new payment is made."""
        return self.own.chosen.get(Slot.PAYMENTS, self.settings.payment_connector)

    @property
    def email_name(self) -> str:
        """With whom e-mails leave."""
        return self.own.chosen.get(Slot.EMAILS, self.settings.email_connector)

    def route_to(self, phone: Phone) -> tuple[str, ...]:
        """The connectors for a text to this number that are set up, the first choice first.

        All that the settings name where none of them is: whoever calls the first is told why. A
        lender's own provider carries all of his texts: those of the installation are not his.
        """
        own = self.own.chosen.get(Slot.MESSAGES)
        if own is not None:
            return (own,)
        named = self.settings.text_routes.to(country_of_number(phone))
        return tuple(name for name in named if name in self.messages) or named

    def carries_email(self) -> bool:
        """Is e-mail set up at all? A lender may well do without.

        One of his own that cannot be used just now is set up: its e-mails wait.
        """
        return Slot.EMAILS in self.own.chosen or self.email_name in self.emails


@dataclass(frozen=True, slots=True)
class Houses:
    """One house for each lender of a batch, each with his own ports for one job."""

    shared: House
    _own: Mapping[LenderId, OwnPorts]

    def of(self, lender_id: LenderId) -> House:
        """The house of one of them, as far as this job goes."""
        own = self._own.get(lender_id)
        return self.shared if own is None else self.shared.under(own)

    def all_aggregations(self) -> dict[str, AggregationPort]:
        """Of everybody, by name: names are never given twice. To look banks up, not to ask them."""
        own = {name: it for one in self._own.values() for name, it in one.aggregations.items()}
        return {**self.shared.aggregations, **own}


def _pick(ports: Mapping[str, Port], name: str, setting: str) -> Port:
    try:
        return ports[name]
    except KeyError:
        known = ", ".join(sorted(ports)) or "none"
        raise Misconfigured(
            setting, f"connector {name!r} is not set up (set up: {known})", "Choose one of these."
        ) from None
