"""A second person says yes or no to a proposal; what is approved is done with it, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, update

from app.domain.approval import APPROVAL, ApprovalKind, ApprovalState
from app.domain.errors import Conflict, Invalid
from app.domain.four_eyes import (
    Hand,
    Outcome,
    Proposal,
    check_refuser,
    check_withdrawer,
    judge,
)
from app.domain.ids import LenderId, UserId
from app.flows.approvals.carry_out import HANDLINGS, Handling
from app.flows.approvals.withdraw_waiting import write_end
from app.flows.house import House
from app.flows.lenders.note_refusal import refusals_noted
from app.store import audit
from app.store.approvals import (
    approved_this_month,
    bounds_of,
    hand_of,
    lock_approval,
    proposal_of,
)
from app.store.moves import move
from app.store.tables import approvals
from app.store.unit import Unit

LONGEST_NOTE: Final = 1000


class Word(StrEnum):
    """What a person says about a proposal: the events of its lifecycle."""

    APPROVE = "approve"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class Decided:
    """`state` is still `proposed` when the amount needs one more person's yes."""

    id: UUID
    kind: ApprovalKind
    state: ApprovalState


async def decide_approval(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    approval_id: UUID,
    user_id: UserId,
    actor: str,
    word: Word,
    note: str = "",
) -> Decided:
    """Approve, refuse or withdraw one proposal.

    The person's role is asked at this moment, not from his session. Raises `NotFound`;
    `NotAllowed`, which also stands in the audit; `Invalid` (a refusal needs a note);
    `IllegalTransition` when it was decided before; `Conflict` when the loan changed in a way that
    nobody has decided about. Whatever it raises, nothing was done.
    """
    noted = refusals_noted(
        house, now, lender_id=lender_id, actor=actor, wanted=word.value, subject=approval_id
    )
    async with noted, house.store.unit(lender_id) as unit:
        row = await lock_approval(unit, approval_id)
        hand = await hand_of(unit, user_id, one_at_a_time=True)
        return await _decide(unit, now, row, hand, actor, word, note.strip())


async def _decide(
    unit: Unit, now: datetime, row: Row[Any], hand: Hand, actor: str, word: Word, note: str
) -> Decided:
    if len(note) > LONGEST_NOTE:
        raise Invalid("note", f"has more than {LONGEST_NOTE} characters.", mend="Shorten it.")
    kind, proposal = ApprovalKind(row.kind), await proposal_of(unit, row)
    _check_right(proposal, hand, word)
    state = APPROVAL.step(ApprovalState(row.state), word.value)
    handling = HANDLINGS.get(kind)
    if handling is None:
        raise Conflict("Nothing here could carry this out.", code="NotDecidedHere")
    match word:
        case Word.APPROVE:
            return await _approve(unit, now, row, proposal, hand, actor, note, handling)
        case Word.REFUSE:
            if not note:
                raise Invalid("note", "is empty.", mend="Say why, for whoever proposed it.")
            await _end(unit, now, row, word, hand, actor, note)
        case Word.WITHDRAW:
            await _end(unit, now, row, word, None, actor, note)
    await write_end(unit, now, row, state, actor=actor, note=note)
    if handling.refused is not None:
        await handling.refused(unit, now, row, actor=actor)
    return Decided(row.id, kind, state)


def _check_right(proposal: Proposal, hand: Hand, word: Word) -> None:
    """Before anything else, so that who may not decide learns nothing about the proposal."""
    match word:
        case Word.APPROVE | Word.REFUSE:
            check_refuser(proposal, hand)
        case Word.WITHDRAW:
            check_withdrawer(proposal, hand)


async def _approve(
    unit: Unit,
    now: datetime,
    row: Row[Any],
    proposal: Proposal,
    hand: Hand,
    actor: str,
    note: str,
    handling: Handling,
) -> Decided:
    kind = ApprovalKind(row.kind)
    approved = await approved_this_month(unit, now, hand.user_id, proposal)
    outcome = judge(proposal, hand, await bounds_of(unit, row.lender_id), approved)
    if outcome is Outcome.ONE_MORE:
        await unit.conn.execute(
            update(approvals)
            .where(approvals.c.id == row.id)
            .values(first_decider_id=hand.user_id, first_decided_at=now)
        )
        await audit.record(
            unit,
            now,
            actor=actor,
            act=f"first_yes_{kind.value}",
            subject=str(row.subject_id),
            after={"approval_id": str(row.id)},
            reason=note,
        )
        return Decided(row.id, kind, ApprovalState.PROPOSED)
    await _end(unit, now, row, Word.APPROVE, hand, actor, note)
    await handling.approved(unit, now, row, actor=actor)
    await write_end(unit, now, row, ApprovalState.APPROVED, actor=actor, note=note)
    return Decided(row.id, kind, ApprovalState.APPROVED)


async def _end(
    unit: Unit,
    now: datetime,
    row: Row[Any],
    word: Word,
    decider: Hand | None,
    actor: str,
    note: str,
) -> None:
    await move(
        unit,
        approvals,
        row.id,
        APPROVAL,
        word.value,
        decider_id=decider.user_id if decider else None,
        decided_by=actor,
        decided_at=now,
        decision_note=note,
    )
