"""Propose to place cases with an agency: each case is a proposal of its own, with its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.domain.approval import ApprovalKind
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.forbearance import consider
from app.domain.ids import LenderId, UserId
from app.flows.approvals.propose_approval import Proposed, propose
from app.flows.cases.place_case import check_agency, named_agency
from app.flows.house import House
from app.flows.lenders.note_refusal import refusals_noted
from app.store.unit import Unit

MOST_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class PlacementWanted:
    """With whom and why. `options` and `why_not` are the record of forbearance, which a person
    brings and a system may leave to whoever puts his name to it.
    """

    agency_id: UUID
    reason: str
    options: tuple[str, ...] = ()
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one case: a proposal, or why there is none."""

    case_id: UUID
    proposed: Proposed | None
    refused: str


async def propose_placements(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    case_ids: Sequence[UUID],
    user_id: UserId,
    actor: str,
    wanted: PlacementWanted,
) -> list[RowResult]:
    """A person proposes to place these cases; each has a transaction and a result of its own.

    Raises `Invalid` (no case, too many, or what holds for all of them: reason and forbearance),
    `NotFound` and `Conflict` for the agency, and `NotAllowed` without the right (recorded).
    """
    chosen = list(dict.fromkeys(case_ids))
    if not 0 < len(chosen) <= MOST_AT_ONCE:
        raise Invalid(
            "case",
            f"1 to {MOST_AT_ONCE} cases are placed at once.",
            mend="Choose fewer, or at least one.",
        )
    consider(wanted.options, wanted.why_not, by=actor)
    async with house.store.unit(lender_id) as unit:
        await check_agency(unit, wanted.agency_id)
    results = []
    for case_id in chosen:
        noted = refusals_noted(
            house,
            now,
            lender_id=lender_id,
            actor=actor,
            wanted=f"propose_{ApprovalKind.PLACEMENT.value}",
            subject=case_id,
        )
        try:
            async with noted, house.store.unit(lender_id) as unit:
                proposed = await _propose(unit, now, case_id, wanted, actor=actor, user_id=user_id)
            results.append(RowResult(case_id, proposed, ""))
        except (Conflict, NotFound) as refusal:
            results.append(RowResult(case_id, None, refusal.message))
    return results


async def propose_placement_by_key(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    case_id: UUID,
    actor: str,
    wanted: PlacementWanted,
) -> Proposed:
    """The lender's own system proposes it. A person has to endorse, and another one approves."""
    async with house.store.unit(lender_id) as unit:
        return await _propose(unit, now, case_id, wanted, actor=actor, user_id=None)


async def _propose(
    unit: Unit,
    now: datetime,
    case_id: UUID,
    wanted: PlacementWanted,
    *,
    actor: str,
    user_id: UserId | None,
) -> Proposed:
    considered: dict[str, Any] = {**await named_agency(unit, wanted.agency_id)}
    if user_id is not None or wanted.options or wanted.why_not.strip():
        considered |= consider(wanted.options, wanted.why_not, by=actor).as_notes()
    return await propose(
        unit,
        now,
        kind=ApprovalKind.PLACEMENT,
        subject_id=case_id,
        reason=wanted.reason,
        actor=actor,
        considered=considered,
        proposer_id=user_id,
    )
