"""Promises to pay as rows: the open one of a case, their parts, and the money that counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, select

from app.domain.money import Money
from app.domain.promise import PromiseState
from app.domain.promise_terms import Paid, Part, total_of
from app.domain.stages import PromiseTerms, parse_body
from app.store.arrays import among
from app.store.owed_words import unreported_on
from app.store.tables import (
    cases,
    lenders,
    promise_parts,
    promises,
    repayments,
    strategy_versions,
)
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class OpenPromise:
    """A promise that may still be kept. `parts` stand in the order of their days."""

    id: UUID
    case_id: UUID
    loan_id: UUID
    made_at: datetime
    parts: tuple[Part, ...]
    grace_days: int

    @property
    def last_due_on(self) -> date:
        """The day of the last part."""
        return self.parts[-1].due_on

    @property
    def total(self) -> Money:
        """What is promised in all."""
        return total_of(self.parts)


async def open_promise_of(unit: Unit, case_id: UUID) -> OpenPromise | None:
    """The promise that stands on this case; None when there is none."""
    return (await open_promises_of(unit, (case_id,))).get(case_id)


async def open_promises_of(unit: Unit, case_ids: Iterable[UUID]) -> dict[UUID, OpenPromise]:
    """The open promises of these cases, by case; at most one each."""
    rows = (
        await unit.conn.execute(
            select(promises).where(
                among(promises.c.case_id, case_ids), promises.c.state == PromiseState.OPEN.value
            )
        )
    ).all()
    parts = await parts_of(unit, rows)
    return {
        row.case_id: OpenPromise(
            row.id, row.case_id, row.loan_id, row.made_at, parts[row.id], row.grace_days
        )
        for row in rows
    }


async def parts_of(unit: Unit, rows: Iterable[Row[Any]]) -> dict[UUID, tuple[Part, ...]]:
    """The parts of these rows of `promises`, by promise, in the order of their days."""
    currencies = {row.id: row.currency for row in rows}
    found = await unit.conn.execute(
        select(promise_parts)
        .where(among(promise_parts.c.promise_id, currencies))
        .order_by(promise_parts.c.promise_id, promise_parts.c.due_on)
    )
    parts: dict[UUID, tuple[Part, ...]] = dict.fromkeys(currencies, ())
    for row in found:
        part = Part(row.due_on, Money(row.amount_minor, currencies[row.promise_id]))
        parts[row.promise_id] = (*parts[row.promise_id], part)
    return parts


async def money_since(unit: Unit, promise: Row[Any], zone: ZoneInfo) -> tuple[Paid, ...]:
    """What was paid on the promise's loan and became known after it was made.

    The facts alone: counted once, not sent back, and really paid. A debt that was forgiven is no
    payment. The day is the one of the payment in the lender's zone, not of its report. Money that
    only the lender's word on what is owed shows counts too, from the earliest day it can have been.
    """
    rows = await unit.conn.execute(
        select(repayments.c.paid_at, repayments.c.amount_minor, repayments.c.currency).where(
            repayments.c.loan_id == promise.loan_id,
            repayments.c.recorded_at >= promise.made_at,
            repayments.c.counted,
            repayments.c.reversed_at.is_(None),
            repayments.c.source != "forgiven",
        )
    )
    reported = [
        Paid(row.paid_at.astimezone(zone).date(), Money(row.amount_minor, row.currency))
        for row in rows
    ]
    seen = [
        Paid(one.at.astimezone(zone).date(), Money(one.minor, promise.currency))
        for one in await unreported_on(unit, promise.loan_id)
        if one.known_at >= promise.made_at
    ]
    return (*reported, *seen)


async def how_the_last_ended(unit: Unit, case_id: UUID) -> list[PromiseState]:
    """How the latest two promises of the case ended, newest first, cancelled ones left out."""
    found = await unit.conn.scalars(
        select(promises.c.state)
        .where(
            promises.c.case_id == case_id,
            promises.c.state.in_(
                (PromiseState.KEPT.value, PromiseState.PART.value, PromiseState.BROKEN.value)
            ),
        )
        .order_by(promises.c.made_at.desc(), promises.c.id.desc())
        .limit(2)
    )
    return [PromiseState(one) for one in found]


async def promise_terms_of(unit: Unit, case_id: UUID) -> PromiseTerms:
    """What may be promised on a case: the terms of its strategy, or the usual ones."""
    body = await unit.conn.scalar(
        select(strategy_versions.c.body)
        .join(cases, cases.c.strategy_version_id == strategy_versions.c.id)
        .where(cases.c.id == case_id)
    )
    return PromiseTerms() if body is None else parse_body(body).promise


async def zone_of_lender(unit: Unit, lender_id: UUID) -> ZoneInfo:
    """The zone that the lender's days are counted in."""
    name = await unit.conn.scalar(select(lenders.c.time_zone).where(lenders.c.id == lender_id))
    return ZoneInfo(str(name))
