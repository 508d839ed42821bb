"""The frame of every page a borrower sees: the lender's name, his language, a way to stop."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.domain.errors import Invalid
from app.domain.ids import Phone
from app.reference.formats import phone_in_words
from app.settings import is_loopback
from app.web.render import page, see_other
from app.web.site import Site
from app.web.wording import LANGUAGES, Wording, best_language, wording_in

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}\Z", re.ASCII)
_SPEAK: Final = "lang"
_LOOK_EVERY_S: Final = 6
_LOOKS_AT_MOST: Final = 40


@dataclass(frozen=True, slots=True)
class ShownLender:
    """The lender as borrowers know it. Empty when the page must not say whose it is."""

    name: str = ""
    phone: str = ""
    url: str = ""


NOBODY: Final = ShownLender()


def borrower_page(
    site: Site,
    request: Request,
    name: str,
    words: Wording,
    *,
    lender: ShownLender = NOBODY,
    stop_address: str = "",
    trouble: str = "",
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """One page in the borrower's language. `stop_address` leads to the page that stops things.

    `trouble` says why a form on it was not carried out; then the page answers 422, unless `status`
    says otherwise.
    """
    if status is None:
        status = 422 if trouble else 200
    frame = {
        "t": words,
        "trouble": trouble,
        "lender": lender,
        "phone": phone_link(lender.phone),
        "languages": [wording_in(language) for language in LANGUAGES],
        "here": request.url.path,
        "speak": f"?{_SPEAK}={words.language}",
        "stop_address": f"{stop_address}?{_SPEAK}={words.language}" if stop_address else "",
    }
    return page(site.templates, name, {**frame, **context}, status=status, headers=headers)


def words_for(request: Request, *known: str) -> Wording:
    """His choice on the page first, then what the lender told us, then his browser."""
    chosen = request.query_params.get(_SPEAK)
    browser = request.headers.get("accept-language", "").partition(",")[0].partition(";")[0]
    return wording_in(best_language(chosen, *known, browser))


def onward(path: str, words: Wording, **query: str) -> Response:
    """303 to another page of the same borrower, in the same language."""
    return see_other(f"{path}?{urlencode({_SPEAK: words.language, **query})}")


def looks_again(request: Request, words: Wording, path: str) -> str:
    """For a page that looks again by itself: the refresh, for some minutes; then empty.

    A tap on the page's own button always looks again.
    """
    tried = request.query_params.get("n", "0")
    count = int(tried) if tried.isascii() and tried.isdigit() and len(tried) < 4 else 0
    if count >= _LOOKS_AT_MOST:
        return ""
    return f"{_LOOK_EVERY_S}; url={path}?{_SPEAK}={words.language}&n={count + 1}"


def way(text: str, href: str, *, plain: bool = False) -> dict[str, Any]:
    """A button that leads on."""
    return {"text": text, "href": href, "plain": plain}


def may_lead_to(url: str, *, local: bool) -> bool:
    """Only https; on a machine that talks to itself also http to itself."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    return local and parts.scheme == "http" and is_loopback(parts.hostname or "")


def token_ok(token: str) -> bool:
    """Could this be a token of ours at all? Saves the look-up for anything else."""
    return _TOKEN.match(token) is not None


def phone_link(number: str) -> Markup | str:
    """A number that can be tapped and is readable; empty when there is none."""
    if not number:
        return ""
    try:
        bare = Phone.parse(number).reveal()
    except Invalid:
        return number
    return Markup('<a href="tel:{}" class="nowrap">{}</a>').format(bare, phone_in_words(bare))
