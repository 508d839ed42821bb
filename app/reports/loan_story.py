"""How the loan of a case stands, and every amount that was booked on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from app.domain.delinquency import Buckets
from app.domain.errors import NotFound
from app.domain.ids import OURS
from app.domain.money import Money
from app.reports.delinquency import LoanStanding, loan_standing
from app.store.tables import adjustments, cases, loans, repayments
from app.store.unit import Unit

_MOST: Final = 60


@dataclass(frozen=True, slots=True)
class BookedLine:
    """One entry. `kind` is lender, saldo or forgiven (money that none was), write_off or reversal.

    `left_over` is what no instalment took. `counted` False: the same money as another entry.
    """

    at: datetime
    kind: str
    amount: Money
    reference: str
    left_over: Money
    counted: bool
    reversed_at: datetime | None


@dataclass(frozen=True, slots=True)
class LoanStory:
    """`lines` are the newest entries first; `more` when there are older ones not shown."""

    state: str
    standing: LoanStanding
    lines: tuple[BookedLine, ...]
    more: bool


async def loan_story(unit: Unit, case_id: UUID, buckets: Buckets, now: datetime) -> LoanStory:
    """Of the loan behind one case. Raises `NotFound`."""
    loan = (
        await unit.conn.execute(
            select(loans.c.id, loans.c.state)
            .join(cases, cases.c.loan_id == loans.c.id)
            .where(cases.c.id == case_id)
        )
    ).one_or_none()
    if loan is None:
        raise NotFound("There is no such case.")
    lines = await _money(unit, loan.id) + await _entries(unit, loan.id)
    lines.sort(key=lambda line: line.at, reverse=True)
    return LoanStory(
        state=loan.state,
        standing=await loan_standing(unit, loan.id, buckets, now),
        lines=tuple(lines[:_MOST]),
        more=len(lines) > _MOST,
    )


async def _money(unit: Unit, loan_id: UUID) -> list[BookedLine]:
    rows = await unit.conn.execute(
        select(repayments)
        .where(repayments.c.loan_id == loan_id)
        .order_by(repayments.c.paid_at.desc(), repayments.c.id.desc())
        .limit(_MOST + 1)
    )
    return [
        BookedLine(
            at=row.paid_at,
            kind=row.source,
            amount=Money(row.amount_minor, row.currency),
            reference=row.external_ref.removeprefix(OURS),
            left_over=_left_over(row),
            counted=row.counted,
            reversed_at=row.reversed_at,
        )
        for row in rows
    ]


def _left_over(row: Any) -> Money:
    """What was counted and no instalment took: too much was paid."""
    left = row.amount_minor - row.applied_minor if row.counted and not row.reversed_at else 0
    return Money(left, row.currency)


async def _entries(unit: Unit, loan_id: UUID) -> list[BookedLine]:
    """Write-offs and reversals; a forgiveness stands among the money already."""
    rows = await unit.conn.execute(
        select(adjustments)
        .where(adjustments.c.loan_id == loan_id, adjustments.c.kind != "forgiveness")
        .order_by(adjustments.c.made_at.desc())
        .limit(_MOST + 1)
    )
    return [
        BookedLine(
            at=row.made_at,
            kind=row.kind,
            amount=Money(row.amount_minor, row.currency),
            reference="",
            left_over=Money.zero(row.currency),
            counted=True,
            reversed_at=None,
        )
        for row in rows
    ]
