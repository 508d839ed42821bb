"""Is it the bank or the person? One breaker for each service of each bank, and when it moves.

A call that fails says nothing about anybody while the bank answers others. So trouble is counted
in *people*: many different ones in a row, and nobody answered in between, mean that the bank is
down. One person's calls may fail for ever and open nothing. While a breaker is open nobody is
asked; after a pause a single call, the probe, finds out whether to go on or to pause for longer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from app.domain.lifecycle import Lifecycle

# Ours: so many different people in a row, none answered in between, and it is the bank.
MANY: Final = 5
# Ours: with two or more in trouble and nobody answered, a bank's word on consents is doubted.
SEVERAL: Final = 2
# Ours: trouble that lies further apart than this is not one trouble. Real time.
WINDOW: Final = timedelta(hours=2)
# Ours, real time: the pause before the first probe, doubled by each that fails, up to the longest.
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(minutes=30)
# Real time after which a probe that nobody reported on is lost (its process died).
PROBE_LASTS: Final = timedelta(minutes=2)


class Service(StrEnum):
    """What a provider does for us. Each has a breaker of its own: one may fail alone."""

    BALANCES = "balances"
    PAYMENTS = "payments"
    TEXTS = "texts"
    EMAILS = "emails"


class BreakerState(StrEnum):
    """closed: calls go through. open: none does. half_open: one does, to find out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


BREAKER: Final = Lifecycle(
    "breaker",
    BreakerState,
    start=BreakerState.CLOSED,
    table={
        BreakerState.CLOSED: {"trip": BreakerState.OPEN},
        BreakerState.OPEN: {
            "probe": BreakerState.HALF_OPEN,
            # A call that somebody made himself, or one from before the pause, was answered.
            "recover": BreakerState.CLOSED,
        },
        BreakerState.HALF_OPEN: {
            # The one before was lost with its process.
            "probe": BreakerState.HALF_OPEN,
            "fail_again": BreakerState.OPEN,
            "recover": BreakerState.CLOSED,
        },
    },
)


@dataclass(frozen=True, slots=True)
class Heard:
    """How a bank answered in one batch of calls.

    `fine` calls were answered, also with a no about the one person; `failed` ones were not.
    `troubled` are the people whose calls failed or whose consents were said to be over.
    """

    fine: int = 0
    failed: int = 0
    troubled: frozenset[UUID] = frozenset()
    reason: str = ""

    @property
    def works(self) -> bool:
        """The bank answers at least as many as it leaves without."""
        return self.fine > 0 and self.fine >= len(self.troubled)

    @property
    def many_at_once(self) -> bool:
        """So many are in trouble together that it says nothing about any of them."""
        return len(self.troubled) >= MANY and 4 * len(self.troubled) >= self.fine


@dataclass(frozen=True, slots=True)
class Breaker:
    """How one stands. All instants are real time.

    `suspects` are the people in trouble since `suspected_at`, nobody answered since. `pauses` were
    made in a row; `until` is the end of the present one, or of the time that the probe has.
    """

    state: BreakerState = BreakerState.CLOSED
    suspects: frozenset[UUID] = frozenset()
    suspected_at: datetime | None = None
    pauses: int = 0
    until: datetime | None = None

    @property
    def down(self) -> bool:
        """Nobody but the probe is to be asked for."""
        return self.state is not BreakerState.CLOSED

    def lately_down(self, real_now: datetime) -> bool:
        """Is it down, as far as anybody has asked lately? Where nobody asks it stays open."""
        return self.down and self.until is not None and real_now - self.until <= WINDOW

    @property
    def suspected(self) -> bool:
        """What this bank says about a single person need not be about him."""
        return self.down or len(self.suspects) >= SEVERAL


def pause_after(pauses: int) -> timedelta:
    """How long the next pause lasts after so many in a row."""
    return min(FIRST_PAUSE * (1 << min(pauses, 10)), LONGEST_PAUSE)


def hear(breaker: Breaker, heard: Heard, real_now: datetime) -> Breaker:
    """The breaker after a batch of answers."""
    if heard.works:
        if breaker.down:
            BREAKER.step(breaker.state, "recover")
        return Breaker()
    if not heard.troubled:
        return breaker
    # Somebody's own call after the pause finds out as well as one of ours.
    breaker = take_probe(breaker, real_now) or breaker
    if breaker.state is BreakerState.OPEN:
        return breaker
    if breaker.state is BreakerState.HALF_OPEN:
        return _pause(breaker, "fail_again", real_now)
    suspects, since = heard.troubled, real_now
    if breaker.suspected_at is not None and real_now - breaker.suspected_at <= WINDOW:
        suspects, since = breaker.suspects | heard.troubled, breaker.suspected_at
    after = replace(breaker, suspects=suspects, suspected_at=since)
    return _pause(after, "trip", real_now) if len(suspects) >= MANY else after


def take_probe(breaker: Breaker, real_now: datetime) -> Breaker | None:
    """The breaker once the probe is given out; None: it is not time, or somebody has it."""
    if not breaker.down or breaker.until is None or breaker.until > real_now:
        return None
    state = BREAKER.step(breaker.state, "probe")
    return replace(breaker, state=state, until=real_now + PROBE_LASTS)


def _pause(breaker: Breaker, event: str, real_now: datetime) -> Breaker:
    return Breaker(
        state=BREAKER.step(breaker.state, event),
        pauses=breaker.pauses + 1,
        until=real_now + pause_after(breaker.pauses),
    )
