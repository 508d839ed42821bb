"""Write an agency down, or change what is known of it: name, contact, commission, active or not."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from app.domain.errors import Conflict, NotAllowed
from app.domain.ids import LenderId, UserId
from app.domain.placement import AgencyTerms
from app.domain.roles import Act, may
from app.flows.house import House
from app.flows.lenders.note_refusal import refusals_noted
from app.store import audit
from app.store.approvals import hand_of
from app.store.keys import new_id
from app.store.placements import agency_of
from app.store.tables import agencies
from app.store.unit import Unit


async def write_agency(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    terms: AgencyTerms,
    user_id: UserId,
    actor: str,
    agency_id: UUID | None = None,
) -> UUID:
    """Keep a new agency, or new terms of a known one (`agency_id`). Returns its id.

    What is placed stays placed, at the commission of its day. Raises `NotFound`, `NotAllowed`
    without the right (recorded), and `Conflict` for a name that another one has.
    """
    noted = refusals_noted(
        house,
        now,
        lender_id=lender_id,
        actor=actor,
        wanted=Act.WRITE_AGENCY.value,
        subject=agency_id or terms.name,
    )
    async with noted, house.store.unit(lender_id) as unit:
        return await _write(unit, now, lender_id, terms, user_id, actor, agency_id)


async def _write(
    unit: Unit,
    now: datetime,
    lender_id: LenderId,
    terms: AgencyTerms,
    user_id: UserId,
    actor: str,
    agency_id: UUID | None,
) -> UUID:
    hand = await hand_of(unit, user_id)
    if not may(hand.role, Act.WRITE_AGENCY):
        raise NotAllowed("Your role does not include agencies.", code="RoleMissing")
    before = {}
    if agency_id is not None:
        row = await agency_of(unit, agency_id, lock=True)
        before = AgencyTerms(
            row.name, row.contact, row.commission_basis_points, row.active
        ).as_notes()
    row_id = agency_id or new_id()
    values = terms.as_notes()
    try:
        async with unit.conn.begin_nested():
            await unit.conn.execute(
                insert(agencies).values(
                    id=row_id, lender_id=lender_id, made_by=actor, made_at=now, **values
                )
                if agency_id is None
                else update(agencies).where(agencies.c.id == row_id).values(**values)
            )
    except IntegrityError:
        raise Conflict("Another agency has this name.", code="NameTaken") from None
    await audit.record(
        unit,
        now,
        actor=actor,
        act="write_agency" if before else "add_agency",
        subject=terms.name,
        before=before,
        after={"agency_id": str(row_id), **values},
    )
    return row_id
