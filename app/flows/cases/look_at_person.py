"""Everything that a decision about one person depends on, read under his lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from app.domain.case import CaseState
from app.domain.detector import Cover
from app.domain.experiment import Withheld
from app.domain.his_clock import HisClock
from app.domain.hold import PRESSURE
from app.domain.ids import CaseId
from app.domain.message import Channel
from app.domain.payee import Unpayable
from app.domain.payment import IN_FLIGHT_STATES, LinkState
from app.domain.strategy import PERSON_FIRST, SeenFunds, SignalsAct, Situation
from app.domain.task import OVER_EVERY_CASE, TaskReason, TaskState
from app.flows.messages.find_clock import find_clock
from app.store.brakes import HoldInForce, holds_of, silenced
from app.store.dues import Due, dues_of
from app.store.experiments import LeftAlone, left_alone
from app.store.locks import lock_borrower
from app.store.payments import live_payment
from app.store.promises import OpenPromise, open_promises_of
from app.store.tables import lenders, payment_links, tasks
from app.store.unit import Unit

_IN_FLIGHT = tuple(state.value for state in IN_FLIGHT_STATES)


@dataclass(frozen=True, slots=True)
class Person:
    """One borrower at one moment. Rows are as stored; personal fields stay sealed.

    `dues` are those with an open case, oldest first. `payment` is his live one, whatever its
    state; `link_live_until` the end of a link to money that was seen; `promises` are the open
    ones, by case; `tasks` the waiting ones, by case (None: about the person); `left_alone` the
    cases that an experiment asks nothing of.
    """

    row: Row[Any]
    lender: Row[Any]
    clock: HisClock
    dues: tuple[Due, ...]
    holds: tuple[HoldInForce, ...]
    payment: Row[Any] | None
    link_live_until: datetime | None
    promises: Mapping[UUID, OpenPromise]
    tasks: tuple[tuple[UUID | None, TaskReason], ...]
    opted_out: bool
    left_alone: Mapping[UUID, LeftAlone]

    @property
    def id(self) -> UUID:
        """The borrower's id."""
        return UUID(str(self.row.id))

    @property
    def in_flight(self) -> bool:
        """Has he authorised a payment that has not ended yet?"""
        return self.payment is not None and self.payment.state in _IN_FLIGHT

    @property
    def unreachable(self) -> TaskReason | None:
        """Why no text can bring him to pay, however willing; None: one can."""
        if self.row.phone_enc is None or self.row.phone_doubted_at is not None:
            return TaskReason.SMS_BLOCKED
        if self.opted_out:
            return TaskReason.OPTED_OUT
        if self.row.birth_date_hash is None and self.row.document_hash is None:
            return TaskReason.IDENTITY_CHECK_FAILED
        return None

    @property
    def troubles(self) -> tuple[TaskReason, ...]:
        """What calls for a person besides."""
        locked = self.row.checks_locked_at is not None
        return (TaskReason.IDENTITY_CHECK_FAILED,) if locked else ()

    def holds_on(self, case_id: UUID) -> tuple[HoldInForce, ...]:
        """The holds over one case that keep anybody from asking him for money."""
        return tuple(hold for hold in self.holds if hold.covers(case_id) and hold.stops(*PRESSURE))

    def left_alone_until(self, case_id: UUID, what: Withheld) -> datetime | None:
        """Until when an experiment keeps `what` from one case; None: it does not."""
        found = self.left_alone.get(case_id)
        return found.until if found is not None and what in found.withholds else None

    def tasks_on(self, case_id: UUID | None) -> frozenset[TaskReason]:
        """The reasons of the tasks waiting about one case (None: none yet), or all that is his."""
        return frozenset(
            reason
            for about, reason in self.tasks
            if about in (None, case_id) or reason in OVER_EVERY_CASE
        )

    @property
    def kept_quiet(self) -> bool:
        """Does something keep us from speaking of what is not even due?"""
        return any(hold.case_id is None and hold.stops(*PRESSURE) for hold in self.holds) or (
            not PERSON_FIRST.isdisjoint(self.tasks_on(None))
        )


async def look_at_person(unit: Unit, now: datetime, borrower_id: UUID) -> Person:
    """Lock the borrower and read what there is about him. Raises `NotFound`."""
    row = await lock_borrower(unit, borrower_id)
    lender = (await unit.conn.execute(select(lenders).where(lenders.c.id == row.lender_id))).one()
    found = (await dues_of(unit, (borrower_id,), now)).get(borrower_id, ())
    waiting = await unit.conn.execute(
        select(tasks.c.case_id, tasks.c.reason).where(
            tasks.c.borrower_id == borrower_id,
            tasks.c.state.in_((TaskState.OPEN.value, TaskState.TAKEN.value)),
        )
    )
    dues = tuple(due for due in found if due.case_id is not None)
    return Person(
        row=row,
        lender=lender,
        clock=find_clock(unit, row, lender.time_zone),
        dues=dues,
        holds=(await holds_of(unit, (borrower_id,), now)).get(borrower_id, ()),
        payment=await live_payment(unit, borrower_id),
        link_live_until=await _link_live_until(unit, now, borrower_id),
        promises=await open_promises_of(unit, [due.case_id for due in dues if due.case_id]),
        tasks=tuple((task.case_id, TaskReason(task.reason)) for task in waiting),
        left_alone=await left_alone(unit, [due.case_id for due in dues if due.case_id], now),
        opted_out=bool(await silenced(unit, (borrower_id,), Channel.SMS)),
    )


async def _link_live_until(unit: Unit, now: datetime, borrower_id: UUID) -> datetime | None:
    found: datetime | None = await unit.conn.scalar(
        select(payment_links.c.expires_at)
        .where(
            payment_links.c.borrower_id == borrower_id,
            payment_links.c.state == LinkState.LIVE.value,
            # One of a notice stands in nobody's way: money that is seen is asked for at once.
            payment_links.c.signal_id.is_not(None),
            payment_links.c.expires_at > now,
        )
        .order_by(payment_links.c.expires_at.desc())
        .limit(1)
    )
    return found


def situation_of(
    person: Person,
    due: Due,
    funds: SeenFunds | None,
    now: datetime,
    unpayable: Unpayable | None = None,
) -> Situation:
    """The snapshot that the strategy decides one case from. `unpayable`: of the due's currency."""
    case_id = due.case_id
    if case_id is None:
        raise ValueError("a situation is one of an open case")
    holds = person.holds_on(case_id)
    ends = [hold.ends_at for hold in holds]
    promise = person.promises.get(case_id)
    return Situation(
        case_id=CaseId(case_id),
        now=now,
        owed=due.amount,
        oldest_due_on=due.oldest_due_on,
        signals_act=SignalsAct(person.lender.signals_act),
        observe_only=person.lender.observe_only,
        funds=funds,
        holds=tuple(dict.fromkeys(hold.kind for hold in holds)),
        held_until=None if None in ends else max((end for end in ends if end), default=None),
        payment_in_flight=person.in_flight or due.case_state is CaseState.IN_FLIGHT,
        promised_until=None if promise is None else promise.last_due_on,
        link_live_until=person.link_live_until,
        left_alone_until=person.left_alone_until(case_id, Withheld.ASK),
        unreachable=person.unreachable,
        unpayable=unpayable,
        troubles=person.troubles,
        tasks_open=person.tasks_on(case_id),
    )


def situation_notes(situation: Situation) -> dict[str, Any]:
    """The snapshot as plain JSON, kept beside the decision. It holds no balance figure."""
    funds = situation.funds
    return {
        "case_id": str(situation.case_id),
        "now": situation.now.isoformat(),
        "owed": {"minor": situation.owed.minor, "currency": situation.owed.currency},
        "oldest_due_on": situation.oldest_due_on.isoformat(),
        "signals_act": situation.signals_act.value,
        "observe_only": situation.observe_only,
        "funds": None
        if funds is None
        else {
            "signal_id": str(funds.signal_id),
            "kind": funds.kind.value,
            "cover": funds.cover.value,
            "margin_band": funds.margin_band.value,
            "seen_at": funds.seen_at.isoformat(),
        },
        "holds": list(situation.holds),
        "held_until": _iso(situation.held_until),
        "payment_in_flight": situation.payment_in_flight,
        "promised_until": situation.promised_until.isoformat()
        if situation.promised_until
        else None,
        "link_live_until": _iso(situation.link_live_until),
        "left_alone_until": _iso(situation.left_alone_until),
        "unreachable": situation.unreachable.value if situation.unreachable else None,
        "unpayable": situation.unpayable.value if situation.unpayable else None,
        "troubles": [reason.value for reason in situation.troubles],
        "tasks_open": sorted(reason.value for reason in situation.tasks_open),
    }


def covered(cover: Cover) -> int:
    """How much a cover is worth when two signals speak of the same case."""
    return {Cover.NONE: 0, Cover.PART: 1, Cover.WHOLE: 2}[cover]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
