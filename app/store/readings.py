"""Balance figures and their end: the encrypted column is the only place that holds one.

What was learned from figures of an account's income ends with them.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, or_, select, update

from app.store.income_profiles import forget
from app.store.tables import accounts, consents, read_attempts, readings
from app.store.unit import Unit


async def erase_of_consent(unit: Unit, consent_id: UUID, now: datetime) -> int:
    """Erase every figure read under this consent, or of an account that stands under it.

    The second part matters after a renewal: the withdrawal of the present consent also ends
    what was read of the account under the one before. Returns how many figures are gone.
    """
    owner = select(consents.c.borrower_id).where(consents.c.id == consent_id).scalar_subquery()
    read_under_it = exists().where(
        read_attempts.c.id == readings.c.id, read_attempts.c.consent_id == consent_id
    )
    under_it = accounts.c.id.in_(
        select(read_attempts.c.account_id).where(read_attempts.c.consent_id == consent_id)
    )
    await forget(unit, or_(accounts.c.consent_id == consent_id, under_it))
    result = await unit.conn.execute(
        update(readings)
        .where(
            readings.c.account_id == accounts.c.id,
            accounts.c.borrower_id == owner,
            readings.c.figure_enc.is_not(None),
            or_(accounts.c.consent_id == consent_id, read_under_it),
        )
        .values(figure_enc=None, aside_enc=None, erased_at=now)
    )
    return result.rowcount


async def erase_of_borrower(unit: Unit, borrower_id: UUID, now: datetime) -> int:
    """Erase every figure of the borrower's accounts. Returns how many were left to erase."""
    await forget(unit, accounts.c.borrower_id == borrower_id)
    result = await unit.conn.execute(
        update(readings)
        .where(
            readings.c.account_id == accounts.c.id,
            accounts.c.borrower_id == borrower_id,
            readings.c.figure_enc.is_not(None),
        )
        .values(figure_enc=None, aside_enc=None, erased_at=now)
    )
    return result.rowcount


async def erase_expired(unit: Unit, now: datetime, *, limit: int) -> int:
    """Erase at most `limit` figures whose time has come. Returns how many."""
    due = (
        select(readings.c.id)
        .where(readings.c.figure_enc.is_not(None), readings.c.erase_at <= now)
        .order_by(readings.c.erase_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    result = await unit.conn.execute(
        update(readings)
        .where(readings.c.id.in_(due))
        .values(figure_enc=None, aside_enc=None, erased_at=now)
    )
    return result.rowcount
