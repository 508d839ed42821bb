"""Who sits at the desk: the session cookie, the right to act, and the form token.

Each route of the desk asks for its seat with `needs(Act...)`. That one dependency finds the
session, checks the right and, for a posted form, its token, so that none can be forgotten.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import NotAllowed, SaldoError
from app.domain.ids import LenderId, UserId
from app.domain.roles import WATCHED, Act, Role, check_right, may
from app.flows.lenders.note_refusal import note_refusal
from app.flows.lenders.sign_in import SESSION_HASH
from app.store import sessions
from app.store.sessions import Session
from app.web.forms import Form, form_token, read_form
from app.web.guard import SAFE_METHODS
from app.web.site import Site, site_of

SESSION_COOKIE: Final = "saldo"
VISITOR_COOKIE: Final = "saldo-visitor"


class SignInNeeded(SaldoError):
    """Nobody is signed in; the page that answers leads to the sign-in and back."""

    def __init__(self, wanted: str) -> None:
        super().__init__("Sign in first.")
        self.wanted = wanted


@dataclass(frozen=True, slots=True)
class Seat:
    """One signed-in person asking for one thing."""

    session: Session
    value: str
    csrf: str
    form: Form | None

    @property
    def lender_id(self) -> LenderId:
        """The lender every look-up of this request is bound to."""
        return self.session.person.lender_id

    @property
    def user_id(self) -> UserId:
        return self.session.person.id

    @property
    def role(self) -> Role:
        return self.session.person.role

    @property
    def confirmed(self) -> bool:
        """False: compliance has yet to confirm what an admin did to this access."""
        return self.session.person.confirmed

    @property
    def actor(self) -> str:
        """How this person is named in timelines and the audit."""
        return self.session.person.email

    @property
    def posted(self) -> Form:
        """The form of a POST."""
        if self.form is None:
            raise NotAllowed("This page answers to a form only.")
        return self.form

    def may(self, act: str) -> bool:
        """For templates: whether to show a button."""
        return may(self.role, Act(act), confirmed=self.confirmed)

    def __repr__(self) -> str:
        return f"Seat({self.session.person.id})"


Asking = Callable[[Request], Awaitable[Seat]]


def needs(act: Act, *, with_files: bool = False) -> Asking:
    """The dependency of a desk route: a seat with the right to `act`.

    `with_files`: its form may carry files, which are read only once the right is checked.
    """

    async def seat(request: Request) -> Seat:
        site = site_of(request)
        value = request.cookies.get(cookie_name(site, SESSION_COOKIE), "")
        session = await find_session(site, value)
        if session is None:
            raise SignInNeeded(wanted_address(request))
        await _check(site, session, act, request)
        form = None
        if request.method not in SAFE_METHODS:
            vault = site.house.store.vault
            form = await read_form(request, vault, value, with_files=with_files)
        return Seat(session, value, form_token(site.house.store.vault, value), form)

    seat.act = act  # type: ignore[attr-defined]  # read by the test that walks all routes
    return seat


async def _check(site: Site, session: Session, act: Act, request: Request) -> None:
    """The right of this moment: the session was read together with the user's row."""
    person = session.person
    try:
        check_right(person.role, act, confirmed=person.confirmed)
    except NotAllowed as refusal:
        # That somebody tried is news by itself, whatever he sent; always where only compliance's
        # word is missing.
        if act in WATCHED or may(person.role, act):
            await note_refusal(
                site.house,
                site.now(),
                lender_id=person.lender_id,
                actor=person.email,
                wanted=act.value,
                subject=f"{request.method} {request.url.path}",
                refusal=refusal,
            )
        raise


async def find_session(site: Site, value: str, *, touch: bool = True) -> Session | None:
    """The live session behind a cookie's value. `touch=False` does not keep it alive."""
    if not value or len(value) > 100:
        return None
    id_hash = site.house.store.vault.digest(SESSION_HASH, value)
    async with site.house.store.engine_unit() as unit:
        return await sessions.find(unit, site.clock.real_now(), id_hash, touch=touch)


def cookie_name(site: Site, name: str) -> str:
    """With https the prefix binds the cookie to this very host and to secure connections."""
    return f"__Host-{name}" if site.settings.secure else name


def set_cookie(
    site: Site, response: Response, name: str, value: str, *, seconds: int | None = None
) -> None:
    """Hand the browser a cookie that no script can read and no other site can use."""
    response.set_cookie(
        cookie_name(site, name),
        value,
        max_age=seconds,
        path="/",
        secure=site.settings.secure,
        httponly=True,
        samesite="lax",
    )


def drop_cookie(site: Site, response: Response, name: str) -> None:
    """Have the browser forget a cookie."""
    attributes: dict[str, Any] = {"path": "/", "secure": site.settings.secure, "httponly": True}
    response.delete_cookie(cookie_name(site, name), samesite="lax", **attributes)


def wanted_address(request: Request) -> str:
    """Where to go after signing in: the page asked for, when it can be asked for again."""
    if request.method != "GET":
        return "/"
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{request.url.path}{query}"


def local_path(text: str) -> str:
    """A path on this site; "/" for anything that could lead elsewhere."""
    parts = urlsplit(text)
    odd = parts.scheme or parts.netloc or not text.startswith("/") or text.startswith("//")
    if odd or "\\" in text or any(ord(char) < 32 for char in text) or len(text) > 500:
        return "/"
    return quote(text, safe="/?=&%-._~")
