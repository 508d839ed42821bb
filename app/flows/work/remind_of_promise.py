"""Write to somebody some days before his promise falls due. A step of its caller's unit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, update

from app.domain.ids import derive_key
from app.domain.message import Channel
from app.domain.promise_terms import Part
from app.domain.stage_plan import StepKind
from app.domain.template import Cause
from app.flows.cases.look_at_person import Person, look_at_person
from app.flows.house import House
from app.flows.messages.notice_words import Owed, Promised, Subject
from app.flows.messages.queue_notice import Notice, NoticeQueued, notice_key, queue_notice
from app.store.tables import strategy_steps
from app.store.unit import Unit

TEMPLATE: Final = "promise_reminder"


async def remind_of_promise(
    unit: Unit, house: House, now: datetime, promise: Row[Any], number: int, part: Part
) -> None:
    """Queue the reminder of one part and put it behind the step that was taken for it.

    By text where he has a telephone, else by e-mail. What cannot be sent is said on the step.
    """
    person = await look_at_person(unit, now, promise.borrower_id)
    key = derive_key(promise.id, StepKind.PROMISE_REMINDER.value, number)
    queued = await _queue(unit, house, now, person, promise, key, part)
    await unit.conn.execute(
        update(strategy_steps)
        .where(strategy_steps.c.lender_id == promise.lender_id, strategy_steps.c.key == key)
        .values(
            due_on=part.due_on,
            message_id=queued.message_id,
            result=queued.skip,
            ended_at=None if queued.skip is None else now,
        )
    )


async def _queue(
    unit: Unit,
    house: House,
    now: datetime,
    person: Person,
    promise: Row[Any],
    key: UUID,
    part: Part,
) -> NoticeQueued:
    owed = tuple(
        Owed(due.loan_id, due.external_ref, due.amount, due.oldest_due_on)
        for due in person.dues
        if due.case_id == promise.case_id
    )
    by_mail = person.row.phone_enc is None or person.row.phone_doubted_at is not None
    channel = Channel.EMAIL if by_mail else Channel.SMS
    wanted = Notice(
        key=notice_key(key, channel),
        channel=channel,
        template=TEMPLATE,
        subject=Subject(
            Cause.PROMISE,
            owed,
            person.clock.today(now),
            Promised(part.due_on, part.amount),
        ),
        case_ids=(promise.case_id,),
    )
    return await queue_notice(unit, house, now, person, wanted)
