"""What follows when somebody has spoken with a borrower, or has tried to.

Each outcome has its consequence, in the transaction in which it is said. Whatever takes pressure
off takes it off at once; nothing here sends anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select

from app.domain.case import CaseState
from app.domain.contact_policy import ContactPurpose
from app.domain.errors import Invalid
from app.domain.hold import HoldKind
from app.domain.ids import UserId
from app.domain.message import CancelReason
from app.domain.promise_terms import Part, PromiseSource
from app.domain.task import TaskOutcome, TaskReason
from app.flows.house import House
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.flows.work.borrower_says import PAUSE
from app.flows.work.call_window import call_window, wished_for
from app.flows.work.cancel_tasks import cancel_tasks
from app.flows.work.follow_number import give_up_number, he_answered, somebody_else_answered
from app.flows.work.open_task import open_task
from app.flows.work.set_hold import set_hold
from app.flows.work.stop_pressure import stop_pressure
from app.flows.work.take_promise import write_promise
from app.store.brakes import in_peace, may_be_asked
from app.store.locks import lock_borrower
from app.store.strategies import wake_cases
from app.store.tables import cases
from app.store.unit import Unit

LONGEST_NOTE: Final = 2000
# Business time. A call that is agreed for later than this is a promise of the collector's.
FURTHEST_CALL: Final = timedelta(days=31)

# Behind these stands the borrower himself: he was spoken with.
SPOKE: Final = frozenset(
    {
        TaskOutcome.REACHED,
        TaskOutcome.PROMISE,
        TaskOutcome.CALL_BACK,
        TaskOutcome.DISPUTE,
        TaskOutcome.HARDSHIP,
        TaskOutcome.REFUSES,
        TaskOutcome.PAID_ALREADY,
    }
)


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of it. `parts` are what he promised, `call_at` when he wants to be called.

    `new_number`: it came of a call to the number that the desk entered and nobody has confirmed.
    """

    outcome: TaskOutcome
    note: str = ""
    parts: Sequence[Part] = ()
    call_at: datetime | None = None
    new_number: bool = False


@dataclass(frozen=True, slots=True)
class Contacted:
    """Whom it was about and who says so. `cause` is the task or the contact that it came of.

    `user_id` is None for the lender's own system. `reason` is the task's.
    """

    borrower_id: UUID
    case_id: UUID | None
    cause: UUID
    actor: str
    user_id: UserId | None
    reason: TaskReason | None = None


def check_heard(heard: Heard, now: datetime) -> None:
    """Raises `Invalid` for an outcome that lacks what belongs to it."""
    if len(heard.note) > LONGEST_NOTE:
        raise Invalid("note", f"has more than {LONGEST_NOTE} characters.", mend="Shorten it.")
    if heard.outcome is TaskOutcome.PROMISE and not heard.parts:
        raise Invalid("parts", "are missing.", mend="Say when and how much he will pay.")
    if heard.outcome is TaskOutcome.CALL_BACK:
        if heard.call_at is None:
            raise Invalid("call_at", "is missing.", mend="Say when to call.")
        if not now < heard.call_at <= now + FURTHEST_CALL:
            raise Invalid("call_at", "must be ahead, and within a month.")


async def follow_outcome(
    unit: Unit, house: House, now: datetime, about: Contacted, heard: Heard
) -> None:
    """Carry the consequence out. Raises `Invalid`, and what a promise's rules raise."""
    check_heard(heard, now)
    person = await lock_borrower(unit, about.borrower_id)
    if heard.outcome in SPOKE:
        await he_answered(unit, now, person, about.actor, new_number=heard.new_number)
    match heard.outcome:
        case TaskOutcome.PROMISE:
            await _promise(unit, now, about, heard)
        case TaskOutcome.CALL_BACK:
            await _call_back(unit, house, now, about, heard)
        case TaskOutcome.DISPUTE:
            await _dispute(unit, now, person, about, heard)
        case TaskOutcome.HARDSHIP:
            await _hardship(unit, now, about, heard)
        case TaskOutcome.PAID_ALREADY:
            await _paid_already(unit, now, about, heard)
        case TaskOutcome.WRONG_NUMBER:
            await _wrong_number(unit, now, person, about, heard)
        case TaskOutcome.THIRD_PARTY:
            await _third_party(unit, now, person, about, heard)
        case TaskOutcome.REACHED | TaskOutcome.NO_ANSWER | TaskOutcome.REFUSES:
            # A try without a promise: the strategy counts it and plans the next one.
            pass
        case TaskOutcome.RESOLVED:
            pass
    await wake_cases(unit, now, borrower_id=about.borrower_id, case_id=about.case_id)


async def _promise(unit: Unit, now: datetime, about: Contacted, heard: Heard) -> None:
    await write_promise(
        unit,
        now,
        case_id=about.case_id or await _only_case(unit, about.borrower_id),
        parts=heard.parts,
        source=PromiseSource.API if about.user_id is None else PromiseSource.DESK,
        made_by=about.actor,
        note=heard.note,
    )


async def _only_case(unit: Unit, borrower_id: UUID) -> UUID:
    """The one case that a task about the person can mean. Raises `Invalid` for several."""
    found = list(
        await unit.conn.scalars(
            select(cases.c.id).where(
                cases.c.borrower_id == borrower_id, cases.c.state != CaseState.CLOSED.value
            )
        )
    )
    if len(found) != 1:
        raise Invalid("outcome", "concerns one case.", mend="Take the promise on that case.")
    return UUID(str(found[0]))


async def _call_back(
    unit: Unit, house: House, now: datetime, about: Contacted, heard: Heard
) -> None:
    """A call at his own time, for whoever agreed it; later where the rules open later."""
    if heard.call_at is None:
        raise Invalid("call_at", "is missing.", mend="Say when to call back.")
    window = await call_window(
        unit,
        house.packs,
        heard.call_at,
        borrower_id=about.borrower_id,
        case_ids=() if about.case_id is None else (about.case_id,),
        purpose=ContactPurpose.ANSWER,
        asked_for=wished_for(TaskReason.CALL_BACK, now, heard.call_at),
    )
    # A moment that the rules will not allow then is moved to the first one that they will.
    call_at = heard.call_at if window.opens_at is None else max(heard.call_at, window.opens_at)
    await cancel_tasks(
        unit,
        now,
        borrower_id=about.borrower_id,
        case_id=about.case_id,
        reasons=(TaskReason.CALL_BORROWER, TaskReason.CALL_BACK),
        why="replaced",
    )
    await open_task(
        unit,
        now,
        borrower_id=about.borrower_id,
        case_id=about.case_id,
        reason=TaskReason.CALL_BACK,
        cause=about.cause,
        situation={"call_at": call_at.isoformat(), "agreed": heard.note.strip()},
        not_before=call_at,
        given_to=about.user_id,
    )


async def _dispute(
    unit: Unit, now: datetime, person: Row[Any], about: Contacted, heard: Heard
) -> None:
    """A dispute stops everything until it is looked into (12 CFR 1006.38; FCA CONC 7.14)."""
    await set_hold(
        unit,
        now,
        borrower_id=about.borrower_id,
        case_id=about.case_id,
        kind=HoldKind.DISPUTE,
        reason=heard.note or "The borrower disputes the debt.",
        ends_at=None,
        set_by=about.actor,
    )
    await _follow_up(unit, now, about, TaskReason.BORROWER_DISPUTES, heard)
    await tell_lender(
        unit,
        now,
        event=LenderEvent.DISPUTES,
        subject_id=about.cause,
        payload={
            "borrower_id": str(about.borrower_id),
            "external_ref": person.external_ref,
            "checked": True,
            "at": now.isoformat(),
        },
        lender_id=person.lender_id,
    )


async def _hardship(unit: Unit, now: datetime, about: Contacted, heard: Heard) -> None:
    """Peace for a while for all his debts, and somebody looks for a plan that he can keep."""
    await set_hold(
        unit,
        now,
        borrower_id=about.borrower_id,
        case_id=None,
        kind=HoldKind.HARDSHIP,
        reason=heard.note or "The borrower says that he cannot pay now.",
        ends_at=now + PAUSE,
        set_by=about.actor,
    )
    more = {"pause_until": (now + PAUSE).isoformat()}
    await _follow_up(unit, now, about, TaskReason.BORROWER_CANNOT_PAY, heard, more)


async def _paid_already(unit: Unit, now: datetime, about: Contacted, heard: Heard) -> None:
    """Until somebody has looked the payment up, no machine asks (PERSON_FIRST)."""
    await stop_pressure(
        unit, now, borrower_id=about.borrower_id, case_ids=None, why=CancelReason.HOLD
    )
    if about.reason is not TaskReason.BORROWER_SAYS_PAID:
        await _follow_up(unit, now, about, TaskReason.BORROWER_SAYS_PAID, heard)


async def _wrong_number(
    unit: Unit, now: datetime, person: Row[Any], about: Contacted, heard: Heard
) -> None:
    """Whoever answers there must not be written to again: wrong numbers block at once.

    The desk or the lender's system brings the right number; the hash of the wrong one stays, so
    that the same one is not taken back. While a hold leaves him in peace, and while nothing is
    due, nobody looks for another way to him; later the strategy asks for one.
    """
    another = await give_up_number(unit, now, person, about.actor, new_number=heard.new_number)
    await stop_pressure(
        unit,
        now,
        borrower_id=about.borrower_id,
        case_ids=None,
        why=CancelReason.PHONE_MISSING,
        end_signals=False,
        withdraw_links=True,
    )
    case_id = about.case_id
    wanted = (
        await may_be_asked(unit, now, about.borrower_id)
        if case_id is None
        else not await in_peace(unit, now, about.borrower_id, case_id)
    )
    if not another and person.email_enc is None and not person.has_app and wanted:
        await open_task(
            unit,
            now,
            borrower_id=about.borrower_id,
            case_id=case_id,
            reason=TaskReason.NO_WAY_TO_REACH,
            cause=about.cause,
            situation={"because": "The telephone number is wrong, and no other is known."},
        )


async def _third_party(
    unit: Unit, now: datetime, person: Row[Any], about: Contacted, heard: Heard
) -> None:
    """Nothing was disclosed; until he himself answers there, nothing is written to that number.

    12 CFR 1006.42(b) and FCA CONC 7.13: what is said about a debt reaches nobody else.
    """
    await somebody_else_answered(unit, now, person, new_number=heard.new_number)
    await stop_pressure(
        unit,
        now,
        borrower_id=about.borrower_id,
        case_ids=None,
        why=CancelReason.PHONE_MISSING,
        end_signals=False,
    )


async def _follow_up(
    unit: Unit,
    now: datetime,
    about: Contacted,
    reason: TaskReason,
    heard: Heard,
    more: dict[str, str] | None = None,
) -> None:
    """The task of whoever finds the answer."""
    situation = {"source": "desk", "noted": heard.note.strip(), **(more or {})}
    await open_task(
        unit,
        now,
        borrower_id=about.borrower_id,
        case_id=about.case_id,
        reason=reason,
        cause=about.cause,
        situation={name: value for name, value in situation.items() if value},
    )
