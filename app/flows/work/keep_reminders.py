"""A collector's own reminders: set one, drop one, and raise those whose time or event has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, case, exists, false, insert, or_, select, update

from app.domain.case import CaseState
from app.domain.errors import Conflict, NotFound
from app.domain.ids import LenderId, UserId
from app.domain.message import MessageState
from app.domain.promise import PromiseState
from app.domain.reminder import ReminderCondition, check_reminder, next_due
from app.domain.task import TaskReason
from app.flows.house import House
from app.flows.work.open_task import open_task
from app.store.keys import new_id
from app.store.locks import lock_borrowers
from app.store.tables import (
    agent_reminders,
    cases,
    funds_signals,
    messages,
    promises,
    repayments,
)
from app.store.unit import Unit

_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class RemindersRaised:
    """How many became a task."""

    raised: int


async def set_reminder(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    case_id: UUID,
    user_id: UserId,
    due_at: datetime | None = None,
    condition: ReminderCondition | None = None,
    every_days: int = 0,
    note: str = "",
) -> UUID:
    """Remind `user_id` of a case, by a task that is his. Returns its id.

    Raises `NotFound`, `Conflict` for a closed case, `Invalid` naming the field.
    """
    check_reminder(
        now, due_at=due_at, condition=condition, every_days=every_days, note=note.strip()
    )
    async with house.store.unit(lender_id) as unit:
        row = (await unit.conn.execute(select(cases).where(cases.c.id == case_id))).one_or_none()
        if row is None:
            raise NotFound("There is no such case.")
        if row.state == CaseState.CLOSED.value:
            raise Conflict("This case is closed.")
        reminder_id = new_id()
        await unit.conn.execute(
            insert(agent_reminders).values(
                id=reminder_id,
                lender_id=row.lender_id,
                user_id=user_id,
                case_id=case_id,
                borrower_id=row.borrower_id,
                due_at=due_at,
                condition="" if condition is None else condition.value,
                every_days=every_days,
                note=note.strip(),
                created_at=now,
            )
        )
        return reminder_id


async def drop_reminder(
    house: House, now: datetime, *, lender_id: LenderId, reminder_id: UUID, user_id: UserId
) -> None:
    """End one's own reminder. Raises `NotFound`, also for somebody else's."""
    async with house.store.unit(lender_id) as unit:
        done = await unit.conn.execute(
            update(agent_reminders)
            .where(
                agent_reminders.c.id == reminder_id,
                agent_reminders.c.user_id == user_id,
                agent_reminders.c.ended_at.is_(None),
            )
            .values(ended_at=now)
        )
        if done.rowcount != 1:
            raise NotFound("There is no such reminder of yours.")


async def raise_reminders(house: House, now: datetime) -> RemindersRaised:
    """Open a task for every reminder whose moment has come or whose event has happened.

    An event counts from the moment the reminder was set. Those of closed cases end.
    """
    async with house.store.engine_unit() as unit:
        await _end_with_their_cases(unit, now)
        ripe = await _ripe(unit, now)
        await lock_borrowers(unit, {row.borrower_id for row in ripe})
        raised = 0
        for row in ripe:
            raised += await _raise(unit, now, row)
    return RemindersRaised(raised)


async def _end_with_their_cases(unit: Unit, now: datetime) -> None:
    """A reminder of being paid outlives the case that the payment closes, until it was raised."""
    closed = exists(
        select(cases.c.id).where(
            cases.c.id == agent_reminders.c.case_id, cases.c.state == CaseState.CLOSED.value
        )
    )
    await unit.conn.execute(
        update(agent_reminders)
        .where(
            agent_reminders.c.ended_at.is_(None),
            agent_reminders.c.condition != ReminderCondition.PAID.value,
            closed,
        )
        .values(ended_at=now)
    )


async def _ripe(unit: Unit, now: datetime) -> Sequence[Row[Any]]:
    rows = await unit.conn.execute(
        select(agent_reminders)
        .where(
            agent_reminders.c.ended_at.is_(None),
            or_(agent_reminders.c.due_at <= now, _has_happened()),
        )
        .order_by(agent_reminders.c.created_at)
        .limit(_MOST)
        .with_for_update(skip_locked=True)
    )
    return rows.all()


def _has_happened() -> ColumnElement[bool]:
    since, who = agent_reminders.c.created_at, agent_reminders.c.borrower_id
    events: dict[ReminderCondition, ColumnElement[bool]] = {
        ReminderCondition.MONEY_SEEN: exists(
            select(funds_signals.c.id).where(
                funds_signals.c.borrower_id == who, funds_signals.c.raised_at > since
            )
        ),
        ReminderCondition.PAID: exists(
            select(repayments.c.id)
            .join(cases, cases.c.loan_id == repayments.c.loan_id)
            .where(
                cases.c.id == agent_reminders.c.case_id,
                repayments.c.recorded_at > since,
                repayments.c.counted,
                repayments.c.source != "forgiven",
            )
        ),
        ReminderCondition.PROMISE_BROKEN: exists(
            select(promises.c.id).where(
                promises.c.case_id == agent_reminders.c.case_id,
                promises.c.state == PromiseState.BROKEN.value,
                promises.c.ended_at > since,
            )
        ),
        ReminderCondition.MESSAGE_UNDELIVERED: exists(
            select(messages.c.id).where(
                messages.c.borrower_id == who,
                messages.c.state == MessageState.UNDELIVERED.value,
                messages.c.ended_at > since,
            )
        ),
    }
    return and_(
        agent_reminders.c.condition != "",
        case(
            *[(agent_reminders.c.condition == name.value, met) for name, met in events.items()],
            else_=false(),
        ),
    )


async def _raise(unit: Unit, now: datetime, row: Row[Any]) -> int:
    again = None if row.due_at is None else next_due(row.due_at, row.every_days, now)
    task_id = await open_task(
        unit,
        now,
        borrower_id=row.borrower_id,
        case_id=row.case_id,
        reason=TaskReason.REMINDER,
        cause=f"{row.id}|{row.due_at}",
        situation={
            name: value
            for name, value in (("noted", row.note), ("happened", row.condition))
            if value
        },
        given_to=row.user_id,
        lender_id=row.lender_id,
    )
    await unit.conn.execute(
        update(agent_reminders)
        .where(agent_reminders.c.id == row.id)
        .values(due_at=again or row.due_at, ended_at=None if again else now, raised=True)
    )
    return int(task_id is not None)
