"""One module per page or group of pages; each has a `router`."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from app.web.pages import (
    agencies,
    another,
    approvals,
    audit,
    board,
    book,
    cases,
    consent,
    consents,
    controls,
    experiments,
    holds,
    observe,
    paid,
    pay,
    portfolio,
    promises,
    relief,
    rules,
    segments,
    sign_in,
    stop,
    strategies,
    strategy_edit,
    strategy_moves,
    tasks,
    team,
    templates,
    unclear,
    working_life,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    sign_in.router,
    board.router,
    tasks.router,
    promises.router,
    working_life.router,
    cases.router,
    relief.router,
    agencies.router,
    approvals.router,
    audit.router,
    holds.router,
    consents.router,
    strategy_edit.router,
    strategy_moves.router,
    strategies.router,
    segments.router,
    rules.router,
    controls.router,
    book.router,
    experiments.router,
    observe.router,
    portfolio.router,
    team.router,
    templates.router,
    unclear.router,
    # Longer addresses first: /p/back/... and /p/.../stop before /p/{token}.
    stop.router,
    paid.router,
    another.router,
    pay.router,
    consent.router,
)
