"""What every flow is handed: the store, the settings, the guarded ports, the policy packs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from app.domain.errors import Misconfigured
from app.domain.ids import Phone
from app.ports import AggregationPort, EmailPort, LenderHookPort, MessagePort, PaymentPort
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

    def route_to(self, phone: Phone) -> tuple[str, ...]:
        """The connectors for a text to this number that are set up, the first choice first.

        All that the settings name where none of them is: whoever calls the first is told why.
        """
        named = self.settings.text_routes.to(country_of_number(phone))
        return tuple(name for name in named if name in self.messages) or named

    def carries_email(self) -> bool:
        """Is e-mail set up at all? A lender may well do without."""
        return self.settings.email_connector in self.emails


def _pick(ports: Mapping[str, Port], name: str, setting: str) -> Port:
    try:
        return ports[name]
    except KeyError:
        known = ", ".join(sorted(ports)) or "none"
        raise Misconfigured(
            setting, f"connector {name!r} is not set up (set up: {known})", "Choose one of these."
        ) from None
