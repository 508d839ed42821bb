"""When to read next: the allowance above all, then the schedule, then every brake."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.read_planner import (
    DRIFT_ROOM,
    LONGEST_BACK_OFF,
    UNATTENDED_PER_24H,
    WINDOW_MARGIN,
    Allowance,
    PlanQuestion,
    PlanReason,
    ReadPlan,
    ReadWindow,
    allowance,
    back_off,
    clamp_spent_until,
    is_overdue,
    next_read,
    window_open,
)

SPACE = UUID("00000000-0000-7000-8000-00000000abcd")
MADRID = ZoneInfo("Europe/Madrid")
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
HOUR = timedelta(hours=1)
WINDOW = DAY + WINDOW_MARGIN

zones = st.sampled_from(
    ["Europe/Madrid", "Europe/Warsaw", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
     "Pacific/Apia", "America/Havana", "Africa/Casablanca", "UTC"]
)  # fmt: skip
SOON = datetime(2026, 1, 1, tzinfo=UTC)
instants = st.timedeltas(timedelta(0), timedelta(days=700)).map(lambda gap: SOON + gap)
hours = st.sampled_from(
    [(time(6), time(22)), (time(0), time(0)), (time(22), time(6)), (time(2, 10), time(2, 50)),
     (time(9, 30), time(17, 45)), (time(0), time(23, 59))]
)  # fmt: skip


def account(number: int) -> UUID:
    return uuid5(SPACE, str(number))


def ask(**changes: object) -> PlanQuestion:
    base = PlanQuestion(account(1), NOON, "Europe/Madrid", time(6), time(22))
    return replace(base, **changes)  # type: ignore[arg-type]


# ------------------------------------------------------------------ the allowance


def test_four_reads_are_free_and_the_fifth_waits_for_the_first_to_leave() -> None:
    attempts = [NOON - hours * HOUR for hours in (20, 9, 5, 1)]
    assert allowance([], NOON) == Allowance(4, NOON)
    assert allowance(attempts[1:], NOON) == Allowance(1, NOON)
    assert allowance(attempts, NOON) == Allowance(0, NOON - 20 * HOUR + WINDOW)


def test_the_margin_is_part_of_the_window() -> None:
    attempts = [NOON - DAY - timedelta(minutes=9, seconds=59)] * 4
    assert allowance(attempts, NOON).left == 0
    assert allowance(attempts, NOON, timedelta(minutes=9)).left == 4
    assert allowance([NOON - WINDOW] * 4, NOON).left == 4


def test_attempts_beyond_the_allowance_push_it_further() -> None:
    attempts = [NOON - hours * HOUR for hours in (20, 9, 5, 3, 1)]
    assert allowance(attempts, NOON).next_free_at == NOON - 9 * HOUR + WINDOW
    assert allowance(attempts, NOON, limit=1).next_free_at == NOON - 1 * HOUR + WINDOW


def test_an_attempt_from_the_future_counts() -> None:
    ahead = NOON + timedelta(seconds=2)
    assert allowance([ahead] * 4, NOON).next_free_at == ahead + WINDOW


@pytest.mark.parametrize("limit", [0, -1])
def test_an_allowance_of_nothing_is_a_mistake(limit: int) -> None:
    with pytest.raises(ValueError, match="starts at one"):
        allowance([], NOON, limit=limit)


@given(st.lists(instants, max_size=12), instants, st.integers(1, 4))
def test_the_next_free_moment_is_exact(attempts: list[datetime], now: datetime, limit: int) -> None:
    found = allowance(attempts, now, limit=limit)
    past = [moment for moment in attempts if now - moment < WINDOW]
    assert found.left == max(0, limit - len(past))
    free_at = found.next_free_at
    assert (free_at == now) == (found.left > 0) or found.left == 0
    assert allowance(attempts, max(free_at, now), limit=limit).left > 0
    if found.left == 0:
        assert free_at > now
        assert allowance(attempts, free_at - timedelta(microseconds=1), limit=limit).left == 0


# ------------------------------------------------------------------ what a bank says of its limit


@pytest.mark.parametrize(
    "nonsense",
    [None, NOON, NOON - timedelta(seconds=1_875_538), NOON + WINDOW + timedelta(seconds=1),
     NOON + timedelta(days=400)],
)  # fmt: skip
def test_a_time_that_makes_no_sense_means_a_day_after_the_oldest_counted_call(
    nonsense: datetime | None,
) -> None:
    attempts = [NOON - 30 * HOUR, NOON - 7 * HOUR, NOON - HOUR]
    assert clamp_spent_until(nonsense, NOON, attempts) == NOON - 7 * HOUR + WINDOW
    assert clamp_spent_until(nonsense, NOON, []) == NOON + WINDOW


@pytest.mark.parametrize("seconds", [1, 59, 85_092, 86_400])
def test_a_sensible_time_is_believed(seconds: int) -> None:
    until = NOON + timedelta(seconds=seconds)
    assert clamp_spent_until(until, NOON, [NOON - HOUR]) == until


@given(st.none() | instants, instants, st.lists(instants, max_size=6))
def test_a_refusal_always_ends_within_a_day(
    until: datetime | None, now: datetime, attempts: list[datetime]
) -> None:
    assert now < clamp_spent_until(until, now, attempts) <= now + WINDOW


# ------------------------------------------------------------------ back-off and overdue


def test_failures_wait_longer_each_time_up_to_a_day() -> None:
    waits = [back_off(failures) for failures in range(8)]
    assert waits[:5] == [timedelta(0), HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR]
    assert waits == sorted(waits)
    assert back_off(10_000) == LONGEST_BACK_OFF == DAY
    assert back_off(-1) == timedelta(0)


def test_late_is_read_and_missed_is_spread() -> None:
    assert not is_overdue(NOON - timedelta(minutes=30), NOON)
    assert is_overdue(NOON - timedelta(minutes=31), NOON)
    assert not is_overdue(NOON - 5 * HOUR, NOON, tolerance=6 * HOUR)
    assert not is_overdue(NOON + HOUR, NOON)


# ------------------------------------------------------------------ the schedule


def test_the_same_account_always_gets_the_same_answer() -> None:
    assert next_read(ask()) == next_read(ask())
    # Written down: all processes, today's and those after an upgrade, agree on the slot.
    assert next_read(ask()).at == datetime(2026, 11, 3, 12, 32, 33, 979303, tzinfo=UTC)


def test_slots_stand_at_equal_distances_in_the_banks_hours() -> None:
    now, found = datetime(2026, 11, 3, 0, tzinfo=UTC), []
    for _ in range(4):
        plan = next_read(ask(now=now))
        assert plan.at is not None
        assert plan.reason is PlanReason.SCHEDULE
        now = plan.at
        found.append(now)
    assert {later - earlier for earlier, later in pairwise(found)} == {(16 * HOUR - DRIFT_ROOM) / 4}
    assert all(6 <= moment.astimezone(MADRID).hour < 22 for moment in found)


def test_accounts_are_spread_evenly_and_off_the_round_minutes() -> None:
    reads = [next_read(ask(account_id=account(n))).at for n in range(2_000)]
    tenths = [0] * 10
    for at in reads:
        assert at is not None
        tenths[min(9, int((at - NOON) / (15 * HOUR / 4) * 10))] += 1
    assert min(tenths) > 150
    round_minutes = sum(1 for at in reads if at is not None and at.second == 0)
    assert round_minutes < 80


def test_after_an_outage_nobody_is_read_at_once() -> None:
    """Everybody overdue since yesterday: no minute gets more than its fair share."""
    per_minute: dict[int, int] = {}
    for n in range(2_000):
        at = next_read(ask(account_id=account(n), attempts=(NOON - DAY,))).at
        assert at is not None
        minute = int((at - NOON).total_seconds() // 60)
        per_minute[minute] = per_minute.get(minute, 0) + 1
    assert max(per_minute.values()) < 30


def test_outside_the_hours_the_next_morning_comes() -> None:
    late = datetime(2026, 11, 3, 22, 30, tzinfo=MADRID)
    plan = next_read(ask(now=late.astimezone(UTC)))
    assert plan.at is not None
    local = plan.at.astimezone(MADRID)
    assert (local.date().day, local.hour in range(6, 10)) == (4, True)


def test_hours_that_run_over_midnight_are_found_from_either_side() -> None:
    night = {"booking_from": time(22), "booking_until": time(6)}
    for hour in (23, 1, 5, 12):
        now = datetime(2026, 11, 3, hour, tzinfo=MADRID).astimezone(UTC)
        plan = next_read(ask(now=now, **night))
        assert plan.at is not None
        local = plan.at.astimezone(MADRID)
        assert local.hour >= 22 or local.hour < 6
        assert plan.at - now <= 20 * HOUR


@pytest.mark.parametrize(("day", "length"), [((2026, 3, 29), 23), ((2026, 10, 25), 25)])
def test_the_days_the_clock_changes_have_their_real_length(
    day: tuple[int, int, int], length: int
) -> None:
    midnight = datetime(*day, tzinfo=MADRID).astimezone(UTC) - timedelta(microseconds=1)
    now, found = midnight, []
    for _ in range(5):
        plan = next_read(ask(now=now, booking_from=time(0), booking_until=time(0)))
        assert plan.at is not None
        now = plan.at
        found.append(now)
    assert found[1] - found[0] == (timedelta(hours=length) - DRIFT_ROOM) / 4
    assert found[4] > midnight + timedelta(hours=length)


def test_hours_that_the_clock_leaps_over_leave_a_day_out() -> None:
    leap = datetime(2026, 3, 28, 20, tzinfo=UTC)
    plan = next_read(ask(now=leap, booking_from=time(2, 30), booking_until=time(3, 10)))
    assert plan.at is not None
    assert plan.at.astimezone(MADRID).date().day == 30


# ------------------------------------------------------------------ brakes


def plan_of(**changes: object) -> tuple[datetime, PlanReason]:
    plan = next_read(ask(**changes))
    assert plan.at is not None
    return plan.at, plan.reason


def test_a_slot_just_inside_the_window_moves_behind_it() -> None:
    slot, _ = plan_of()
    attempts = tuple(slot - DAY + hours * HOUR for hours in (0, 4, 8, 12))
    assert plan_of(attempts=attempts) == (slot + WINDOW_MARGIN, PlanReason.ALLOWANCE)


def test_a_long_wait_for_the_allowance_takes_a_later_slot() -> None:
    attempts = (NOON, NOON, NOON, NOON)
    at, reason = plan_of(attempts=attempts)
    assert at >= NOON + WINDOW
    assert reason is PlanReason.ALLOWANCE


def test_attempts_from_a_wrong_clock_delay_reading_and_do_not_end_it() -> None:
    ahead = NOON + timedelta(days=30)
    assert plan_of(attempts=(ahead,) * 4) == (ahead + WINDOW, PlanReason.ALLOWANCE)


def test_each_brake_holds_and_is_named() -> None:
    hour = NOON + 3 * HOUR
    for name, reason in (
        ("bank_down_until", PlanReason.BANK_DOWN),
        ("spent_until", PlanReason.BANK_SAID_SPENT),
    ):
        at, why = plan_of(**{name: hour})
        assert at >= hour
        assert why is reason
        assert plan_of(**{name: NOON - HOUR}) == plan_of()
    at, why = plan_of(failures=4, attempts=(NOON - HOUR,))
    assert at >= NOON - HOUR + back_off(4)
    assert why is PlanReason.BACK_OFF
    at, _ = plan_of(failures=1)
    assert at >= NOON + back_off(1)


def test_of_several_brakes_the_longest_decides() -> None:
    at, why = plan_of(bank_down_until=NOON + HOUR, spent_until=NOON + 9 * HOUR, failures=1)
    assert at >= NOON + 9 * HOUR
    assert why is PlanReason.BANK_SAID_SPENT


def test_nothing_is_planned_beyond_the_borrowers_yes() -> None:
    slot, _ = plan_of()
    over = ReadPlan(None, PlanReason.WINDOW_ENDS)
    assert next_read(ask(window_ends_at=slot)) == over
    assert next_read(ask(window_ends_at=NOON - HOUR)) == over
    assert next_read(ask(window_ends_at=slot + timedelta(microseconds=1))).at == slot


def test_the_borrower_may_allow_less_and_the_law_never_more() -> None:
    for wished, given_ in ((1, 1), (2, 2), (4, 4), (50, UNATTENDED_PER_24H)):
        count, now = 0, datetime(2026, 11, 3, 0, tzinfo=MADRID)
        end = now + DAY
        attempts: tuple[datetime, ...] = ()
        while now < end:
            plan = next_read(ask(now=now, attempts=attempts, reads_per_day=wished))
            assert plan.at is not None
            now, attempts = plan.at, (*attempts, plan.at)
            count += now < end
        assert count == given_


# ------------------------------------------------------------------ the check before the call


def test_a_free_read_may_leave_even_after_hours() -> None:
    night = datetime(2026, 11, 3, 3, tzinfo=UTC)
    assert window_open(ask(now=night, attempts=(night - HOUR,) * 3)) == ReadWindow(open=True)


@pytest.mark.parametrize(
    ("changes", "reason", "next_at"),
    [
        ({"attempts": (NOON,) * 4}, PlanReason.ALLOWANCE, NOON + WINDOW),
        ({"attempts": (NOON,), "reads_per_day": 1}, PlanReason.ALLOWANCE, NOON + WINDOW),
        ({"spent_until": NOON + HOUR}, PlanReason.BANK_SAID_SPENT, NOON + HOUR),
        ({"bank_down_until": NOON + HOUR}, PlanReason.BANK_DOWN, NOON + HOUR),
        ({"window_ends_at": NOON}, PlanReason.WINDOW_ENDS, None),
    ],
)
def test_each_brake_stops_the_call_itself(
    changes: dict[str, object], reason: PlanReason, next_at: datetime | None
) -> None:
    assert window_open(ask(**changes)) == ReadWindow(open=False, reason=reason, next_at=next_at)


def test_brakes_that_are_over_stop_nothing() -> None:
    over = ask(spent_until=NOON, bank_down_until=NOON, window_ends_at=NOON + HOUR)
    assert window_open(over) == ReadWindow(open=True)


# ------------------------------------------------------------------ properties


@given(
    st.uuids(), instants, zones, hours, st.integers(1, 4),
    st.lists(st.timedeltas(timedelta(0), timedelta(hours=30)), max_size=6),
)  # fmt: skip
def test_every_plan_keeps_the_rules(
    account_id: UUID,
    now: datetime,
    zone: str,
    open_hours: tuple[time, time],
    per_day: int,
    ago: list[timedelta],
) -> None:
    attempts = tuple(now - gap for gap in ago)
    question = PlanQuestion(
        account_id, now, zone, *open_hours, attempts=attempts, reads_per_day=per_day
    )
    plan = next_read(question)
    assert plan.at is not None
    assert plan.at > now
    assert window_open(replace(question, now=plan.at)).open
    local = plan.at.astimezone(ZoneInfo(zone)).time()
    opens, closes = open_hours
    if opens < closes and closes.hour - opens.hour > 1:
        assert opens <= local < closes
    elif opens > closes:
        assert local >= opens or local < closes


@given(st.uuids(), zones, instants, st.integers(1, 4))
def test_months_of_reading_never_exceed_the_allowance(
    account_id: UUID, zone: str, start: datetime, per_day: int
) -> None:
    question = PlanQuestion(account_id, start, zone, time(6), time(22), reads_per_day=per_day)
    reads: list[datetime] = []
    while question.now < start + timedelta(days=20):
        plan = next_read(question)
        assert plan.at is not None
        reads.append(plan.at)
        question = replace(question, now=plan.at, attempts=tuple(reads[-5:]))
    for index, read in enumerate(reads):
        assert sum(1 for one in reads[: index + 1] if read - one < WINDOW) <= per_day
    # Keeping the rule must not starve the schedule either.
    assert len(reads) >= 20 * per_day * 0.8
