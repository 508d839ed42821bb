"""Is the process alive, and can it work: for load balancers and supervisors. No key needed."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request

from app.api.caller import house_of
from app.api.problems import NotNow
from app.api.route import SaldoRoute
from app.api.wire import Shown
from app.store.ready import why_not_ready

router = APIRouter(tags=["Health"], route_class=SaldoRoute)


class HealthShown(Shown):
    """All is well; anything else is a problem."""

    status: Literal["ok"]


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> HealthShown:
    """Answers as long as the event loop turns. Looks at nothing else."""
    return HealthShown(status="ok")


@router.get("/readyz", summary="Can it work?")
async def readyz(request: Request) -> HealthShown:
    """The database answers and is migrated; the process is not being stopped."""
    if request.app.state.stopping.is_set():
        raise NotNow("This process is being stopped.")
    reason = await why_not_ready(house_of(request).store)
    if reason:
        raise NotNow(reason)
    return HealthShown(status="ok")
