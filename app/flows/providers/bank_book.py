"""The banks that can be reached, with their zones, hours and quirks, by connector and id."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from app.domain.maintenance import Span, resting
from app.flows.house import House, Houses
from app.pay_ports import PaymentPort
from app.ports import AggregationPort, Bank
from app.store.health import BankKey
from app.store.maintenance import Rests, rests_to_come
from app.store.unit import Unit

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

    def reachable(self) -> Collection[BankKey]:
        """All of them."""
        return self._banks.keys()


def bank_book(house: House | Houses) -> BankBook:
    """All banks that balances are read from, of all connectors that are set up; no network."""
    ports = house.all_aggregations() if isinstance(house, Houses) else house.aggregations
    return BankBook(_listed(ports))


def every_bank(house: House) -> BankBook:
    """The same, with the banks that only payments go through."""
    return BankBook({**_listed(house.payments), **_listed(house.aggregations)})


def _listed(
    ports: Mapping[str, AggregationPort] | Mapping[str, PaymentPort],
) -> dict[BankKey, Bank]:
    return {(name, bank.id): bank for name, port in ports.items() for bank in port.banks()}


@dataclass(frozen=True, slots=True)
class RestBook:
    """The maintenance of all banks as one lender knows it."""

    _banks: BankBook
    _rests: Rests
    _lender_id: UUID
    _now: datetime

    def of(self, connector: str, bank_id: str) -> tuple[Span, ...]:
        """What is not over; empty for a bank that answers as far as anybody announced."""
        bank = self._banks.of(connector, bank_id)
        return rests_of_bank(bank, connector, self._rests, self._lender_id, self._now)

    def through(self, connector: str) -> Iterator[tuple[str, tuple[Span, ...]]]:
        """The banks of one connector with something announced, by id."""
        for name, bank_id in self._banks.reachable():
            if name == connector and (spans := self.of(name, bank_id)):
                yield bank_id, spans


async def rest_book(unit: Unit, house: House, lender_id: UUID, now: datetime) -> RestBook:
    """Read what the unit's lender has noted, beside the profiles of the banks."""
    return RestBook(every_bank(house), await rests_to_come(unit, now), lender_id, now)


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
