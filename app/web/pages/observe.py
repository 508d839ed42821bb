"""What observe-only mode would have sent: the paper a lender goes live by."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.roles import Act
from app.reports.observe import observe_report
from app.web.desk import brakes_in_force, desk_page
from app.web.seats import Seat, needs
from app.web.site import site_of

router = APIRouter()

SPANS: Final = {"1": "24 hours", "7": "7 days", "30": "30 days"}


@router.get("/observe")
async def observe(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_OBSERVE_REPORT))]
) -> Response:
    """Signals, decisions and texts of a span of business time that ends now."""
    site = site_of(request)
    span = request.query_params.get("days", "7")
    span = span if span in SPANS else "7"
    now = site.now()
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        report = await observe_report(
            unit, since=now - timedelta(days=int(span)), until=now + timedelta(microseconds=1)
        )
    return desk_page(
        site,
        request,
        seat,
        "desk/observe.html",
        banners=banners,
        here="/observe",
        report=report,
        span=span,
        spans=SPANS,
    )
