"""The people of the desk: who may sign in, in which role, and when they were last seen."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Conflict, Invalid, NotAllowed
from app.domain.ids import UserId
from app.domain.roles import Act, Role
from app.flows.lenders.manage_users import (
    add_user,
    change_role,
    disable_user,
    enable_user,
    set_password,
)
from app.store import sessions, users
from app.web.desk import back_to, desk_page
from app.web.forms import read_uuid
from app.web.passwords import SHORTEST
from app.web.seats import Seat, needs
from app.web.site import site_of
from app.web.throttle import Door

router = APIRouter()


@router.get("/team")
async def team(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.MANAGE_USERS))]
) -> Response:
    """Everybody, with roles, live sessions and the last time they were seen (real time)."""
    return await _team(request, seat)


async def _team(request: Request, seat: Seat, trouble: str = "", status: int = 200) -> Response:
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        people = await users.everybody(unit)
        live = await sessions.live_counts(unit, site.clock.real_now())
    return desk_page(
        site,
        request,
        seat,
        "desk/team.html",
        banners=[],
        here="/team",
        status=status,
        people=people,
        live=live,
        roles=list(Role),
        shortest=SHORTEST,
        trouble=trouble,
    )


@router.post("/team/add")
async def add(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.MANAGE_USERS))]
) -> Response:
    """Let one more person sign in, with a first password handed over by the admin."""
    site, form = site_of(request), seat.posted
    site.knock(request, Door.NEW_PASSWORD_PER_USER, who=f"by {seat.user_id}")
    try:
        await add_user(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            email=form.text("email", longest=254),
            name=form.text("name"),
            role=_role(form.text("role")),
            password_hash=await site.passwords.make(form.password("password")),
            actor=seat.actor,
            confirmed=False,
        )
    except (Invalid, Conflict) as error:
        return await _team(request, seat, error.message, 422)
    return back_to("/team", "added")


@router.post("/team/{user_id}/role")
async def role(
    request: Request, user_id: str, seat: Annotated[Seat, Depends(needs(Act.MANAGE_USERS))]
) -> Response:
    """Give somebody another role."""
    site = site_of(request)
    try:
        await change_role(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            user_id=UserId(read_uuid(user_id)),
            role=_role(seat.posted.text("role")),
            actor=seat.actor,
            confirmed=False,
        )
    except (Invalid, NotAllowed) as error:
        return await _team(request, seat, error.message, 422)
    return back_to("/team", "changed")


@router.post("/team/{user_id}/disable")
async def disable(
    request: Request, user_id: str, seat: Annotated[Seat, Depends(needs(Act.MANAGE_USERS))]
) -> Response:
    """Let somebody sign in no more."""
    site = site_of(request)
    try:
        await disable_user(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            user_id=UserId(read_uuid(user_id)),
            actor=seat.actor,
        )
    except NotAllowed as error:
        return await _team(request, seat, error.message, 422)
    return back_to("/team", "disabled")


@router.post("/team/{user_id}/enable")
async def enable(
    request: Request, user_id: str, seat: Annotated[Seat, Depends(needs(Act.MANAGE_USERS))]
) -> Response:
    """Let somebody sign in again."""
    site = site_of(request)
    await enable_user(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        user_id=UserId(read_uuid(user_id)),
        actor=seat.actor,
        confirmed=False,
    )
    return back_to("/team", "enabled")


@router.post("/team/{user_id}/password")
async def password(
    request: Request, user_id: str, seat: Annotated[Seat, Depends(needs(Act.MANAGE_USERS))]
) -> Response:
    """Give somebody a new first password; all his sessions end."""
    site = site_of(request)
    site.knock(request, Door.NEW_PASSWORD_PER_USER, who=f"by {seat.user_id}")
    try:
        made = await site.passwords.make(seat.posted.password("password"))
    except Invalid as error:
        return await _team(request, seat, error.message, 422)
    await set_password(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        user_id=UserId(read_uuid(user_id)),
        password_hash=made,
        actor=seat.actor,
        confirmed=False,
    )
    return back_to("/team", "password")


def _role(text: str) -> Role:
    if text not in {one.value for one in Role}:
        raise Invalid("role", "is missing.", mend="Choose one.")
    return Role(text)
