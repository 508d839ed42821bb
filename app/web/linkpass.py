"""What a borrower's browser carries: the pass it got for answering the check, one per link."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import NotFound
from app.store.links import SESSION_LENGTH
from app.web.borrower import token_ok
from app.web.client import place_of
from app.web.desk import csrf_field
from app.web.forms import Form, form_token, read_form
from app.web.seats import cookie_name, set_cookie
from app.web.site import Site
from app.web.throttle import Door, TooMany

# Under this name the browser remembers the link it left for its bank, to find the way back.
BACK_COOKIE: Final = "saldo-back"
_BACK_SECONDS: Final = 3600


@contextmanager
def guessing_counted(site: Site, request: Request, token: str) -> Iterator[None]:
    """Around everything that looks a token up: whoever guesses is soon told to wait."""
    who = place_of(site.ip_of(request))
    if site.throttle.closed(Door.UNKNOWN_TOKEN_PER_IP, who):
        raise TooMany(60)
    try:
        _must_look_like_one(token)
        yield
    except NotFound:
        site.knock(request, Door.UNKNOWN_TOKEN_PER_IP)
        raise


def _must_look_like_one(token: str) -> None:
    if not token_ok(token):
        raise NotFound("This link does not exist.")


def pass_of(site: Site, request: Request, token: str) -> str:
    """The value that says this browser answered the check of this link; empty without one."""
    return request.cookies.get(cookie_name(site, link_name(site, token)), "")[:100]


def give_pass(site: Site, response: Response, token: str, value: str) -> None:
    """Let the browser keep its pass for as long as the pass is good."""
    seconds = int(SESSION_LENGTH.total_seconds())
    set_cookie(site, response, link_name(site, token), value, seconds=seconds)


def remember_link(site: Site, response: Response, token: str) -> None:
    """Before the browser leaves for its bank."""
    set_cookie(site, response, BACK_COOKIE, token, seconds=_BACK_SECONDS)


def remembered_link(site: Site, request: Request) -> str:
    """The link this browser came from before it went to its bank; empty in another browser."""
    token = request.cookies.get(cookie_name(site, BACK_COOKIE), "")
    return token if token_ok(token) else ""


def csrf_of(site: Site, request: Request, token: str) -> Markup:
    """The hidden field for forms behind a link: bound to the pass where there is one."""
    secret = pass_of(site, request, token) or token
    return csrf_field(form_token(site.house.store.vault, secret))


async def form_of(site: Site, request: Request, token: str) -> Form:
    """Read and check a form posted from behind a link."""
    secret = pass_of(site, request, token) or token
    site.knock(request, Door.BORROWER_POST_PER_LINK, who=link_name(site, token))
    return await read_form(request, site.house.store.vault, secret)


def link_name(site: Site, token: str) -> str:
    """A cookie of its own for each link, named by what does not give the link away."""
    return f"saldo-pass-{site.house.store.vault.digest('link_cookie', token)[:6].hex()}"
