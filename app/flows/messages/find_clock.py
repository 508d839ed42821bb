"""The time zones that may be a borrower's, and with them his clock."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from app.domain.his_clock import HisClock, clock_of
from app.domain.ids import Phone
from app.reference.places import zones_of
from app.store.unit import Unit


def find_clock(unit: Unit, person: Row[Any], lender_zone: str) -> HisClock:
    """The clock of the borrower whose row this is."""
    return clock_of(zones_for(unit, person), person.time_zone, lender_zone)


def zones_for(unit: Unit, person: Row[Any]) -> frozenset[str]:
    """All zones that may be his: his stated one, and those of his number where they disagree."""
    phone = None
    if person.phone_enc is not None:
        phone = Phone(unit.open("borrowers.phone_enc", person.id, person.phone_enc))
    if person.time_zone is None:
        return zones_of(phone, person.country)
    by_number = zones_of(phone, None)
    stated = frozenset((person.time_zone,))
    return stated if not by_number or person.time_zone in by_number else stated | by_number
