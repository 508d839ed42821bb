"""How late a loan was on any day, from facts alone: dues, money, reversals, and days that froze.

A day is the lender's calendar day, and what happened on it counts. The schedule is the one known
today: what a lender's ledger changed since is not undone. Money that a ledger told us without its
day counts as always paid.

Three figures, because each is asked for (docs/monitoring.md): *days since due* run from the oldest
unpaid due date, whatever happened; *days past due* leave out those on which a hold froze the
count; *days delinquent* leave out the lender's days of grace as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from app.domain.errors import Invalid
from app.domain.intervals import Span, days_touched

_RANGE: Final = re.compile(r"(\d{1,4})\s*(?:-\s*(\d{1,4})|(\+))\Z", re.ASCII)


class Standing(StrEnum):
    """Where a loan can stand besides being late."""

    CURRENT = "current"
    PAID = "paid"
    CLOSED = "closed"
    WRITTEN_OFF = "written_off"


@dataclass(frozen=True, slots=True)
class Bucket:
    """From `first` days past due to `last`, both included; None: and all beyond."""

    first: int
    last: int | None

    @property
    def name(self) -> str:
        """Such as "31-60" or "91+"."""
        return f"{self.first}+" if self.last is None else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Buckets:
    """Every number of days past due from 1 on lies in exactly one."""

    all: tuple[Bucket, ...]

    @classmethod
    def parse(cls, text: str) -> Buckets:
        """Read "1-30, 31-60, 61+". Raises `Invalid` for a gap, an overlap, or no open end."""
        buckets: list[Bucket] = []
        for part in text.split(","):
            found = _RANGE.match(part.strip())
            if found is None:
                raise Invalid(
                    "buckets",
                    f"{part.strip()!r} is not like 31-60 or 91+.",
                    mend="Write each as first-last, and the last one as first+.",
                )
            bucket = Bucket(int(found[1]), int(found[2]) if found[2] else None)
            wanted = (buckets[-1].last or 0) + 1 if buckets else 1
            if buckets and buckets[-1].last is None:
                raise Invalid(
                    "buckets",
                    f"nothing can follow {buckets[-1].name}.",
                    mend="Make it the last, or give it an end.",
                )
            if bucket.first > wanted:
                raise Invalid(
                    "buckets",
                    f"days {wanted} to {bucket.first - 1} lie in none.",
                    mend="Begin each where the one before ends.",
                )
            if bucket.first < wanted or (bucket.last or wanted) < bucket.first:
                raise Invalid(
                    "buckets",
                    f"{bucket.name} overlaps what comes before.",
                    mend="Begin it one day after the one before ends.",
                )
            buckets.append(bucket)
        if buckets[-1].last is not None:
            raise Invalid("buckets", "the last one has an end.", mend="Write it like 91+.")
        return cls(tuple(buckets))

    @property
    def firsts(self) -> tuple[int, ...]:
        """The first day of each."""
        return tuple(bucket.first for bucket in self.all)

    def of(self, days: int) -> Bucket | None:
        """The bucket of so many days past due; None below one day."""
        return next((one for one in reversed(self.all) if days >= one.first), None)

    def name_of(self, days: int) -> str:
        """Its name; "current" where nothing is past due."""
        bucket = self.of(days)
        return Standing.CURRENT.value if bucket is None else bucket.name


@dataclass(frozen=True, slots=True)
class Part:
    """One instalment. Minor units; 0 <= paid <= amount."""

    number: int
    due_on: date
    amount_minor: int
    paid_minor: int

    @property
    def left_minor(self) -> int:
        """What is unpaid of it."""
        return self.amount_minor - self.paid_minor


@dataclass(frozen=True, slots=True)
class MoneyIn:
    """Money that was counted on the loan: what it took off the dues, and when. Instants.

    `recorded_at` is when it became known; None: before anything else was.
    """

    paid_at: datetime
    applied_minor: int
    reversed_at: datetime | None = None
    recorded_at: datetime | None = None

    def was_in(self, known_at: datetime | None) -> bool:
        """Is it in a schedule as it was known at this moment? None: as it is known today."""
        if known_at is None:
            return self.reversed_at is None
        if self.recorded_at is not None and self.recorded_at > known_at:
            return False
        return self.reversed_at is None or self.reversed_at > known_at

    def had_come(self, edge: datetime) -> bool:
        """Had it been paid by then, and not been sent back yet?"""
        return self.paid_at < edge and (self.reversed_at is None or self.reversed_at >= edge)


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late a loan was. `oldest_due_on` None: nothing was past due. Minor units and days."""

    outstanding_minor: int
    overdue_minor: int
    oldest_due_on: date | None
    days_since_due: int
    days_frozen: int
    days_delinquent: int

    @property
    def days_past_due(self) -> int:
        """Since the oldest unpaid due date, without the frozen ones."""
        return self.days_since_due - self.days_frozen


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant after a calendar day."""
    return datetime.combine(day + timedelta(days=1), time(), zone)


def parts_on(
    parts: Iterable[Part],
    money: Iterable[MoneyIn],
    day: date,
    zone: ZoneInfo,
    *,
    known_at: datetime | None = None,
) -> tuple[Part, ...]:
    """The instalments as they were at the end of `day`.

    `parts` is the schedule that was in force then, with the money that was known at `known_at`
    (None: today). Money that came later is taken back off the youngest due that has any, as a
    returned payment is; what is missing is put on the oldest due, as it came.
    """
    after = end_of(day, zone)
    back = 0
    for one in money:
        back += one.applied_minor * (one.was_in(known_at) - one.had_come(after))
    ordered = sorted(parts, key=lambda part: (part.due_on, part.number))
    then: list[Part] = []
    if back >= 0:
        for part in reversed(ordered):
            taken = min(part.paid_minor, back)
            back -= taken
            then.insert(0, replace(part, paid_minor=part.paid_minor - taken))
        return tuple(then)
    for part in ordered:
        put = min(part.left_minor, -back)
        back += put
        then.append(replace(part, paid_minor=part.paid_minor + put))
    return tuple(then)


def lateness_on(
    parts: Iterable[Part],
    money: Iterable[MoneyIn],
    frozen: Iterable[Span],
    day: date,
    zone: ZoneInfo,
    *,
    grace_days: int = 0,
    known_at: datetime | None = None,
) -> Lateness:
    """How late the loan was at the end of `day`. `frozen` are the holds that freeze the count.

    What is due on `day` itself is not past due yet. `known_at` as in `parts_on`.
    """
    then = parts_on(parts, money, day, zone, known_at=known_at)
    late = [part for part in then if part.left_minor > 0 and part.due_on < day]
    oldest = min((part.due_on for part in late), default=None)
    since = 0 if oldest is None else (day - oldest).days
    still = 0 if oldest is None else days_touched(frozen, zone, after=oldest, upto=day)
    return Lateness(
        outstanding_minor=sum(part.left_minor for part in then),
        overdue_minor=sum(part.left_minor for part in late),
        oldest_due_on=oldest,
        days_since_due=since,
        days_frozen=still,
        days_delinquent=max(0, since - still - grace_days),
    )


# ------------------------------------------------------------------ a whole book

Cell: TypeAlias = str
"""The name of a bucket, or a `Standing`."""


@dataclass(frozen=True, slots=True)
class Move:
    """Loans that went from one cell to another. `minor`: what they had outstanding before."""

    before: Cell
    after: Cell
    loans: int
    minor: int


@dataclass(frozen=True, slots=True)
class Share:
    """Loans and money of one cell of the matrix, and their share of its row (0 to 1)."""

    loans: int
    minor: int
    of_loans: float
    of_minor: float


@dataclass(frozen=True, slots=True)
class Roll:
    """Where the loans of each cell went between two days. Every row that has loans sums to one."""

    rows: tuple[Cell, ...]
    columns: tuple[Cell, ...]
    shares: Mapping[tuple[Cell, Cell], Share]

    def share(self, before: Cell, after: Cell) -> Share:
        """One cell; nothing moved there: zeros."""
        return self.shares.get((before, after), Share(0, 0, 0.0, 0.0))

    def totals(self, before: Cell) -> Share:
        """All loans of a row."""
        mine = [share for (row, _), share in self.shares.items() if row == before]
        loans, minor = sum(one.loans for one in mine), sum(one.minor for one in mine)
        return Share(loans, minor, float(bool(loans)), float(bool(minor)))


def roll_of(moves: Iterable[Move], buckets: Buckets) -> Roll:
    """The matrix of moves, by count and by balance at the start (OCC takes the balance)."""
    names = (Standing.CURRENT.value, *(bucket.name for bucket in buckets.all))
    ends = (Standing.PAID.value, Standing.CLOSED.value, Standing.WRITTEN_OFF.value)
    listed: Sequence[Move] = [move for move in moves if move.before in names]
    loans: dict[Cell, int] = {}
    minor: dict[Cell, int] = {}
    for move in listed:
        loans[move.before] = loans.get(move.before, 0) + move.loans
        minor[move.before] = minor.get(move.before, 0) + move.minor
    shares: dict[tuple[Cell, Cell], Share] = {}
    for move in listed:
        key = (move.before, move.after)
        known = shares.get(key, Share(0, 0, 0.0, 0.0))
        count, amount = known.loans + move.loans, known.minor + move.minor
        shares[key] = Share(
            count,
            amount,
            count / loans[move.before],
            amount / minor[move.before] if minor[move.before] else 0.0,
        )
    return Roll(names, (*names, *ends), shares)
