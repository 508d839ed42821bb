"""Put one piece of work before a person, once per cause, with the situation in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app.domain.ids import derive_key
from app.domain.task import TaskReason, TaskState
from app.flows.actors import ROBOT
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.store import timeline
from app.store.dues import last_due_day
from app.store.keys import new_id
from app.store.tables import borrowers, cases, instalments, lenders, loans, tasks
from app.store.timeline import Kind, Line
from app.store.unit import Unit

# Lower comes first on the board. Money that is somewhere it should not be, then people who
# spoke to us, then people who could pay today, then everything that merely needs a look.
PRIORITY: Final[Mapping[TaskReason, int]] = {
    TaskReason.PAYMENT_UNCLEAR: 10,
    TaskReason.PAYMENT_RETURNED: 10,
    TaskReason.OVERPAID: 10,
    TaskReason.BORROWER_DISPUTES: 15,
    TaskReason.BORROWER_CANNOT_PAY: 20,
    TaskReason.BORROWER_SAYS_PAID: 20,
    TaskReason.OPTED_OUT: 25,
    TaskReason.COLLECTOR_ACTS: 30,
    TaskReason.PROMISE_BROKEN: 5,
    TaskReason.CALL_BACK: 12,
    TaskReason.RELIEF_ASKED: 20,
    TaskReason.LIFT_ASKED: 25,
    TaskReason.REMINDER: 28,
    TaskReason.CALL_BORROWER: 45,
    TaskReason.NO_WAY_TO_REACH: 50,
    TaskReason.REVIEW_CASE: 55,
    TaskReason.PAYMENT_REJECTED: 30,
    TaskReason.IDENTITY_CHECK_FAILED: 35,
    TaskReason.LINK_UNPAID: 40,
    TaskReason.SMS_BLOCKED: 40,
    TaskReason.SMS_UNDELIVERED: 40,
    TaskReason.SMS_OUTCOME_UNKNOWN: 45,
    TaskReason.OWED_AMOUNT_STALE: 45,
    TaskReason.ACCOUNT_BLOCKED: 50,
    TaskReason.CONSENT_ENDED: 50,
    TaskReason.NO_CONSENT: 60,
    TaskReason.BANK_DOWN: 60,
    TaskReason.BALANCE_UNREADABLE: 60,
}

# Each of these is about money or a hold of its own and needs its own answer, or is somebody's own
# reminder.
# Of all other reasons one open task per case is enough: a second one would be the same call to the
# same person.
_EACH_BY_ITSELF: Final = frozenset(
    {
        TaskReason.PAYMENT_UNCLEAR,
        TaskReason.PAYMENT_RETURNED,
        TaskReason.PAYMENT_REJECTED,
        TaskReason.OVERPAID,
        TaskReason.REMINDER,
        TaskReason.LIFT_ASKED,
    }
)


async def open_task(
    unit: Unit,
    now: datetime,
    *,
    borrower_id: UUID,
    reason: TaskReason,
    cause: UUID | str,
    case_id: UUID | None = None,
    situation: Mapping[str, Any] | None = None,
    priority: int | None = None,
    not_before: datetime | None = None,
    given_to: UUID | None = None,
    lender_id: UUID | None = None,
) -> UUID | None:
    """Open a task; None when this cause has had its task, or an equal one is still open.

    `situation` holds what the page puts into words: plain JSON, no figures of balances, no
    tokens, no numbers of telephones. `case_id=None` concerns the person and all his cases. Before
    `not_before` (business time) it does not stand on the board; `given_to` means it for one user.
    """
    own_lender, external_ref, language = await _person(unit, borrower_id)
    lender = lender_id or own_lender
    if reason not in _EACH_BY_ITSELF and await _already_open(unit, borrower_id, case_id, reason):
        return None
    task_id = new_id()
    made = await unit.conn.execute(
        insert(tasks)
        .values(
            id=task_id,
            lender_id=lender,
            borrower_id=borrower_id,
            case_id=case_id,
            key=derive_key(cause, f"task:{reason}"),
            reason=reason.value,
            priority=PRIORITY[reason] if priority is None else priority,
            situation=dict(situation or {}),
            created_at=now,
            not_before=not_before,
            given_to=given_to,
            about_language=language,
            **({} if case_id is None else _about_the_loan(case_id, now)),
        )
        .on_conflict_do_nothing(index_elements=["lender_id", "key"])
        .returning(tasks.c.id)
    )
    if made.first() is None:
        return None
    details = {"task_id": str(task_id), "reason": reason.value}
    await timeline.write(
        unit, now, [Line(borrower_id, Kind.TASK_OPENED, ROBOT, details, case_id, lender)]
    )
    await tell_lender(
        unit,
        now,
        event=LenderEvent.TASK_OPENED,
        subject_id=task_id,
        payload={
            **details,
            "borrower_id": str(borrower_id),
            "external_ref": external_ref,
            "case_id": str(case_id) if case_id else None,
        },
        lender_id=lender,
    )
    return task_id


def _about_the_loan(case_id: UUID, now: datetime) -> dict[str, Any]:
    """What the rules of assignment ask about a case's loan: its product, and what it has due."""
    loan = (
        select(loans.c.id, loans.c.product, loans.c.currency, loans.c.lender_id)
        .join(cases, cases.c.loan_id == loans.c.id)
        .where(cases.c.id == case_id)
        .subquery("loan")
    )
    due = (
        select(func.sum(instalments.c.amount_minor - instalments.c.paid_minor))
        .select_from(loan)
        .join(lenders, lenders.c.id == loan.c.lender_id)
        .join(instalments, instalments.c.loan_id == loan.c.id)
        .where(
            instalments.c.due_on <= last_due_day(now),
            instalments.c.paid_minor < instalments.c.amount_minor,
        )
        .scalar_subquery()
    )
    return {
        "about_product": select(loan.c.product).scalar_subquery(),
        "about_minor": due,
        "about_currency": select(loan.c.currency).scalar_subquery(),
    }


async def _person(unit: Unit, borrower_id: UUID) -> tuple[UUID, str, str]:
    """His lender, what that lender calls him, and the language he is spoken to in."""
    row = (
        await unit.conn.execute(
            select(borrowers.c.lender_id, borrowers.c.external_ref, borrowers.c.language).where(
                borrowers.c.id == borrower_id
            )
        )
    ).one()
    return row.lender_id, row.external_ref, row.language


async def _already_open(
    unit: Unit, borrower_id: UUID, case_id: UUID | None, reason: TaskReason
) -> bool:
    same_case = tasks.c.case_id.is_(None) if case_id is None else tasks.c.case_id == case_id
    found = await unit.conn.scalar(
        select(tasks.c.id)
        .where(
            tasks.c.borrower_id == borrower_id,
            same_case,
            tasks.c.reason == reason.value,
            tasks.c.state.in_((TaskState.OPEN.value, TaskState.TAKEN.value)),
        )
        .limit(1)
    )
    return found is not None
