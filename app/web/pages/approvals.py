"""Approvals: what waits for a second person, how long, and why; and what was decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.approval import AFTER_FORBEARANCE, ApprovalKind, ApprovalState
from app.domain.errors import Invalid, Refused
from app.domain.forbearance import Forbearance
from app.domain.four_eyes import (
    Bounds,
    Hand,
    Outcome,
    Proposal,
    check_refuser,
    check_withdrawer,
    judge,
    tier_of,
)
from app.domain.money import Money
from app.domain.roles import Act, may
from app.flows.approvals.decide_approval import Word, decide_approval
from app.flows.approvals.endorse_approval import endorse_approval
from app.flows.lenders.set_tiers import set_tiers
from app.reference.formats import ago, read_amount
from app.reports.approval_list import (
    ApprovalLine,
    approval_of,
    decided_approvals,
    entries_of_loan,
    unpaid_of,
    waiting_approvals,
)
from app.store.approvals import (
    approved_this_month,
    bounds_of,
    find_approval,
    hand_of,
    proposal_of,
)
from app.store.placements import active_agencies
from app.web import approval_words
from app.web.desk import back_to, brakes_in_force, desk_page, zone_of_seat
from app.web.forms import read_uuid
from app.web.inputs import inputs_of
from app.web.seats import Seat, local_path, needs
from app.web.site import site_of

router = APIRouter()

_HERE: Final = "/approvals"
_DONE: Final = {
    ApprovalState.PROPOSED: "one_more",
    ApprovalState.APPROVED: "approved",
    ApprovalState.REFUSED: "refused",
    ApprovalState.WITHDRAWN: "taken_back",
}


@dataclass(frozen=True, slots=True)
class Yours:
    """What this person can do about a proposal, and why not more."""

    approves: bool
    first_of_two: bool
    why_not: str
    refuses: bool
    withdraws: bool
    endorses: bool


def yours(
    line: ApprovalLine, proposal: Proposal, hand: Hand, bounds: Any, approved: Money | None
) -> Yours:
    """The buttons of the page. The flow asks again; this only spares people a refusal."""
    if line.state is not ApprovalState.PROPOSED:
        return Yours(False, False, "", False, False, False)
    why_not, outcome = "", None
    try:
        outcome = judge(proposal, hand, bounds, approved)
    except Refused as refused:
        why_not = refused.message.removeprefix("considered: is empty. ")
    return Yours(
        approves=outcome is not None,
        first_of_two=outcome is Outcome.ONE_MORE,
        why_not=why_not if may(hand.role, Act.DECIDE) else "",
        refuses=_allowed(check_refuser, proposal, hand),
        withdraws=_allowed(check_withdrawer, proposal, hand),
        endorses=may(hand.role, Act.RECORD_CONSIDERATION, confirmed=hand.confirmed)
        and not proposal.has_a_person,
    )


def _allowed(check: Callable[[Proposal, Hand], None], proposal: Proposal, hand: Hand) -> bool:
    try:
        check(proposal, hand)
    except Refused:
        return False
    return True


# ------------------------------------------------------------------ the lists


@router.get("/approvals")
async def approvals(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_APPROVALS))]
) -> Response:
    """What waits, longest first; or what was decided, the latest first."""
    site = site_of(request)
    decided = request.query_params.get("decided") == "1"
    last = None
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        bounds = await bounds_of(unit, seat.lender_id)
        if decided:
            lines, last = await decided_approvals(
                unit, after=_read_key(request.query_params.get("after", ""))
            )
        else:
            lines = await waiting_approvals(unit)
    return desk_page(
        site,
        request,
        seat,
        "desk/approvals.html",
        banners=banners,
        here=_HERE,
        lines=lines,
        decided=decided,
        after="" if last is None else f"{last[0].isoformat()}~{last[1]}",
        said=approval_words,
        age=lambda line: ago(site.now() - line.proposed_at),
        needed=lambda line: _needed(line, bounds),
    )


def _needed(line: ApprovalLine, bounds: Any) -> str:
    """Who has to say yes, in words."""
    if line.amount is None:
        return "one other person"
    return approval_words.NEEDS[tier_of(line.amount, bounds)]


def _read_key(text: str) -> tuple[datetime, UUID] | None:
    at, _, row_id = text.partition("~")
    try:
        return datetime.fromisoformat(at), UUID(row_id)
    except ValueError:
        return None


# ------------------------------------------------------------------ the bounds


@router.get("/approvals/tiers")
async def tiers(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_APPROVALS))]
) -> Response:
    """From which amount on more people have to agree."""
    return await _tiers(request, seat)


async def _tiers(request: Request, seat: Seat, trouble: str = "", status: int = 200) -> Response:
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        bounds = await bounds_of(unit, seat.lender_id)
    shown = [
        (
            currency,
            Money(one.small_minor, currency),
            Money(one.single_minor, currency),
            None if one.monthly_minor is None else Money(one.monthly_minor, currency),
        )
        for currency, one in sorted(bounds.items())
    ]
    return desk_page(
        site,
        request,
        seat,
        "desk/tiers.html",
        banners=[],
        here=_HERE,
        status=status,
        tiers=shown,
        trouble=trouble,
    )


@router.post("/approvals/tiers")
async def change_tiers(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SET_TIERS))]
) -> Response:
    """State the lender's own amounts for one currency, or go back to Saldo's (empty fields)."""
    site, form = site_of(request), seat.posted
    currency = form.text("currency", longest=3).upper()
    try:
        small, single, monthly = form.text("small"), form.text("single"), form.text("monthly")
        bounds = None
        if small or single or monthly:
            bounds = Bounds(
                read_amount(small, currency).minor,
                read_amount(single, currency).minor,
                read_amount(monthly, currency).minor if monthly else None,
            )
        await set_tiers(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            user_id=seat.user_id,
            actor=seat.actor,
            currency=currency,
            bounds=bounds,
            reason=form.text("reason", longest=500),
        )
    except Invalid as error:
        return await _tiers(request, seat, error.message, 422)
    return back_to("/approvals/tiers", "tiers")


# ------------------------------------------------------------------ one proposal


@router.get("/approvals/{approval_id}")
async def approval(
    request: Request, approval_id: str, seat: Annotated[Seat, Depends(needs(Act.SEE_APPROVALS))]
) -> Response:
    """One proposal with everything it rests on, and what this person can do about it."""
    return await _approval(request, approval_id, seat)


async def _approval(
    request: Request, approval_id: str, seat: Seat, trouble: str = "", status: int = 200
) -> Response:
    site, wanted = site_of(request), read_uuid(approval_id)
    zone = zone_of_seat(seat)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        line = await approval_of(unit, wanted)
        proposal = await proposal_of(unit, await find_approval(unit, wanted))
        bounds = await bounds_of(unit, seat.lender_id)
        unpaid = await unpaid_of(unit, line)
        hand = await hand_of(unit, seat.user_id, lock=False)
        approved = await approved_this_month(unit, site.now(), seat.user_id, proposal)
        entries = await entries_of_loan(unit, line.loan_id) if line.loan_id else ()
        agencies = await active_agencies(unit) if line.kind is ApprovalKind.PLACEMENT else []
    notes = {
        name: value
        for name, value in line.notes.items()
        if name not in approval_words.SHOWN_ELSEWHERE
    }
    if "calls" in notes:
        notes["calls"] = approval_words.calls_in_words(notes["calls"])
    tier = None if proposal.weight is None else tier_of(proposal.weight, bounds)
    return desk_page(
        site,
        request,
        seat,
        "desk/approval.html",
        banners=banners,
        here=_HERE,
        status=status,
        line=line,
        unpaid=unpaid,
        entries=entries,
        said=approval_words,
        notes=inputs_of(notes, zone),
        age=ago((line.decided_at or site.now()) - line.proposed_at),
        needed="one other person" if tier is None else approval_words.NEEDS[tier],
        weight=proposal.weight,
        yours=yours(line, proposal, hand, bounds, approved),
        measures=list(Forbearance),
        after_forbearance=AFTER_FORBEARANCE,
        agencies=agencies,
        trouble=trouble,
        link=local_path(str(line.notes.get("link", ""))),
    )


async def _say(request: Request, approval_id: str, seat: Seat, word: Word) -> Response:
    site, form = site_of(request), seat.posted
    wanted = read_uuid(approval_id)
    try:
        decided = await decide_approval(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            approval_id=wanted,
            user_id=seat.user_id,
            actor=seat.actor,
            word=word,
            note=form.text("note", longest=1000),
        )
    except Refused as refused:
        if refused.status == 404 or not may(seat.role, Act.SEE_APPROVALS):
            raise
        return await _approval(request, approval_id, seat, refused.message, refused.status)
    done = _DONE[decided.state]
    back = local_path(form.text("back", longest=200))
    return back_to(back if back != "/" else f"/approvals/{wanted}", done)


@router.post("/approvals/{approval_id}/approve")
async def approve(
    request: Request, approval_id: str, seat: Annotated[Seat, Depends(needs(Act.DECIDE))]
) -> Response:
    """Say yes. What is approved is done at once."""
    return await _say(request, approval_id, seat, Word.APPROVE)


@router.post("/approvals/{approval_id}/refuse")
async def refuse(
    request: Request, approval_id: str, seat: Annotated[Seat, Depends(needs(Act.DECIDE))]
) -> Response:
    """Say no, and why."""
    return await _say(request, approval_id, seat, Word.REFUSE)


@router.post("/approvals/{approval_id}/withdraw")
async def withdraw(
    request: Request, approval_id: str, seat: Annotated[Seat, Depends(needs(Act.WITHDRAW_PROPOSAL))]
) -> Response:
    """Take one's own proposal back, or a machine's."""
    return await _say(request, approval_id, seat, Word.WITHDRAW)


@router.post("/approvals/{approval_id}/endorse")
async def endorse(
    request: Request,
    approval_id: str,
    seat: Annotated[Seat, Depends(needs(Act.RECORD_CONSIDERATION))],
) -> Response:
    """Put one's name to a machine's proposal, with what was considered before."""
    site, form = site_of(request), seat.posted
    wanted = read_uuid(approval_id)
    try:
        await endorse_approval(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            approval_id=wanted,
            user_id=seat.user_id,
            actor=seat.actor,
            options=form.every("option"),
            why_not=form.text("why_not", longest=2000),
            agency_id=read_uuid(agency) if (agency := form.text("agency")) else None,
        )
    except Refused as refused:
        if refused.status == 404:
            raise
        return await _approval(request, approval_id, seat, refused.message, refused.status)
    return back_to(f"/approvals/{wanted}", "endorsed")
