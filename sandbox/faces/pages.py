"""How the sandbox's pages are made: templates, money and time for people, strict headers."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sandbox.faces.wire import euros

ROOT = Path(__file__).resolve().parent.parent
ROBOT = "saldo-sandbox-robot"

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src 'self'; form-action *; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def _money(minor: int, currency: str = "EUR") -> str:
    return f"{euros(minor)} {currency}"


def _iban(iban: str) -> str:
    return " ".join(iban[at : at + 4] for at in range(0, len(iban), 4))


def _moment(at: datetime, zone: str = "UTC") -> str:
    return at.astimezone(ZoneInfo(zone)).strftime("%a %d %b %Y %H:%M")


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"money": _money, "iban": _iban, "moment": _moment}
    return made


_ENVIRONMENT = _environment()


def page(name: str, status: int = 200, **shown: Any) -> Response:
    """A page from `templates/`."""
    return HTMLResponse(_ENVIRONMENT.get_template(name).render(**shown), status, _HEADERS)


def see_other(url: str) -> Response:
    """Answer a form: look there next."""
    return Response(status_code=303, headers={"Location": url, **_HEADERS})


def is_robot(request: Request) -> bool:
    """Whether one of the sandbox's own robots asks, not a person's browser."""
    return ROBOT in request.headers.get("user-agent", "")
