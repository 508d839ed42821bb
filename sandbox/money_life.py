"""How much is on an account at any moment: salaries come, bills and spending eat them.

The balance is a pure function of the habits, a seed and the persisted movements. Between two
events it falls from where it stood to what the person lets remain before payday, in steps at the
hours of his purchases. All amounts are whole minor units; all instants aware UTC.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

from sandbox.chance import Chance


class Rhythm(StrEnum):
    MONTHLY = "monthly"
    WEEKLY = "weekly"
    IRREGULAR = "irregular"


class Weekend(StrEnum):
    """Where a payday that falls on a weekend goes."""

    BEFORE = "before"
    AFTER = "after"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Salary:
    """When and how much comes in.

    `day` is a day of the month (31 means the last) or, for a weekly rhythm, 0 = Monday.
    `hour` and `minute` are local time of the bank.
    """

    amount_minor: int
    day: int = 28
    hour: int = 7
    minute: int = 5
    rhythm: Rhythm = Rhythm.MONTHLY
    weekend: Weekend = Weekend.BEFORE
    swing_percent: int = 0
    """By how much one salary may differ from another."""


@dataclass(frozen=True, slots=True)
class Bill:
    """The same amount, debited each month on a day (1 to 28) at a local hour of the bank.

    On a weekend it leaves on Monday. One that is not covered goes back.
    """

    minor: int
    day: int
    hour: int = 6


@dataclass(frozen=True, slots=True)
class Spending:
    """How salary goes: `base_minor` is left just before payday; `rent_share` of the rest goes on
    the second day (percent), the remainder evenly with weekends weighing double. `bills` leave
    besides.
    """

    base_minor: int = 2_000
    rent_share: int = 35
    bills: tuple[Bill, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Movement:
    """Money that moved by an event: a payment out (negative) or something in."""

    at: datetime
    minor: int
    ref: str


class Life(Protocol):
    """Anything that knows an account's booked balance at a moment."""

    def at(self, moment: datetime) -> int: ...

    def add(self, movement: Movement) -> None: ...

    def changed_at(self, moment: datetime) -> datetime:
        """When the balance last changed, at or before `moment`."""
        ...

    def moments(self, since: datetime, until: datetime) -> list[datetime]:
        """When it changed after `since` and up to `until`, in order; some may change nothing."""
        ...


def moved(life: Life, since: datetime, until: datetime) -> list[tuple[datetime, int]]:
    """What came (above zero) and left after `since` and up to `until`, in order."""
    found, before = [], life.at(since)
    for at in life.moments(since, until):
        now = life.at(at)
        if now != before:
            found.append((at, now - before))
        before = now
    return found


@dataclass(frozen=True, slots=True)
class _Cycle:
    """One payday to the next, with the share spent up to each moment of purchase."""

    begins: datetime
    ends: datetime
    moments: tuple[datetime, ...]
    shares: tuple[float, ...]

    def spent(self, moment: datetime) -> float:
        index = bisect_right(self.moments, moment)
        return self.shares[index - 1] if index else 0.0


class _Why(StrEnum):
    """Why the balance moves at once."""

    BILL = "bill"
    MOVED = "moved"
    PAYDAY = "payday"


@dataclass(frozen=True, slots=True)
class _Point:
    """From `at` on the account falls from `balance` within `cycle`."""

    at: datetime
    balance: int
    cycle: _Cycle


def paydays(salary: Salary, zone: ZoneInfo, first: date, chance: Chance) -> list[datetime]:
    """The paydays of the month or week that begins at `first`, in order."""
    if salary.rhythm is Rhythm.WEEKLY:
        monday = first - timedelta(days=first.weekday())
        days = [monday + timedelta(days=salary.day)]
    elif salary.rhythm is Rhythm.IRREGULAR:
        days = [
            first.replace(day=chance.between(1, 28, "gig", first.isoformat(), n)) for n in range(2)
        ]
    else:
        last = (first.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        days = [first.replace(day=min(salary.day, last.day))]
    moved = {_off_weekend(day, salary.weekend) for day in days}
    at = time(salary.hour, salary.minute)
    return sorted(datetime.combine(day, at, zone).astimezone(_UTC) for day in moved)


_UTC = ZoneInfo("UTC")


def _off_weekend(day: date, shift: Weekend) -> date:
    if day.weekday() < 5 or shift is Weekend.SAME:
        return day
    if shift is Weekend.BEFORE:
        return day - timedelta(days=day.weekday() - 4)
    return day + timedelta(days=7 - day.weekday())


class HabitLife:
    """The account of somebody with a salary and habits; without both it stands still."""

    def __init__(
        self,
        *,
        born: datetime,
        opening_minor: int,
        salary: Salary | None,
        spending: Spending | None,
        zone: ZoneInfo,
        chance: Chance,
    ) -> None:
        self._born = born
        self._opening = opening_minor
        self._salary = salary
        self._spending = spending
        self._zone = zone
        self._chance = chance
        self._movements: list[Movement] = []
        self._paydays: list[datetime] = []
        self._next_period = born.astimezone(zone).date().replace(day=1) - timedelta(days=1)
        self._points: list[_Point] = []
        self._built_until = born
        self._restart()

    def _restart(self) -> None:
        cycle = self._cycle(self._born)
        self._points = [_Point(self._born, self._opening, cycle)]
        self._built_until = self._born

    def _paydays_until(self, moment: datetime) -> None:
        """Know at least one payday after `moment`."""
        if self._salary is None:
            return
        while not self._paydays or self._paydays[-1] <= moment:
            if self._salary.rhythm is Rhythm.WEEKLY:
                first = self._next_period - timedelta(days=self._next_period.weekday())
                self._next_period = first + timedelta(days=7)
            else:
                first = self._next_period.replace(day=1)
                self._next_period = first + timedelta(days=32)
            known = self._paydays[-1] if self._paydays else None
            found = paydays(self._salary, self._zone, first, self._chance)
            self._paydays += [day for day in found if known is None or day > known]

    def _cycle(self, moment: datetime) -> _Cycle:
        """The cycle that `moment` falls into."""
        if self._salary is None:
            begins, ends = moment, moment + timedelta(days=30)
        else:
            self._paydays_until(moment)
            index = bisect_right(self._paydays, moment)
            ends = self._paydays[index]
            begins = self._paydays[index - 1] if index else moment
        return self._purchases(begins, ends)

    def _purchases(self, begins: datetime, ends: datetime) -> _Cycle:
        if self._spending is None:
            return _Cycle(begins, ends, (), ())
        rent = self._spending.rent_share / 100
        first = begins.astimezone(self._zone).date()
        days = max(1, (ends - begins).days)
        weighed: list[tuple[datetime, float]] = []
        for number in range(days):
            day = first + timedelta(days=number)
            for buy in range(2):
                hour = self._chance.between(8, 20, "hour", day.isoformat(), buy)
                minute = self._chance.between(0, 59, "minute", day.isoformat(), buy)
                at = datetime.combine(day, time(hour, minute), self._zone).astimezone(_UTC)
                weight = 0.4 + self._chance.fraction("buy", day.isoformat(), buy)
                weight *= 2.0 if day.weekday() >= 5 else 1.0
                if begins < at < ends:
                    weighed.append((at, weight))
        weighed.sort()
        total = sum(weight for _, weight in weighed) or 1.0
        rent_at = begins + timedelta(days=1, hours=self._chance.between(2, 9, "rent"))
        moments: list[datetime] = []
        shares: list[float] = []
        spent, paid_rent = 0.0, False
        for at, weight in weighed:
            if not paid_rent and at >= rent_at and days > 10:
                paid_rent = True
                moments.append(rent_at)
                shares.append(rent + spent * (1 - rent))
            spent += weight / total
            moments.append(at)
            shares.append((rent if paid_rent else 0.0) + spent * (1 - rent) if days > 10 else spent)
        return _Cycle(begins, ends, tuple(moments), tuple(shares))

    def _fallen(self, point: _Point, moment: datetime) -> int:
        base = self._spending.base_minor if self._spending else point.balance
        above = point.balance - base
        if above <= 0 or not point.cycle.moments:
            return point.balance
        before = point.cycle.spent(point.at)
        if before >= 1.0:
            return point.balance
        left = (1.0 - point.cycle.spent(moment)) / (1.0 - before)
        return base + round(above * left)

    def _pay(self, salary: Salary, payday: datetime) -> int:
        swing = salary.swing_percent
        by = self._chance.between(-swing, swing, "swing", payday.isoformat()) if swing else 0
        return salary.amount_minor * (100 + by) // 100

    def _build(self, moment: datetime) -> None:
        if moment <= self._built_until:
            return
        self._paydays_until(moment)
        begun = self._built_until
        events: list[tuple[datetime, int, _Why]] = [
            (day, self._pay(self._salary, day), _Why.PAYDAY)
            for day in self._paydays
            if self._salary is not None and begun < day <= moment
        ]
        events += [(m.at, m.minor, _Why.MOVED) for m in self._movements if begun < m.at <= moment]
        events += [(at, -minor, _Why.BILL) for at, minor in self._billed(begun, moment)]
        for at, minor, why in sorted(events):
            last = self._points[-1]
            before = self._fallen(last, at)
            if why is _Why.BILL and before + minor < 0:
                continue
            new = why is _Why.PAYDAY or at >= last.cycle.ends
            self._points.append(_Point(at, before + minor, self._cycle(at) if new else last.cycle))
        self._built_until = moment

    def _billed(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, int]]:
        """The bills after `since` and up to `until`, whether they are covered or not."""
        month = since.astimezone(self._zone).date().replace(day=1) - timedelta(days=1)
        while month <= until.astimezone(self._zone).date():
            month = month.replace(day=1)
            for bill in self._spending.bills if self._spending else ():
                day = _off_weekend(month.replace(day=bill.day), Weekend.AFTER)
                at = datetime.combine(day, time(bill.hour), self._zone).astimezone(_UTC)
                if since < at <= until:
                    yield at, bill.minor
            month += timedelta(days=32)

    def add(self, movement: Movement) -> None:
        insort(self._movements, movement)
        if movement.at <= self._built_until:
            self._restart()

    def at(self, moment: datetime) -> int:
        """The booked balance in minor units; before the account's birth its opening."""
        if moment <= self._born:
            return self._opening
        self._build(moment)
        return self._fallen(self._point(moment), moment)

    def _point(self, moment: datetime) -> _Point:
        index = bisect_right(self._points, moment, key=lambda point: point.at)
        return self._points[max(0, index - 1)]

    def changed_at(self, moment: datetime) -> datetime:
        self._build(moment)
        point = self._point(moment)
        index = bisect_right(point.cycle.moments, moment)
        bought = point.cycle.moments[index - 1] if index else point.at
        return max(point.at, bought)

    def moments(self, since: datetime, until: datetime) -> list[datetime]:
        self._build(until)
        found = {point.at for point in self._points}
        found.update(at for point in self._points for at in point.cycle.moments)
        return sorted(at for at in found if since < at <= until)


class ReplayedLife:
    """An account that repeats a recorded history; payments made here move it besides."""

    def __init__(self, history: list[tuple[datetime, int]]) -> None:
        if not history:
            raise ValueError("a replayed account needs at least one recorded balance")
        self._history = sorted(history)
        self._movements: list[Movement] = []

    def add(self, movement: Movement) -> None:
        insort(self._movements, movement)

    def at(self, moment: datetime) -> int:
        index = bisect_right(self._history, moment, key=lambda entry: entry[0])
        recorded = self._history[max(0, index - 1)][1]
        return recorded + sum(m.minor for m in self._movements if m.at <= moment)

    def changed_at(self, moment: datetime) -> datetime:
        index = bisect_right(self._history, moment, key=lambda entry: entry[0])
        last = self._history[max(0, index - 1)][0]
        moved = [m.at for m in self._movements if m.at <= moment]
        return max([last, *moved])

    def moments(self, since: datetime, until: datetime) -> list[datetime]:
        found = {at for at, _ in self._history} | {one.at for one in self._movements}
        return sorted(at for at in found if since < at <= until)
