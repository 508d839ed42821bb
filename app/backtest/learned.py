"""The learned plan of production, as a policy of the replay.

Everything that decides is called as the flows call it: the profile learns from rows or balances
(`app.domain.income_learning`), `next_learned_read` plans. What a lender would set (price of a
read, days never to be blind, reads in reserve) stands in `LearnedSettings`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from app.backtest.files import MINUTES, Entry
from app.backtest.replay import Known
from app.domain.income import TUNING, IncomeProfile, Seen, Tuning, day_of, minute_of
from app.domain.income_learning import learn, look_ahead
from app.domain.income_seen import Row, between_balances, between_rows
from app.domain.learned_plan import STANDARD, Awaited, LearnedRules, next_learned_read
from app.domain.money import Money
from app.domain.read_planner import UNATTENDED_PER_24H, UNATTENDED_WINDOW, PlanQuestion
from app.domain.read_price import STANDARD_PRICES, ReadPrices

# A profile is laid out anew when it was last for a day so long ago.
_STALE = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class LearnedSettings:
    """What a lender sets: what a read is worth, and the rules beside it.

    `price_days` is its worth in days of delay, `prices` says it by what is due on the account.
    Without either it is what production takes for that amount; on histories without hours, where
    less than a day cannot be told, one day.
    """

    price_days: float | None = None
    prices: ReadPrices | None = None
    rules: LearnedRules = STANDARD
    reads_per_day: int = UNATTENDED_PER_24H
    tuning: Tuning = TUNING

    def price_of(self, due: Money, *, timed: bool) -> float:
        """What one read of an account is worth, in days of delay, where this is due."""
        if self.price_days is not None:
            return self.price_days
        if self.prices is None and not timed:
            return 1.0
        return (self.prices or STANDARD_PRICES).days(due)


USUAL = LearnedSettings()


class Learned:
    """One account under the learned plan."""

    def __init__(self, known: Known, settings: LearnedSettings, price_days: float = 1.0) -> None:
        self._known = known
        self._settings = settings
        self._price = price_days
        self._origin = minute_of(known.begins_on)
        self._begins_at = datetime.combine(known.begins_on, time(), UTC)
        self._attempts: list[datetime] = []
        self._seen_until = self._origin + known.begins
        self._balance = known.daily[-1] if known.daily else None
        self._profile = self._look_ahead(IncomeProfile(), known.begins_on)
        self._profile = self._learn(self._history())

    def next_read(self, minute: int) -> int | None:
        """What the planner says, asked at the moment from which nothing is known."""
        now = self._begins_at + timedelta(minutes=minute)
        if now.date() - self._profile.ahead_from > _STALE:
            self._profile = self._look_ahead(self._profile, now.date())
        question = PlanQuestion(
            account_id=self._known.account_id,
            now=now,
            zone="UTC",
            booking_from=time(),
            booking_until=time(),
            attempts=tuple(one for one in self._attempts if now - one < 2 * UNATTENDED_WINDOW),
            reads_per_day=self._settings.reads_per_day,
        )
        read_at = None
        if self._balance is not None:
            read_at = self._begins_at + timedelta(minutes=self._seen_until - self._origin)
        awaited = Awaited(
            needed_minor=self._known.threshold_minor,
            balance_minor=self._balance,
            balance_at=read_at,
            blind_since=now,
            price_days=self._price,
        )
        plan = next_learned_read(question, self._profile, awaited, rules=self._settings.rules)
        if plan.at is None:
            return None
        return int((plan.at - self._begins_at) / timedelta(minutes=1))

    def saw(self, minute: int, balance_minor: int, entries: Sequence[Entry]) -> None:
        """Let the profile learn what the read showed; a day without hours is seen to its end."""
        self._attempts = self._attempts[-UNATTENDED_PER_24H:]
        self._attempts.append(self._begins_at + timedelta(minutes=minute))
        until = self._origin + minute + 1
        if not self._known.timed:
            until += MINUTES - 1 - minute % MINUTES
        self._profile = self._learn(self._news(until, balance_minor, entries))
        if self._profile.ahead_from < day_of(until):
            self._profile = self._look_ahead(self._profile, day_of(until))
        self._balance, self._seen_until = balance_minor, until

    def _learn(self, seen: Sequence[Seen]) -> IncomeProfile:
        return learn(self._profile, seen, tuning=self._settings.tuning)

    def _look_ahead(self, profile: IncomeProfile, first: date) -> IncomeProfile:
        return look_ahead(profile, first, tuning=self._settings.tuning)

    def _news(self, until: int, balance_minor: int, entries: Sequence[Entry]) -> list[Seen]:
        since = self._seen_until
        if self._known.transactions:
            rows = [Row(self._origin + entry.minute, entry.minor) for entry in entries]
            return between_rows(rows, since, until, timed=self._known.timed)
        if self._balance is None:
            return []
        found = between_balances(self._profile, since, until, self._balance, balance_minor)
        return [] if found is None else [found]

    def _history(self) -> list[Seen]:
        known = self._known
        if known.entries:
            rows = [Row(self._origin + entry.minute, entry.minor) for entry in known.entries]
            return between_rows(rows, self._origin, self._seen_until, timed=known.timed)
        days = zip(known.daily, known.daily[1:], strict=False)
        return [
            Seen(
                self._origin + day * MINUTES,
                self._origin + (day + 1) * MINUTES,
                max(after - before, 0),
                max(before - after, 0),
            )
            for day, (before, after) in enumerate(days, start=1)
        ]
