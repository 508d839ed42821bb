"""The next read of an account by what is known of its income: the learned twin of `next_read`.

The same question, the same brakes, the same allowance; beside it the account's profile and what
is waited for. The plan reads on the day and at the time where a read is worth most, keeps reads in
reserve for the last look before a payment link leaves, and is never blind for longer than a number
of days. Accounts of one bank that want the same minute are spread over half an hour after it;
those whose hours are not known, over eight hours, and those of which nothing is, over days as well.

Deterministic. What a plan costs from a stored profile says `benchmarks/read_plan.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple

from app.domain.income import DAY, ONE_IN_DAYS, IncomeProfile
from app.domain.maintenance import rests_until
from app.domain.open_hours import zone_of
from app.domain.read_choice import (
    HORIZON_DAYS,
    cheapest_day,
    keenness,
    lifting_hazards,
    reads_worth,
    stay_of,
)
from app.domain.read_planner import (
    UNATTENDED_PER_24H,
    PlanQuestion,
    PlanReason,
    _booking_hours,
    _brake,
    _place_in_slot,
    allowance,
)

SPREAD = timedelta(minutes=30)
"""Over so much time after its own best time an account may be read, by its id."""
HOURS_KNOWN = 0.5
"""So much of a day, ruled out by what was seen of incomes, binds an account to its own times."""
UNKNOWN = timedelta(hours=4)
"""So much before and after the best time of all accounts one is read whose hours are not known."""

_ONE_DAY = timedelta(days=1)
# So long ago money may have begun to be there unseen. Well within the horizon.
_LOOK_BACK = timedelta(days=14)
# A time that the allowance puts off by no more than this is kept; else the next one is taken.
_SLIP = timedelta(hours=1)
_SEARCH_DAYS = 14
# A day is read to its end for its hour where income is likelier than of an account that is new.
_STANDS_OUT = 1 / ONE_IN_DAYS
# The place among days comes from other bits of the id's hash than the place in the hours.
_PLACES = 2**16


@dataclass(frozen=True, slots=True)
class Awaited:
    """What is waited for on one account.

    `needed_minor` is what is due and the protected floor, in minor units of the account.
    `balance_minor` is the last balance read, at `balance_at`; None where there is none.
    `blind_since` is until when it is known that the money is not there: the last read, or later.
    `price_days` is what one read is worth, in days of delay (`app.domain.read_price`).
    """

    needed_minor: int
    balance_minor: int | None
    balance_at: datetime | None
    blind_since: datetime
    price_days: float


@dataclass(frozen=True, slots=True)
class LearnedRules:
    """How a lender wants to be read for. Both come on top of the law's allowance.

    `blind_days`: no account stays unread for longer, whatever is known of it. `reserve`: reads of
    the day that no plan takes, for the last look before a payment link.
    """

    blind_days: int = 14
    reserve: int = 1

    def __post_init__(self) -> None:
        if self.blind_days < 1 or not 0 <= self.reserve < UNATTENDED_PER_24H:
            raise ValueError("at least one day, and at least one read that is not kept back")


STANDARD = LearnedRules()


@dataclass(frozen=True, slots=True)
class LearnedPlan:
    """The next read, or None: the window ends before there could be one.

    `odds` is the probability that the money is there by then, `because` a sentence for people.
    """

    at: datetime | None
    reason: PlanReason
    odds: float
    because: str


def next_learned_read(
    question: PlanQuestion,
    profile: IncomeProfile,
    awaited: Awaited,
    *,
    rules: LearnedRules = STANDARD,
    reading_now: bool = False,
) -> LearnedPlan:
    """The next read after `question.now` that is worth it and that all brakes leave open.

    `reading_now` counts an attempt at `question.now` beside those of the question. The profile
    looks ahead from a day that is not after `awaited.blind_since` (`income_learning.look_ahead`).
    """
    if reading_now:
        question = replace(question, attempts=(*question.attempts, question.now))
    attempts = question.attempts
    earliest, brake = _brake(question, attempts)
    limit = max(min(question.reads_per_day, UNATTENDED_PER_24H) - rules.reserve, 1)
    free_at = question.now
    if len(attempts) >= limit:
        free_at = allowance(attempts, question.now, question.margin, limit=limit).next_free_at
    lag = SPREAD * _place_in_slot(question.account_id)
    # Who was held up by his bank was so with all others of it: no two come back at once.
    start = max(earliest if brake is PlanReason.SCHEDULE else earliest + lag, free_at)
    zone = zone_of(question.zone)
    choice = _choose(question, profile, awaited, rules, start.astimezone(zone), limit, lag)
    at = next(
        (
            max(moment, start)
            for moment in _moments(question, profile, choice, limit, lag)
            if moment > question.now and start - moment <= _SLIP
        ),
        start,
    )
    if at > start and at - awaited.blind_since > rules.blind_days * _ONE_DAY:
        # The floor goes before the best time, where the bank books at that moment.
        at = _open_at(question, start + lag, lag) or at
    if question.window_ends_at is not None and at >= question.window_ends_at:
        return LearnedPlan(None, PlanReason.WINDOW_ENDS, 0.0, "What was allowed ends before.")
    if brake is not PlanReason.SCHEDULE and at == earliest + lag:
        return LearnedPlan(at, brake, choice.odds, "As soon as it may be.")
    if at == free_at and at > question.now:
        return LearnedPlan(at, PlanReason.ALLOWANCE, choice.odds, "As soon as a read is left.")
    if choice.forced:
        because = f"No account goes unread for longer than {rules.blind_days} days."
        return LearnedPlan(at, PlanReason.BLIND, choice.odds, because)
    because = f"{choice.odds:.0%} that money for what is due is there by then."
    return LearnedPlan(at, PlanReason.INCOME, choice.odds, because)


class _Choice(NamedTuple):
    """The day, how likely the money is there then, and how many reads that day is worth."""

    day: date
    odds: float
    reads: int
    forced: bool


def _choose(
    question: PlanQuestion,
    profile: IncomeProfile,
    awaited: Awaited,
    rules: LearnedRules,
    start: datetime,
    limit: int,
    lag: timedelta,
) -> _Choice:
    """The day to read on; `start` is the first moment that may be, in local time."""
    today = start.date()
    seen = awaited.blind_since.astimezone(start.tzinfo)
    first = max(min(seen.date(), today), today - _LOOK_BACK, profile.ahead_from)
    age = 0
    # What was enough was so until `blind_since`, or money would be there: it is just below now.
    enough = awaited.balance_minor is not None and awaited.balance_minor >= awaited.needed_minor
    if awaited.balance_at is not None and not enough:
        age = (first - awaited.balance_at.astimezone(start.tzinfo).date()).days
    skip = (first - profile.ahead_from).days
    hazards = lifting_hazards(profile, skip, awaited.needed_minor, awaited.balance_minor, age)
    if len(hazards) < HORIZON_DAYS:
        hazards += [1 / ONE_IN_DAYS] * (HORIZON_DAYS - len(hazards))
    keen, whole = keenness(profile.brackets), hazards[0]
    if first == seen.date():
        hazards[0] *= 1 - profile.passed(seen.hour * 60 + seen.minute)
    earliest = max((today - first).days, 0)
    if first <= today and start > _last_on(question, profile, today, limit, lag) + _SLIP:
        earliest += 1
    latest = max(rules.blind_days, earliest + 1)
    # Accounts of which nothing has been seen part here; later each keeps to its own days.
    place = None if profile.days else _place_of_day(question)
    found = cheapest_day(hazards, stay_of(profile), awaited.price_days, latest, earliest, place)
    price, waits = awaited.price_days / keen, profile.waits[:limit]
    if keen > 1 and first == today and not earliest and whole > _STANDS_OUT:
        # A day on which reads close in on an unknown hour keeps all that it was found worth.
        worth = reads_worth(whole, waits, price)
        made = sum(at.astimezone(start.tzinfo).date() == today for at in question.attempts)
        if 0 < made < worth:
            return _Choice(today, hazards[0], worth, forced=False)
    worth = reads_worth(hazards[found.days], waits, price)
    day = first + found.days * _ONE_DAY
    # Another read today was found worth it: whichever of the day's times is still to come.
    reads = limit if day == today and seen.date() == today else worth
    return _Choice(day, found.odds, reads, found.forced)


def _moments(
    question: PlanQuestion,
    profile: IncomeProfile,
    choice: _Choice,
    limit: int,
    lag: timedelta,
) -> Iterator[datetime]:
    """The times of the chosen day and of those after it, within booking hours, in order."""
    reads = choice.reads
    for number in range(_SEARCH_DAYS):
        yield from _times_on(question, profile, choice.day + number * _ONE_DAY, reads, lag)
        reads = limit


def _times_on(
    question: PlanQuestion, profile: IncomeProfile, day: date, reads: int, lag: timedelta
) -> list[datetime]:
    """The account's own times of a day with so many reads, in order.

    Each lies `lag`, its place in `SPREAD`, after one of the best times; where nobody knows the
    hours of its incomes, at that place of `UNKNOWN` before and after it.
    """
    zone, begin, end = question.zone, question.booking_from, question.booking_until
    opens, closes = _booking_hours(zone, day, begin, end)
    known, late = sum(profile.half_hours) / HOURS_KNOWN, lag
    if known < 1:
        late = lag * known + (2 * (lag / SPREAD) - 1) * (1 - known) * UNKNOWN
    found = []
    for minute in profile.times[reads - 1] if profile.times else (DAY // 2,):
        at = _within_hours(zone, day, begin, end, minute) + late
        # Thrown back by the ends of the hours: at them all of the bank's would meet.
        at = min(at, closes - (at - closes))
        at = min(max(at, opens + (opens - at)), max(closes, opens))
        found.append(_after_rest(question, at, lag))
    found.sort()
    return found


def _last_on(
    question: PlanQuestion, profile: IncomeProfile, day: date, reads: int, lag: timedelta
) -> datetime:
    """The last of `_times_on`, without those before it where it needs none of them."""
    if sum(profile.half_hours) < HOURS_KNOWN:
        return _times_on(question, profile, day, reads, lag)[-1]
    minute = profile.times[reads - 1][-1] if profile.times else DAY // 2
    zone, begin, end = question.zone, question.booking_from, question.booking_until
    return _within_hours(zone, day, begin, end, minute) + lag


def _open_at(question: PlanQuestion, at: datetime, lag: timedelta) -> datetime | None:
    """This moment, if the bank books then; the hours may have begun on the day before."""
    today = at.astimezone(zone_of(question.zone)).date()
    for day in (today, today - _ONE_DAY):
        opens, closes = _booking_hours(
            question.zone, day, question.booking_from, question.booking_until
        )
        if opens <= at <= closes:
            return _after_rest(question, at, lag)
    return None


def _after_rest(question: PlanQuestion, at: datetime, lag: timedelta) -> datetime:
    """This moment, or one after the bank's maintenance, each account at its own distance."""
    ends = rests_until(question.resting, at) if question.resting else None
    return at if ends is None else ends + lag


@lru_cache(maxsize=65536)
def _within_hours(
    zone: str, day: date, booking_from: time, booking_until: time, minute: int
) -> datetime:
    """A minute of a local day, moved into the booking hours that begin on it."""
    opens, closes = _booking_hours(zone, day, booking_from, booking_until)
    on = day + _ONE_DAY * (minute // DAY)
    clock = time(minute % DAY // 60, minute % 60)
    wished = datetime.combine(on, clock, zone_of(zone)).astimezone(UTC)
    return max(min(wished, closes - SPREAD), opens)


def _place_of_day(question: PlanQuestion) -> float:
    """Which of the days that are as good as each other is the account's, from 0 to below 1."""
    return _place_in_slot(question.account_id) * _PLACES % 1
