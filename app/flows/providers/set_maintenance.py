"""Note that a bank or provider has announced maintenance: for one lender, with who and why.

Reads and the payment page look at it by themselves; nothing else has to be told.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.domain.errors import Invalid, NotFound
from app.domain.ids import LenderId
from app.domain.maintenance import Span
from app.flows.house import House
from app.flows.providers.bank_book import every_bank
from app.store import audit
from app.store.health import BankKey
from app.store.maintenance import add_rest, lift_rest

_LONGEST_REASON: Final = 500
# A bank that is away for longer is no matter of maintenance.
LONGEST: Final = timedelta(days=14)


async def set_maintenance(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    bank: BankKey,
    span: Span,
    reason: str,
    actor: str,
) -> UUID:
    """Write one down and in the audit. A bank id of '' means all banks of the provider.

    Raises `Invalid` for a bank nobody reaches from here, a span that is over, upside down or
    longer than `LONGEST`, and without a reason.
    """
    starts_at, ends_at = span
    house = await house.of(lender_id)
    if bank not in set(_reachable(house)):
        raise Invalid("bank", "is not one that is reached from here.", mend="Choose from the list.")
    if not starts_at < ends_at:
        raise Invalid("until", "comes after the beginning.", mend="Give a later moment.")
    if ends_at <= now:
        raise Invalid("until", "has passed already.", mend="Give a moment ahead.")
    if ends_at - starts_at > LONGEST:
        raise Invalid("until", f"is at most {LONGEST.days} days after the beginning.")
    why = reason.strip()
    if not 0 < len(why) <= _LONGEST_REASON:
        raise Invalid("reason", f"has 1 to {_LONGEST_REASON} characters.")
    async with house.store.unit(lender_id) as unit:
        rest_id = await add_rest(unit, now, key=bank, span=span, reason=why, set_by=actor)
        await audit.record(
            unit,
            now,
            actor=actor,
            act="set_maintenance",
            subject=_name(bank),
            after={"from": starts_at.isoformat(), "until": ends_at.isoformat()},
            reason=why,
        )
    return rest_id


async def lift_maintenance(
    house: House, now: datetime, *, lender_id: LenderId, rest_id: UUID, actor: str
) -> None:
    """End one before its time. Raises `NotFound` where there is none that is not over."""
    async with house.store.unit(lender_id) as unit:
        row = await lift_rest(unit, now, rest_id, actor)
        if row is None:
            raise NotFound("There is no such maintenance, or it is over.")
        await audit.record(
            unit,
            now,
            actor=actor,
            act="lift_maintenance",
            subject=_name((row.connector, row.bank_id)),
            before={"from": row.starts_at.isoformat(), "until": row.ends_at.isoformat()},
        )


def _reachable(house: House) -> Iterator[BankKey]:
    """Every bank of every connector that is set up, and each connector as a whole."""
    for connector in house.aggregations.keys() | house.payments.keys():
        yield connector, ""
    yield from every_bank(house).reachable()


def _name(bank: BankKey) -> str:
    return "/".join(part for part in bank if part)
