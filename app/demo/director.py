"""The director of the demo: how fast its clock runs, and what it tells on the terminal.

Scene 1, opening: borrowers get their consent links and answer them; the clock runs at 1x.
Scene 2, fast: the clock runs until the story is told: money seen, messages, payments, tasks.
Scene 3, slow: 60x, so that a person can follow; 1x while a phone or a pay page is open.

A person who sets the speed by hand keeps it: the director then only watches, until that person
sets the speed the director would choose. He decides from what the database says and from a file
that open pages touch, so a restart goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path

from app.clock import Clock, read_clock, set_speed
from app.reports.progress import Progress

OPENING_SPEED = 1.0
FAST_SPEED = 720.0
SLOW_SPEED = 60.0
WATCHED_SPEED = 1.0

# Real seconds.
OPENING_AT_MOST_S = 100.0
WATCHED_FOR_S = 40.0
LOOK_EVERY_S = 0.5
TELL_EVERY_S = 5.0

# Consents answered before the clock begins to run, as a share of those asked for.
ANSWERED_SHARE = 0.9


class Scene(StrEnum):
    OPENING = "opening"
    FAST = "fast"
    SLOW = "slow"


def scene_of(counts: Progress, wanted: int, opened_for_s: float) -> Scene:
    """Which scene is on. `wanted` is how many consents the opening waits for."""
    opening = counts.answered < wanted * ANSWERED_SHARE and opened_for_s < OPENING_AT_MOST_S
    if opening and counts.signals == 0:
        return Scene.OPENING
    told = counts.recovered >= 12 and counts.messages >= 20 and counts.tasks >= 8
    return Scene.SLOW if told else Scene.FAST


def speed_for(scene: Scene, *, watched: bool) -> float:
    """The clock's speed in a scene; a page in somebody's hands slows everything to 1x."""
    if scene is Scene.OPENING:
        return OPENING_SPEED
    if watched:
        return WATCHED_SPEED
    return FAST_SPEED if scene is Scene.FAST else SLOW_SPEED


class Director:
    """Looks, sets the speed, tells. `counts` asks the database; `tell` prints a line."""

    def __init__(
        self,
        clock_file: Path,
        presence_file: Path,
        *,
        wanted: int,
        counts: Callable[[], Awaitable[Progress]],
        tell: Callable[[str], None],
        announce: Callable[[], None],
    ) -> None:
        self._clock_file = clock_file
        self._presence_file = presence_file
        self._wanted = wanted
        self._counts = counts
        self._tell = tell
        self._announce = announce
        self._clock = Clock(clock_file)
        self._began = time.monotonic()
        self._set: float | None = None
        self._announced = False
        self._told_at = 0.0
        self._hands_off = False

    async def look(self) -> Scene:
        """One look: choose the scene, set the speed, say something now and then."""
        counts = await self._counts()
        scene = scene_of(counts, self._wanted, time.monotonic() - self._began)
        self._steer(scene)
        if scene is not Scene.OPENING and not self._announced:
            self._announced = True
            self._announce()
        if time.monotonic() - self._told_at >= TELL_EVERY_S:
            self._told_at = time.monotonic()
            self._tell(self._line(scene, counts))
        return scene

    def _steer(self, scene: Scene) -> None:
        wanted = speed_for(scene, watched=self._somebody_watches())
        warp = read_clock(self._clock_file)
        if warp is None:
            return
        if self._hands_off:
            if warp.speed != wanted:
                return
            self._hands_off = False
            self._tell("The clock runs by itself again.")
        elif self._set is not None and warp.speed != self._set:
            self._hands_off = True
            back = speed_for(scene, watched=False)
            self._tell(
                f"The clock is in your hands now, at {warp.speed:g}x. "
                f"`saldo demo speed {back:g}` hands it back."
            )
            return
        if warp.speed != wanted:
            set_speed(self._clock_file, wanted)
        self._set = wanted

    def _somebody_watches(self) -> bool:
        try:
            touched = self._presence_file.stat().st_mtime
        except FileNotFoundError:
            return False
        return time.time() - touched < WATCHED_FOR_S

    def _line(self, scene: Scene, counts: Progress) -> str:
        now = self._clock.now()
        if scene is Scene.OPENING:
            return f"Borrowers answer the consent page: {counts.answered} of {self._wanted}."
        return (
            f"{now:%a %d %b %H:%M} UTC at {self._clock.speed():g}x: "
            f"{counts.signals} funds signals, "
            f"{counts.messages} SMS sent, {counts.settled} payments settled, "
            f"{counts.recovered} loans recovered, {counts.tasks} tasks for people."
        )
