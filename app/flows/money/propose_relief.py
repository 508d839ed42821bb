"""Somebody asks that a debt be given up, wholly or in part, or that this be taken back.

At the desk it is a person with a right; through the API it is the lender's own system, which may
propose and never decides. Nothing is carried out here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from app.domain.approval import ApprovalKind
from app.domain.errors import Invalid, NotFound
from app.domain.forbearance import consider
from app.domain.ids import LenderId, UserId
from app.domain.money import Money
from app.flows.approvals.propose_approval import Proposed, propose
from app.flows.house import House
from app.flows.lenders.note_refusal import refusals_noted
from app.store.loans import find_loan
from app.store.tables import cases
from app.store.unit import Unit

RELIEF: Final = (ApprovalKind.WRITE_OFF, ApprovalKind.FORGIVENESS)


@dataclass(frozen=True, slots=True)
class ReliefWanted:
    """What is asked for. `amount` is for a forgiveness alone; a write-off is of all that is unpaid.

    `options` and `why_not` are the record of forbearance (app/domain/forbearance.py): a person who
    proposes a write-off brings it, whoever else may leave it out.
    """

    kind: ApprovalKind
    reason: str
    amount: Money | None = None
    options: tuple[str, ...] = ()
    why_not: str = ""


async def propose_at_desk(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    case_id: UUID,
    user_id: UserId,
    actor: str,
    wanted: ReliefWanted,
) -> Proposed:
    """A person proposes relief for the loan of a case. Raises as `propose` does; a `NotAllowed`
    stands in the audit too.
    """
    noted = refusals_noted(
        house,
        now,
        lender_id=lender_id,
        actor=actor,
        wanted=f"propose_{wanted.kind.value}",
        subject=case_id,
    )
    async with noted, house.store.unit(lender_id) as unit:
        return await _propose(
            unit, now, await _loan_of(unit, case_id), wanted, actor=actor, user_id=user_id
        )


async def propose_by_key(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    loan_ref: str,
    actor: str,
    wanted: ReliefWanted,
) -> Proposed:
    """The lender's own system proposes relief for a loan. A person has to endorse it."""
    async with house.store.unit(lender_id) as unit:
        return await _propose(
            unit, now, await find_loan(unit, loan_ref), wanted, actor=actor, user_id=None
        )


async def propose_reversal(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    adjustment_id: UUID,
    user_id: UserId,
    actor: str,
    reason: str,
) -> Proposed:
    """A person proposes to undo a write-off or a forgiveness. Raises as `propose` does."""
    noted = refusals_noted(
        house,
        now,
        lender_id=lender_id,
        actor=actor,
        wanted="propose_reversal",
        subject=adjustment_id,
    )
    async with noted, house.store.unit(lender_id) as unit:
        return await propose(
            unit,
            now,
            kind=ApprovalKind.REVERSAL,
            subject_id=adjustment_id,
            reason=reason,
            actor=actor,
            proposer_id=user_id,
        )


async def _propose(
    unit: Unit,
    now: datetime,
    loan_id: UUID,
    wanted: ReliefWanted,
    *,
    actor: str,
    user_id: UserId | None,
) -> Proposed:
    if wanted.kind not in RELIEF:
        raise Invalid("kind", "cannot be proposed here.", mend="Use write_off or forgiveness.")
    return await propose(
        unit,
        now,
        kind=wanted.kind,
        subject_id=loan_id,
        reason=wanted.reason,
        actor=actor,
        amount=wanted.amount,
        considered=_considered(wanted, actor, person=user_id is not None),
        proposer_id=user_id,
    )


def _considered(wanted: ReliefWanted, actor: str, *, person: bool) -> Mapping[str, Any]:
    needed = person and wanted.kind is ApprovalKind.WRITE_OFF
    if needed or wanted.options or wanted.why_not.strip():
        return consider(_once(wanted.options), wanted.why_not, by=actor).as_notes()
    return {}


def _once(options: Iterable[str]) -> list[str]:
    return sorted(set(options))


async def _loan_of(unit: Unit, case_id: UUID) -> UUID:
    found: UUID | None = await unit.conn.scalar(
        select(cases.c.loan_id).where(cases.c.id == case_id)
    )
    if found is None:
        raise NotFound("There is no such case.")
    return found
