"""What tasks need under a lender's rules: the facts for deciding, and the same rule for the server.

A task carries what the rules ask about (language, product, what was due) since it was opened, so
that the board is searched without a look at borrowers, loans and instalments.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, false, not_, or_, select, true

from app.domain.assignment import KIND_OF, Need, Rules, Skills, need_of
from app.domain.money import Money
from app.domain.task import TaskReason
from app.store.arrays import among
from app.store.tables import tasks
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class Facts:
    """One task with what it needs."""

    id: UUID
    borrower_id: UUID
    case_id: UUID | None
    reason: TaskReason
    priority: int
    created_at: datetime
    given_to: UUID | None
    need: Need


async def needs_of(unit: Unit, rules: Rules, task_ids: Iterable[UUID]) -> tuple[Facts, ...]:
    """What each of these tasks needs; those that are not there are left out."""
    rows = await unit.conn.execute(select(tasks).where(among(tasks.c.id, task_ids)))
    return tuple(_facts(rules, row) for row in rows)


def _facts(rules: Rules, row: Row[Any]) -> Facts:
    reason = TaskReason(row.reason)
    due = None if row.about_minor is None else Money(row.about_minor, row.about_currency)
    need = need_of(
        rules, language=row.about_language, product=row.about_product, reason=reason, due=due
    )
    return Facts(
        row.id,
        row.borrower_id,
        row.case_id,
        reason,
        row.priority,
        row.created_at,
        row.given_to,
        need,
    )


def may_be_offered(rules: Rules, mine: Skills, there: Iterable[Skills]) -> ColumnElement[bool]:
    """`may_be_served` (app/domain/assignment.py) as a condition over `tasks`."""
    lacking = _lacks(rules, mine)
    if not lacking:
        return true()
    others = {one for one in there if one != mine}
    return or_(not_(or_(*lacking)), not_(somebody_can(rules, others)))


def somebody_can(rules: Rules, people: Iterable[Skills]) -> ColumnElement[bool]:
    """Whether one of these is `able` (app/domain/assignment.py), as a condition over `tasks`."""
    each = (not_(or_(false(), *_lacks(rules, one))) for one in set(people))
    return or_(false(), *each)


def _lacks(rules: Rules, skills: Skills) -> list[ColumnElement[bool]]:
    """What a task may need that somebody with these skills has not; none: he can do everything."""
    found: list[ColumnElement[bool]] = []
    if languages := rules.languages - skills.languages:
        found.append(tasks.c.about_language.in_(sorted(languages)))
    if products := rules.products - skills.products:
        found.append(tasks.c.about_product.in_(sorted(products)))
    if kinds := rules.kinds - skills.kinds:
        reasons = sorted(reason.value for reason, kind in KIND_OF.items() if kind in kinds)
        found.append(tasks.c.reason.in_(reasons))
    if not skills.large:
        found += [
            # Nothing is due: NULL is not large.
            and_(
                tasks.c.about_minor.is_not(None),
                tasks.c.about_currency == one.currency,
                tasks.c.about_minor >= one.minor,
            )
            for one in rules.large_from
        ]
    return found
