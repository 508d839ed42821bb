"""Which case a task is looked at on: its own, or the oldest open one of the person it is about."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, func, select

from app.domain.case import CaseState
from app.store.tables import cases, tasks


def shown_case() -> ColumnElement[Any]:
    """The id of that case, for statements over `tasks`; NULL where the person has none open."""
    older = cases.alias("older")
    first = (
        select(older.c.id)
        .where(older.c.borrower_id == tasks.c.borrower_id, older.c.state != CaseState.CLOSED.value)
        .order_by(older.c.opened_at, older.c.id)
        .limit(1)
        .scalar_subquery()
    )
    return func.coalesce(tasks.c.case_id, first)
