"""A person puts his name to what a machine proposed, and says what was considered before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update

from app.domain.approval import AFTER_FORBEARANCE, ApprovalKind, ApprovalState
from app.domain.errors import Conflict, Invalid
from app.domain.forbearance import consider
from app.domain.ids import LenderId, UserId
from app.domain.roles import Act, check_right
from app.flows.cases.place_case import AGENCY, named_agency
from app.flows.house import House
from app.flows.lenders.note_refusal import refusals_noted
from app.store import audit
from app.store.approvals import hand_of, lock_approval
from app.store.tables import approvals
from app.store.unit import Unit


async def endorse_approval(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    approval_id: UUID,
    user_id: UserId,
    actor: str,
    options: Iterable[str],
    why_not: str,
    agency_id: UUID | None = None,
) -> None:
    """Stand behind a machine's proposal. Whoever does so has no part in the decision.

    For a write-off and a placement it takes the record of forbearance: which measures of the law
    were considered and why none is used. For everything else `options` and `why_not` may be empty.
    `agency_id` names the agency of a placement where the machine named none, or another one.

    Raises `NotFound`, `NotAllowed` (recorded in the audit), `Invalid` naming what is missing, and
    `Conflict` when it is decided already or a person stands behind it.
    """
    noted = refusals_noted(
        house, now, lender_id=lender_id, actor=actor, wanted="endorse", subject=approval_id
    )
    async with noted, house.store.unit(lender_id) as unit:
        await _endorse(unit, now, approval_id, user_id, actor, tuple(options), why_not, agency_id)


async def _endorse(
    unit: Unit,
    now: datetime,
    approval_id: UUID,
    user_id: UserId,
    actor: str,
    options: tuple[str, ...],
    why_not: str,
    agency_id: UUID | None,
) -> None:
    row = await lock_approval(unit, approval_id)
    hand = await hand_of(unit, user_id)
    check_right(hand.role, Act.RECORD_CONSIDERATION, confirmed=hand.confirmed)
    if row.state != ApprovalState.PROPOSED.value:
        raise Conflict("This proposal is decided already.", code="DecidedAlready")
    if row.proposer_id is not None or row.endorser_id is not None:
        raise Conflict("A person stands behind this proposal already.", code="EndorsedAlready")
    considered = dict(row.considered)
    if row.kind == ApprovalKind.PLACEMENT.value:
        considered |= await _agency(unit, agency_id, considered)
    if row.kind in AFTER_FORBEARANCE or options:
        considered |= consider(options, why_not, by=actor).as_notes()
    await unit.conn.execute(
        update(approvals)
        .where(approvals.c.id == approval_id)
        .values(endorser_id=hand.user_id, endorsed_at=now, considered=considered)
    )
    await audit.record(
        unit,
        now,
        actor=actor,
        act=f"endorse_{row.kind}",
        subject=str(row.subject_id),
        after={"approval_id": str(approval_id), "considered": considered},
        reason=why_not.strip(),
    )


async def _agency(
    unit: Unit, agency_id: UUID | None, considered: Mapping[str, Any]
) -> dict[str, str]:
    chosen = agency_id or considered.get(AGENCY)
    if chosen is None:
        raise Invalid("agency_id", "is missing.", mend="Say which agency gets the case.")
    return await named_agency(unit, UUID(str(chosen)))
