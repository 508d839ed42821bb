"""Relief for one case: forgive a part, write off, take back; each proposed here, decided elsewhere.

The page holds what one has to know before: what is unpaid, what was given up before, what waits.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.approval import ApprovalKind, ApprovalState
from app.domain.errors import Refused
from app.domain.forbearance import Forbearance
from app.domain.roles import Act
from app.flows.money.propose_relief import ReliefWanted, propose_at_desk, propose_reversal
from app.reference.formats import ago, read_amount
from app.reports.approval_list import approvals_of_loan, entries_of_loan, loan_of_case
from app.reports.case_file import case_file
from app.web import approval_words
from app.web.desk import back_to, brakes_in_force, desk_page
from app.web.forms import read_uuid
from app.web.seats import Seat, local_path, needs
from app.web.site import site_of

router = APIRouter()

_HERE: Final = "/cases"


@router.get("/cases/{case_id}/relief")
async def relief(
    request: Request, case_id: str, seat: Annotated[Seat, Depends(needs(Act.PROPOSE_RELIEF))]
) -> Response:
    """What can be proposed for this case's loan, and what was before."""
    return await _relief(request, case_id, seat)


async def _relief(
    request: Request, case_id: str, seat: Seat, trouble: str = "", status: int = 200
) -> Response:
    site, wanted = site_of(request), read_uuid(case_id)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        file = await case_file(unit, site.now(), wanted, margin=timedelta(0))
        loan = await loan_of_case(unit, wanted)
        proposals = await approvals_of_loan(unit, loan.id)
        entries = await entries_of_loan(unit, loan.id)
    waiting = {one.kind for one in proposals if one.state is ApprovalState.PROPOSED}
    return desk_page(
        site,
        request,
        seat,
        "desk/relief.html",
        banners=banners,
        here=_HERE,
        status=status,
        file=file,
        loan_state=loan.state,
        proposals=proposals,
        entries=entries,
        waiting=waiting,
        kinds=ApprovalKind,
        measures=list(Forbearance),
        said=approval_words,
        age=lambda one: ago(site.now() - one.proposed_at),
        trouble=trouble,
    )


@router.post("/cases/{case_id}/forgive")
async def forgive(
    request: Request, case_id: str, seat: Annotated[Seat, Depends(needs(Act.PROPOSE_RELIEF))]
) -> Response:
    """Propose that an amount is owed no more."""
    return await _propose(request, case_id, seat, ApprovalKind.FORGIVENESS)


@router.post("/cases/{case_id}/write-off")
async def write_off(
    request: Request, case_id: str, seat: Annotated[Seat, Depends(needs(Act.PROPOSE_WRITE_OFF))]
) -> Response:
    """Propose that nobody is asked for the debt any more."""
    return await _propose(request, case_id, seat, ApprovalKind.WRITE_OFF)


async def _propose(request: Request, case_id: str, seat: Seat, kind: ApprovalKind) -> Response:
    site, form, wanted = site_of(request), seat.posted, read_uuid(case_id)
    try:
        amount = None
        if kind is ApprovalKind.FORGIVENESS:
            async with site.house.store.unit(seat.lender_id) as unit:
                currency = (await loan_of_case(unit, wanted)).currency
            amount = read_amount(form.text("amount"), currency)
        proposed = await propose_at_desk(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            case_id=wanted,
            user_id=seat.user_id,
            actor=seat.actor,
            wanted=ReliefWanted(
                kind,
                form.text("reason", longest=1000),
                amount,
                form.every("option"),
                form.text("why_not", longest=2000),
            ),
        )
    except Refused as refused:
        if refused.status == 404:
            raise
        return await _relief(request, case_id, seat, refused.message, refused.status)
    return back_to(f"/cases/{wanted}/relief", "proposed" if proposed.new else "waits")


@router.post("/adjustments/{adjustment_id}/reverse")
async def reverse(
    request: Request,
    adjustment_id: str,
    seat: Annotated[Seat, Depends(needs(Act.PROPOSE_WRITE_OFF))],
) -> Response:
    """Propose to take a write-off or a forgiveness back."""
    site, form = site_of(request), seat.posted
    proposed = await propose_reversal(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        adjustment_id=read_uuid(adjustment_id),
        user_id=seat.user_id,
        actor=seat.actor,
        reason=form.text("reason", longest=1000),
    )
    back = local_path(form.text("back", longest=200))
    done = "proposed" if proposed.new else "waits"
    return back_to(back if back != "/" else f"/approvals/{proposed.id}", done)
