"""One account lives through its history: a policy says when to read, the detector judges.

The detector is the one of production (`app.domain.detector`): the threshold is what is due, above
the floor. A detected window is taken as paid: reads rest until it has closed, and what comes
after is a new case, for which the account is armed. Nothing is damped and nothing rests longer,
so that every window of the protocol can be seen.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from uuid import UUID, uuid5

from app.backtest.files import MINUTES, Entry
from app.backtest.fixed import SOON, Tally
from app.backtest.windows import Track
from app.domain.balance import Spendable
from app.domain.detector import CaseDue, DetectorState, FundsPolicy, FundsSignal, Reading, detect
from app.domain.ids import CaseId
from app.domain.money import Money

_NAMES = UUID("5f3c9f0e-6a3e-5c58-9f1d-2f6b0f0e7a11")


@dataclass(frozen=True, slots=True)
class Known:
    """All that a policy may know of an account when counting begins, at minute `begins`.

    `daily` are the closing balances of the history days, in minor units. `entries` are their rows:
    with `transactions`, and on histories with hours, whose balances tell as much. `threshold_minor`
    is the balance that is waited for.
    """

    account_id: UUID
    begins_on: date
    begins: int
    timed: bool
    threshold_minor: int
    daily: tuple[int, ...]
    entries: tuple[Entry, ...]
    transactions: bool


class Policy(Protocol):
    """When to read one account. It is told what its own reads show, and nothing else."""

    def next_read(self, minute: int) -> int | None:
        """The next read at or after `minute`, in minutes since the account's first day."""
        ...

    def saw(self, minute: int, balance_minor: int, entries: Sequence[Entry]) -> None:
        """What a read showed. `entries`: the rows since the one before, where they are visible."""
        ...


Factory = Callable[[Known], Policy]


def known_of(track: Track, *, transactions: bool) -> Known:
    """What the history days tell about an account."""
    daily = tuple(
        track.balance_at(day * MINUTES + MINUTES - 1) for day in range(track.begins // MINUTES)
    )
    told = transactions or track.history.timed
    shown = track.history.entries[: _until(track, track.begins - 1)] if told else ()
    return Known(
        account_uuid(track.history.account_id),
        track.history.begins_on,
        track.begins,
        track.history.timed,
        track.due_minor + track.floor_minor,
        daily,
        shown,
        transactions,
    )


def account_uuid(account_id: str) -> UUID:
    """The id that stands for an account of a file, the same in every run."""
    return uuid5(_NAMES, account_id)


def replay(track: Track, factory: Factory, *, currency: str, transactions: bool) -> Tally:
    """Let one account live under one policy."""
    policy = factory(known_of(track, transactions=transactions))
    judge = _Judge(track, currency)
    windows = iter(track.windows)
    window = next(windows, None)
    reads = detected = waited = soon = 0
    minute, shown = track.begins, _until(track, track.begins - 1)
    if window is not None and not window.counted:
        minute, window = window.end, next(windows, None)
    while True:
        at = policy.next_read(minute)
        if at is None or at >= track.ends:
            return Tally(reads, detected, waited, soon)
        if at < minute:
            raise ValueError("a policy planned a read in the past")
        # On histories without hours the whole day is one moment.
        moment = at - at % track.unit
        reads += 1
        through = _until(track, moment + track.unit - 1)
        balance = track.balance_at(moment)
        while window is not None and window.end <= moment:
            window = next(windows, None)
        rows = track.history.entries[shown:through] if transactions else ()
        policy.saw(at, balance, rows)
        shown, minute = through, moment + track.unit
        if judge.money_is_there(moment, balance) and window is not None:
            detected += 1
            waited += moment - window.start
            soon += moment - window.start <= SOON
            minute = window.end


class _Judge:
    """Asks the detector of production, one case after the other."""

    def __init__(self, track: Track, currency: str) -> None:
        self._currency = currency
        self._origin = datetime.combine(track.history.begins_on, time(), UTC)
        due_on = track.history.begins_on
        case = CaseId(account_uuid(track.history.account_id))
        self._dues = (CaseDue(case, Money(track.due_minor, currency), due_on),)
        floor = Money(track.floor_minor, currency)
        self._policy = FundsPolicy(floor=floor, hysteresis_bp=0, rest=timedelta(0))

    def money_is_there(self, minute: int, balance_minor: int) -> bool:
        """Whether the reading is a signal for a case that has just been opened."""
        now = self._origin + timedelta(minutes=minute)
        shown = Spendable(
            Money(balance_minor, self._currency), "interimBooked", now, credit_excluded=True
        )
        found = detect(Reading(shown, now), self._dues, self._policy, DetectorState(), now)
        return isinstance(found.outcome, FundsSignal)


def _until(track: Track, minute: int) -> int:
    """How many rows of the account lie at or before a moment."""
    return bisect_right(track.history.entries, minute, key=lambda entry: entry.minute)
