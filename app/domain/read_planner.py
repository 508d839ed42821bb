"""When an account is read next, inside the read allowance.

A scheduled read happens without the borrower, so the law counts it: at most four in any
24 hours per account, unless the bank agrees to more (Delegated Regulation (EU) 2018/389,
art. 36(5)(b)). Attempts count, not successes, and they count from the moment they were made.

The day's reads stand at equal distances in the bank's booking hours, in the bank's own zone.
Where in its slot an account stands is derived from its id: accounts spread over the whole slot,
off the round minutes, and the same account always gets the same answer. That is also what
prevents a burst after an outage: nothing is caught up, everybody waits for his own next slot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from app.domain.maintenance import Span, rests_until
from app.domain.open_hours import zone_of

# RTS (EU) 2018/389 art. 36(5)(b): "no more than four times in a 24-hour period" unattended.
UNATTENDED_PER_24H = 4
UNATTENDED_WINDOW = timedelta(hours=24)
# Ours: calls do not arrive at the bank in the rhythm they were counted in.
WINDOW_MARGIN = timedelta(minutes=10)
# Ours: a plan older than this was missed, not late; it is spread instead of read at once.
OVERDUE_AFTER = timedelta(minutes=30)
# Ours: waiting time after the first failure in a row, doubled by each further one up to the cap.
FIRST_BACK_OFF = timedelta(hours=1)
LONGEST_BACK_OFF = timedelta(hours=24)
# Ours: the end of the booking hours that slots leave free. A full allowance moves each day's reads
# by the margin against the day before; with this room the last one is not lost at once.
DRIFT_ROOM = timedelta(hours=1)
# Ours: looks that a bank's pause put off stand in so much time after it.
SPREAD = timedelta(hours=1)
_ONE_DAY = timedelta(days=1)
# A slot is searched this many days ahead; further away nothing is planned that could be known.
_SEARCH_DAYS = 3
# Rests longer than that, one after another, that a search looks behind.
_RESTS = 3
_JITTER_STEPS = 2**32


class PlanReason(StrEnum):
    """What decided the time of the next read, or forbids one now."""

    SCHEDULE = "schedule"
    ALLOWANCE = "allowance"
    BANK_SAID_SPENT = "bank_said_spent"
    BANK_DOWN = "bank_down"
    MAINTENANCE = "maintenance"
    BACK_OFF = "back_off"
    WINDOW_ENDS = "window_ends"
    INCOME = "income"
    """The learned plan: money is likely to be there by then."""
    BLIND = "blind"
    """The learned plan: nothing is likely, but it has been long enough."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many unattended reads are left at a moment, and when one is free (now, if any is)."""

    left: int
    next_free_at: datetime


@dataclass(frozen=True, slots=True)
class PlanQuestion:
    """Everything the next read of one account depends on. Instants are aware, business time.

    `attempts` are the instants of all unattended attempts of at least the last 24 hours and the
    margin, whatever came of them. `failures` counts the failed ones since the last success.
    `spent_until` is the end of a refusal by the bank, already clamped (`clamp_spent_until`).
    `bank_down_until` comes from the bank's breaker, `resting` from its announced maintenance
    (`app.domain.maintenance.resting`): no slot lies in it. `window_ends_at` is the end of what the
    borrower allowed. `reads_per_day` may be lower than the law's four, never higher.
    """

    account_id: UUID
    now: datetime
    zone: str
    booking_from: time
    booking_until: time
    attempts: tuple[datetime, ...] = ()
    failures: int = 0
    spent_until: datetime | None = None
    bank_down_until: datetime | None = None
    resting: tuple[Span, ...] = ()
    window_ends_at: datetime | None = None
    reads_per_day: int = UNATTENDED_PER_24H
    margin: timedelta = WINDOW_MARGIN


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """The next read, or None: the window ends before there could be one."""

    at: datetime | None
    reason: PlanReason


@dataclass(frozen=True, slots=True)
class ReadWindow:
    """Whether a read may leave at this moment; else why not, and when one may (None: never)."""

    open: bool
    reason: PlanReason | None = None
    next_at: datetime | None = None


def allowance(
    attempts: Iterable[datetime],
    now: datetime,
    margin: timedelta = WINDOW_MARGIN,
    *,
    limit: int = UNATTENDED_PER_24H,
) -> Allowance:
    """What is left of `limit` unattended reads in the rolling 24 hours plus `margin`.

    An attempt from the future (two workers' clocks) counts as made. Raises `ValueError` for a
    limit below one.
    """
    if limit < 1:
        raise ValueError("a read allowance starts at one")
    window = UNATTENDED_WINDOW + margin
    counted = sorted(moment for moment in attempts if now - moment < window)
    left = limit - len(counted)
    if left > 0:
        return Allowance(left, now)
    return Allowance(0, counted[-limit] + window)


def clamp_spent_until(
    until: datetime | None,
    now: datetime,
    attempts: Iterable[datetime],
    margin: timedelta = WINDOW_MARGIN,
) -> datetime:
    """When to believe that an account the bank calls spent is free again.

    Banks and aggregators have sent no time at all, negative seconds, and times far away. Only a
    time within the next 24 hours (and the margin) is believed; otherwise it is 24 hours and the
    margin after the oldest call still counted, or after `now` where none is.
    """
    window = UNATTENDED_WINDOW + margin
    if until is not None and now < until <= now + window:
        return until
    counted = [moment for moment in attempts if timedelta(0) <= now - moment < window]
    return min(counted, default=now) + window


def back_off(failures: int) -> timedelta:
    """How long to leave an account alone after so many failures in a row."""
    if failures < 1:
        return timedelta(0)
    doublings = min(failures - 1, 8)
    return min(FIRST_BACK_OFF * (1 << doublings), LONGEST_BACK_OFF)


def spread_after(at: datetime, thing_id: UUID) -> datetime:
    """A moment in the `SPREAD` after `at`, always the same for one thing: no crowd at a door."""
    return at + SPREAD * _place_in_slot(thing_id)


def is_overdue(due_at: datetime, now: datetime, tolerance: timedelta = OVERDUE_AFTER) -> bool:
    """Whether a planned read was missed rather than late.

    A missed read is not made up for: its account gets `next_read`, and with it its own place in
    the current slot. With a fast business clock the tolerance must cover at least one tick.
    """
    return now - due_at > tolerance


def next_read(question: PlanQuestion, *, reading_now: bool = False) -> ReadPlan:
    """The next slot after `question.now` that the allowance and all brakes leave open.

    `reading_now` counts an attempt at `question.now` beside those of the question.
    A slot that stands in the allowance's way by minutes is moved behind it, as long as that is
    before the next slot and within the booking hours; a longer wait takes a later slot.
    """
    attempts = question.attempts
    at, reason = _first_slot(question, (*attempts, question.now) if reading_now else attempts)
    if question.window_ends_at is not None and at >= question.window_ends_at:
        return ReadPlan(None, PlanReason.WINDOW_ENDS)
    return ReadPlan(at, reason)


def window_open(question: PlanQuestion) -> ReadWindow:
    """The check of the very moment before a read leaves: may it, at `question.now`?

    Booking hours are not asked again: they are good sense, not a rule, and a read that was
    planned within them may start a little after their end.
    """
    now = question.now
    if question.window_ends_at is not None and now >= question.window_ends_at:
        return ReadWindow(open=False, reason=PlanReason.WINDOW_ENDS)
    per_day = min(question.reads_per_day, UNATTENDED_PER_24H)
    free_at = allowance(question.attempts, now, question.margin, limit=per_day).next_free_at
    for reason, until in (
        (PlanReason.ALLOWANCE, free_at),
        (PlanReason.BANK_SAID_SPENT, question.spent_until),
        (PlanReason.BANK_DOWN, question.bank_down_until),
        (PlanReason.MAINTENANCE, rests_until(question.resting, now)),
    ):
        if until is not None and until > now:
            return ReadWindow(open=False, reason=reason, next_at=until)
    return ReadWindow(open=True)


def _first_slot(
    question: PlanQuestion, attempts: tuple[datetime, ...]
) -> tuple[datetime, PlanReason]:
    earliest, reason = _brake(question, attempts)
    per_day = min(question.reads_per_day, UNATTENDED_PER_24H)
    free_at = allowance(attempts, question.now, question.margin, limit=per_day).next_free_at
    for _ in range(_RESTS + 1):
        rest_ends = None
        for slot, slot_end in _slots_after(question, earliest, per_day):
            at = max(slot, free_at)
            if at >= slot_end:
                reason = PlanReason.ALLOWANCE
                continue
            rest_ends = rests_until(question.resting, at)
            if rest_ends is None:
                return at, reason if at == slot else PlanReason.ALLOWANCE
            # Its own place in a later slot: who comes back is not met by everybody at once.
            reason = PlanReason.MAINTENANCE
        if rest_ends is None:
            break
        earliest = rest_ends
    # Only attempts from far in the future, a clock set wrong, leave no slot in reach.
    return max(earliest, free_at), PlanReason.ALLOWANCE


def _brake(question: PlanQuestion, attempts: tuple[datetime, ...]) -> tuple[datetime, PlanReason]:
    """The moment before which nothing is read, and the brake that holds longest."""
    brakes = [(question.now, PlanReason.SCHEDULE)]
    if question.failures > 0:
        last = max(attempts, default=question.now)
        brakes.append((last + back_off(question.failures), PlanReason.BACK_OFF))
    if question.bank_down_until is not None:
        brakes.append((question.bank_down_until, PlanReason.BANK_DOWN))
    if question.spent_until is not None:
        brakes.append((question.spent_until, PlanReason.BANK_SAID_SPENT))
    return max(brakes, key=lambda brake: brake[0])


def _slots_after(
    question: PlanQuestion, after: datetime, per_day: int
) -> Iterator[tuple[datetime, datetime]]:
    """Each coming slot with its end: the next slot, or the end of the booking hours."""
    place = _place_in_slot(question.account_id)
    now = question.now
    # The day before may still be open, when the booking hours run over midnight.
    day = after.astimezone(zone_of(question.zone)).date() - _ONE_DAY
    for _ in range(_SEARCH_DAYS + 1):
        opens, closes, step = _booking_day(
            question.zone, day, question.booking_from, question.booking_until, per_day
        )
        day += _ONE_DAY
        if closes <= after:
            continue
        slot = opens + step * place
        for left in range(per_day - 1, -1, -1):
            slot_end = slot + step if left else closes
            if slot > now and slot >= after:
                yield slot, slot_end
            slot = slot_end


@lru_cache(maxsize=4096)
def _booking_day(
    zone: str, day: date, booking_from: time, booking_until: time, per_day: int
) -> tuple[datetime, datetime, timedelta]:
    """The booking hours that begin on a local day, and the distance between the day's slots."""
    opens, closes = _booking_hours(zone, day, booking_from, booking_until)
    return opens, closes, (closes - opens - min(DRIFT_ROOM, (closes - opens) / 8)) / per_day


@lru_cache(maxsize=4096)
def _booking_hours(
    zone: str, day: date, booking_from: time, booking_until: time
) -> tuple[datetime, datetime]:
    """The booking hours that begin on a local day, as UTC instants.

    Hours that end at or before their start run over midnight; equal times mean all day. On the
    days the clock changes they are an hour shorter or longer, and the slots with them.
    """
    local = zone_of(zone)
    ends_on = day if booking_until > booking_from else day + timedelta(days=1)
    opens = datetime.combine(day, booking_from, local).astimezone(UTC)
    closes = datetime.combine(ends_on, booking_until, local).astimezone(UTC)
    # Hours that lie in the hour the clock leaps over: a day without any.
    return opens, max(opens, closes)


@lru_cache(maxsize=65536)
def _place_in_slot(account_id: UUID) -> float:
    """Where in each slot this account is read, from 0 to below 1, the same in every process."""
    digest = blake2b(account_id.bytes, digest_size=4, person=b"saldo read slot").digest()
    return int.from_bytes(digest, "big") / _JITTER_STEPS
