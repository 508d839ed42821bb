"""Take over what was agreed and what holds back: promises and holds of a released book."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from app.domain.book_rows import HoldRow, PromiseRow
from app.domain.bulk_file import RowVerdict
from app.domain.case import CaseClose, CaseState
from app.domain.message import CancelReason
from app.domain.promise import PromiseState
from app.domain.task import CALLS
from app.flows.books.read_book import BookRow, Reading, read_row
from app.flows.books.take_loan import find_his_loan
from app.flows.cases.open_cases import open_cases_for
from app.flows.work.cancel_tasks import cancel_tasks
from app.flows.work.set_hold import set_hold
from app.flows.work.stop_pressure import stop_pressure
from app.store.dues import due_of_loan
from app.store.keys import new_id
from app.store.loans import lock_loan
from app.store.tables import cases, promise_parts, promises
from app.store.unit import Unit

SOURCE = "import"


async def take_hold(
    unit: Unit, now: datetime, borrower_id: UUID, record: HoldRow, *, set_by: str
) -> None:
    """Set a hold that may have begun long ago; it stands over one debt or over the person.

    A debt without a case has nothing a hold could stand over, and he may not be asked for it when
    it falls due: the hold then stands over the person.
    """
    case_id = None
    if record.loan_ref:
        loan_id = await find_his_loan(unit, borrower_id, record.loan_ref)
        case_id = await _case_of(unit, now, loan_id)
    await set_hold(
        unit,
        now,
        borrower_id=borrower_id,
        case_id=case_id,
        kind=record.kind,
        reason=record.reason,
        starts_at=record.starts_at,
        ends_at=record.ends_at,
        set_by=set_by,
    )


async def take_promises(
    unit: Unit,
    now: datetime,
    borrower_id: UUID,
    reading: Reading,
    rows: Sequence[BookRow],
    *,
    made_by: str,
) -> None:
    """Write promises down with their own dates. The clock judges the open ones as any other.

    Rows with the same loan, beginning and end are the parts of one. A promise belongs to a case:
    the open one where something is due, else a past one that begins and ends with it. An open
    promise on a debt with nothing due has nothing to keep; it is marked.
    """
    together: dict[Any, list[tuple[BookRow, PromiseRow]]] = {}
    for row in rows:
        loan = await lock_loan(unit, await find_his_loan(unit, borrower_id, row.cells["loan_ref"]))
        record = read_row(row, reading, loan.currency)
        together.setdefault(record.promise, []).append((row, record))
    for parts in together.values():
        record = parts[0][1]
        loan = await lock_loan(unit, await find_his_loan(unit, borrower_id, record.loan_ref))
        case_id = await _case_of(unit, now, loan.id)
        if case_id is None and record.state is PromiseState.OPEN:
            for row, _ in parts:
                row.refuse(RowVerdict.REFUSED, "Nothing is due on this loan: nothing to keep.")
            continue
        if case_id is None:
            case_id = await _past_case(unit, borrower_id, loan.id, record)
        listed = [part for _, part in parts]
        await _promise(unit, now, borrower_id, loan.id, case_id, listed, made_by)
        if record.state is PromiseState.OPEN:
            await cancel_tasks(
                unit,
                now,
                borrower_id=borrower_id,
                case_id=case_id,
                reasons=CALLS,
                why=CancelReason.PROMISED.value,
            )
            await stop_pressure(
                unit,
                now,
                borrower_id=borrower_id,
                case_ids=[case_id],
                why=CancelReason.PROMISED,
            )


async def _case_of(unit: Unit, now: datetime, loan_id: UUID) -> UUID | None:
    """The loan's open case, opened as the tick would where something is due; else None."""
    loan = await lock_loan(unit, loan_id)
    if loan.case_id is not None:
        return UUID(str(loan.case_id))
    if await due_of_loan(unit, loan_id, now) is None:
        return None
    await open_cases_for(unit, now, {loan_id: loan.borrower_id})
    found = (await lock_loan(unit, loan_id)).case_id
    return None if found is None else UUID(str(found))


async def _past_case(unit: Unit, borrower_id: UUID, loan_id: UUID, record: PromiseRow) -> UUID:
    case_id = new_id()
    await unit.conn.execute(
        insert(cases).values(
            id=case_id,
            lender_id=unit.lender_id,
            loan_id=loan_id,
            borrower_id=borrower_id,
            state=CaseState.CLOSED.value,
            opened_at=record.made_at,
            closed_at=record.ended_at,
            close_reason=CaseClose.NOT_DUE.value,
        )
    )
    return case_id


async def _promise(
    unit: Unit,
    now: datetime,
    borrower_id: UUID,
    loan_id: UUID,
    case_id: UUID,
    parts: Sequence[PromiseRow],
    made_by: str,
) -> None:
    promise_id, record = new_id(), parts[0]
    still_open = record.state is PromiseState.OPEN
    await unit.conn.execute(
        insert(promises).values(
            id=promise_id,
            lender_id=unit.lender_id,
            borrower_id=borrower_id,
            case_id=case_id,
            loan_id=loan_id,
            state=record.state.value,
            currency=record.amount.currency,
            source=SOURCE,
            made_by=made_by,
            made_at=record.made_at,
            next_look_at=now if still_open else None,
            ended_at=record.ended_at,
            ended_why="" if still_open else SOURCE,
        )
    )
    await unit.conn.execute(
        insert(promise_parts),
        [
            {
                "lender_id": unit.lender_id,
                "promise_id": promise_id,
                "number": number,
                "due_on": part.due_on,
                "amount_minor": part.amount.minor,
            }
            for number, part in enumerate(sorted(parts, key=lambda one: one.due_on), start=1)
        ],
    )
