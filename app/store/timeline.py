"""What happened to a borrower and a case, one line per event, in the order it happened.

A line carries ids, verdicts and margin bands, never a balance figure (only a reading's
encrypted column holds one), never a token, never a full phone number or IBAN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from app.store.keys import new_id
from app.store.tables import timeline
from app.store.unit import Unit


class Kind(StrEnum):
    """Every kind of line. The words for people stand in the pages' catalogue."""

    LOAN_REGISTERED = "loan_registered"
    BOOK_LOADED = "book_loaded"
    CASE_OPENED = "case_opened"
    CASE_CLOSED = "case_closed"
    CASE_REOPENED = "case_reopened"
    CONSENT_REQUESTED = "consent_requested"
    CONSENT_CHOSEN = "consent_chosen"
    CONSENT_CHANGED = "consent_changed"
    FIGURES_ERASED = "figures_erased"
    READING = "reading"
    READ_REFUSED = "read_refused"
    SIGNAL_RAISED = "signal_raised"
    SIGNAL_ENDED = "signal_ended"
    DECISION = "decision"
    GATE = "gate"
    MESSAGE_QUEUED = "message_queued"
    MESSAGE_CHANGED = "message_changed"
    EMAIL_DEAD = "email_dead"
    LINK_OPENED = "link_opened"
    CHECK_PASSED = "check_passed"
    CHECK_FAILED = "check_failed"
    BORROWER_SAID = "borrower_said"
    PAYMENT_CHANGED = "payment_changed"
    REPAYMENT_RECORDED = "repayment_recorded"
    OWED_CONFIRMED = "owed_confirmed"
    TASK_OPENED = "task_opened"
    TASK_CHANGED = "task_changed"
    HOLD_SET = "hold_set"
    HOLD_LIFTED = "hold_lifted"
    HOLD_CHANGED = "hold_changed"
    OPT_OUT = "opt_out"
    PROMISE_MADE = "promise_made"
    PROMISE_CHANGED = "promise_changed"
    CONTACT_NOTED = "contact_noted"
    DETAIL_ENTERED = "detail_entered"
    DETAIL_CONFIRMED = "detail_confirmed"
    DETAIL_CHANGED = "detail_changed"
    STOP_SWITCH = "stop_switch"
    STAGE_CHANGED = "stage_changed"
    STEP_SKIPPED = "step_skipped"
    CASE_FLAGGED = "case_flagged"
    FLAG_ENDED = "flag_ended"
    STRATEGY_CHANGED = "strategy_changed"
    APPROVAL_ASKED = "approval_asked"
    APPROVAL_ENDED = "approval_ended"
    WRITTEN_OFF = "written_off"
    FORGIVEN = "forgiven"
    REVERSED = "reversed"
    CASE_PLACED = "case_placed"
    CASE_RECALLED = "case_recalled"
    PLACEMENT_ENDED = "placement_ended"


@dataclass(frozen=True, slots=True)
class Line:
    """One event. `case_id=None` concerns every case of the borrower."""

    borrower_id: UUID
    kind: Kind
    actor: str
    details: dict[str, Any] = field(default_factory=dict)
    case_id: UUID | None = None
    lender_id: UUID | None = None


async def write(unit: Unit, now: datetime, lines: Sequence[Line]) -> None:
    """Append lines. In an engine unit every line names its lender."""
    if not lines:
        return
    await unit.conn.execute(
        insert(timeline),
        [
            {
                "id": new_id(),
                "lender_id": line.lender_id or unit.lender_id,
                "borrower_id": line.borrower_id,
                "case_id": line.case_id,
                "at": now,
                "kind": line.kind.value,
                "actor": line.actor,
                "details": line.details,
            }
            for line in lines
        ],
    )
