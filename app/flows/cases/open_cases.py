"""Open a case for every loan that fell due, exactly one each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, and_, insert, select, true, update

from app.domain.case import CaseState
from app.domain.experiment import Withheld
from app.domain.hold import PRESSURE
from app.domain.stages import StrategyBody
from app.domain.task import TaskReason
from app.flows.actors import ROBOT
from app.flows.cases.flag_cases import ask_segments
from app.flows.house import House
from app.flows.messages.tell_lender import LenderEvent, Told, tell_lenders
from app.flows.reads.plan_anew import plan_anew
from app.flows.strategies.draw_arms import draw_arms
from app.flows.strategies.install_strategies import install_strategies
from app.flows.work.open_task import open_task
from app.store import timeline
from app.store.accounts import rearm, schedule_reads, unread_borrowers
from app.store.arrays import among
from app.store.brakes import holds_of
from app.store.case_entries import note_entries
from app.store.dues import last_due_day
from app.store.experiments import LeftAlone, left_alone
from app.store.keys import new_id
from app.store.locks import lock_borrowers
from app.store.strategies import bodies_of, chosen_versions, lenders_without_choice
from app.store.tables import cases, lenders, loans
from app.store.timeline import Kind, Line
from app.store.unit import Unit

BATCH: Final = 500
_MESSAGES_FIRST: Final = "The strategy writes first, and asks for calls later."


@dataclass(frozen=True, slots=True)
class CasesOpened:
    """`without_consent` of the new cases went to people, since no account may be read."""

    opened: int
    without_consent: int


async def open_cases(house: House, now: datetime, *, limit: int = BATCH) -> CasesOpened:
    """Open cases for at most `limit` loans with something due, oldest due first per lender.

    What was missed while nobody ran is found the same way. Two runs at once queue behind the
    borrowers' locks, and the second finds nothing left to open.
    """
    async with house.store.engine_unit() as unit:
        candidates = await _falling_due(unit, now, limit)
        return await open_cases_for(unit, now, {row.id: row.borrower_id for row in candidates})


async def open_cases_for(
    unit: Unit, now: datetime, borrowers_by_loan: Mapping[UUID, UUID]
) -> CasesOpened:
    """The same for these loans, each of which has something due, inside the caller's unit."""
    await lock_borrowers(unit, set(borrowers_by_loan.values()))
    due = await _still_without_case(unit, list(borrowers_by_loan))
    if not due:
        return CasesOpened(0, 0)
    for lender_id in await lenders_without_choice(unit, {loan.lender_id for loan in due}):
        await install_strategies(unit, now, lender_id)
    versions = await chosen_versions(unit, [loan.id for loan in due])
    opened = await _insert(unit, now, due, versions)
    people = {loan.borrower_id for loan in due}
    await schedule_reads(unit, people, now)
    await plan_anew(unit, now, people)
    await rearm(unit, people)
    await ask_segments(unit, now, list(opened.values()))
    await draw_arms(unit, now, opened, versions)
    unread = await unread_borrowers(unit, people)
    alone = await left_alone(unit, opened.values(), now)
    held = await holds_of(unit, unread, now)
    bodies = await bodies_of(unit, versions.values())
    without = [
        loan
        for loan in due
        if loan.borrower_id in unread
        and not _is_left(alone.get(opened[loan.id]))
        # Nobody is sent to ask somebody whom a hold leaves in peace. Over a case that is new no
        # hold of its own can stand.
        and not any(
            hold.case_id is None and hold.stops(*PRESSURE)
            for hold in held.get(loan.borrower_id, ())
        )
    ]
    for loan in without:
        version = versions.get(loan.id)
        calls = _first_call(loan, None if version is None else bodies[version], now)
        await open_task(
            unit,
            now,
            borrower_id=loan.borrower_id,
            case_id=opened[loan.id],
            reason=TaskReason.NO_CONSENT,
            cause=opened[loan.id],
            situation={
                "loan": loan.external_ref,
                "due_on": loan.next_due_on.isoformat(),
                **({} if calls is None else {"later_because": _MESSAGES_FIRST}),
            },
            not_before=calls,
            lender_id=loan.lender_id,
        )
    return CasesOpened(len(opened), len(without))


def _is_left(alone: LeftAlone | None) -> bool:
    """A call because nothing may be read is the strategy's work; an experiment may put it off."""
    return alone is not None and Withheld.STRATEGY in alone.withholds


def _first_call(loan: Row[Any], body: StrategyBody | None, now: datetime) -> datetime | None:
    """When the strategy first asks for a call; None for no strategy, or none ahead.

    Until then it writes, whether or not an account may be read: nobody rings on the day itself.
    """
    days = [] if body is None else [one.from_day for one in body.stages if one.calls is not None]
    if not days:
        return None
    on = loan.next_due_on + timedelta(days=min(days))
    begins = datetime.combine(on, time(), ZoneInfo(loan.time_zone)).astimezone(UTC)
    return begins if begins > now else None


async def _falling_due(unit: Unit, now: datetime, limit: int) -> Sequence[Row[*tuple[Any, ...]]]:
    """One index probe per lender: each has its own day and its own days of grace."""
    ripe = (
        select(loans.c.id, loans.c.borrower_id)
        .where(
            loans.c.lender_id == lenders.c.id,
            loans.c.case_id.is_(None),
            loans.c.state == "active",
            loans.c.collection_ended_at.is_(None),
            loans.c.next_due_on.is_not(None),
            loans.c.next_due_on <= last_due_day(now),
        )
        .order_by(loans.c.next_due_on)
        .limit(limit)
        .correlate(lenders)
        .lateral("ripe")
    )
    query = select(ripe.c.id, ripe.c.borrower_id).select_from(lenders.join(ripe, true()))
    return (await unit.conn.execute(query.limit(limit))).all()


async def _still_without_case(
    unit: Unit, loan_ids: Sequence[UUID]
) -> Sequence[Row[*tuple[Any, ...]]]:
    rows = await unit.conn.execute(
        select(
            loans.c.id,
            loans.c.lender_id,
            loans.c.borrower_id,
            loans.c.external_ref,
            loans.c.next_due_on,
            lenders.c.time_zone,
        )
        .join(lenders, lenders.c.id == loans.c.lender_id)
        .where(
            and_(
                among(loans.c.id, loan_ids),
                loans.c.case_id.is_(None),
                loans.c.state == "active",
                loans.c.collection_ended_at.is_(None),
                loans.c.next_due_on.is_not(None),
            )
        )
        .order_by(loans.c.id)
        .with_for_update(key_share=True, of=loans)
    )
    return rows.all()


async def _insert(
    unit: Unit,
    now: datetime,
    due: Sequence[Row[*tuple[Any, ...]]],
    versions: Mapping[UUID, UUID],
) -> dict[UUID, UUID]:
    """The new cases by loan, with their strategies, their lines and the word to the lenders.

    A case keeps the version it gets here, whatever is published later.
    """
    opened = {loan.id: new_id() for loan in due}
    await unit.conn.execute(
        insert(cases),
        [
            {
                "id": opened[loan.id],
                "lender_id": loan.lender_id,
                "loan_id": loan.id,
                "borrower_id": loan.borrower_id,
                "state": CaseState.OPEN.value,
                "opened_at": now,
                "strategy_version_id": versions.get(loan.id),
                "next_step_at": now if loan.id in versions else None,
            }
            for loan in due
        ],
    )
    await unit.conn.execute(
        update(loans)
        .where(
            among(loans.c.id, opened),
            cases.c.loan_id == loans.c.id,
            among(cases.c.id, opened.values()),
        )
        .values(case_id=cases.c.id)
    )
    await note_entries(unit, now, opened.values())
    lines = [
        Line(
            loan.borrower_id,
            Kind.CASE_OPENED,
            ROBOT,
            {"loan_id": str(loan.id), "due_on": loan.next_due_on.isoformat()},
            opened[loan.id],
            loan.lender_id,
        )
        for loan in due
    ]
    await timeline.write(unit, now, lines)
    told = [
        Told(
            event=LenderEvent.CASE_OPENED,
            subject_id=opened[loan.id],
            payload={
                "case_id": str(opened[loan.id]),
                "loan": loan.external_ref,
                "due_on": loan.next_due_on.isoformat(),
                "opened_at": now.isoformat(),
            },
            lender_id=loan.lender_id,
        )
        for loan in due
    ]
    await tell_lenders(unit, now, told)
    return opened
