"""Every error's page: the status, and words that help without telling what is inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, Response

from app.domain.errors import Misconfigured, ProviderError, Refused, SaldoError
from app.web.borrower import borrower_page
from app.web.guard import BodyTooLarge
from app.web.render import page, see_other
from app.web.seats import SignInNeeded
from app.web.site import site_of
from app.web.throttle import TooMany
from app.web.wording import best_language, wording_in

log = structlog.get_logger("web")

_BORROWER: Final = ("/c/", "/p/")

_TITLES: Final[Mapping[int, str]] = {
    403: "Not allowed",
    404: "Not found",
    405: "Not found",
    409: "Somebody was faster",
    413: "Too large",
    422: "Please check what you entered",
    429: "Too many tries",
    503: "Not available at the moment",
}


def add_error_pages(app: FastAPI) -> None:
    """Answer everything a page can raise."""
    app.add_exception_handler(SignInNeeded, _sign_in)
    app.add_exception_handler(SaldoError, _refusal)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(RequestValidationError, _misread)
    app.add_exception_handler(BodyTooLarge, _too_large)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _broken)


async def _sign_in(_request: Request, error: Exception) -> Response:
    wanted = error.wanted if isinstance(error, SignInNeeded) else "/"
    return see_other("/sign-in" if wanted == "/" else f"/sign-in?{urlencode({'next': wanted})}")


async def _refusal(request: Request, error: Exception) -> Response:
    """Ours and the providers': the complete table from error to status."""
    headers: dict[str, str] = {}
    match error:
        case TooMany():
            headers["Retry-After"] = str(error.after)
            return _answer(request, 429, error.message, headers)
        case Refused():
            return _answer(request, error.status, error.message, headers)
        case ProviderError():
            return _answer(request, 503, "A bank or provider does not answer. Try again.", headers)
        case Misconfigured():
            log.error("misconfigured", setting=error.setting)
            return _answer(
                request, 503, "Something is not set up. Please tell your admin.", headers
            )
        case _:
            return await _broken(request, error)


async def _gone(_request: Request, _error: Exception) -> Response:
    """Whoever sent half a form has left: nobody reads the answer, and nothing was done."""
    return Response(status_code=400)


async def _plain(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    status = 404 if status == 405 else status
    return _answer(request, status, "There is nothing at this address.", {})


async def _misread(request: Request, _error: Exception) -> Response:
    return _answer(request, 404, "There is nothing at this address.", {})


async def _too_large(request: Request, _error: Exception) -> Response:
    return _answer(request, 413, "This form is too large.", {})


async def _broken(request: Request, error: Exception) -> Response:
    log.error("page_broke", error=type(error).__name__, route=_route(request))
    return _answer(request, 500, "Something went wrong on our side. Please try again.", {})


def _route(request: Request) -> str:
    """The pattern, never the address: addresses carry tokens."""
    return str(getattr(request.scope.get("route"), "path", "") or "-")


def _answer(
    request: Request, status: int, message: str, headers: Mapping[str, str]
) -> HTMLResponse:
    site = site_of(request)
    if request.url.path.startswith(_BORROWER):
        return _for_borrower(request, status, headers)
    context = {
        "title": _TITLES.get(status, "Something went wrong"),
        "text": message,
        "href": "/account" if status == 403 else "/",
        "link": "Back to the desk",
    }
    return page(site.templates, "desk/message.html", context, status=status, headers=headers)


def _for_borrower(request: Request, status: int, headers: Mapping[str, str]) -> HTMLResponse:
    """In his language, without saying what was wrong with the link or whose it is."""
    words = wording_in(best_language(request.query_params.get("lang"), _asked_for(request)))
    key = {404: "not_found", 405: "not_found", 429: "busy"}.get(
        status, "broken" if status >= 500 else "refused"
    )
    return borrower_page(
        site_of(request),
        request,
        "borrower/trouble.html",
        words,
        status=status,
        headers=headers,
        title=words(f"trouble.{key}"),
        text=words(f"trouble.{key}_text"),
    )


def _asked_for(request: Request) -> str:
    """The browser's first wish among its languages."""
    return request.headers.get("accept-language", "").partition(",")[0].partition(";")[0]
