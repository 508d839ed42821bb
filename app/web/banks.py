"""Names of banks for pages; no network."""

from __future__ import annotations

from app.flows.house import House


def bank_name(house: House, bank_id: str) -> str:
    """The bank's name as its connector knows it; the id when it is not listed any more."""
    listed = [bank for port in house.aggregations.values() for bank in port.banks()]
    listed += [bank for port in house.payments.values() for bank in port.banks()]
    return next((bank.name for bank in listed if bank.id == bank_id), bank_id)
