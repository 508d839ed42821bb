"""APScheduler as a metronome: it keeps the beat and holds no state.

Measured on APScheduler 3.11: `shutdown(wait=True)` cancels running coroutine jobs. So the ticker
keeps its own set of running looks, pauses the beat, waits for them, and only then shuts down.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from app.clock import Clock
from app.flows.house import House
from scheduler.timetable import TIMETABLE, Entry

log = structlog.get_logger("ticker")

# In a warped clock every look comes at least this often (real time).
WARPED_EVERY = timedelta(seconds=1)
# How long a look may still run after the beat has stopped (real time).
GRACE_S = 8.0


class Ticker:
    """Starts each look of the timetable on its beat, never twice at once in this process."""

    def __init__(
        self, house: House, clock: Clock, timetable: tuple[Entry, ...] = TIMETABLE
    ) -> None:
        self._house = house
        self._clock = clock
        self._timetable = timetable
        self._running: set[asyncio.Task[object]] = set()
        self._beat = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()},
            executors={"default": AsyncIOExecutor()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 30},
            timezone=UTC,
        )

    def start(self) -> None:
        """Begin to beat. The first looks are spread over their first second."""
        begin = datetime.now(UTC)
        for place, entry in enumerate(self._timetable):
            every = min(entry.every, WARPED_EVERY) if self._clock.warped else entry.every
            self._beat.add_job(
                self._look,
                IntervalTrigger(seconds=every.total_seconds(), timezone=UTC),
                args=(entry,),
                id=entry.name,
                next_run_time=begin + timedelta(seconds=place / len(self._timetable)),
            )
        self._beat.start()

    async def stop(self) -> None:
        """Stop the beat, let running looks finish, then shut down."""
        self._beat.pause()
        # A look that was handed over in this very moment has not begun, so it is on no list yet;
        # the shutdown below would cancel it half-way, with a traceback for a farewell.
        await asyncio.sleep(0)
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=GRACE_S)
            for task in late:
                task.cancel()
        self._beat.shutdown(wait=False)

    async def _look(self, entry: Entry) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._running.add(task)
        try:
            extra = {"speed": max(1.0, self._clock.speed())} if entry.minds_speed else {}
            await entry.look(self._house, self._clock.now(), **extra)
        except Exception as error:  # noqa: BLE001 - one broken look must not stop the beat
            log.warning("look_failed", look=entry.name, error=type(error).__name__, text=str(error))
        finally:
            if task is not None:
                self._running.discard(task)
