"""The beat: it starts looks, survives a broken one, and lets them finish when it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.clock import Clock
from scheduler.ticker import Ticker
from scheduler.timetable import Entry

pytestmark = pytest.mark.anyio

HOUSE: Any = object()


def ticker(folder: Path, *looks: Callable[..., Awaitable[None]]) -> Ticker:
    """A beat of one second over these looks, the first of each at once."""
    entries = tuple(
        Entry(f"look-{place}", timedelta(seconds=1), look) for place, look in enumerate(looks)
    )
    return Ticker(HOUSE, Clock(folder / "clock.json"), entries)


async def test_it_waits_for_what_is_running(tmp_path: Path) -> None:
    begun, go, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def look(house: Any, _now: object) -> None:
        assert house is HOUSE
        begun.set()
        await go.wait()
        done.set()

    beat = ticker(tmp_path, look)
    beat.start()
    await begun.wait()
    stopping = asyncio.create_task(beat.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    go.set()
    await stopping
    assert done.is_set()


async def test_a_look_handed_over_in_the_moment_of_the_stop_is_not_cut_off(tmp_path: Path) -> None:
    said: list[str] = []

    async def look(_house: Any, _now: object) -> None:
        said.append("begun")
        await asyncio.sleep(0)
        said.append("done")

    beat = ticker(tmp_path, look)
    beat.start()
    # One turn of the loop: the beat has made the task, and the task has not run.
    await asyncio.sleep(0)
    assert said == []
    await beat.stop()
    assert said == ["begun", "done"]


async def test_a_broken_look_does_not_stop_the_beat(tmp_path: Path) -> None:
    other = asyncio.Event()

    async def broken(_house: Any, _now: object) -> None:
        raise RuntimeError("the roof is on fire")

    async def sound(_house: Any, _now: object) -> None:
        other.set()

    beat = ticker(tmp_path, broken, sound)
    beat.start()
    await asyncio.wait_for(other.wait(), 10)
    await beat.stop()
