"""What lists of cases say of each: the calls that were made, and the day that is promised."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ScalarSelect, and_, any_, func, or_, select

from app.domain.message import Channel
from app.domain.promise import PromiseState
from app.store.dues import local_day
from app.store.tables import cases, contacts, lenders, promise_parts, promises


def calls_made() -> ScalarSelect[Any]:
    """How often people called the borrower since the case was opened, about it or about him.

    Whoever called counts: the desk, an agency, and calls that the lender's system reported.
    """
    return (
        select(func.count())
        .select_from(contacts)
        .where(
            contacts.c.borrower_id == cases.c.borrower_id,
            contacts.c.channel == Channel.CALL.value,
            contacts.c.direction == "outbound",
            contacts.c.made_at >= cases.c.opened_at,
            or_(
                func.cardinality(contacts.c.case_ids) == 0, cases.c.id == any_(contacts.c.case_ids)
            ),
            or_(cases.c.closed_at.is_(None), contacts.c.made_at <= cases.c.closed_at),
        )
        .correlate(cases)
        .scalar_subquery()
    )


def promised_on(now: datetime) -> ScalarSelect[Any]:
    """The next day that the case's open promise names, or its last one when all have passed.

    For queries that join `lenders`: it is the lender's day at `now`.
    """
    ahead = func.min(promise_parts.c.due_on).filter(promise_parts.c.due_on >= local_day(now))
    return (
        select(func.coalesce(ahead, func.max(promise_parts.c.due_on)))
        .join(promises, promises.c.id == promise_parts.c.promise_id)
        .where(and_(promises.c.case_id == cases.c.id, promises.c.state == PromiseState.OPEN.value))
        .correlate(cases, lenders)
        .scalar_subquery()
    )
