"""How late a book was on a day, how it moved between two, and one loan's standing.

Read-only; the rules stand in app/domain/delinquency.py, the definitions in docs/monitoring.md.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, and_, or_, select

from app.domain.delinquency import (
    Buckets,
    Lateness,
    MoneyIn,
    Move,
    Part,
    Roll,
    Standing,
    end_of,
    lateness_on,
    roll_of,
)
from app.domain.hold import HoldBlock, HoldFact, read_blocks
from app.domain.intervals import Span
from app.domain.money import Money
from app.reports.book_files import safe_cell
from app.store import driver
from app.store.lateness import CLOSED, PAID, WRITTEN_OFF, on_a_day, parameters
from app.store.past_schedules import schedule_before
from app.store.tables import (
    adjustments,
    cases,
    holds,
    instalments,
    lenders,
    loans,
    repayments,
)
from app.store.unit import Unit

_CELLS: Final = {
    CLOSED: Standing.CLOSED.value,
    WRITTEN_OFF: Standing.WRITTEN_OFF.value,
    PAID: Standing.PAID.value,
    0: Standing.CURRENT.value,
}


@dataclass(frozen=True, slots=True)
class CellLine:
    """One cell of the book on a day."""

    cell: str
    loans: int
    outstanding: Money
    overdue: Money


@dataclass(frozen=True, slots=True)
class BookOnDay:
    """The loans in one currency. `at_risk` is the outstanding of loans so many days past due or
    more, by the first day of each bucket.
    """

    currency: str
    lines: tuple[CellLine, ...]
    outstanding: Money
    overdue: Money
    loans: int
    at_risk: Mapping[int, Money]

    def share(self, part: Money) -> float:
        """Of all that is outstanding, 0 to 1."""
        return part.minor / self.outstanding.minor if self.outstanding.minor else 0.0


@dataclass(frozen=True, slots=True)
class Portfolio:
    """A lender's book at the end of `on`, and its moves since the end of `since`, by currency."""

    on: date
    since: date
    books: tuple[BookOnDay, ...]
    rolls: Mapping[str, Roll]


async def portfolio(unit: Unit, buckets: Buckets, *, on: date, since: date) -> Portfolio:
    """The unit's lender's book. Both days are his calendar days."""
    names = _names(buckets)
    rows = await driver.rows(
        unit,
        f"""
        SELECT b.currency, a.cell, b.cell, count(*), sum(a.outstanding)::bigint,
            sum(b.outstanding)::bigint, sum(b.overdue)::bigint
        FROM ({on_a_day("since")}) AS a JOIN ({on_a_day("day")}) AS b USING (id)
        GROUP BY b.currency, a.cell, b.cell ORDER BY b.currency, a.cell, b.cell
        """,  # noqa: S608 - our own constants
        parameters(unit.lender_id, buckets.firsts, day=on, since=since),
    )
    moves: dict[str, list[Move]] = {}
    found: dict[str, dict[int, tuple[int, int, int]]] = {}
    for currency, before, after, count, minor, outstanding, overdue in rows:
        move = Move(names[before], names[after], count, minor)
        moves.setdefault(currency, []).append(move)
        cells = found.setdefault(currency, {})
        known = cells.get(after, (0, 0, 0))
        cells[after] = (known[0] + count, known[1] + outstanding, known[2] + overdue)
    return Portfolio(
        on=on,
        since=since,
        books=tuple(_book(currency, cells, buckets) for currency, cells in found.items()),
        rolls={currency: roll_of(some, buckets) for currency, some in moves.items()},
    )


def _names(buckets: Buckets) -> dict[int, str]:
    return {**_CELLS, **{n: bucket.name for n, bucket in enumerate(buckets.all, start=1)}}


def _book(currency: str, cells: Mapping[int, tuple[int, int, int]], buckets: Buckets) -> BookOnDay:
    """What is worked: current and late loans. Paid, closed and written-off ones are no risk."""
    names = _names(buckets)
    shown = [
        CellLine(
            names[cell],
            cells.get(cell, (0, 0, 0))[0],
            Money(cells.get(cell, (0, 0, 0))[1], currency),
            Money(cells.get(cell, (0, 0, 0))[2], currency),
        )
        for cell in range(len(buckets.all) + 1)
    ]
    at_risk = {
        bucket.first: Money(sum(line.outstanding.minor for line in shown[number:]), currency)
        for number, bucket in enumerate(buckets.all, start=1)
    }
    return BookOnDay(
        currency=currency,
        lines=tuple(shown),
        outstanding=Money(sum(line.outstanding.minor for line in shown), currency),
        overdue=Money(sum(line.overdue.minor for line in shown), currency),
        loans=sum(line.loans for line in shown),
        at_risk=at_risk,
    )


async def loan_list(unit: Unit, buckets: Buckets, on: date) -> Iterator[str]:
    """Every loan with something outstanding on a day as CSV, line by line, latest first.

    No cell can be taken for a formula by a spreadsheet.
    """
    names = _names(buckets)
    rows = await driver.rows(
        unit,
        f"""
        SELECT book.external_ref, b.external_ref, book.product, book.currency, book.outstanding,
            book.overdue, book.oldest, book.since, book.frozen, book.cell
        FROM ({on_a_day("day")}) AS book JOIN borrowers b ON b.id = book.borrower_id
        WHERE book.outstanding > 0
        ORDER BY book.since - book.frozen DESC, book.external_ref
        """,  # noqa: S608 - our own constant
        parameters(unit.lender_id, buckets.firsts, day=on),
    )
    return _lines(rows, names, on)


def _lines(rows: driver.Rows, names: Mapping[int, str], on: date) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")

    def written(*cells: object) -> str:
        out.seek(0)
        out.truncate()
        writer.writerow(cells)
        return out.getvalue()

    yield "\ufeff" + written(
        "as_of", "loan", "borrower", "product", "currency", "outstanding", "overdue",
        "oldest_due_on", "days_since_due", "days_past_due", "bucket",
    )  # fmt: skip
    for (
        loan,
        borrower,
        product,
        currency,
        outstanding,
        overdue,
        oldest,
        since,
        frozen,
        cell,
    ) in rows:
        yield written(
            on.isoformat(),
            safe_cell(loan),
            safe_cell(borrower),
            safe_cell(product),
            currency,
            Money(outstanding, currency).plain(),
            Money(overdue, currency).plain(),
            oldest.isoformat() if oldest else "",
            since,
            since - frozen,
            names[cell],
        )


# ------------------------------------------------------------------ one loan


@dataclass(frozen=True, slots=True)
class LoanStanding:
    """One loan at the end of a day: its lateness, and the name of its bucket or state."""

    on: date
    lateness: Lateness
    cell: str


async def loan_standing(
    unit: Unit, loan_id: UUID, buckets: Buckets, now: datetime, *, on: date | None = None
) -> LoanStanding:
    """How late one loan was at the end of `on` (the lender's day; None: today, as far as known)."""
    loan = (
        await unit.conn.execute(
            select(loans, lenders.c.time_zone, lenders.c.case_after_days)
            .join(lenders, lenders.c.id == loans.c.lender_id)
            .where(loans.c.id == loan_id)
        )
    ).one()
    zone = ZoneInfo(loan.time_zone)
    day = on or now.astimezone(zone).date()
    edge = end_of(day, zone)
    then = await schedule_before(unit, loan_id, edge)
    lateness = lateness_on(
        await _parts(unit, loan_id) if then is None else _parts_then(then),
        await _money(unit, loan_id),
        await _frozen(unit, loan.borrower_id, loan_id),
        day,
        zone,
        grace_days=loan.case_after_days,
        known_at=None if then is None else then.recorded_at,
    )
    if await _written_off(unit, loan_id, edge):
        cell = Standing.WRITTEN_OFF.value
    elif loan.state == "closed" and loan.owed_as_of < edge:
        cell = Standing.CLOSED.value
    elif not lateness.outstanding_minor:
        cell = Standing.PAID.value
    else:
        cell = buckets.name_of(lateness.days_past_due)
    return LoanStanding(day, lateness, cell)


async def _written_off(unit: Unit, loan_id: UUID, edge: datetime) -> bool:
    """Was it given up before `edge`, by an entry that no other had undone by then?"""
    later = adjustments.alias("later")
    found = await unit.conn.scalar(
        select(adjustments.c.id)
        .outerjoin(later, and_(later.c.reverses_id == adjustments.c.id, later.c.made_at < edge))
        .where(
            adjustments.c.loan_id == loan_id,
            adjustments.c.kind == "write_off",
            adjustments.c.made_at < edge,
            later.c.id.is_(None),
        )
        .limit(1)
    )
    return found is not None


async def _parts(unit: Unit, loan_id: UUID) -> list[Part]:
    rows = await unit.conn.execute(
        select(
            instalments.c.number,
            instalments.c.due_on,
            instalments.c.amount_minor,
            instalments.c.paid_minor,
        ).where(instalments.c.loan_id == loan_id)
    )
    return [Part(*row) for row in rows]


def _parts_then(kept: Row[Any]) -> list[Part]:
    lists = (kept.numbers, kept.due_on, kept.amount_minor, kept.paid_minor)
    return [Part(*one) for one in zip(*lists, strict=True)]


async def _money(unit: Unit, loan_id: UUID) -> list[MoneyIn]:
    rows = await unit.conn.execute(
        select(
            repayments.c.paid_at,
            repayments.c.applied_minor,
            repayments.c.reversed_at,
            repayments.c.recorded_at,
        ).where(repayments.c.loan_id == loan_id, repayments.c.counted)
    )
    return [MoneyIn(*row) for row in rows]


async def _frozen(unit: Unit, borrower_id: UUID, loan_id: UUID) -> list[Span]:
    rows = await unit.conn.execute(
        select(holds)
        .outerjoin(cases, cases.c.id == holds.c.case_id)
        .where(
            holds.c.borrower_id == borrower_id,
            or_(holds.c.case_id.is_(None), cases.c.loan_id == loan_id),
        )
    )
    facts: list[Any] = [
        HoldFact(row.kind, row.starts_at, row.ends_at, row.lifted_at, row.recorded_at, blocks)
        for row in rows
        if HoldBlock.DAYS in (blocks := read_blocks(row.blocks))
    ]
    return [fact.span for fact in facts]
