"""What waits for a second person, and what was decided: for the desk's pages and the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, select

from app.domain.approval import ApprovalKind, ApprovalState
from app.domain.forbearance import Consideration, read_consideration
from app.domain.money import Money
from app.reports.slices import one, take
from app.store.approvals import adjustments_of, unpaid_in_all
from app.store.tables import approvals, borrowers, cases, loans, users
from app.store.unit import Unit

AT_MOST: Final = 50
APPROVALS_BY: Final = (approvals.c.proposed_at, approvals.c.id)

_ENDORSER = users.alias("endorser")
_FIRST = users.alias("first_decider")


@dataclass(frozen=True, slots=True)
class ApprovalLine:
    """One proposal. `title` names what it is about: a borrower, or what was written.

    `by_machine`: no person proposed it; `endorsed_by` is then who stands behind it, "" for nobody.
    """

    id: UUID
    kind: ApprovalKind
    state: ApprovalState
    title: str
    loan_id: UUID | None
    loan_ref: str
    case_id: UUID | None
    amount: Money | None
    reason: str
    consideration: Consideration | None
    notes: Mapping[str, Any]
    proposed_by: str
    by_machine: bool
    proposed_at: datetime
    endorsed_by: str
    first_yes_by: str
    decided_by: str
    decided_at: datetime | None
    note: str


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One entry on a loan's account of what was given up."""

    id: UUID
    kind: ApprovalKind
    amount: Money
    made_at: datetime
    reversed: bool
    approval_id: UUID


async def waiting_approvals(unit: Unit) -> tuple[ApprovalLine, ...]:
    """What waits, longest waiting first."""
    rows = await unit.conn.execute(
        approvals_query(state=ApprovalState.PROPOSED)
        .order_by(approvals.c.proposed_at, approvals.c.id)
        .limit(AT_MOST * 4)
    )
    return tuple(line_of(unit, row) for row in rows)


async def decided_approvals(
    unit: Unit, *, after: tuple[Any, ...] | None = None
) -> tuple[tuple[ApprovalLine, ...], tuple[Any, ...] | None]:
    """What is over, the latest proposal first, and the key of the next slice."""
    query = approvals_query().where(approvals.c.state != ApprovalState.PROPOSED.value)
    found = await take(unit, query, APPROVALS_BY, after=after, limit=AT_MOST)
    return tuple(line_of(unit, row) for row in found.rows), found.last


async def approval_of(unit: Unit, approval_id: UUID) -> ApprovalLine:
    """One proposal. Raises `NotFound`."""
    query = approvals_query().where(approvals.c.id == approval_id)
    return line_of(unit, await one(unit, query, "proposal"))


async def approvals_of_loan(unit: Unit, loan_id: UUID) -> tuple[ApprovalLine, ...]:
    """Every proposal about one loan, the latest first."""
    rows = await unit.conn.execute(
        approvals_query()
        .where(approvals.c.loan_id == loan_id)
        .order_by(approvals.c.proposed_at.desc(), approvals.c.id.desc())
        .limit(AT_MOST)
    )
    return tuple(line_of(unit, row) for row in rows)


async def loan_of_case(unit: Unit, case_id: UUID) -> Row[Any]:
    """The row of the case's loan. Raises `NotFound`."""
    query = select(loans).join(cases, cases.c.loan_id == loans.c.id).where(cases.c.id == case_id)
    return await one(unit, query, "case")


async def entries_of_loan(unit: Unit, loan_id: UUID) -> tuple[EntryLine, ...]:
    """What was given up and taken back on one loan, oldest first."""
    return tuple(
        EntryLine(
            row.id,
            ApprovalKind(row.kind),
            Money(row.amount_minor, row.currency),
            row.made_at,
            bool(row.reversed),
            row.approval_id,
        )
        for row in await adjustments_of(unit, loan_id)
    )


async def unpaid_of(unit: Unit, line: ApprovalLine) -> Money | None:
    """What of the loan is unpaid now; None for what is not about a loan."""
    if line.loan_id is None or line.amount is None:
        return None
    return await unpaid_in_all(unit, line.loan_id, line.amount.currency)


def approvals_query(
    *, state: ApprovalState | None = None, kind: ApprovalKind | None = None, loan: str | None = None
) -> Select[Any]:
    """Proposals with what they are about; `loan` is the lender's own reference."""
    query = (
        select(
            approvals,
            borrowers.c.name_enc,
            borrowers.c.external_ref.label("borrower_ref"),
            loans.c.external_ref.label("loan_ref"),
            _ENDORSER.c.email.label("endorsed_by"),
            _FIRST.c.email.label("first_yes_by"),
        )
        .outerjoin(borrowers, borrowers.c.id == approvals.c.borrower_id)
        .outerjoin(loans, loans.c.id == approvals.c.loan_id)
        .outerjoin(_ENDORSER, _ENDORSER.c.id == approvals.c.endorser_id)
        .outerjoin(_FIRST, _FIRST.c.id == approvals.c.first_decider_id)
    )
    if state is not None:
        query = query.where(approvals.c.state == state.value)
    if kind is not None:
        query = query.where(approvals.c.kind == kind.value)
    if loan is not None:
        query = query.where(loans.c.external_ref == loan)
    return query


def line_of(unit: Unit, row: Row[Any]) -> ApprovalLine:
    """A row of `approvals_query`, with what it is about in words."""
    title = str(row.considered.get("title", ""))
    if row.name_enc is not None:
        title = unit.open("borrowers.name_enc", row.borrower_id, row.name_enc)
    return ApprovalLine(
        id=row.id,
        kind=ApprovalKind(row.kind),
        state=ApprovalState(row.state),
        title=title,
        loan_id=row.loan_id,
        loan_ref=row.loan_ref or "",
        case_id=row.case_id,
        amount=None if row.amount_minor is None else Money(row.amount_minor, row.currency),
        reason=row.reason,
        consideration=read_consideration(row.considered),
        notes=row.considered,
        proposed_by=row.proposed_by,
        by_machine=row.proposer_id is None,
        proposed_at=row.proposed_at,
        endorsed_by=row.endorsed_by or "",
        first_yes_by=row.first_yes_by or "",
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        note=row.decision_note,
    )
