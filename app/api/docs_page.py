"""The API's documentation as one plain page: no script, nothing from elsewhere.

The machine may be offline, and a page that runs code from a stranger's server has no place next
to people's money. Everything on it is made from the OpenAPI description.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, JSONResponse, Response

from app.api.openapi import operations
from app.api.problems import KINDS
from app.api.route import SaldoRoute

router = APIRouter(prefix="/v1", include_in_schema=False, route_class=SaldoRoute)

_FOLDER = Path(__file__).parent / "templates"
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


@router.get("/openapi.json")
async def openapi_json(request: Request) -> Response:
    """The description itself (OpenAPI 3.1)."""
    return JSONResponse(request.app.openapi())


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The page for people."""
    page = _template().render(schema=request.app.openapi(), kinds=KINDS.values(), **_parts(request))
    return HTMLResponse(page, headers=_HEADERS)


@router.get("/docs.css")
async def docs_css() -> Response:
    """The page's own looks."""
    return Response((_FOLDER / "docs.css").read_text(encoding="utf-8"), media_type="text/css")


def _parts(request: Request) -> dict[str, Any]:
    schema = request.app.openapi()
    by_tag: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in schema["tags"]}
    for path, operation, method in operations(schema):
        by_tag[operation["tags"][0]].append({"path": path, "method": method, **operation})
    return {"by_tag": {name: found for name, found in by_tag.items() if found}}


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["marked"] = marked
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False)
    return environment.get_template("docs.html")


def marked(text: str) -> Markup:
    """Our own few marks in descriptions: paragraphs, **bold** and `code`."""
    safe = str(escape(text))
    safe = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", safe)
    safe = re.sub(r"`(.+?)`", r"<code>\1</code>", safe)
    parts = [part.strip() for part in re.split(r"\n\s*\n", safe) if part.strip()]
    return Markup("".join(f"<p>{part}</p>" for part in parts))  # noqa: S704 - escaped above
