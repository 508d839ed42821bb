"""Browsers in which somebody signed in before: what a crowd of guessers does not shut out.

Tries at one address of the desk are bounded in all, so that many networks together guess no faster
than a few. That bound could be used up by strangers, to keep the owner out; a browser he signed in
with before is counted by itself instead (device cookies, as the OWASP describes them). The cookie
opens nothing: the password is asked for as always.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.store.keys import new_token
from app.web.seats import cookie_name, set_cookie
from app.web.site import Site

KNOWN_COOKIE: Final = "saldo-known"
_SECONDS: Final = 90 * 24 * 3600


def remember_browser(site: Site, response: Response, email: str) -> None:
    """After signing in. Each time under a new value, so that an old copy is bounded by itself."""
    mark = new_token()
    value = f"{mark}.{_seal(site, mark, email)}"
    set_cookie(site, response, KNOWN_COOKIE, value, seconds=_SECONDS)


def known_browser(site: Site, request: Request, email: str) -> str:
    """What this browser's tries are counted by; empty when this person never signed in with it."""
    value = request.cookies.get(cookie_name(site, KNOWN_COOKIE), "")[:100]
    mark, _, seal = value.partition(".")
    right = hmac.compare_digest(seal.encode(), _seal(site, mark, email).encode())
    return mark if mark and right else ""


def _seal(site: Site, mark: str, email: str) -> str:
    digest = site.house.store.vault.digest("known_browser", f"{mark}|{email}")
    return urlsafe_b64encode(digest[:18]).decode()
