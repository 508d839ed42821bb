"""The demo's clock: fast until the story is told, slow for people, and theirs when they say so."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from app.clock import read_clock, set_speed, start_warp
from app.demo.director import (
    FAST_SPEED,
    OPENING_SPEED,
    SLOW_SPEED,
    WATCHED_FOR_S,
    WATCHED_SPEED,
    Director,
    Scene,
)
from app.demo.watched import READS_FOR_S, Watched
from app.reports.progress import Progress
from sandbox.faces.pages import ROBOT

pytestmark = pytest.mark.anyio

OPENING = Progress(asked=10, answered=0, signals=0, messages=0, settled=0, recovered=0, tasks=0)
RUNNING = Progress(asked=10, answered=9, signals=1, messages=0, settled=0, recovered=0, tasks=0)
TOLD = Progress(asked=10, answered=9, signals=40, messages=30, settled=12, recovered=12, tasks=9)


class Stage:
    """A clock, a presence file, and what the database would say."""

    def __init__(self, folder: Path) -> None:
        self.clock = folder / "clock.json"
        self.presence = folder / "presence"
        self.counts = OPENING
        self.told: list[str] = []
        self.announced = 0
        start_warp(self.clock, business_start=datetime(2026, 3, 2, 6, tzinfo=UTC), speed=1.0)
        self.director = Director(
            self.clock,
            self.presence,
            wanted=10,
            counts=self._counted,
            tell=self.told.append,
            announce=self._announce,
        )

    async def _counted(self) -> Progress:
        return self.counts

    def _announce(self) -> None:
        self.announced += 1

    @property
    def speed(self) -> float:
        """How fast the clock runs."""
        warp = read_clock(self.clock)
        assert warp is not None
        return warp.speed


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A demo that has just begun."""
    return Stage(tmp_path)


async def test_the_scenes_and_their_speeds(stage: Stage) -> None:
    assert await stage.director.look() is Scene.OPENING
    assert (stage.speed, stage.announced) == (OPENING_SPEED, 0)
    stage.counts = RUNNING
    assert await stage.director.look() is Scene.FAST
    assert (stage.speed, stage.announced) == (FAST_SPEED, 1)
    stage.counts = TOLD
    assert await stage.director.look() is Scene.SLOW
    assert (stage.speed, stage.announced) == (SLOW_SPEED, 1)
    stage.presence.touch()
    await stage.director.look()
    assert stage.speed == WATCHED_SPEED


async def test_the_speed_set_by_hand_stays_until_it_is_the_directors_own(stage: Stage) -> None:
    stage.counts = TOLD
    await stage.director.look()
    set_speed(stage.clock, 720.0)
    await stage.director.look()
    assert "`saldo demo speed 60` hands it back" in stage.told[-1]
    stage.presence.touch()
    await stage.director.look()
    assert stage.speed == 720.0
    stage.presence.unlink()
    set_speed(stage.clock, SLOW_SPEED)
    await stage.director.look()
    assert "by itself again" in stage.told[-1]
    stage.presence.touch()
    await stage.director.look()
    assert stage.speed == WATCHED_SPEED


@pytest.mark.parametrize(
    ("path", "agent", "watched"),
    [
        ("/p/4tMxa", "Mozilla/5.0", True),
        ("/p/4tMxa", f"Mozilla/5.0 ({ROBOT})", False),
        ("/p/back/5iLJj", "Mozilla/5.0", False),
        ("/", "Mozilla/5.0", False),
    ],
)
async def test_a_pay_page_in_a_persons_hands_is_watched(
    tmp_path: Path, path: str, agent: str, watched: bool
) -> None:
    presence = tmp_path / "presence"
    page = Route("/{rest:path}", lambda _: PlainTextResponse("a page"))
    app = Watched(Starlette(routes=[page]), presence)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as browser:
        answer = await browser.get(f"http://saldo.test{path}", headers={"user-agent": agent})
    assert answer.text == "a page"
    assert presence.exists() is watched
    if watched:
        held_for = presence.stat().st_mtime + WATCHED_FOR_S - time.time()
        assert READS_FOR_S - 10 < held_for <= READS_FOR_S
