"""Live alerts: one look at the database for all open browsers of a lender, when something moved.

A NOTIFY says only that there is something new; what is true is read again, bound to the lender.
The same look, taken every few seconds, finds the alerts that are over. A browser that lost its
connection comes back with the id of the last alert it saw and is told what it missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.clock import Clock
from app.domain.errors import SaldoError
from app.domain.ids import LenderId
from app.reports.alerts import Alert, live_alerts
from app.store.listen import listen
from app.store.unit import SIGNAL_CHANNEL, Store

log = structlog.get_logger("alerts")

_LOOK_EVERY_S: Final = 3.0
# NOTIFYs come in flocks; one look serves all that arrive within this time.
_GATHER_S: Final = 0.15
_WAITING_AT_MOST: Final = 200
STREAMS_AT_MOST: Final = 400
"""Per process."""

STREAMS_PER_PERSON: Final = 12
"""Open boards of one person at one process: more than anybody looks at, and no way to fill it."""


@dataclass(frozen=True, slots=True)
class Raised:
    """A new alert, or one whose words changed."""

    alert: Alert
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """An alert that is over: paid, the money is gone, the consent ended, a hold was set."""

    id: UUID


@dataclass(frozen=True, slots=True)
class InSync:
    """Everything live at this moment; a browser drops whatever else it still shows."""

    ids: tuple[UUID, ...]


Event = Raised | Ended | InSync


@dataclass(eq=False, slots=True)
class Watcher:
    """One open browser stream. `lost` is set when it did not keep up; it then starts anew."""

    lender_id: LenderId
    user_id: UUID
    waiting: asyncio.Queue[Event]
    lost: bool = False

    def tell(self, event: Event) -> None:
        try:
            self.waiting.put_nowait(event)
        except asyncio.QueueFull:
            self.lost = True


@dataclass(slots=True)
class _Room:
    """All streams of one lender, and what they were last told."""

    watchers: set[Watcher] = field(default_factory=set)
    known: dict[UUID, Alert] | None = None


class AlertHub:
    """Follows the signals for as long as `running()` is entered."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._rooms: dict[LenderId, _Room] = {}
        self._wake = asyncio.Event()
        self.stopping = asyncio.Event()
        """Set once at shutdown: every open stream ends at once."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen and look in the background; both tasks are gone when this is left."""
        tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._keep_looking())]
        try:
            yield
        finally:
            self.stop()
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task

    def stop(self) -> None:
        """End all streams. May be called from a signal handler of the event loop."""
        self.stopping.set()

    @property
    def streams(self) -> int:
        """How many browsers are connected to this process."""
        return sum(len(room.watchers) for room in self._rooms.values())

    def has_room(self, lender_id: LenderId, user_id: UUID) -> bool:
        """May this person open one more stream here?"""
        return (
            self.streams < STREAMS_AT_MOST
            and self._streams_of(lender_id, user_id) < STREAMS_PER_PERSON
        )

    def _streams_of(self, lender_id: LenderId, user_id: UUID) -> int:
        room = self._rooms.get(lender_id)
        return sum(one.user_id == user_id for one in room.watchers) if room else 0

    @asynccontextmanager
    async def watching(
        self, lender_id: LenderId, user_id: UUID, after: UUID | None
    ) -> AsyncIterator[Watcher]:
        """A stream of one lender's alerts: first what came after `after`, then what happens.

        One of many that were let in at the same moment is `lost` at once, and ends.
        """
        crowded = not self.has_room(lender_id, user_id)
        watcher = Watcher(lender_id, user_id, asyncio.Queue(_WAITING_AT_MOST), crowded)
        room = self._rooms.setdefault(lender_id, _Room())
        room.watchers.add(watcher)
        try:
            live = await self._look(lender_id)
            if room.known is None:
                room.known = {alert.id: alert for alert in live}
            watcher.tell(InSync(tuple(alert.id for alert in live)))
            for alert in reversed(live):
                if is_after(alert.id, after):
                    watcher.tell(Raised(alert))
            yield watcher
        finally:
            room.watchers.discard(watcher)
            if not room.watchers and self._rooms.get(lender_id) is room:
                del self._rooms[lender_id]

    async def _listen(self) -> None:
        async for _payload in listen(self._store, SIGNAL_CHANNEL):
            self._wake.set()

    async def _keep_looking(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _LOOK_EVERY_S)
            await asyncio.sleep(_GATHER_S)
            self._wake.clear()
            for lender_id, room in list(self._rooms.items()):
                try:
                    self._tell(room, await self._look(lender_id))
                except (SQLAlchemyError, SaldoError, OSError) as error:
                    # The database is being restarted: the next look will tell.
                    log.info("alerts_look_failed", error=type(error).__name__)

    async def _look(self, lender_id: LenderId) -> tuple[Alert, ...]:
        async with self._store.unit(lender_id) as unit:
            return await live_alerts(unit, self._clock.now())

    @staticmethod
    def _tell(room: _Room, live: tuple[Alert, ...]) -> None:
        """Tell every stream the difference. Hearing of an alert twice is harmless there."""
        before, room.known = room.known or {}, {alert.id: alert for alert in live}
        events: list[Event] = [
            Raised(alert, changed=alert.id in before)
            for alert in reversed(live)
            if before.get(alert.id) != alert
        ]
        events += [Ended(gone) for gone in before if gone not in room.known]
        for watcher in room.watchers:
            for event in events:
                watcher.tell(event)


# A transaction may commit a moment after a younger one: a browser that resumes is told of
# everything this much older than what it saw last, and drops what it knows already.
_OVERLAP_MS: Final = 30_000


def is_after(alert_id: UUID, seen: UUID | None) -> bool:
    """Could the alert be news for a browser whose last one was `seen`?

    Ids are UUIDs of version 7: their first 48 bits are real milliseconds.
    """
    if seen is None:
        return True
    return alert_id != seen and alert_id.int >> 80 >= (seen.int >> 80) - _OVERLAP_MS
