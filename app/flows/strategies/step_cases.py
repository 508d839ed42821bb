"""Take every case one step on along its strategy: notices, calls, and what comes at the end.

The tick hands due cases to jobs; a job plans all open cases of a person together, so that one
message speaks for all of them and one call a day is one call to a person. Each step is a row under
a derived key, written with its message, task or proposal: run again, it does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, text, update

from app.domain.case import CaseState
from app.domain.ids import LenderId, derive_key
from app.domain.provider_setup import Slot
from app.domain.stage_plan import ENDS, Plan, Skip, Step, StepKind, WaitsFor, plan_case
from app.domain.task import TaskReason
from app.domain.template import Cause
from app.flows.actors import ROBOT
from app.flows.cases.cases_in_hand import InHand, cases_in_hand
from app.flows.cases.look_at_person import Person, look_at_person
from app.flows.house import House
from app.flows.messages.notice_words import Owed, Subject
from app.flows.messages.queue_notice import Notice, notice_key, queue_notice
from app.flows.side_by_side import side_by_side
from app.flows.strategies.end_strategy import end_strategy
from app.flows.strategies.let_rest import LEASE, Looked, let_rest, set_next_looks, stage_lines
from app.flows.work.cancel_tasks import cancel_tasks
from app.flows.work.open_task import open_task
from app.store import jobs, timeline
from app.store.accounts import unread_borrowers
from app.store.arrays import among
from app.store.batches import MOST_PER_TICK, Leased, is_behind
from app.store.strategies import Doing, settle_called_off, write_steps
from app.store.tables import cases, tasks
from app.store.timeline import Kind, Line
from app.store.unit import Unit

BATCH: Final = 50


@dataclass(frozen=True, slots=True)
class StepsPlanned:
    """Cases handed to jobs."""

    planned: int


@dataclass(frozen=True, slots=True)
class CasesStepped:
    """What was done for how many people. `skipped` notices were written down and not sent."""

    people: int = 0
    notices: int = 0
    skipped: int = 0
    calls: int = 0
    ends: int = 0


async def plan_steps(house: House, now: datetime) -> StepsPlanned:
    """Hand the cases whose next step has come to jobs, longest due first, bounded per tick."""
    async with house.store.engine_unit() as unit:
        if await is_behind(unit, jobs.STEP_CASES):
            return StepsPlanned(0)
        ids = list(
            await unit.conn.scalars(
                select(cases.c.id)
                # Written out: the partial index serves it.
                .where(text("state = 'open'"), cases.c.next_step_at <= now)
                .order_by(cases.c.next_step_at)
                .limit(MOST_PER_TICK)
                .with_for_update(skip_locked=True)
            )
        )
        if ids:
            await unit.conn.execute(
                update(cases).where(among(cases.c.id, ids)).values(next_step_at=now + LEASE)
            )
        for batch in Leased(ids).in_batches(BATCH):
            await unit.defer(jobs.STEP_CASES, ids=batch)
    return StepsPlanned(len(ids))


async def step_cases(house: House, now: datetime, ids: list[UUID]) -> CasesStepped:
    """Plan for the people behind these cases, and do what the plans say."""
    async with house.store.engine_unit() as unit:
        rows = await unit.conn.execute(
            select(cases.c.lender_id, cases.c.borrower_id)
            .distinct()
            .where(among(cases.c.id, ids), cases.c.state == CaseState.OPEN.value)
        )
        people = [(LenderId(row.lender_id), row.borrower_id) for row in rows]

    resting = await _at_rest(house, now, people)
    houses = await house.of_everybody(Slot.PAYMENTS)

    async def one(whom: tuple[LenderId, UUID]) -> CasesStepped:
        return await _step_person(houses.of(whom[0]), now, *whom)

    busy = [whom for whom in people if whom[1] not in resting]
    return _sum([CasesStepped(people=len(resting)), *await side_by_side(busy, one)])


async def _at_rest(
    house: House, now: datetime, people: Iterable[tuple[LenderId, UUID]]
) -> frozenset[UUID]:
    """Those of whom nothing is to be done; where a lender's batch fails, nobody of his."""
    by_lender: dict[LenderId, list[UUID]] = {}
    for lender_id, borrower_id in people:
        by_lender.setdefault(lender_id, []).append(borrower_id)

    async def of_one(whose: tuple[LenderId, list[UUID]]) -> frozenset[UUID]:
        return await let_rest(house, now, *whose)

    return frozenset().union(*await side_by_side(by_lender.items(), of_one))


async def _step_person(
    house: House, now: datetime, lender_id: LenderId, borrower_id: UUID
) -> CasesStepped:
    async with house.store.unit(lender_id) as unit:
        person = await look_at_person(unit, now, borrower_id)
        hands = await cases_in_hand(unit, now, person)
        await settle_called_off(unit, now, [hand.due.loan_id for hand in hands])
        planned = [(hand, plan_case(hand.body, hand.facts)) for hand in hands]
        doings = [
            *_skipped(planned),
            *await _notices(unit, house, now, person, planned),
            *await _calls(unit, now, person, planned),
            *await _ends(unit, now, person, planned),
        ]
        await _ask_again(unit, now, person, planned)
        await write_steps(unit, now, lender_id=lender_id, borrower_id=borrower_id, doings=doings)
        await _say(unit, now, person, planned, doings)
        await set_next_looks(unit, now, {person.id: person.clock}, _seen(planned))
    return _tally(doings)


Planned = tuple[InHand, Plan]


def _steps(planned: Iterable[Planned], *kinds: StepKind) -> list[tuple[InHand, Step]]:
    return [
        (hand, step)
        for hand, plan in planned
        for step in plan.steps
        if step.kind in kinds and step.skip is None
    ]


def _seen(planned: Iterable[Planned]) -> list[Looked]:
    return [(hand.seen, plan) for hand, plan in planned]


def _skipped(planned: Sequence[Planned]) -> list[Doing]:
    return [
        _doing(hand, step, result=step.skip)
        for hand, plan in planned
        for step in plan.steps
        if step.skip is not None
    ]


def _doing(hand: InHand, step: Step, *, result: Skip | None = None, **made: Any) -> Doing:
    return Doing(
        hand.due.loan_id, hand.case_id, step, result=None if result is None else result, **made
    )


# ------------------------------------------------------------------ messages


async def _notices(
    unit: Unit, house: House, now: datetime, person: Person, planned: Sequence[Planned]
) -> list[Doing]:
    """One message for each channel, in the words of the debt that is furthest along."""
    groups: dict[tuple[Any, Any], list[tuple[InHand, Step]]] = {}
    for hand, step in _steps(planned, StepKind.NOTICE):
        if step.notice is not None:
            key = (step.notice.channel, step.notice.purpose)
            groups.setdefault(key, []).append((hand, step))
    doings: list[Doing] = []
    for (channel, purpose), group in sorted(groups.items()):
        speaker, step = max(group, key=lambda one: one[1].notice.day if one[1].notice else 0)
        cause = derive_key(speaker.due.loan_id, step.key)
        wanted = Notice(
            key=notice_key(cause, channel),
            channel=channel,
            template=step.notice.template if step.notice else "",
            subject=Subject(Cause.NOTICE, tuple(_owed(hand) for hand, _ in group), _today(group)),
            case_ids=tuple(hand.case_id for hand, _ in group),
            purpose=purpose,
        )
        queued = await queue_notice(unit, house, now, person, wanted)
        doings += [
            _doing(hand, one, message_id=queued.message_id, result=queued.skip)
            for hand, one in group
        ]
    return doings


def _owed(hand: InHand) -> Owed:
    due = hand.due
    return Owed(due.loan_id, due.external_ref, due.amount, due.oldest_due_on)


def _today(group: Sequence[tuple[InHand, Step]]) -> Any:
    return group[0][0].facts.today


# ------------------------------------------------------------------ people's work


async def _calls(
    unit: Unit, now: datetime, person: Person, planned: Sequence[Planned]
) -> list[Doing]:
    """One task for one call to one person; the steps of all his cases stand behind it."""
    wanted = _steps(planned, StepKind.CALL)
    if not wanted:
        return []
    first, step = wanted[0]
    reason = TaskReason.CALL_BORROWER
    if person.row.phone_enc is None:
        reason = TaskReason.NO_WAY_TO_REACH
    stage = first.body.stage_on(first.facts.days_past_due)
    unread = bool(await unread_borrowers(unit, (person.id,)))
    # Whoever calls is told so by this task: a second one would be the same call.
    await cancel_tasks(
        unit, now, borrower_id=person.id, reasons=(TaskReason.NO_CONSENT,), why="call_asked_for"
    )
    task_id = await open_task(
        unit,
        now,
        borrower_id=person.id,
        case_id=first.case_id,
        reason=reason,
        cause=derive_key(first.due.loan_id, step.key),
        situation={
            "stage": step.name,
            "days_past_due": first.facts.days_past_due,
            "attempt": step.attempt,
            "attempts": stage.calls.attempts if stage and stage.calls else 0,
            "cases": len(wanted),
            **({"consent_state": "none"} if unread else {}),
        },
    )
    result = Skip.CALLED_OFF if task_id is None else None
    return [_doing(hand, one, task_id=task_id, result=result) for hand, one in wanted]


async def _ends(
    unit: Unit, now: datetime, person: Person, planned: Sequence[Planned]
) -> list[Doing]:
    doings = []
    for hand, step in _steps(planned, *ENDS, StepKind.REVIEW):
        task_id = await end_strategy(unit, now, person, hand, step)
        doings.append(
            _doing(hand, step, task_id=task_id, result=Skip.DONE if task_id is None else None)
        )
    return doings


async def _ask_again(unit: Unit, now: datetime, person: Person, planned: Sequence[Planned]) -> None:
    """What keeps every machine quiet is somebody's work until it is settled.

    Whoever was not reached about it is tried again on another day.
    """
    if not any(plan.waits_for is WaitsFor.PERSON for _, plan in planned):
        return
    today = person.clock.today(now)
    for reason in person.troubles:
        tried = await unit.conn.scalar(
            select(func.max(tasks.c.ended_at)).where(
                tasks.c.borrower_id == person.id, tasks.c.reason == reason.value
            )
        )
        if tried is None or person.clock.day_of(tried) < today:
            await open_task(
                unit,
                now,
                borrower_id=person.id,
                reason=reason,
                cause=derive_key(person.id, f"again|{today}"),
            )


# ------------------------------------------------------------------ afterwards


async def _say(
    unit: Unit,
    now: datetime,
    person: Person,
    planned: Sequence[Planned],
    doings: Sequence[Doing],
) -> None:
    """A line for a stage that changed, and one for every notice that is not sent."""
    lines = stage_lines(_seen(planned))
    for doing in doings:
        if doing.step.notice is not None and doing.result not in (None, Skip.WITHHELD):
            details = {
                "channel": doing.step.notice.channel.value,
                "template": doing.step.notice.template,
                "day": doing.step.notice.day,
                "why": doing.result,
            }
            lines.append(Line(person.id, Kind.STEP_SKIPPED, ROBOT, details, doing.case_id))
    await timeline.write(unit, now, lines)


def _tally(doings: Sequence[Doing]) -> CasesStepped:
    sent = {doing.message_id for doing in doings if doing.message_id is not None}
    calls = {doing.task_id for doing in doings if doing.step.kind is StepKind.CALL}
    return CasesStepped(
        people=1,
        notices=len(sent),
        skipped=sum(doing.step.notice is not None and doing.result is not None for doing in doings),
        calls=len(calls - {None}),
        ends=sum(doing.step.kind in ENDS for doing in doings),
    )


def _sum(parts: Iterable[CasesStepped]) -> CasesStepped:
    every = list(parts)
    return CasesStepped(
        people=sum(part.people for part in every),
        notices=sum(part.notices for part in every),
        skipped=sum(part.skipped for part in every),
        calls=sum(part.calls for part in every),
        ends=sum(part.ends for part in every),
    )
