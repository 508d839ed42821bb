"""Agencies: who has which case, what they report, and how a case comes back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from app.api.caller import ByKey
from app.api.paging import Page, Paged, page
from app.api.route import SaldoRoute
from app.api.routes.approvals import get_approval
from app.api.routes.people import contact_made
from app.api.routes.shared import CONFLICT, NOT_FOUND, IdInPath, OfBorrower
from app.api.schemas.approvals import ApprovalShown
from app.api.schemas.people import ContactGiven, ContactShown, RuleAsked
from app.api.schemas.placements import (
    AgencyShown,
    PlacementGiven,
    PlacementShown,
    RecallGiven,
    WindowShown,
)
from app.api.wire import money
from app.domain.message import Channel
from app.domain.placement import PlacementState
from app.flows.cases.agency_window import ask_for_agency
from app.flows.cases.propose_placement import PlacementWanted, propose_placement_by_key
from app.flows.cases.recall_case import recall_case
from app.flows.work.record_contact import record_contact
from app.reports import placing
from app.reports.placing import PlacementLine
from app.reports.slices import take

router = APIRouter(prefix="/v1", tags=["Agencies"], route_class=SaldoRoute)


@router.get("/agencies", summary="List agencies")
async def list_agencies(caller: ByKey, asked: Paged) -> Page[AgencyShown]:
    """Whom cases can be placed with, by name."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(
            unit,
            placing.agencies_query(),
            placing.AGENCIES_BY,
            after=asked.after,
            limit=asked.limit,
            newest_first=False,
        )
    return page(AgencyShown, found, asked)


@router.get("/placements", summary="List placements")
async def list_placements(
    caller: ByKey,
    asked: Paged,
    borrower: OfBorrower = None,
    state: Annotated[
        PlacementState | None, Query(description="Only placements in this state.")
    ] = None,
) -> Page[PlacementShown]:
    """Cases with agencies, now and before, the latest first."""
    query = placing.placements_query(borrower=borrower, state=state)
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(unit, query, placing.PLACEMENTS_BY, after=asked.after, limit=asked.limit)
        lines = {row.id: placing.line_of(unit, row) for row in found.rows}
    return page(PlacementShown, found, asked, lambda row: _shown(lines[row.id]))


@router.get("/placements/{placement_id}", summary="Read a placement", responses=NOT_FOUND)
async def get_placement(placement_id: IdInPath, caller: ByKey) -> PlacementShown:
    """One placement, with what came in while it lasted."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        return _shown(await placing.placement_of(unit, placement_id))


@router.post(
    "/cases/{case_id}/placements",
    status_code=201,
    summary="Propose to place a case",
    responses={
        200: {"description": "A proposal waits already.", "model": ApprovalShown},
        **NOT_FOUND,
        **CONFLICT,
    },
)
async def post_placement(
    case_id: IdInPath, given: PlacementGiven, caller: ByKey, response: Response
) -> ApprovalShown:
    """A person at the desk puts his name to it, and another one decides. 409 names the hold."""
    made = await propose_placement_by_key(
        caller.house,
        caller.now,
        lender_id=caller.lender_id,
        case_id=case_id,
        actor=caller.actor,
        wanted=PlacementWanted(
            given.agency_id,
            given.reason,
            tuple(one.value for one in given.forbearance),
            given.why_not,
        ),
    )
    if not made.new:
        response.status_code = 200
    response.headers["Location"] = f"/v1/approvals/{made.id}"
    return await get_approval(made.id, caller)


@router.post(
    "/placements/{placement_id}/recall",
    summary="Take a case back",
    responses={**NOT_FOUND, **CONFLICT},
)
async def post_recall(placement_id: IdInPath, given: RecallGiven, caller: ByKey) -> PlacementShown:
    """The agency has no case any more from this moment; Saldo goes on with it."""
    await recall_case(
        caller.house,
        caller.now,
        lender_id=caller.lender_id,
        placement_id=placement_id,
        reason=given.reason,
        user_id=None,
        actor=caller.actor,
    )
    return await get_placement(placement_id, caller)


@router.get(
    "/placements/{placement_id}/contact-window",
    summary="May the agency contact the borrower now?",
    responses={**NOT_FOUND, **CONFLICT},
)
async def get_window(
    placement_id: IdInPath,
    caller: ByKey,
    channel: Annotated[Channel, Query(description="How it wants to be in touch.")] = Channel.CALL,
) -> WindowShown:
    """Ask before every contact. Yours count for the agency, and the agency's for you.

    A no is kept as an attempt for the compliance report, once an hour.
    """
    found = await ask_for_agency(
        caller.house,
        caller.now,
        lender_id=caller.lender_id,
        placement_id=placement_id,
        channel=channel,
        actor=caller.actor,
    )
    return WindowShown(
        allowed=found.allowed,
        because=found.because,
        opens_at=found.opens_at,
        until=found.until,
        zone=found.zone,
        rules=[RuleAsked.model_validate(one) for one in found.checks],
        pack=found.pack,
    )


@router.post(
    "/placements/{placement_id}/contacts",
    status_code=201,
    summary="Note a contact by the agency",
    responses={**NOT_FOUND, **CONFLICT},
)
async def post_agency_contact(
    placement_id: IdInPath, given: ContactGiven, caller: ByKey
) -> ContactShown:
    """It counts in the contact limits like any other, and its outcome has its consequence."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        case_id = (await placing.placement_of(unit, placement_id)).case_id
    contact_id = await record_contact(
        caller.house,
        caller.now,
        lender_id=caller.lender_id,
        case_id=case_id,
        made=contact_made(given),
        user_id=None,
        actor=caller.actor,
        placement_id=placement_id,
    )
    return ContactShown(id=contact_id)


def _shown(line: PlacementLine) -> PlacementShown:
    values: dict[str, Any] = {
        name: money(amount.minor, amount.currency)
        for name, amount in (
            ("amount", line.amount),
            ("recovered", line.recovered),
            ("commission", line.commission),
        )
    }
    return PlacementShown(
        id=line.id,
        state=line.state,
        agency_id=line.agency_id,
        agency=line.agency,
        case_id=line.case_id,
        borrower_ref=line.borrower_ref,
        loan_ref=line.loan_ref,
        placed_at=line.placed_at,
        ended_at=line.ended_at,
        ended_why=line.ended_why,
        **values,
    )
