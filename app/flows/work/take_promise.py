"""Take a promise to pay: calls and queued messages stop, and its deadline is watched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, insert, select

from app.domain.case import CaseState
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import LenderId
from app.domain.message import CancelReason
from app.domain.promise_terms import (
    Part,
    PromiseSource,
    check_parts,
    refuse_after_unkept,
    tolerance_for,
)
from app.domain.stages import PromiseTerms
from app.domain.task import CALLS
from app.flows.house import House
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.flows.work.cancel_tasks import cancel_tasks
from app.flows.work.judge_promises import plan_next_look
from app.flows.work.stop_pressure import stop_pressure
from app.store import timeline
from app.store.dues import due_of_loan
from app.store.keys import new_id
from app.store.loans import lock_loan
from app.store.promises import (
    how_the_last_ended,
    open_promise_of,
    promise_terms_of,
    zone_of_lender,
)
from app.store.tables import cases, promise_parts, promises
from app.store.timeline import Kind, Line
from app.store.unit import Unit

LONGEST_NOTE: Final = 500


async def take_promise(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    case_id: UUID,
    parts: Sequence[Part],
    source: PromiseSource,
    made_by: str,
    note: str = "",
) -> UUID:
    """Write a promise down, in a transaction of its own. Raises what `write_promise` raises."""
    async with house.store.unit(lender_id) as unit:
        return await write_promise(
            unit, now, case_id=case_id, parts=parts, source=source, made_by=made_by, note=note
        )


async def write_promise(
    unit: Unit,
    now: datetime,
    *,
    case_id: UUID,
    parts: Sequence[Part],
    source: PromiseSource,
    made_by: str,
    note: str = "",
) -> UUID:
    """The same inside the caller's unit. Returns the promise's id.

    Raises `NotFound`; `Conflict` when the case is over, nothing is due, a payment is on its way,
    or a promise stands already; `Invalid` for terms outside the limits; and what
    `refuse_after_unkept` raises.
    """
    if len(note) > LONGEST_NOTE:
        raise Invalid("note", f"has more than {LONGEST_NOTE} characters.", mend="Shorten it.")
    case = await _open_case(unit, case_id)
    loan = await lock_loan(unit, case.loan_id)
    case = await _open_case(unit, case_id)
    due = await due_of_loan(unit, case.loan_id, now)
    if due is None:
        raise Conflict("Nothing is due on this case.")
    if await open_promise_of(unit, case_id) is not None:
        raise Conflict(
            "A promise stands on this case already. Cancel it first, and say why.",
            code="PromiseStands",
        )
    refuse_after_unkept(await how_the_last_ended(unit, case_id), source, note)
    zone = await zone_of_lender(unit, loan.lender_id)
    today = now.astimezone(zone).date()
    terms = await promise_terms_of(unit, case_id)
    ordered = check_parts(parts, due=due.amount, today=today, terms=terms)
    promise = await _insert(unit, now, case, ordered, terms, source, made_by, note)
    await plan_next_look(unit, now, promise, ordered, zone, ordered[0].due_on)
    await _write_line(unit, now, promise, ordered, made_by)
    await cancel_tasks(
        unit,
        now,
        borrower_id=case.borrower_id,
        case_id=case_id,
        reasons=CALLS,
        why=CancelReason.PROMISED.value,
    )
    await stop_pressure(
        unit,
        now,
        borrower_id=case.borrower_id,
        case_ids=[case_id],
        why=CancelReason.PROMISED,
    )
    return UUID(str(promise.id))


async def _open_case(unit: Unit, case_id: UUID) -> Row[Any]:
    case = (await unit.conn.execute(select(cases).where(cases.c.id == case_id))).one_or_none()
    if case is None:
        raise NotFound("There is no such case.")
    if case.state == CaseState.CLOSED.value:
        raise Conflict("This case is closed.")
    if case.state == CaseState.IN_FLIGHT.value:
        raise Conflict("A payment for this case is on its way.")
    return case


async def _insert(
    unit: Unit,
    now: datetime,
    case: Row[Any],
    parts: tuple[Part, ...],
    terms: PromiseTerms,
    source: PromiseSource,
    made_by: str,
    note: str,
) -> Row[Any]:
    promise: Row[Any] = (
        await unit.conn.execute(
            insert(promises)
            .values(
                id=new_id(),
                lender_id=case.lender_id,
                borrower_id=case.borrower_id,
                case_id=case.id,
                loan_id=case.loan_id,
                currency=parts[0].amount.currency,
                grace_days=terms.grace_days,
                tolerance_minor=tolerance_for(parts, terms).minor,
                remind_days_before=terms.remind_days_before,
                source=source.value,
                made_by=made_by,
                note=note.strip(),
                made_at=now,
            )
            .returning(promises)
        )
    ).one()
    await unit.conn.execute(
        insert(promise_parts),
        [
            {
                "lender_id": case.lender_id,
                "promise_id": promise.id,
                "number": number,
                "due_on": part.due_on,
                "amount_minor": part.amount.minor,
            }
            for number, part in enumerate(parts, start=1)
        ],
    )
    return promise


async def _write_line(
    unit: Unit, now: datetime, promise: Row[Any], parts: tuple[Part, ...], actor: str
) -> None:
    listed = [
        {
            "due_on": part.due_on.isoformat(),
            "amount": {"minor": part.amount.minor, "currency": part.amount.currency},
        }
        for part in parts
    ]
    details = {
        "promise_id": str(promise.id),
        "parts": listed,
        "source": promise.source,
        "note": promise.note,
    }
    line = Line(
        promise.borrower_id, Kind.PROMISE_MADE, actor, details, promise.case_id, promise.lender_id
    )
    await timeline.write(unit, now, [line])
    await tell_lender(
        unit,
        now,
        event=LenderEvent.PROMISE_MADE,
        subject_id=promise.id,
        payload={
            "promise_id": str(promise.id),
            "case_id": str(promise.case_id),
            "parts": listed,
            "source": promise.source,
            "at": now.isoformat(),
        },
        lender_id=promise.lender_id,
    )
