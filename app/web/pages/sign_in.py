"""Signing in and out, and one's own account."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse, Response

from app.domain.errors import Invalid, NotAllowed
from app.domain.roles import Act, may
from app.flows.lenders.manage_users import set_password
from app.flows.lenders.sign_in import sign_in, sign_out
from app.store import users
from app.store.keys import new_token
from app.web.client import place_of
from app.web.desk import back_to, brakes_in_force, csrf_field, desk_page, home_of
from app.web.forms import form_token, read_form
from app.web.known import known_browser, remember_browser
from app.web.passwords import SHORTEST
from app.web.render import page, see_other
from app.web.seats import (
    SESSION_COOKIE,
    VISITOR_COOKIE,
    Seat,
    cookie_name,
    drop_cookie,
    find_session,
    local_path,
    needs,
    set_cookie,
)
from app.web.site import Site, site_of
from app.web.throttle import Door, TooMany

router = APIRouter()

_VISITOR_SECONDS: Final = 3600


@router.get("/sign-in")
async def ask(request: Request) -> Response:
    """The form; straight on for who is signed in already."""
    site = site_of(request)
    wanted = local_path(request.query_params.get("next", "/"))
    value = request.cookies.get(cookie_name(site, SESSION_COOKIE), "")
    if await find_session(site, value) is not None:
        return see_other(wanted)
    return _door(site, request, wanted=wanted)


@router.post("/sign-in")
async def enter(request: Request) -> Response:
    """Compare, and start a session under a new value."""
    site = site_of(request)
    visitor = request.cookies.get(cookie_name(site, VISITOR_COOKIE), "")
    if not visitor:
        return _door(site, request, trouble="Please try again.", status=403)
    try:
        form = await read_form(request, site.house.store.vault, visitor)
    except NotAllowed:
        return _door(site, request, trouble="Please try again.", status=403)
    email, wanted = form.text("email", longest=254), local_path(form.text("next", longest=500))
    try:
        _knock(site, request, email.lower())
        signed_in = await sign_in(
            site.house,
            site.now(),
            email=email,
            password=form.password("password"),
            check=site.passwords.right,
            old_value=request.cookies.get(cookie_name(site, SESSION_COOKIE), ""),
        )
    except TooMany as error:
        return _door(site, request, trouble=error.message, status=429, email=email, wanted=wanted)
    except NotAllowed as error:
        return _door(site, request, trouble=error.message, status=403, email=email, wanted=wanted)
    if wanted == "/":
        wanted = home_of(signed_in.person.role)
    answer = see_other(wanted)
    set_cookie(site, answer, SESSION_COOKIE, signed_in.value)
    remember_browser(site, answer, email.lower())
    drop_cookie(site, answer, VISITOR_COOKIE)
    return answer


def _knock(site: Site, request: Request, email: str) -> None:
    """Count one try. What is refused for its own network does not count against the person."""
    site.knock(request, Door.SIGN_IN_PER_IP)
    place = place_of(site.ip_of(request))
    site.knock(request, Door.SIGN_IN_PER_ACCOUNT_AND_IP, who=f"{place}|{email}")
    known = known_browser(site, request, email)
    if known:
        site.knock(request, Door.SIGN_IN_PER_KNOWN_BROWSER, who=known)
    else:
        site.knock(request, Door.SIGN_IN_PER_ACCOUNT, who=email)


def _door(
    site: Site,
    request: Request,
    *,
    trouble: str = "",
    status: int = 200,
    email: str = "",
    wanted: str = "/",
) -> HTMLResponse:
    """The form again. Its token belongs to a cookie of its own: nobody is signed in yet."""
    visitor = request.cookies.get(cookie_name(site, VISITOR_COOKIE), "") or new_token()
    context = {
        "csrf": csrf_field(form_token(site.house.store.vault, visitor)),
        "trouble": trouble,
        "email": email,
        "wanted": wanted,
    }
    answer = page(site.templates, "desk/sign_in.html", context, status=status)
    set_cookie(site, answer, VISITOR_COOKIE, visitor, seconds=_VISITOR_SECONDS)
    return answer


@router.post("/sign-out")
async def leave(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.OWN_ACCOUNT))]
) -> Response:
    """End this session at once."""
    site = site_of(request)
    await sign_out(site.house, seat.value)
    answer = see_other("/sign-in")
    drop_cookie(site, answer, SESSION_COOKIE)
    return answer


@router.get("/account")
async def account(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.OWN_ACCOUNT))]
) -> Response:
    """One's own name, role and password."""
    return await _account(request, seat)


@router.post("/account/password")
async def new_password(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.OWN_ACCOUNT))]
) -> Response:
    """Replace one's own password; all other sessions end."""
    site = site_of(request)
    form = seat.posted
    site.knock(request, Door.NEW_PASSWORD_PER_USER, who=str(seat.user_id))
    async with site.house.store.unit(seat.lender_id) as unit:
        stored = (await users.by_id(unit, seat.user_id)).password_hash
    if not await site.passwords.right(stored, form.password("old")):
        return await _account(request, seat, "The present password is not right.")
    if form.password("new") == form.password("old"):
        return await _account(request, seat, "This is the present password. Choose another one.")
    if form.password("new") != form.password("again"):
        return await _account(request, seat, "The two new passwords differ.")
    try:
        made = await site.passwords.make(form.password("new"))
    except Invalid as error:
        return await _account(request, seat, error.message)
    await set_password(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        user_id=seat.user_id,
        password_hash=made,
        actor=seat.actor,
        keep_value=seat.value,
    )
    return back_to("/account", "password")


async def _account(request: Request, seat: Seat, trouble: str = "") -> HTMLResponse:
    site = site_of(request)
    banners = []
    if may(seat.role, Act.SEE_BOARD):
        async with site.house.store.unit(seat.lender_id) as unit:
            banners = await brakes_in_force(unit)
    return desk_page(
        site,
        request,
        seat,
        "desk/account.html",
        banners=banners,
        here="/account",
        trouble=trouble,
        shortest=SHORTEST,
    )
