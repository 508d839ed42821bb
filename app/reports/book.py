"""A lender's book as his own system reads it: people, loans, cases, timelines, brakes.

Personal fields stay sealed; the few that are shown are opened by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, func, literal, or_, select, true

from app.domain.case import CaseState
from app.reports.case_columns import calls_made, promised_on
from app.reports.slices import Key, narrowed, one
from app.store.dues import last_due_day
from app.store.tables import (
    borrowers,
    cases,
    holds,
    instalments,
    lenders,
    loans,
    opt_outs,
    stop_switches,
    timeline,
)
from app.store.unit import Unit

BORROWERS_BY: Final[Key] = (borrowers.c.external_ref,)
LOANS_BY: Final[Key] = (loans.c.external_ref,)
CASES_BY: Final[Key] = (cases.c.opened_at, cases.c.id)
HOLDS_BY: Final[Key] = (holds.c.id,)
TIMELINE_BY: Final[Key] = (timeline.c.at, timeline.c.id)


async def borrower_of(unit: Unit, external_ref: str) -> Row[Any]:
    """The borrower behind the lender's own reference. Raises `NotFound`."""
    query = borrowers_query().where(borrowers.c.external_ref == external_ref)
    return await one(unit, query, "borrower")


async def borrower_id_of(unit: Unit, external_ref: str) -> UUID:
    """The same, the id alone."""
    query = select(borrowers.c.id).where(borrowers.c.external_ref == external_ref)
    return UUID(str((await one(unit, query, "borrower")).id))


async def lender_of(unit: Unit) -> Row[Any]:
    """The lender that the unit is bound to."""
    return await one(unit, select(lenders).where(lenders.c.id == unit.lender_id), "lender")


async def loan_of(unit: Unit, external_ref: str, now: datetime) -> Row[Any]:
    """The loan behind the lender's own reference. Raises `NotFound`."""
    return await one(unit, loans_query(now).where(loans.c.external_ref == external_ref), "loan")


async def case_of(unit: Unit, case_id: UUID, now: datetime) -> Row[Any]:
    """One case. Raises `NotFound`."""
    return await one(unit, cases_query(now).where(cases.c.id == case_id), "case")


# ------------------------------------------------------------------ people and loans


def borrowers_query() -> Select[Any]:
    """Borrowers, sealed names and phones included."""
    return select(
        borrowers.c.id,
        borrowers.c.external_ref,
        borrowers.c.name_enc,
        borrowers.c.phone_enc,
        borrowers.c.email_enc,
        borrowers.c.language,
        borrowers.c.country,
        borrowers.c.region,
        borrowers.c.time_zone,
        (borrowers.c.birth_date_hash.is_not(None)).label("has_birth_date"),
        (borrowers.c.document_hash.is_not(None)).label("has_document"),
        borrowers.c.created_at,
        borrowers.c.updated_at,
    )


def loans_query(now: datetime, *, borrower: str | None = None, due: bool = False) -> Select[Any]:
    """Loans with what is due at `now` and what is unpaid in all, in minor units."""
    unpaid = instalments.c.amount_minor - instalments.c.paid_minor
    sums = (
        select(
            func.coalesce(func.sum(unpaid), literal(0)).label("outstanding_minor"),
            func.coalesce(func.sum(unpaid).filter(_is_due(now)), literal(0)).label("due_minor"),
        )
        .where(instalments.c.loan_id == loans.c.id)
        .correlate(loans, lenders)
        .lateral("sums")
    )
    query = (
        select(
            loans.c.id,
            loans.c.external_ref,
            borrowers.c.external_ref.label("borrower_ref"),
            loans.c.product,
            loans.c.currency,
            loans.c.state,
            loans.c.owed_as_of,
            loans.c.next_due_on,
            loans.c.case_id,
            loans.c.created_at,
            sums.c.outstanding_minor,
            sums.c.due_minor,
        )
        .join(borrowers, borrowers.c.id == loans.c.borrower_id)
        .join(lenders, lenders.c.id == loans.c.lender_id)
        .join(sums, true())
    )
    if due:
        query = query.where(loans.c.case_id.is_not(None))
    return narrowed(query, loans, borrower)


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Whether an instalment counts as due (app/store/dues.py), with loans and lenders joined."""
    return and_(loans.c.state == "active", instalments.c.due_on <= last_due_day(now))


async def instalments_of(unit: Unit, loan_id: UUID) -> list[Row[Any]]:
    """The instalments of one loan, by number."""
    rows = await unit.conn.execute(
        select(instalments)
        # One that the lender no longer lists stays as a row of nothing.
        .where(instalments.c.loan_id == loan_id, instalments.c.amount_minor > 0)
        .order_by(instalments.c.number)
    )
    return list(rows)


def cases_query(
    now: datetime, *, borrower: str | None = None, state: CaseState | None = None
) -> Select[Any]:
    """Cases with what is due on their loans at `now`, in minor units."""
    due = (
        select(
            func.coalesce(
                func.sum(instalments.c.amount_minor - instalments.c.paid_minor), literal(0)
            ).label("due_minor")
        )
        .where(instalments.c.loan_id == loans.c.id, _is_due(now))
        .correlate(loans, lenders)
        .lateral("due")
    )
    query = (
        select(
            cases.c.id,
            cases.c.borrower_id,
            loans.c.external_ref.label("loan_ref"),
            borrowers.c.external_ref.label("borrower_ref"),
            loans.c.currency,
            cases.c.state,
            cases.c.opened_at,
            cases.c.closed_at,
            cases.c.close_reason,
            due.c.due_minor,
            calls_made().label("calls_made"),
            promised_on(now).label("promised_on"),
        )
        .join(loans, loans.c.id == cases.c.loan_id)
        .join(borrowers, borrowers.c.id == cases.c.borrower_id)
        .join(lenders, lenders.c.id == cases.c.lender_id)
        .join(due, true())
    )
    return narrowed(query, cases, borrower, state)


def timeline_query(borrower_id: UUID, case_id: UUID) -> Select[Any]:
    """The lines of one case: its own, and those that concern every case of the borrower."""
    return select(
        timeline.c.id,
        timeline.c.at,
        timeline.c.kind,
        timeline.c.actor,
        timeline.c.details,
        timeline.c.case_id,
    ).where(
        timeline.c.borrower_id == borrower_id,
        or_(timeline.c.case_id == case_id, timeline.c.case_id.is_(None)),
    )


# ------------------------------------------------------------------ brakes


def holds_query(borrower_id: UUID) -> Select[Any]:
    """All holds of one borrower, lifted ones too."""
    return select(holds).where(holds.c.borrower_id == borrower_id)


async def hold_of(unit: Unit, borrower_id: UUID, hold_id: UUID) -> Row[Any]:
    """One hold of one borrower. Raises `NotFound`."""
    return await one(unit, holds_query(borrower_id).where(holds.c.id == hold_id), "hold")


async def opt_outs_of(unit: Unit, borrower_id: UUID) -> list[Row[Any]]:
    """The channels a borrower ever stopped, and since when; `stopped_at` is null after a start."""
    rows = await unit.conn.execute(
        select(opt_outs).where(opt_outs.c.borrower_id == borrower_id).order_by(opt_outs.c.channel)
    )
    return list(rows)


async def switches(unit: Unit) -> Mapping[str, Row[Any]]:
    """The lender's stop switches that were ever touched, by channel."""
    rows = await unit.conn.execute(select(stop_switches))
    return {row.channel: row for row in rows}
