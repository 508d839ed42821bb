"""A payment whose end the bank does not tell: a person has looked, and says what became of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Invalid
from app.domain.roles import Act
from app.flows.payments.settle_unclear import LONGEST_REASON, settle_unclear
from app.web.desk import back_to
from app.web.forms import read_uuid
from app.web.seats import Seat, local_path, needs
from app.web.site import site_of

router = APIRouter()


@router.post("/payments/{payment_id}/found-out")
async def found_out(
    request: Request,
    payment_id: str,
    seat: Annotated[Seat, Depends(needs(Act.SETTLE_UNCLEAR))],
) -> Response:
    """It arrived, or it did not: the loan is booked or open again, and the word is kept."""
    site, form = site_of(request), seat.posted
    arrived = form.text("arrived", longest=3)
    if arrived not in {"yes", "no"}:
        raise Invalid("arrived", "is missing.", mend="Say whether the money arrived.")
    await settle_unclear(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        payment_id=read_uuid(payment_id),
        paid=arrived == "yes",
        reason=form.text("reason", longest=LONGEST_REASON),
        actor=seat.actor,
    )
    path = local_path(form.text("back", longest=300)).partition("?")[0]
    return back_to(path, "arrived" if arrived == "yes" else "not_arrived")
