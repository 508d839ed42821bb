"""Bills: debits that come back, learned from transactions, and which of them leave before payday.

A bill is one amount, to within a hundredth, that left in a rhythm: in the last months on the same
day of the month, or each week or fortnight. Who was paid is not asked: two debits belong together
by their amount and their days alone. What has too many others of its size beside it is spending,
not a bill. Amounts that vary more are left out: on real accounts two of three were chance
(docs/backtest.md).

Banks book on working days, so a bill that falls on a day off leaves on the next working day, and
some leave a few days late. Until then it is expected, unless the balance was seen to fall by it.

Only the profile is kept: amounts, rhythms and days. No transaction is in it, and no name.
Deterministic. Amounts are whole minor units of the account and positive; days are local days of
the bank.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from app.domain.rhythm import DaysOff, is_working

HISTORY_DAYS = 90
"""So much of the past is looked at, today with it: what banks show without further ado (RTS art.
10a). Some count today and refuse a day more.
"""


NO_DAYS_OFF: DaysOff = frozenset()
_ONE_DAY = timedelta(days=1)
# So many days after its working day a bill may leave: a holiday and the weekend behind it.
_LATE = 3
# Holidays and weekends in a row, at most.
_LONGEST_REST = 10
# Amounts of one bill lie within so many percent of each other.
_SAME = 1
# A fall of this share of a bill, in percent, is that bill leaving.
_LEFT_SHARE = 90
# What comes to less of all that leaves in a month, in percent, is not worth holding back.
_LEAST_SHARE = 1
_MONTH_DAYS = 30
# Without a known income bills of so many days count; with one never more than this.
_WITHOUT_INCOME = timedelta(days=7)
_FURTHEST = timedelta(days=35)


def looked_at_since(today: date) -> date:
    """The first of the days that are looked at."""
    return today - timedelta(days=HISTORY_DAYS - 1)


class Every(StrEnum):
    """How a bill comes back."""

    MONTH = "month"
    FORTNIGHT = "fortnight"
    WEEK = "week"


_LENGTHS = {Every.FORTNIGHT: 14, Every.WEEK: 7}
# So many times in a row make a bill. Weeks are many, and so are chances to be taken in.
_FEWEST = {Every.MONTH: 3, Every.FORTNIGHT: 4, Every.WEEK: 6}
_FEWEST_OF_ALL = 2


@dataclass(frozen=True, slots=True)
class Debit:
    """Money that left on a day, or is about to where the bank calls it pending."""

    day: date
    minor: int


@dataclass(frozen=True, slots=True)
class Bill:
    """One debit that comes back.

    `phase` is a day of the month (1 to 31) or the place in the week or fortnight; `late` so many
    days after it it left at the latest; `gone_for` the last of its days that it has left for.
    """

    every: Every
    phase: int
    late: int
    minor: int
    gone_for: date


@dataclass(frozen=True, slots=True)
class BillProfile:
    """All that is kept of an account's bills, learned from the time until `learned_on`."""

    bills: tuple[Bill, ...]
    learned_on: date

    def to_json(self) -> str:
        """The profile as text; `from_json` gives the same profile back."""
        return json.dumps(asdict(self), default=date.isoformat, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> BillProfile:
        """Raises `ValueError` for what is no profile."""
        try:
            values: dict[str, Any] = json.loads(text)
            bills = tuple(
                Bill(
                    Every(one["every"]),
                    int(one["phase"]),
                    int(one["late"]),
                    int(one["minor"]),
                    date.fromisoformat(one["gone_for"]),
                )
                for one in values["bills"]
            )
            return cls(bills, date.fromisoformat(values["learned_on"]))
        except (KeyError, TypeError) as error:
            raise ValueError("these are not the fields of a profile") from error


@dataclass(frozen=True, slots=True)
class Expected:
    """One bill that has not left yet: it does so from `on` to `by`."""

    on: date
    by: date
    minor: int


@dataclass(frozen=True, slots=True)
class SetAside:
    """What of a balance is promised already, and the day by which all of it has left."""

    minor: int
    by: date


# ------------------------------------------------------------------ what is expected


def foresee(
    profile: BillProfile, today: date, income_on: date | None, *, days_off: DaysOff = NO_DAYS_OFF
) -> tuple[Expected, ...]:
    """The bills that leave from today to the next income, the earliest first.

    `income_on` None: nobody knows it, and the bills of a week count. A bill of the day of the
    income counts: nobody knows which is booked first.
    """
    until = today + _WITHOUT_INCOME if income_on is None else min(income_on, today + _FURTHEST)
    found = [
        Expected(max(on, today), by, bill.minor)
        for bill in profile.bills
        for on, by in _open_days(bill, today, until, days_off)
    ]
    return tuple(sorted(found, key=lambda one: (one.on, one.minor)))


def set_aside(expected: Iterable[Expected]) -> SetAside | None:
    """The sum of what is expected to leave; None where nothing is."""
    listed = list(expected)
    if not listed:
        return None
    return SetAside(sum(one.minor for one in listed), max(one.by for one in listed))


def see_fall(
    profile: BillProfile,
    since: date,
    until: date,
    fall_minor: int,
    *,
    days_off: DaysOff = NO_DAYS_OFF,
) -> BillProfile:
    """The profile after a balance was seen to fall between two days: which bills that explains.

    The largest first, each only about its time. What has left is not taken off the balance again,
    nor what is pending in it: a debit lowers it from the working day before it is booked.
    """
    pending = _booked(until + _ONE_DAY, days_off)
    due = [
        (bill.minor, place, on)
        for place, bill in enumerate(profile.bills)
        for on, _ in _open_days(bill, since, pending, days_off)
    ]
    bills, left = list(profile.bills), fall_minor
    for minor, place, on in sorted(due, key=lambda one: (-one[0], one[2], one[1])):
        if left * 100 >= minor * _LEFT_SHARE and on > bills[place].gone_for:
            bills[place] = replace(bills[place], gone_for=on)
            left -= minor
    return profile if bills == list(profile.bills) else replace(profile, bills=tuple(bills))


def _open_days(
    bill: Bill, first: date, last: date, days_off: DaysOff
) -> Iterator[tuple[date, date]]:
    """Its days up to `last` that are not over before `first` and that it has not left for."""
    reach = timedelta(days=_LONGEST_REST + bill.late)
    for on in _days_of(bill.every, bill.phase, first - reach, last):
        by = _booked(on, days_off) + bill.late * _ONE_DAY
        if by >= first and on > bill.gone_for:
            yield on, by


def _days_of(every: Every, phase: int, first: date, last: date) -> Iterator[date]:
    """The days from `first` to `last` that a rhythm names, days off among them."""
    if every is Every.MONTH:
        month = first.replace(day=1)
        while month <= last:
            following = _next_month(month)
            day = min(month + (phase - 1) * _ONE_DAY, following - _ONE_DAY)
            if first <= day <= last:
                yield day
            month = following
        return
    length = _LENGTHS[every]
    day = first + ((phase - first.toordinal()) % length) * _ONE_DAY
    while day <= last:
        yield day
        day += length * _ONE_DAY


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _booked(day: date, days_off: DaysOff) -> date:
    """The first working day from a day on."""
    for _ in range(_LONGEST_REST):
        if is_working(day, days_off):
            break
        day += _ONE_DAY
    return day


# ------------------------------------------------------------------ learning


def learn_bills(
    debits: Iterable[Debit], since: date, until: date, *, days_off: DaysOff = NO_DAYS_OFF
) -> BillProfile:
    """The bills among all that left from `since` to `until`, pending debits included."""
    seen = sorted(
        (one for one in debits if since <= one.day <= until and one.minor > 0),
        key=lambda one: (-one.minor, one.day),
    )
    months = max((until - since).days / _MONTH_DAYS, 1)
    least = sum(one.minor for one in seen) * _LEAST_SHARE / 100 / months
    search = _Search([one for one in seen if one.minor >= least], since, until, days_off)
    return BillProfile(tuple(search.bills()), until)


@dataclass(slots=True)
class _Chain:
    """Debits a rhythm apart, the latest first, each with the day it was expected on."""

    every: Every
    phase: int
    debits: list[Debit]
    days: list[date]
    lags: list[int]


class _Search:
    """The debits that no bill explains yet, the largest first."""

    def __init__(
        self, debits: Sequence[Debit], since: date, until: date, days_off: DaysOff
    ) -> None:
        self._free = list(debits)
        self._since, self._until, self._days_off = since, until, days_off

    def bills(self) -> list[Bill]:
        """The bills that are found; their debits are used up."""
        found = []
        for head in list(self._free):
            if head not in self._free:
                continue
            alike = [one for one in self._free if _alike(one, head)]
            if len(alike) < _FEWEST_OF_ALL:
                continue
            chains = [
                self._chain(head, alike, every, phase)
                for every in Every
                for phase in self._phases(head.day, every)
            ]
            kept = [one for one in chains if head in one.debits and self._is_bill(one, alike)]
            if kept:
                best = min(kept, key=lambda one: (-len(one.debits), sum(one.lags)))
                found.append(_bill_of(best))
                for one in best.debits:
                    self._free.remove(one)
        return found

    def _phases(self, day: date, every: Every) -> list[int]:
        """The phases that a debit of this day may stand for: its own day, or one just before."""
        ordinal, before = day.toordinal(), _LATE + 1
        if every is not Every.MONTH:
            return sorted({(ordinal - back) % _LENGTHS[every] for back in range(before + 1)})
        days = [day - back * _ONE_DAY for back in range(before + 1)]
        found = {one.day for one in days}
        if any((one + _ONE_DAY).day == 1 for one in days):
            found.add(31)
        return sorted(found)

    def _chain(self, head: Debit, alike: Sequence[Debit], every: Every, phase: int) -> _Chain:
        """From the latest day back, as long as each has its debit; the latest may still come."""
        chain = _Chain(every, phase, [], [], [])
        days = list(_days_of(every, phase, self._since - _LATE * _ONE_DAY, self._until))
        for place, day in enumerate(reversed(days)):
            booked = _booked(day, self._days_off)
            over = booked + _LATE * _ONE_DAY
            near = [one for one in alike if day <= one.day <= over and one not in chain.debits]
            if near:
                one = head if head in near else min(near, key=lambda debit: debit.day)
                chain.debits.append(one)
                chain.days.append(day)
                chain.lags.append(max((one.day - booked).days, 0))
            elif place or over < self._until:
                break
        return chain

    def _is_bill(self, chain: _Chain, alike: Sequence[Debit]) -> bool:
        count = len(chain.debits)
        others = sum(
            chain.debits[-1].day <= one.day <= self._until and one not in chain.debits
            for one in alike
        )
        if count >= _FEWEST[chain.every]:
            return others <= count
        # Two months of exactly the same sum, where the history begins after the one before.
        earlier = chain.days[-1] - _MONTH_DAYS * _ONE_DAY
        exact = len({one.minor for one in chain.debits}) == 1
        begun = earlier <= self._since
        return chain.every is Every.MONTH and count == 2 and exact and begun and not others


def _alike(one: Debit, other: Debit) -> bool:
    return abs(one.minor - other.minor) * 100 <= _SAME * max(one.minor, other.minor)


def _bill_of(chain: _Chain) -> Bill:
    amounts = sorted(one.minor for one in chain.debits)
    return Bill(
        chain.every, chain.phase, max(chain.lags), amounts[len(amounts) // 2], chain.days[0]
    )
