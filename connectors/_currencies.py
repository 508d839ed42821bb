"""In which currencies one can pay from a bank of the operator's list, and to which accounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from pydantic import Field, field_validator

from app.domain.money import KNOWN_CURRENCIES
from app.domain.payee import (
    EUR,
    FASTER_PAYMENTS_REFERENCE,
    GBP,
    IN_EUR,
    AccountForm,
    Carried,
)
from connectors._bank_list import ListedBank


class PayingBank(ListedBank):
    """One that payments are made from.

    `currencies`: those that the contract has from here; empty: what the provider publishes about
    the country, `by_country`, and EUR where that says nothing. `carried` is all it has a way for.
    """

    currencies: tuple[str, ...] = ()
    instant_payments: bool = False

    carried: ClassVar[Mapping[str, AccountForm]] = {EUR: AccountForm.IBAN}
    by_country: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @field_validator("currencies")
    @classmethod
    def _carried_ones(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not set(value) <= set(cls.carried):
            message = f"must be some of {', '.join(cls.carried)}"
            raise ValueError(message)
        return value

    @property
    def pays(self) -> tuple[Carried, ...]:
        """As the rest of Saldo knows it."""
        chosen = self.currencies or self.by_country.get(self.country, (EUR,))
        return tuple(Carried(one, self.carried[one]) for one in chosen)


class DomesticBank(ListedBank):
    """One that moves EUR by SEPA and, where its documentation says so, one more currency at home.

    `domestic_currency`: that one; to IBANs, which is what its description names.
    """

    sepa_payments: bool = True
    instant_payments: bool = False
    domestic_currency: str = Field(default="", pattern=r"^([A-Z]{3})?$")

    @field_validator("domestic_currency")
    @classmethod
    def _another_one(cls, value: str) -> str:
        if value and (value == EUR or value not in KNOWN_CURRENCIES):
            message = "must be a currency other than EUR, such as PLN"
            raise ValueError(message)
        return value

    @property
    def pays(self) -> tuple[Carried, ...]:
        """As the rest of Saldo knows it."""
        at_home = (Carried(self.domestic_currency),) if self.domestic_currency else ()
        return (*(IN_EUR if self.sepa_payments else ()), *at_home)


def longest_reference(pays: Iterable[Carried]) -> int:
    """Of a bank that moves these: SEPA's, or that of Faster Payments."""
    return FASTER_PAYMENTS_REFERENCE if any(one.currency == GBP for one in pays) else 35
