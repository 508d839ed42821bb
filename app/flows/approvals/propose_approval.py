"""Put a proposal before a second person. A step of its callers' units, theirs or the engine's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.domain.approval import ABOUT_A_LOAN, AFTER_FORBEARANCE, ApprovalKind, ApprovalState
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.forbearance import read_consideration
from app.domain.four_eyes import check_proposer, gives_up
from app.domain.money import Money
from app.flows.cases.place_case import AGENCY, check_placeable
from app.store import approvals as rows
from app.store import audit, timeline
from app.store.keys import new_id
from app.store.loans import last_case, lock_loan
from app.store.tables import adjustments, approvals, cases
from app.store.timeline import Kind, Line
from app.store.unit import Unit

LONGEST_REASON: Final = 1000


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposal. `new` is False when one waited already, or had been refused for good."""

    id: UUID
    state: ApprovalState
    new: bool


@dataclass(frozen=True, slots=True)
class _About:
    """What a proposal about a loan concerns."""

    lender_id: UUID
    borrower_id: UUID | None
    loan_id: UUID | None
    case_id: UUID | None
    amount: Money | None
    whole: bool = False


async def propose(
    unit: Unit,
    now: datetime,
    *,
    kind: ApprovalKind,
    subject_id: UUID,
    reason: str,
    actor: str,
    amount: Money | None = None,
    considered: Mapping[str, Any] | None = None,
    proposer_id: UUID | None = None,
    lender_id: UUID | None = None,
) -> Proposed:
    """Propose one act. Nothing is carried out before somebody else says yes.

    `subject_id` is the loan for `write_off` and `forgiveness`, the entry to undo (of
    `adjustments`) for `reversal`, the case for `placement`, and the edition or file for all others.
    The amount of a write-off or a placement is all that is unpaid, of a reversal that of the entry:
    leave `amount` out.
    `proposer_id` None: a machine proposes, and a person has to stand behind it before anybody can
    approve (endorse_approval.py). `considered` is small plain JSON; a person who proposes
    a write-off or a placement brings the record of forbearance (app/domain/forbearance.py).

    The same kind and subject wait once: proposing again returns what waits. Where people decided
    about a write-off or a placement while the same case was worked (no, or yes and then taken
    back), a machine gets that decision back and nothing new.

    Raises `NotFound`, `NotAllowed` (a person without the right), `Invalid` naming the field, and
    `Conflict` when the loan cannot take it.
    """
    why = reason.strip()
    if not 0 < len(why) <= LONGEST_REASON:
        raise Invalid("reason", f"has 1 to {LONGEST_REASON} characters.", mend="Say why.")
    stated = dict(considered or {})
    about = await _about(unit, now, kind, subject_id, amount, lender_id)
    if proposer_id is not None:
        check_proposer(kind, await rows.hand_of(unit, proposer_id), whole=about.whole)
        if kind in AFTER_FORBEARANCE and read_consideration(stated) is None:
            raise Invalid(
                "considered",
                "is empty.",
                mend="State which forbearance was considered, and why it is not used.",
            )
        if kind is ApprovalKind.PLACEMENT and AGENCY not in stated:
            raise Invalid("agency_id", "is missing.", mend="Say which agency gets the case.")
    waits = await rows.waiting(unit, kind, subject_id)
    if waits is not None:
        return Proposed(waits, ApprovalState.PROPOSED, new=False)
    if proposer_id is None and kind in AFTER_FORBEARANCE and about.case_id is not None:
        decided = await rows.decided_for_case(unit, kind, about.case_id)
        if decided is not None:
            return Proposed(decided.id, ApprovalState(decided.state), new=False)
    return await _insert(unit, now, kind, subject_id, about, why, stated, actor, proposer_id)


async def _about(
    unit: Unit,
    now: datetime,
    kind: ApprovalKind,
    subject_id: UUID,
    amount: Money | None,
    lender_id: UUID | None,
) -> _About:
    match kind:
        case ApprovalKind.WRITE_OFF | ApprovalKind.FORGIVENESS:
            return await _about_debt(unit, kind, subject_id, amount)
        case ApprovalKind.REVERSAL:
            return await _about_entry(unit, subject_id, amount)
        case ApprovalKind.PLACEMENT:
            return await _about_case(unit, now, subject_id, amount)
        case _:
            return _About(lender_id or unit.lender_id, None, None, None, amount)


async def _about_debt(
    unit: Unit, kind: ApprovalKind, loan_id: UUID, amount: Money | None
) -> _About:
    loan = await lock_loan(unit, loan_id)
    if loan.state != "active":
        raise Conflict("This loan is not worked any more.", code="LoanNotActive")
    owed = await rows.unpaid_in_all(unit, loan_id, loan.currency)
    if not owed:
        raise Conflict("Nothing is unpaid on this loan.", code="NothingOwed")
    if kind is ApprovalKind.WRITE_OFF:
        if amount is not None and amount != owed:
            raise Invalid("amount", f"is not all that is unpaid: {owed}.", mend="Leave it out.")
        wanted = owed
    else:
        if amount is None:
            raise Invalid("amount", "is missing.", mend="Say how much is to be forgiven.")
        if amount.currency != loan.currency:
            raise Invalid(
                "currency",
                f"the loan is in {loan.currency}.",
                mend=f"Give the amount in {loan.currency}.",
            )
        if amount.minor <= 0 or amount > owed:
            raise Invalid("amount", f"must be above zero and at most {owed}.")
        wanted = amount
    # A case that has ended keeps its name on the proposal: the episode goes on until it is decided.
    return _About(
        loan.lender_id,
        loan.borrower_id,
        loan_id,
        loan.case_id or await last_case(unit, loan_id),
        wanted,
        whole=gives_up(
            wanted, owed=owed, forgiven=await rows.forgiven_so_far(unit, loan_id, loan.currency)
        ),
    )


async def _about_entry(unit: Unit, adjustment_id: UUID, amount: Money | None) -> _About:
    found = await unit.conn.scalar(
        select(adjustments.c.loan_id).where(adjustments.c.id == adjustment_id)
    )
    if found is None:
        raise NotFound("There is no such entry.")
    loan = await lock_loan(unit, found)
    entry = await rows.adjustment(unit, adjustment_id)
    if entry.kind == ApprovalKind.REVERSAL.value:
        raise Conflict("A reversal is not reversed: propose the act itself again.")
    if entry.reversed:
        raise Conflict("This entry was reversed already.", code="ReversedAlready")
    whole = Money(entry.amount_minor, entry.currency)
    if amount is not None and amount != whole:
        raise Invalid("amount", f"is not that of the entry: {whole}.", mend="Leave it out.")
    case_id = loan.case_id or await last_case(unit, loan.id)
    return _About(loan.lender_id, loan.borrower_id, loan.id, case_id, whole)


async def _about_case(unit: Unit, now: datetime, case_id: UUID, amount: Money | None) -> _About:
    found = await unit.conn.scalar(select(cases.c.loan_id).where(cases.c.id == case_id))
    if found is None:
        raise NotFound("There is no such case.")
    loan = await lock_loan(unit, found)
    await check_placeable(unit, now, case_id)
    owed = await rows.unpaid_in_all(unit, loan.id, loan.currency)
    if amount is not None and amount != owed:
        raise Invalid("amount", f"is not all that is unpaid: {owed}.", mend="Leave it out.")
    return _About(loan.lender_id, loan.borrower_id, loan.id, case_id, owed)


def _in_notes(amount: Money | None) -> dict[str, Any] | None:
    return None if amount is None else {"minor": amount.minor, "currency": amount.currency}


async def _insert(
    unit: Unit,
    now: datetime,
    kind: ApprovalKind,
    subject_id: UUID,
    about: _About,
    why: str,
    considered: dict[str, Any],
    actor: str,
    proposer_id: UUID | None,
) -> Proposed:
    approval_id = new_id()
    made = await unit.conn.execute(
        insert(approvals)
        .values(
            id=approval_id,
            lender_id=about.lender_id,
            kind=kind.value,
            subject_id=subject_id,
            borrower_id=about.borrower_id,
            loan_id=about.loan_id,
            case_id=about.case_id,
            amount_minor=about.amount.minor if about.amount else None,
            currency=about.amount.currency if about.amount else None,
            reason=why,
            considered=considered,
            proposed_by=actor,
            proposer_id=proposer_id,
            proposed_at=now,
        )
        .on_conflict_do_nothing()
        .returning(approvals.c.id)
    )
    if made.first() is None:
        # Two at once about a thing that no borrower's lock stands before: the other one waits.
        waits = await rows.waiting(unit, kind, subject_id)
        if waits is None:
            raise Conflict("Somebody else proposed this at the same moment.")
        return Proposed(waits, ApprovalState.PROPOSED, new=False)
    shown = {
        "approval_id": str(approval_id),
        "kind": kind.value,
        "amount_minor": about.amount.minor if about.amount else None,
        "currency": about.amount.currency if about.amount else None,
    }
    await audit.record(
        unit,
        now,
        actor=actor,
        act=f"propose_{kind.value}",
        subject=str(subject_id),
        after={"approval_id": str(approval_id), "amount": _in_notes(about.amount)},
        reason=why,
        lender_id=about.lender_id,
    )
    if kind in ABOUT_A_LOAN and about.borrower_id is not None:
        line = Line(
            about.borrower_id, Kind.APPROVAL_ASKED, actor, shown, about.case_id, about.lender_id
        )
        await timeline.write(unit, now, [line])
    return Proposed(approval_id, ApprovalState.PROPOSED, new=True)
