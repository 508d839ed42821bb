"""In the demo: a pay page in a person's hands slows the clock, like a phone does."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.demo.director import WATCHED_FOR_S
from sandbox.faces.pages import ROBOT

READS_FOR_S: Final = 120.0
"""Real seconds that one look holds the clock. The page has no script that could say that it is
still open, so a look counts for as long as somebody may need to read and decide."""

_PAGE: Final = "/p/"
# What came of a payment: whoever looks at this waits for time to pass.
_RESULT: Final = "/p/back/"


class Watched:
    """Touches the demo's presence file at every request of a person for a pay page."""

    def __init__(self, app: ASGIApp, presence: Path) -> None:
        self._app = app
        self._presence = presence

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_pay_page(scope["path"]):
            agent = Headers(scope=scope).get("user-agent", "")
            if ROBOT not in agent:
                hold(self._presence, time.time())
        await self._app(scope, receive, send)


def _is_pay_page(path: str) -> bool:
    return path.startswith(_PAGE) and not path.startswith(_RESULT)


def hold(presence: Path, now: float) -> None:
    """Let the clock be watched until `READS_FOR_S` after `now` (epoch seconds, real time)."""
    until = now + READS_FOR_S - WATCHED_FOR_S
    presence.touch()
    os.utime(presence, (until, until))
