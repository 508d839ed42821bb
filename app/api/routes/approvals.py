"""Four eyes, as far as a system goes: it may propose and look, and never decides."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.caller import ByKey
from app.api.paging import Page, Paged, page
from app.api.route import SaldoRoute
from app.api.routes.shared import CONFLICT, NOT_FOUND, IdInPath, RefInPath
from app.api.schemas.approvals import ApprovalShown, ProposalGiven
from app.api.wire import REF_PATTERN, money, money_of
from app.domain.approval import ApprovalKind, ApprovalState
from app.flows.money.propose_relief import ReliefWanted, propose_by_key
from app.reports import approval_list, book
from app.reports.approval_list import ApprovalLine
from app.reports.slices import take

router = APIRouter(prefix="/v1", tags=["Approvals"], route_class=SaldoRoute)


@router.get("/approvals", summary="List proposals")
async def list_approvals(
    caller: ByKey,
    asked: Paged,
    state: Annotated[ApprovalState | None, Query(description="Only in this state.")] = None,
    kind: Annotated[ApprovalKind | None, Query(description="Only of this kind.")] = None,
    loan: Annotated[
        str | None, Query(pattern=REF_PATTERN, description="Only about this loan of yours.")
    ] = None,
) -> Page[ApprovalShown]:
    """What waits for a second person and what was decided, the latest first."""
    query = approval_list.approvals_query(state=state, kind=kind, loan=loan)
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(
            unit, query, approval_list.APPROVALS_BY, after=asked.after, limit=asked.limit
        )
        lines = {row.id: approval_list.line_of(unit, row) for row in found.rows}
    return page(ApprovalShown, found, asked, lambda row: _shown(lines[row.id]))


@router.get("/approvals/{approval_id}", summary="Read a proposal", responses=NOT_FOUND)
async def get_approval(approval_id: IdInPath, caller: ByKey) -> ApprovalShown:
    """One proposal. It is decided at the desk alone."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        return _shown(await approval_list.approval_of(unit, approval_id))


@router.post(
    "/loans/{external_ref}/proposals",
    status_code=201,
    summary="Propose a write-off or a forgiveness",
    responses={
        200: {"description": "One of this kind waits already.", "model": ApprovalShown},
        **NOT_FOUND,
        **CONFLICT,
    },
)
async def post_proposal(
    external_ref: RefInPath, given: ProposalGiven, caller: ByKey, response: Response
) -> ApprovalShown:
    """Propose relief. A person at the desk puts his name to it, and another one decides."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        currency = (await book.loan_of(unit, external_ref, caller.now)).currency
    made = await propose_by_key(
        caller.house,
        caller.now,
        lender_id=caller.lender_id,
        loan_ref=external_ref,
        actor=caller.actor,
        wanted=ReliefWanted(
            kind=ApprovalKind(given.kind),
            reason=given.reason,
            amount=None if given.amount is None else money_of(given.amount, currency),
            options=tuple(one.value for one in given.forbearance),
            why_not=given.why_not,
        ),
    )
    if not made.new:
        response.status_code = 200
    response.headers["Location"] = f"/v1/approvals/{made.id}"
    return await get_approval(made.id, caller)


def _shown(line: ApprovalLine) -> ApprovalShown:
    record = line.consideration
    return ApprovalShown(
        id=line.id,
        kind=line.kind,
        state=line.state,
        loan_ref=line.loan_ref or None,
        case_id=line.case_id,
        amount=None if line.amount is None else money(line.amount.minor, line.amount.currency),
        reason=line.reason,
        forbearance=[] if record is None else list(record.options),
        why_not="" if record is None else record.why_not,
        proposed_by=line.proposed_by,
        proposed_at=line.proposed_at,
        endorsed_by=line.endorsed_by or None,
        decided_by=line.decided_by or None,
        decided_at=line.decided_at,
        decision_note=line.note,
    )
