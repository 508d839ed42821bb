"""Whether transactions can be looked at somewhere, and whether a consent still waits for its look.

A look at a bank needs the borrower, so it waits for him where the consent came into force before he
was back. A copy that the provider made while he was there is had without him.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, or_, select

from app.domain.balance import SEVERAL
from app.domain.consent import ConsentState, Purpose
from app.domain.errors import TryLater
from app.flows.house import House
from app.flows.providers.bank_book import bank_book
from app.ports import Bank
from app.side_ports import CopiedTransactionsPort, TransactionsPort
from app.store.tables import accounts, lenders, read_attempts
from app.store.unit import Unit

# Business time after a consent has come into force: "once, now" is what he allowed.
LOOK_WITHIN: Final = timedelta(days=1)
FAILED: Final = "failed"


def port_to_look(house: House, connector: str) -> TransactionsPort | CopiedTransactionsPort | None:
    """The socket that shows transactions; None where the provider of balances has none."""
    port = house.aggregation(connector)
    return port if isinstance(port, (TransactionsPort, CopiedTransactionsPort)) else None


def can_show(house: House, connector: str, bank: Bank) -> bool:
    """Can an account's transactions be seen there at the cost of no balance?"""
    port = port_to_look(house, connector)
    if isinstance(port, CopiedTransactionsPort):
        return True
    return port is not None and (bank.transactions_apart or not bank.attended_reads_count)


def without_him(house: House, connector: str) -> bool:
    """Is there a copy, so that no bank is asked and he need not be there any more?"""
    return isinstance(port_to_look(house, connector), CopiedTransactionsPort)


async def look_owed(unit: Unit, house: House, now: datetime, consent: Row[Any]) -> bool:
    """Does this consent cover a look that nobody has made yet, and may it still be made?

    He allowed it, the lender still wants it, it came into force within a day. One try at a bank is
    the look, whatever comes of it; a copy that was not ready is asked for again.
    """
    if consent.state != ConsentState.ACTIVE.value or Purpose.BILLS.value not in consent.purposes:
        return False
    if consent.activated_at is None or now - consent.activated_at >= LOOK_WITHIN:
        return False
    bank = bank_book(house).of(consent.connector, consent.bank_id)
    if not can_show(house, consent.connector, bank):
        return False
    wanted = select(lenders.c.reads_bills).where(lenders.c.id == consent.lender_id)
    asked = select(read_attempts.c.id).where(
        read_attempts.c.consent_id == consent.id, read_attempts.c.purpose == Purpose.BILLS.value
    )
    if without_him(house, consent.connector):
        asked = asked.where(
            or_(
                read_attempts.c.outcome.is_distinct_from(FAILED),
                read_attempts.c.detail != TryLater.__name__,
            )
        )
    covered = select(accounts.c.id).where(
        accounts.c.consent_id == consent.id, accounts.c.usable, accounts.c.currency != SEVERAL
    )
    return (
        bool(await unit.conn.scalar(wanted))
        and await unit.conn.scalar(covered.limit(1)) is not None
        and await unit.conn.scalar(asked.limit(1)) is None
    )
