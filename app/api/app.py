"""The API's own application: routes, problems, documentation. app/main.py puts it to work."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI

from app.api import docs_page, health, hooks, problems
from app.api.edges import BodyLimit, RequestIds
from app.api.openapi import DESCRIPTION, TAGS, VERSION, complete
from app.api.pace import Pace
from app.api.routes import (
    approvals,
    book_files,
    borrowers,
    cases,
    consents,
    experiments,
    lender,
    loans,
    payees,
    payments,
    people,
    placements,
    strategies,
    work,
)
from app.api.schemas.book_files import LARGEST_UPLOAD
from app.clock import Clock
from app.flows.house import House

PREFIXES = ("/v1", "/hooks", "/healthz", "/readyz")
"""Where this application answers; everything else belongs to the pages."""


def build_api(
    house: House | None = None,
    clock: Clock | None = None,
    *,
    stopping: asyncio.Event | None = None,
) -> FastAPI:
    """The API over these parts. Without parts it can only describe itself."""
    app = FastAPI(
        title="Saldo API",
        version=VERSION,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    listed = (people, borrowers, loans, consents, cases, payments, work, approvals, placements)
    for routes in (*listed, strategies, experiments, book_files, lender, payees):
        app.include_router(routes.router)
    app.include_router(hooks.router)
    app.include_router(health.router)
    app.include_router(docs_page.router)
    problems.install(app)
    complete(app)
    app.add_middleware(BodyLimit, uploads={"/v1/book-files": LARGEST_UPLOAD})
    app.add_middleware(RequestIds)
    furnish(app, house, clock, stopping=stopping)
    return app


def furnish(
    app: FastAPI,
    house: House | None,
    clock: Clock | None,
    *,
    stopping: asyncio.Event | None = None,
) -> None:
    """Give the API its parts. The routes know none of them, and cost more to make."""
    app.state.house = house
    app.state.clock = clock
    app.state.stopping = stopping or asyncio.Event()
    app.state.pace = Pace(1 if house is None else house.settings.api_calls_per_minute)
