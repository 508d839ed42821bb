"""The banks that can be reached, with their zones, hours and quirks, by connector and id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from app.domain.maintenance import Span, resting
from app.flows.house import House
from app.ports import Bank
from app.store.health import BankKey
from app.store.maintenance import Rests

# What is assumed of a bank that the operator has taken off the list: only its hours still matter.
_UNLISTED: Final = Bank(id="", name="", country="")


@dataclass(frozen=True, slots=True)
class BankBook:
    """A snapshot of all connectors' banks."""

    _banks: dict[BankKey, Bank]

    def of(self, connector: str, bank_id: str) -> Bank:
        """The bank, or one with ordinary hours where it is not listed any more."""
        return self._banks.get((connector, bank_id), _UNLISTED)

    def knows(self, connector: str, bank_id: str) -> bool:
        """Can this bank be reached with the present settings?"""
        return (connector, bank_id) in self._banks


def bank_book(house: House) -> BankBook:
    """All banks of all connectors that are set up; no network."""
    return BankBook(
        {
            (name, bank.id): bank
            for name, port in house.aggregations.items()
            for bank in port.banks()
        }
    )


def rests_of_bank(
    bank: Bank, connector: str, rests: Rests, lender_id: UUID, now: datetime
) -> tuple[Span, ...]:
    """The maintenance of this bank that is not over: its weekly hours and the lender's own notes.

    `bank.id` is empty for one that is not listed any more; nothing is asked of it anyway.
    """
    noted = rests.get(lender_id, {})
    if not noted and not bank.maintenance:
        return ()
    single = [*noted.get((connector, bank.id), ()), *noted.get((connector, ""), ())]
    return resting(bank.maintenance, bank.time_zone, single, now)
