"""Agencies with what they have and what came in, placements, and cases chosen to be placed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, ScalarSelect, Select, func, or_, select

from app.domain.approval import ApprovalKind, ApprovalState
from app.domain.money import Money
from app.domain.placement import PlacementState, commission
from app.reports.slices import Key, narrowed, one, take, with_borrower
from app.store.arrays import among
from app.store.placements import obstacles
from app.store.tables import (
    agencies,
    approvals,
    borrowers,
    cases,
    instalments,
    loans,
    placements,
    repayments,
)
from app.store.unit import Unit

AT_MOST: Final = 50
PLACEMENTS_BY: Final[Key] = (placements.c.placed_at, placements.c.id)
AGENCIES_BY: Final[Key] = (agencies.c.name,)


@dataclass(frozen=True, slots=True)
class Earned:
    """What was placed with an agency in one currency, and what came of it."""

    placed: Money
    recovered: Money
    commission: Money


@dataclass(frozen=True, slots=True)
class AgencyLine:
    """One agency. `cases` is how many it has now; `earned` since the first one."""

    id: UUID
    name: str
    contact: str
    commission_basis_points: int
    active: bool
    cases: int
    earned: tuple[Earned, ...]


@dataclass(frozen=True, slots=True)
class PlacementLine:
    """One placement. `recovered` is what was paid while it lasted, `commission` their share."""

    id: UUID
    state: PlacementState
    agency_id: UUID
    agency: str
    case_id: UUID
    borrower_ref: str
    borrower_name: str
    loan_ref: str
    amount: Money
    recovered: Money
    commission: Money
    placed_at: datetime
    ended_at: datetime | None
    ended_why: str


@dataclass(frozen=True, slots=True)
class ChosenCase:
    """A case that somebody wants to place. `waits`: a proposal does; `why_not`: what forbids it."""

    id: UUID
    borrower_name: str
    loan_ref: str
    unpaid: Money
    waits: UUID | None
    why_not: str


def agencies_query() -> Select[Any]:
    """Every agency of the unit's lender."""
    return select(agencies)


async def agency_lines(unit: Unit) -> tuple[AgencyLine, ...]:
    """Every agency, the active ones first, with its figures."""
    rows = (
        await unit.conn.execute(
            agencies_query().order_by(agencies.c.active.desc(), agencies.c.name)
        )
    ).all()
    made: dict[UUID, list[Row[Any]]] = {}
    for row in await unit.conn.execute(placements_query()):
        made.setdefault(row.agency_id, []).append(row)
    return tuple(
        AgencyLine(
            row.id,
            row.name,
            row.contact,
            row.commission_basis_points,
            row.active,
            sum(one.state == PlacementState.PLACED.value for one in made.get(row.id, ())),
            _earned(made.get(row.id, ())),
        )
        for row in rows
    )


def _earned(rows: Iterable[Row[Any]]) -> tuple[Earned, ...]:
    sums: dict[str, Earned] = {}
    for row in rows:
        zero = Money.zero(row.currency)
        before = sums.get(row.currency, Earned(zero, zero, zero))
        recovered = Money(int(row.recovered_minor), row.currency)
        sums[row.currency] = Earned(
            before.placed + Money(row.amount_minor, row.currency),
            before.recovered + recovered,
            before.commission + commission(recovered, row.commission_basis_points),
        )
    return tuple(sums[currency] for currency in sorted(sums))


def placements_query(
    *,
    borrower: str | None = None,
    state: PlacementState | None = None,
    agency_id: UUID | None = None,
) -> Select[Any]:
    """Placements with what was paid on the loan while each lasted: money alone, counted once."""
    query = narrowed(
        with_borrower(
            placements,
            *placements.c,
            agencies.c.name.label("agency"),
            loans.c.external_ref.label("loan_ref"),
            borrowers.c.name_enc,
            _recovered().label("recovered_minor"),
        )
        .join(agencies, agencies.c.id == placements.c.agency_id)
        .join(loans, loans.c.id == placements.c.loan_id),
        placements,
        borrower,
        state,
    )
    return query if agency_id is None else query.where(placements.c.agency_id == agency_id)


def _recovered() -> ScalarSelect[Any]:
    return (
        select(func.coalesce(func.sum(repayments.c.amount_minor), 0))
        .where(
            repayments.c.loan_id == placements.c.loan_id,
            repayments.c.counted,
            repayments.c.reversed_at.is_(None),
            repayments.c.source != "forgiven",
            repayments.c.recorded_at >= placements.c.placed_at,
            or_(
                placements.c.ended_at.is_(None),
                repayments.c.recorded_at <= placements.c.ended_at,
            ),
        )
        .scalar_subquery()
    )


async def placement_lines(
    unit: Unit, *, after: tuple[Any, ...] | None = None
) -> tuple[tuple[PlacementLine, ...], tuple[Any, ...] | None]:
    """Placements, the latest first, and the key of what follows."""
    found = await take(unit, placements_query(), PLACEMENTS_BY, after=after, limit=AT_MOST)
    return tuple(line_of(unit, row) for row in found.rows), found.last


async def placement_of(unit: Unit, placement_id: UUID) -> PlacementLine:
    """One placement. Raises `NotFound`."""
    query = placements_query().where(placements.c.id == placement_id)
    return line_of(unit, await one(unit, query, "placement"))


async def placement_of_case(unit: Unit, case_id: UUID) -> PlacementLine | None:
    """The running placement of a case; None while nobody else has it."""
    query = placements_query(state=PlacementState.PLACED).where(placements.c.case_id == case_id)
    row = (await unit.conn.execute(query)).one_or_none()
    return None if row is None else line_of(unit, row)


def line_of(unit: Unit, row: Row[Any]) -> PlacementLine:
    """A row of `placements_query`."""
    recovered = Money(int(row.recovered_minor), row.currency)
    return PlacementLine(
        id=row.id,
        state=PlacementState(row.state),
        agency_id=row.agency_id,
        agency=row.agency,
        case_id=row.case_id,
        borrower_ref=row.borrower_ref,
        borrower_name=unit.open("borrowers.name_enc", row.borrower_id, row.name_enc),
        loan_ref=row.loan_ref,
        amount=Money(row.amount_minor, row.currency),
        recovered=recovered,
        commission=commission(recovered, row.commission_basis_points),
        placed_at=row.placed_at,
        ended_at=row.ended_at,
        ended_why=row.ended_why,
    )


async def chosen_cases(
    unit: Unit, now: datetime, case_ids: Sequence[UUID]
) -> tuple[ChosenCase, ...]:
    """These cases as they stand at `now`, in the order they were chosen; unknown ones are absent.

    What forbids one is asked as the flow asks it, without locks: it may change meanwhile.
    """
    wanted = list(dict.fromkeys(case_ids))[:AT_MOST]
    unpaid = (
        select(func.sum(instalments.c.amount_minor - instalments.c.paid_minor))
        .where(instalments.c.loan_id == cases.c.loan_id)
        .scalar_subquery()
    )
    rows = {
        row.id: row
        for row in await unit.conn.execute(
            select(
                cases.c.id,
                cases.c.borrower_id,
                borrowers.c.name_enc,
                loans.c.external_ref.label("loan_ref"),
                loans.c.currency,
                func.coalesce(unpaid, 0).label("unpaid_minor"),
                approvals.c.id.label("approval_id"),
            )
            .join(borrowers, borrowers.c.id == cases.c.borrower_id)
            .join(loans, loans.c.id == cases.c.loan_id)
            .outerjoin(
                approvals,
                (approvals.c.subject_id == cases.c.id)
                & (approvals.c.kind == ApprovalKind.PLACEMENT.value)
                & (approvals.c.state == ApprovalState.PROPOSED.value),
            )
            .where(among(cases.c.id, wanted))
        )
    }
    forbidden = await obstacles(unit, list(rows), now)
    return tuple(
        ChosenCase(
            id=case_id,
            borrower_name=unit.open(
                "borrowers.name_enc", rows[case_id].borrower_id, rows[case_id].name_enc
            ),
            loan_ref=rows[case_id].loan_ref,
            unpaid=Money(int(rows[case_id].unpaid_minor), rows[case_id].currency),
            waits=rows[case_id].approval_id,
            why_not=forbidden[case_id].words if case_id in forbidden else "",
        )
        for case_id in wanted
        if case_id in rows
    )
