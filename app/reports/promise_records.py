"""Promises as a lender's own system reads them."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select

from app.domain.promise import PromiseState
from app.reports.slices import Key, narrowed, one, with_borrower
from app.store.tables import loans, promises
from app.store.unit import Unit

PROMISES_BY: Final[Key] = (promises.c.id,)


def promises_query(
    *, borrower: str | None = None, state: PromiseState | None = None
) -> Select[Any]:
    """Promises, whatever became of them."""
    query = with_borrower(
        promises,
        promises.c.id,
        promises.c.case_id,
        promises.c.state,
        promises.c.currency,
        promises.c.source,
        promises.c.made_by,
        promises.c.made_at,
        promises.c.note,
        promises.c.ended_at,
        promises.c.ended_why,
        loans.c.external_ref.label("loan_ref"),
    ).join(loans, loans.c.id == promises.c.loan_id)
    return narrowed(query, promises, borrower, state)


async def promise_of(unit: Unit, promise_id: UUID) -> Row[Any]:
    """One promise. Raises `NotFound`."""
    return await one(unit, promises_query().where(promises.c.id == promise_id), "promise")
