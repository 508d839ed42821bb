"""Hold the promises of a loan against the money that came, and write the verdict down.

Called by everything that changes a loan's money, and by the clock (watch_promises). The verdict
follows from facts alone, so calling twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Row, and_, exists, select, update

from app.domain.case import CaseClose, CaseState
from app.domain.his_clock import day_begins
from app.domain.money import Money
from app.domain.promise import PROMISE, PromiseState
from app.domain.promise_terms import Part, Ruling, judge, reminder_days
from app.domain.task import TaskReason
from app.flows.actors import ROBOT
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.flows.signals.start_over import start_over
from app.flows.work.cancel_tasks import cancel_tasks
from app.flows.work.open_task import open_task
from app.store import timeline
from app.store.brakes import in_peace
from app.store.moves import move
from app.store.promises import money_since, parts_of, zone_of_lender
from app.store.strategies import wake_cases
from app.store.tables import cases, promises, repayments, strategy_steps
from app.store.timeline import Kind, Line
from app.store.unit import Unit

_PAID: Final = (CaseClose.PAID_THROUGH_SALDO, CaseClose.PAID_ELSEWHERE)
_JUDGED: Final = (PromiseState.OPEN.value, PromiseState.PART.value, PromiseState.BROKEN.value)
_MOST: Final = 50
REMINDER: Final = "promise_reminder"


async def judge_promises(
    unit: Unit, now: datetime, loan_id: UUID, *, closed: CaseClose | None = None
) -> None:
    """Judge what is open, and mend what was judged before a payment was known.

    `closed` is why the loan's case has just closed: paid, then an open promise is kept, whatever
    was reported; else nobody has to keep it any more. The caller holds the lock on the loan.
    """
    for promise in await _promises(unit, promises.c.loan_id == loan_id):
        await _judge_one(unit, now, promise, closed)


async def judge_after_return(unit: Unit, now: datetime, loan_id: UUID) -> None:
    """Money went back: a promise that it had kept is open again, and its deadline decides anew.

    A case has one open promise; where a newer one stands already, the old verdict stays.
    """
    query = (
        select(promises)
        .where(
            promises.c.loan_id == loan_id,
            promises.c.state == PromiseState.KEPT.value,
            _may_stand_again(),
            exists(
                select(repayments.c.id).where(
                    repayments.c.loan_id == loan_id,
                    repayments.c.recorded_at >= promises.c.made_at,
                    repayments.c.reversed_at.is_not(None),
                )
            ),
        )
        .order_by(promises.c.made_at.desc(), promises.c.id.desc())
        .limit(1)
    )
    promise = (await unit.conn.execute(query)).one_or_none()
    if promise is None:
        return
    zone = await zone_of_lender(unit, promise.lender_id)
    parts = (await parts_of(unit, (promise,)))[promise.id]
    if (await _ruling(unit, now, promise, parts, zone)).event == "keep":
        return
    await _reopen(unit, now, promise, "payment_returned")
    for again in await _promises(unit, promises.c.id == promise.id):
        await _judge_one(unit, now, again, None)


def _may_stand_again() -> ColumnElement[bool]:
    """The condition on `promises` whose case is open, and has no other one to be kept."""
    newer = promises.alias("newer")
    return and_(
        exists(
            select(cases.c.id).where(
                cases.c.id == promises.c.case_id, cases.c.state != CaseState.CLOSED.value
            )
        ),
        ~exists(
            select(newer.c.id).where(
                newer.c.case_id == promises.c.case_id, newer.c.state == PromiseState.OPEN.value
            )
        ),
    )


async def _reopen(unit: Unit, now: datetime, promise: Row[Any], why: str) -> None:
    await move(unit, promises, promise.id, PROMISE, "reopen", ended_at=None, ended_why="")
    await write_change(unit, now, promise, PromiseState.OPEN, {"why": why})


async def _promises(unit: Unit, which: Any) -> Sequence[Row[Any]]:
    rows = await unit.conn.execute(
        select(promises)
        .where(which, promises.c.state.in_(_JUDGED))
        .order_by(promises.c.made_at, promises.c.id)
        .limit(_MOST)
        .with_for_update(key_share=True)
    )
    return rows.all()


async def _ruling(
    unit: Unit, now: datetime, promise: Row[Any], parts: tuple[Part, ...], zone: ZoneInfo
) -> Ruling:
    return judge(
        parts,
        await money_since(unit, promise, zone),
        now.astimezone(zone).date(),
        grace_days=promise.grace_days,
        tolerance=Money(promise.tolerance_minor, promise.currency),
    )


async def _judge_one(
    unit: Unit, now: datetime, promise: Row[Any], closed: CaseClose | None
) -> None:
    zone = await zone_of_lender(unit, promise.lender_id)
    parts = (await parts_of(unit, (promise,)))[promise.id]
    ruling = await _ruling(unit, now, promise, parts, zone)
    state = PromiseState(promise.state)
    event, why = ruling.event, ""
    if state is PromiseState.OPEN and closed is not None and event != "keep":
        event = "keep" if closed in _PAID else "cancel"
        why = closed.value
    if event is None:
        if state is not PromiseState.OPEN and not await _stands_again(unit, now, promise):
            return
        await plan_next_look(unit, now, promise, parts, zone, ruling.wait_until)
        return
    if event not in PROMISE.events(state):
        # Judged before, and nothing that was paid in time has changed it.
        return
    await _end(unit, now, promise, event, why, ruling)


async def _stands_again(unit: Unit, now: datetime, promise: Row[Any]) -> bool:
    """What was missing had been paid in time, and parts are to come: nobody asks about it.

    The latest of a case alone: one that was followed by another agreement is history.
    """
    later = promises.alias("later")
    followed = exists(
        select(later.c.id).where(
            later.c.case_id == promises.c.case_id, later.c.made_at > promises.c.made_at
        )
    )
    wanted = select(promises.c.id).where(promises.c.id == promise.id, _may_stand_again(), ~followed)
    if await unit.conn.scalar(wanted) is None:
        return False
    await _reopen(unit, now, promise, "paid_in_time")
    await _call_off(unit, now, promise)
    await wake_cases(unit, now, borrower_id=promise.borrower_id, case_id=promise.case_id)
    return True


async def _call_off(unit: Unit, now: datetime, promise: Row[Any]) -> None:
    await cancel_tasks(
        unit,
        now,
        borrower_id=promise.borrower_id,
        case_id=promise.case_id,
        reasons=(TaskReason.PROMISE_BROKEN,),
        why="paid",
    )


async def _end(
    unit: Unit, now: datetime, promise: Row[Any], event: str, why: str, ruling: Ruling
) -> None:
    before = PromiseState(promise.state)
    moved = await move(
        unit, promises, promise.id, PROMISE, event,
        ended_at=now, ended_why=why, next_look_at=None,
    )  # fmt: skip
    state = PromiseState(moved.after)
    details: dict[str, Any] = {
        "why": why,
        "before": before.value,
        "paid_minor": ruling.paid.minor,
        "missing_minor": ruling.missing.minor,
        "currency": promise.currency,
    }
    await write_change(unit, now, promise, state, details)
    if state in (PromiseState.PART, PromiseState.BROKEN) and before is PromiseState.OPEN:
        await _go_after(unit, now, promise, state, ruling)
    elif state is PromiseState.KEPT:
        await _call_off(unit, now, promise)
    await wake_cases(unit, now, borrower_id=promise.borrower_id, case_id=promise.case_id)


async def _go_after(
    unit: Unit, now: datetime, promise: Row[Any], state: PromiseState, ruling: Ruling
) -> None:
    """The deadline passed: a person asks what happened, and machines may speak again.

    Where a hold keeps everybody from asking, nobody is sent to: the verdict stands in the
    timeline, and when the hold is over the strategy goes on with the calls.
    """
    if not await in_peace(unit, now, promise.borrower_id, promise.case_id):
        await open_task(
            unit,
            now,
            borrower_id=promise.borrower_id,
            case_id=promise.case_id,
            reason=TaskReason.PROMISE_BROKEN,
            # Reopened by a returned payment, it may be broken a second time.
            cause=f"{promise.id}|{now.isoformat()}",
            situation={
                "promise_id": str(promise.id),
                "promise": state.value,
                "paid_minor": ruling.paid.minor,
                "missing_minor": ruling.missing.minor,
                "currency": promise.currency,
            },
            lender_id=promise.lender_id,
        )
    await start_over(
        unit, now, borrower_id=promise.borrower_id, lender_id=promise.lender_id, why="replaced"
    )


async def plan_next_look(
    unit: Unit,
    now: datetime,
    promise: Row[Any],
    parts: tuple[Part, ...],
    zone: ZoneInfo,
    wait_until: date | None,
) -> None:
    """Set when the clock has to look at an open promise: its next reminder, or its deadline."""
    made_on = promise.made_at.astimezone(zone).date()
    done = set(
        await unit.conn.scalars(
            select(strategy_steps.c.name).where(
                strategy_steps.c.case_id == promise.case_id, strategy_steps.c.kind == REMINDER
            )
        )
    )
    today = now.astimezone(zone).date()
    days = [
        on
        for number, on in reminder_days(
            parts, made_on=made_on, days_before=promise.remind_days_before
        )
        if step_name(promise.id, number) not in done and parts[number - 1].due_on > today
    ]
    if wait_until is not None:
        days.append(wait_until)
    await unit.conn.execute(
        update(promises)
        .where(promises.c.id == promise.id)
        .values(next_look_at=day_begins(min(days), zone) if days else None)
    )


def step_name(promise_id: UUID, number: int) -> str:
    """The name of one part's reminder among the steps of a case."""
    return f"{promise_id}/{number}"


async def write_change(
    unit: Unit,
    now: datetime,
    promise: Row[Any],
    state: PromiseState,
    details: dict[str, Any],
    *,
    actor: str = ROBOT,
) -> None:
    """The line of a promise's new state, and the word to the lender's system."""
    line = Line(
        promise.borrower_id,
        Kind.PROMISE_CHANGED,
        actor,
        {"promise_id": str(promise.id), "state": state.value, **details},
        promise.case_id,
        promise.lender_id,
    )
    await timeline.write(unit, now, [line])
    await tell_lender(
        unit,
        now,
        event=LenderEvent.PROMISE_CHANGED,
        subject_id=promise.id,
        payload={
            "promise_id": str(promise.id),
            "case_id": str(promise.case_id),
            "state": state.value,
            "at": now.isoformat(),
        },
        ordinal=int(now.timestamp()),
        lender_id=promise.lender_id,
    )
