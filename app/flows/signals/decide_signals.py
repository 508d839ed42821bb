"""Decide what follows from money that was seen. One decision a case, one message a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, assert_never
from uuid import UUID

from sqlalchemy import Row, select, update

from app.domain.detector import Cover, MarginBand, SignalKind
from app.domain.ids import LenderId, SignalId
from app.domain.payee import unpayable_words
from app.domain.provider_setup import Slot
from app.domain.strategy import (
    AskToPay,
    Close,
    Decision,
    OpenTask,
    SeenFunds,
    Situation,
    Step,
    Wait,
    decide,
)
from app.flows.actors import ROBOT
from app.flows.cases.look_at_person import (
    Person,
    covered,
    look_at_person,
    situation_notes,
    situation_of,
)
from app.flows.cases.refresh_loan import refresh_loan
from app.flows.house import House
from app.flows.payments.ways_to_pay import Moved, moved_by, unpayable
from app.flows.side_by_side import side_by_side
from app.flows.signals.ask_to_pay import ask_to_pay
from app.flows.signals.start_over import start_over
from app.flows.work.open_task import open_task
from app.store import jobs, timeline
from app.store.arrays import among
from app.store.batches import Leased, is_waiting
from app.store.dues import Due
from app.store.strategies import signals_acts_of
from app.store.tables import funds_signals, signal_cases
from app.store.timeline import Kind, Line
from app.store.unit import Unit

BATCH: Final = 50
# Business time after which an undecided signal is taken for one whose job was lost.
LOST_AFTER: Final = timedelta(minutes=5)
_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class SignalsPlanned:
    """Signals whose decision was queued again."""

    planned: int


@dataclass(frozen=True, slots=True)
class SignalsDecided:
    """How many people were decided about, and what for."""

    people: int
    messages: int
    withheld: int
    tasks: int
    waits: int


async def plan_signals(house: House, now: datetime) -> SignalsPlanned:
    """Queue the decision about signals that nobody decided about. A safety net: the reading
    queues it in its own transaction.
    """
    async with house.store.engine_unit() as unit:
        if await is_waiting(unit, jobs.DECIDE_SIGNALS):
            return SignalsPlanned(0)
        left = await unit.conn.scalars(
            select(funds_signals.c.id)
            .where(
                funds_signals.c.decided_at.is_(None),
                funds_signals.c.ended_at.is_(None),
                funds_signals.c.raised_at <= now - LOST_AFTER,
            )
            .order_by(funds_signals.c.raised_at)
            .limit(_MOST)
        )
        found = Leased(list(left))
        for batch in found.in_batches(BATCH):
            await unit.defer(jobs.DECIDE_SIGNALS, ids=batch)
    return SignalsPlanned(len(found.ids))


async def decide_signals(house: House, now: datetime, ids: list[UUID]) -> SignalsDecided:
    """Decide about every person these signals speak of. Run again, it does nothing."""
    async with house.store.engine_unit() as unit:
        rows = await unit.conn.execute(
            select(funds_signals.c.lender_id, funds_signals.c.borrower_id)
            .distinct()
            .where(among(funds_signals.c.id, ids), funds_signals.c.decided_at.is_(None))
        )
        people = [(LenderId(row.lender_id), row.borrower_id) for row in rows]

    houses = await house.of_everybody(Slot.PAYMENTS)
    moved = {lender_id: moved_by(houses.of(lender_id)) for lender_id, _ in people}

    async def one(whom: tuple[LenderId, UUID]) -> SignalsDecided:
        return await _decide_about(house, now, *whom, moved[whom[0]])

    return _sum(await side_by_side(people, one))


async def _decide_about(
    house: House, now: datetime, lender_id: LenderId, borrower_id: UUID, moved: Moved
) -> SignalsDecided:
    async with house.store.unit(lender_id) as unit:
        person = await look_at_person(unit, now, borrower_id)
        fresh = await _undecided(unit, borrower_id)
        if not fresh:
            return SignalsDecided(0, 0, 0, 0, 0)
        await unit.conn.execute(
            update(funds_signals)
            .where(among(funds_signals.c.id, [row.id for row in fresh]))
            .values(decided_at=now)
        )
        seen = await _seen(unit, fresh)
        acts = await signals_acts_of(unit, [due.case_id for due in person.dues if due.case_id])
        currencies = {due.currency for due in person.dues}
        closed = await unpayable(unit, person.lender, currencies, moved)
        decided = []
        for due in person.dues:
            situation = situation_of(
                person, due, seen.get(due.case_id), now, closed.get(due.currency)
            )
            if situation.case_id in acts:
                # The strategy of a case says who acts; where it does not, the lender does.
                situation = replace(situation, signals_act=acts[situation.case_id])
            decided.append((due, situation, decide(situation)))
        await _write_decisions(unit, now, person, decided)
        tally = await _carry_out(unit, house, now, person, decided)
        if decided and all(situation.holds for _, situation, _ in decided):
            # No alert stands over a hold, and what is there counts as new when it ends.
            await start_over(unit, now, borrower_id=borrower_id, lender_id=lender_id, why="hold")
        return tally


async def _undecided(unit: Unit, borrower_id: UUID) -> Sequence[Row[Any]]:
    rows = await unit.conn.execute(
        select(funds_signals)
        .where(
            funds_signals.c.borrower_id == borrower_id,
            funds_signals.c.decided_at.is_(None),
            funds_signals.c.ended_at.is_(None),
        )
        .order_by(funds_signals.c.raised_at, funds_signals.c.id)
    )
    return rows.all()


async def _seen(unit: Unit, fresh: Sequence[Row[Any]]) -> dict[UUID | None, SeenFunds]:
    """For each case the signal that covers it best; of equals, the first."""
    by_id = {row.id: row for row in fresh}
    covers = await unit.conn.execute(
        select(signal_cases.c.signal_id, signal_cases.c.case_id, signal_cases.c.covers)
        .where(among(signal_cases.c.signal_id, list(by_id)))
        .order_by(signal_cases.c.signal_id, signal_cases.c.case_id)
    )
    best: dict[UUID | None, SeenFunds] = {}
    for row in covers:
        signal, cover = by_id[row.signal_id], Cover(row.covers)
        known = best.get(row.case_id)
        if known is None or covered(cover) > covered(known.cover):
            best[row.case_id] = SeenFunds(
                SignalId(signal.id),
                SignalKind(signal.covers),
                cover,
                MarginBand(signal.margin_band),
                signal.raised_at,
            )
    return best


async def _write_decisions(
    unit: Unit,
    now: datetime,
    person: Person,
    decided: Sequence[tuple[Due, Situation, Decision]],
) -> None:
    """Beside every decision stands the situation it was made from: it can be replayed."""
    await timeline.write(
        unit,
        now,
        [
            Line(
                person.id,
                Kind.DECISION,
                ROBOT,
                {
                    "rule": decision.rule,
                    "steps": [step_notes(step) for step in decision.steps],
                    "observe_only": decision.observe_only,
                    "situation": situation_notes(situation),
                },
                due.case_id,
            )
            for due, situation, decision in decided
        ],
    )


async def _carry_out(
    unit: Unit,
    house: House,
    now: datetime,
    person: Person,
    decided: Sequence[tuple[Due, Situation, Decision]],
) -> SignalsDecided:
    """Turn steps into rows. The wishes to ask are gathered: one message for all his cases."""
    to_ask: list[UUID] = []
    asked_by: UUID | None = None
    tasks = waits = 0
    for due, situation, decision in decided:
        for step in decision.steps:
            match step:
                case AskToPay(signal_id):
                    to_ask.append(situation.case_id)
                    asked_by = asked_by or signal_id
                case OpenTask(reason):
                    opened = await open_task(
                        unit,
                        now,
                        borrower_id=person.id,
                        case_id=due.case_id,
                        reason=reason,
                        cause=_cause(situation, due),
                        situation=_told(situation, decision),
                    )
                    tasks += opened is not None
                case Wait():
                    waits += 1
                case Close(reason):
                    await refresh_loan(unit, now, due.loan_id, because=reason)
                case _ as never:
                    assert_never(never)
    queued = None
    if asked_by is not None:
        queued = await ask_to_pay(unit, house, now, person, signal_id=asked_by, case_ids=to_ask)
    left = queued is not None and queued.message_id is not None
    withheld = queued is not None and queued.withheld
    return SignalsDecided(1, int(left and not withheld), int(withheld), tasks, waits)


def step_notes(step: Step) -> dict[str, Any]:
    """A step as plain JSON."""
    match step:
        case AskToPay(signal_id, channel):
            return {"do": "ask_to_pay", "signal_id": str(signal_id), "channel": channel.value}
        case OpenTask(reason):
            return {"do": "open_task", "reason": reason.value}
        case Wait(until, why):
            return {"do": "wait", "until": until.isoformat() if until else None, "why": why}
        case Close(reason):
            return {"do": "close", "reason": reason.value}
        case _ as never:
            assert_never(never)


def _told(situation: Situation, decision: Decision) -> dict[str, Any]:
    """What the task says of itself."""
    told: dict[str, Any] = {"rule": decision.rule, "signal": _band(situation)}
    if situation.unpayable is None:
        return told
    return told | {"because": unpayable_words(situation.unpayable, situation.owed.currency)}


def _cause(situation: Situation, due: Due) -> str:
    """One task for one signal and case."""
    funds = situation.funds
    return f"{funds.signal_id if funds else due.case_id}|{due.case_id}"


def _band(situation: Situation) -> dict[str, str] | None:
    funds = situation.funds
    if funds is None:
        return None
    return {"signal_id": str(funds.signal_id), "cover": funds.cover.value}


def _sum(parts: Iterable[SignalsDecided]) -> SignalsDecided:
    every = list(parts)
    return SignalsDecided(
        people=sum(part.people for part in every),
        messages=sum(part.messages for part in every),
        withheld=sum(part.withheld for part in every),
        tasks=sum(part.tasks for part in every),
        waits=sum(part.waits for part in every),
    )
