"""From templates to answers: autoescaped, strict about what is missing, static files by hash."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.domain.money import Money
from app.reference import formats

_HERE = Path(__file__).parent
STATIC_FOLDER: Final = _HERE / "static"
DESK_LANGUAGE: Final = "en"


@lru_cache(maxsize=1)
def templates() -> Environment:
    """The environment of all pages. A name that nobody gave is an error, never an empty place.

    One for the process: each keeps what it has compiled, and knows nothing of who asks.
    """
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(icon=icon, static=static_address)
    made.filters.update(
        money=_money,
        day=_day,
        near=_near,
        full_day=_full_day,
        moment=_moment,
        clock=_clock,
        lately=_lately,
    )
    return made


def icon(name: str) -> Markup:
    """A drawing beside words; it says nothing to those who cannot see it."""
    return Markup(  # noqa: S704 - our own constant drawings
        '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">'
        f"{_drawings()[name]}</svg>"
    )


@lru_cache(maxsize=1)
def _drawings() -> dict[str, str]:
    return tomllib.loads((_HERE / "templates" / "icons.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=32)
def static_address(name: str) -> str:
    """The address of a static file; it changes with the content, so browsers may keep it."""
    content = (STATIC_FOLDER / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


def page(
    templates: Environment,
    name: str,
    context: Mapping[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """One rendered page."""
    return HTMLResponse(
        templates.get_template(name).render(context),
        status_code=status,
        headers=dict(headers or {}),
    )


def see_other(address: str) -> Response:
    """After a POST: go there with GET, so that reloading repeats nothing."""
    return RedirectResponse(address, status_code=303)


def _money(amount: Money, language: str = DESK_LANGUAGE) -> str:
    return formats.money(amount, language)


def _day(on: date, language: str = DESK_LANGUAGE) -> str:
    return formats.short_day(on, language)


def _near(on: date, now: datetime, zone: ZoneInfo) -> str:
    return formats.near_day(on, now.astimezone(zone).date(), DESK_LANGUAGE)


def _full_day(on: date, language: str = DESK_LANGUAGE) -> str:
    return formats.day(on, language)


def _moment(at: datetime, zone: ZoneInfo, language: str = DESK_LANGUAGE) -> str:
    return formats.moment(at, zone, language)


def _lately(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    return formats.near_time(at, now, zone, DESK_LANGUAGE)


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return formats.clock_time(at, zone)
