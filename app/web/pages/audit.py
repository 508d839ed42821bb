"""The audit: every change with its old and new value, and the list for the access review."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.ids import UserId
from app.domain.roles import Act
from app.flows.lenders.confirm_access import confirm_access
from app.reports.access_review import IDLE_AFTER, keys_with_access, users_with_access
from app.reports.audit_list import GROUPS, audit_list
from app.web.desk import back_to, desk_page, zone_of_seat
from app.web.forms import read_uuid
from app.web.inputs import value_in_words
from app.web.seats import Seat, needs
from app.web.site import site_of

router = APIRouter()

_HERE: Final = "/audit"

GROUP_NAMES: Final = {
    "refused": "Tried without the right",
    "brakes": "Switches and observe-only mode",
    "limits": "Floor, bounds and settings",
    "words_and_rules": "Strategies, templates and rules",
    "providers": "Own providers",
    "payees": "Where you are paid",
    "debts": "Write-off, forgiveness, reversal",
    "people": "Users, roles and keys",
    "sign_ins": "Sign-ins",
}


@router.get("/audit")
async def audit(request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_AUDIT))]) -> Response:
    """Every change, the newest first, of one kind, person or subject if wanted."""
    site, zone = site_of(request), zone_of_seat(seat)
    asked = {
        name: request.query_params.get(name, "").replace("\x00", "").strip()[:100]
        for name in ("group", "actor", "about")
    }
    async with site.house.store.unit(seat.lender_id) as unit:
        found = await audit_list(
            unit, **asked, after=_read_key(request.query_params.get("after", ""))
        )
    return desk_page(
        site,
        request,
        seat,
        "desk/audit.html",
        banners=[],
        here=_HERE,
        found=found,
        after="" if found.last is None else f"{found.last[0].isoformat()}~{found.last[1]}",
        asked=asked,
        groups=[(name, GROUP_NAMES[name]) for name in GROUPS],
        in_words=lambda value: value_in_words(value, zone),
    )


@router.get("/audit/access")
async def access(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_AUDIT))]
) -> Response:
    """Users and keys with role and last use, for whoever goes through them regularly."""
    site = site_of(request)
    real_now = site.clock.real_now()
    async with site.house.store.unit(seat.lender_id) as unit:
        people = await users_with_access(unit, real_now)
        keys = await keys_with_access(unit, real_now)
    return desk_page(
        site,
        request,
        seat,
        "desk/access.html",
        banners=[],
        here=_HERE,
        people=people,
        keys=keys,
        real_now=real_now,
        idle_days=IDLE_AFTER.days,
    )


@router.post("/audit/access/{user_id}/confirm")
async def confirm(
    request: Request, user_id: str, seat: Annotated[Seat, Depends(needs(Act.CONFIRM_ACCESS))]
) -> Response:
    """Say that an admin's hand on this user was right: his word counts from now on."""
    site = site_of(request)
    await confirm_access(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        user_id=UserId(read_uuid(user_id)),
        by_id=seat.user_id,
        actor=seat.actor,
    )
    return back_to("/audit/access", "confirmed")


def _read_key(text: str) -> tuple[Any, ...] | None:
    at, _, row_id = text.partition("~")
    try:
        return datetime.fromisoformat(at), UUID(row_id)
    except ValueError:
        return None
