"""The lender's words on what is owed, kept so that money nobody reported can be told from them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, insert, select, update

from app.domain.owed_words import Movement, OwedWord, Unreported, unreported
from app.store.keys import new_id
from app.store.loans import Scheduled
from app.store.tables import instalments, owed_words, payments, repayments
from app.store.unit import Unit

# Two rows for each change of the totals: a loan has hardly more changes than instalments.
_MOST: Final = 400


async def keep_word(
    unit: Unit, now: datetime, loan: Row[Any], as_of: datetime, schedule: Sequence[Scheduled]
) -> None:
    """Keep the totals of a schedule. Called before it is written, under the lock on the loan.

    Of a run of the same totals the first and the last word are kept.
    """
    listed = set(
        await unit.conn.scalars(
            select(instalments.c.number).where(
                instalments.c.loan_id == loan.id, instalments.c.amount_minor > 0
            )
        )
    )
    sums = {
        "amount_minor": sum(one.amount_minor for one in schedule),
        "paid_minor": sum(one.paid_minor for one in schedule),
    }
    last = (
        await unit.conn.execute(
            select(owed_words)
            .where(owed_words.c.loan_id == loan.id)
            .order_by(owed_words.c.as_of.desc(), owed_words.c.id.desc())
            .limit(2)
        )
    ).all()
    same = [all(getattr(row, name) == minor for name, minor in sums.items()) for row in last]
    if len(same) == 2 and all(same):
        await unit.conn.execute(
            update(owed_words).where(owed_words.c.id == last[0].id).values(as_of=as_of)
        )
        return
    await unit.conn.execute(
        insert(owed_words).values(
            id=new_id(),
            lender_id=loan.lender_id,
            loan_id=loan.id,
            as_of=as_of,
            recorded_at=now,
            paid_before_minor=sum(one.paid_minor for one in schedule if one.number not in listed),
            **sums,
        )
    )


async def unreported_on(unit: Unit, loan_id: UUID) -> tuple[Unreported, ...]:
    """What the lender's words show of money on this loan that nobody reported."""
    rows = await unit.conn.execute(
        select(owed_words)
        .where(owed_words.c.loan_id == loan_id)
        .order_by(owed_words.c.as_of.desc(), owed_words.c.id.desc())
        .limit(_MOST)
    )
    words = [
        OwedWord(
            row.as_of, row.recorded_at, row.amount_minor, row.paid_minor, row.paid_before_minor
        )
        for row in reversed(rows.all())
    ]
    if len(words) < 2:
        return ()
    return unreported(words, await _movements(unit, loan_id))


async def _movements(unit: Unit, loan_id: UUID) -> list[Movement]:
    """Everything that is known to have moved the debt, a forgiveness too.

    A payment of ours may stand in the lender's ledger from the moment it was authorised.
    """
    rows = await unit.conn.execute(
        select(
            func.least(repayments.c.paid_at, payments.c.authorised_at).label("at"),
            repayments.c.reversed_at,
            repayments.c.amount_minor,
        )
        .outerjoin(payments, payments.c.id == repayments.c.payment_id)
        .where(repayments.c.loan_id == loan_id, repayments.c.counted)
    )
    found = []
    for row in rows:
        found.append(Movement(row.at, row.amount_minor))
        if row.reversed_at is not None:
            found.append(Movement(row.reversed_at, -row.amount_minor))
    return found
