"""Carry out an approved placement: an agency works the case, and nothing of ours asks for money."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, insert

from app.domain.errors import Conflict
from app.domain.hold import RULES, HoldKind
from app.domain.intervals import Span
from app.domain.money import Money
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.flows.work.set_hold import begin_hold
from app.store import timeline
from app.store.approvals import unpaid_in_all
from app.store.keys import new_id
from app.store.loans import lock_loan
from app.store.placements import agency_of, obstacles
from app.store.tables import placements
from app.store.timeline import Kind, Line
from app.store.unit import Unit

AGENCY: Final = "agency_id"
"""The key of the agency in `considered` of a proposal."""


async def check_placeable(unit: Unit, now: datetime, case_id: UUID) -> None:
    """Raises `Conflict` with the reason (a hold by its name) when the case cannot be placed."""
    found = await obstacles(unit, (case_id,), now)
    if case_id in found:
        raise Conflict(found[case_id].words, code=found[case_id].code)


async def check_agency(unit: Unit, agency_id: UUID) -> Row[Any]:
    """The agency, which stays as it is until the unit ends.

    Raises `NotFound`, and `Conflict` for one that gets no new cases.
    """
    row = await agency_of(unit, agency_id, lock=True)
    if not row.active:
        raise Conflict(f"{row.name} gets no new cases.", code="AgencyInactive")
    return row


async def named_agency(unit: Unit, agency_id: UUID) -> dict[str, str]:
    """The agency as a proposal keeps it. Raises as `check_agency` does."""
    row = await check_agency(unit, agency_id)
    return {AGENCY: str(row.id), "agency": row.name}


async def place_case(unit: Unit, now: datetime, approval: Row[Any], *, actor: str) -> None:
    """Place the case in the caller's transaction; `approval` was approved in it just now.

    The placement is a hold over this case: calls, notices, payment links by strategy and readings
    stop as under every hold, and his own payment stays possible. Raises `Conflict` when the case
    changed in a way that nobody has decided about: a hold was set, a payment is on its way, the
    debt has grown, the agency gets no new cases.
    """
    loan = await lock_loan(unit, approval.loan_id)
    agency = await check_agency(unit, UUID(approval.considered[AGENCY]))
    await check_placeable(unit, now, approval.case_id)
    owed = await unpaid_in_all(unit, loan.id, loan.currency)
    if owed > Money(approval.amount_minor, approval.currency):
        raise Conflict(
            f"The debt has grown to {owed} since this was proposed. Propose it anew.",
            code="DebtGrew",
        )
    hold_id = await begin_hold(
        unit,
        now,
        lender_id=loan.lender_id,
        borrower_id=loan.borrower_id,
        case_id=approval.case_id,
        kind=HoldKind.PLACED,
        reason=f"Placed with {agency.name}.",
        set_by=actor,
        lasts=Span(now),
        blocks=RULES[HoldKind.PLACED].blocks,
    )
    placement_id = new_id()
    await unit.conn.execute(
        insert(placements).values(
            id=placement_id,
            lender_id=loan.lender_id,
            agency_id=agency.id,
            borrower_id=loan.borrower_id,
            loan_id=loan.id,
            case_id=approval.case_id,
            approval_id=approval.id,
            hold_id=hold_id,
            amount_minor=owed.minor,
            currency=owed.currency,
            commission_basis_points=agency.commission_basis_points,
            placed_by=actor,
            placed_at=now,
        )
    )
    details = {
        "placement_id": str(placement_id),
        "agency": agency.name,
        "amount_minor": owed.minor,
        "currency": owed.currency,
    }
    line = Line(
        loan.borrower_id, Kind.CASE_PLACED, actor, details, approval.case_id, loan.lender_id
    )
    await timeline.write(unit, now, [line])
    await tell_lender(
        unit,
        now,
        event=LenderEvent.CASE_PLACED,
        subject_id=placement_id,
        payload={
            "placement_id": str(placement_id),
            "case_id": str(approval.case_id),
            "loan": loan.external_ref,
            "agency_id": str(agency.id),
            "agency": agency.name,
            "amount": {"minor": owed.minor, "currency": owed.currency},
            "commission_basis_points": agency.commission_basis_points,
            "at": now.isoformat(),
        },
        lender_id=loan.lender_id,
    )
