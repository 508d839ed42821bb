"""One module per page or group of pages; each has a `router`."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from app.web.pages import board, cases, consents, controls, paid, pay, sign_in, tasks, team

ROUTERS: Final[tuple[APIRouter, ...]] = (
    sign_in.router,
    board.router,
    tasks.router,
    cases.router,
    consents.router,
    controls.router,
    team.router,
    # /p/back/... before /p/{token}/...
    paid.router,
    pay.router,
)
