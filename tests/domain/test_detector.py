"""When a reading is a signal, and which reason keeps it quiet."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.balance import Spendable, Unusable
from app.domain.detector import (
    _BECAUSE,
    CaseCover,
    CaseDue,
    Cover,
    DetectorState,
    FundsPolicy,
    FundsSignal,
    MarginBand,
    Quiet,
    QuietReason,
    Reading,
    SignalKind,
    ThresholdKind,
    detect,
    margin_band,
    reserve,
    threshold_of,
)
from app.domain.errors import Invalid
from app.domain.ids import CaseId
from app.domain.money import Money

T0 = datetime(2026, 11, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def euros(amount: float) -> Money:
    return Money(round(amount * 100), "EUR")


def case(number: int) -> CaseId:
    return CaseId(UUID(int=number))


def due(number: int, amount: float, day: int = 1) -> CaseDue:
    return CaseDue(case(number), euros(amount), date(2026, 10, day))


POLICY = FundsPolicy(floor=euros(1000))
ONE = (due(1, 50),)


def seen(amount: float | None, at: datetime = T0, **changes: object) -> Reading:
    money = None if amount is None else euros(amount)
    spendable = Spendable(money, "interimAvailable", at, credit_excluded=True)
    return Reading(replace(spendable, **changes), at)  # type: ignore[arg-type]


def zlotys(amount: int) -> Reading:
    money = Money(amount * 100, "PLN")
    return Reading(Spendable(money, "interimAvailable", T0, credit_excluded=True), T0)


def outcome(
    reading: Reading,
    dues: tuple[CaseDue, ...] = ONE,
    policy: FundsPolicy = POLICY,
    state: DetectorState | None = None,
    now: datetime = T0,
) -> SignalKind | QuietReason:
    found = detect(reading, dues, policy, state or DetectorState(), now).outcome
    return found.kind if isinstance(found, FundsSignal) else found.reason


def story(
    amounts: list[float], policy: FundsPolicy, dues: tuple[CaseDue, ...] = ONE, hours: int = 6
) -> list[SignalKind | QuietReason]:
    """Readings of one account, a few hours apart."""
    state, told = DetectorState(), []
    for number, amount in enumerate(amounts):
        now = T0 + number * hours * HOUR
        found = detect(seen(amount, now), dues, policy, state, now)
        state = found.state
        told.append(
            found.outcome.kind if isinstance(found.outcome, FundsSignal) else found.outcome.reason
        )
    return told


ENOUGH, PART = SignalKind.ENOUGH, SignalKind.PART
BELOW, KNOWN = QuietReason.BELOW_THRESHOLD, QuietReason.ALREADY_SIGNALLED
RESTING, PROTECTED = QuietReason.RESTING, QuietReason.PROTECTED


# ------------------------------------------------------------------ one reading


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (1050.00, ENOUGH),
        (1049.99, PROTECTED),
        (1000.00, PROTECTED),
        (50.00, PROTECTED),
        (49.99, BELOW),
        (0.00, BELOW),
        (-300.00, BELOW),
    ],
)
def test_the_floor_is_kept_back(amount: float, expected: SignalKind | QuietReason) -> None:
    assert outcome(seen(amount)) == expected


@pytest.mark.parametrize(
    ("reading", "reason"),
    [
        (seen(None, unusable=Unusable.CREDIT_INCLUDED), QuietReason.UNUSABLE),
        (seen(5000, credit_excluded=False), QuietReason.CREDIT_NOT_EXCLUDED),
        (zlotys(5000), QuietReason.OTHER_CURRENCY),
        (seen(5000, at=T0 - 73 * HOUR), QuietReason.STALE),
        (seen(5000, as_of=T0 - 73 * HOUR), QuietReason.STALE),
        (
            seen(5000, bounded_by="interimBooked", bounded_as_of=T0 - 73 * HOUR),
            QuietReason.STALE,
        ),
    ],
)
def test_what_is_no_money_of_now_cannot_trigger(reading: Reading, reason: QuietReason) -> None:
    before = DetectorState(armed=False, last_signal_at=T0, last_kind=PART)
    found = detect(reading, ONE, POLICY, before, T0)
    assert isinstance(found.outcome, Quiet)
    assert found.outcome.reason is reason
    # It proves nothing, so it changes nothing.
    assert found.state == before


@pytest.mark.parametrize("dues", [(), (due(1, 0),)])
def test_nothing_due_is_nothing_to_signal(dues: tuple[CaseDue, ...]) -> None:
    assert outcome(seen(5000), dues) is QuietReason.NOTHING_DUE


@pytest.mark.parametrize("floor", [None, Money(0, "PLN")])
def test_no_floor_is_no_signal(floor: Money | None) -> None:
    assert outcome(seen(5000), policy=FundsPolicy(floor=floor)) is QuietReason.FLOOR_NOT_SET


def test_a_floor_of_zero_is_a_decision() -> None:
    assert outcome(seen(50), policy=FundsPolicy(floor=euros(0))) is ENOUGH


def test_a_threshold_in_another_currency_cannot_be_compared() -> None:
    policy = replace(POLICY, threshold=ThresholdKind.FIXED, fixed=Money(1, "PLN"))
    assert outcome(seen(5000), policy=policy) is QuietReason.OTHER_CURRENCY


def test_dues_in_other_currencies_are_left_alone() -> None:
    zloty = CaseDue(case(2), Money(100_000, "PLN"), date(2026, 9, 1))
    found = detect(seen(1050), (zloty, *ONE), POLICY, DetectorState(), T0).outcome
    assert isinstance(found, FundsSignal)
    assert found.covers == (CaseCover(case(1), Cover.WHOLE),)
    assert outcome(seen(5000), (zloty,)) is QuietReason.OTHER_CURRENCY


# ------------------------------------------------------------------ thresholds


@pytest.mark.parametrize(
    ("policy", "room"),
    [
        (POLICY, 50.00),
        (replace(POLICY, threshold=ThresholdKind.FIXED, fixed=euros(20)), 20.00),
        (replace(POLICY, threshold=ThresholdKind.FIXED, fixed=euros(120)), 120.00),
        (replace(POLICY, threshold=ThresholdKind.SHARE, share_bp=3_333), 16.67),
        (replace(POLICY, threshold=ThresholdKind.SHARE), 50.00),
    ],
)
def test_the_threshold_is_reached_exactly(policy: FundsPolicy, room: float) -> None:
    assert threshold_of(policy, euros(50)) == euros(room)
    assert outcome(seen(1000 + room - 0.01), policy=policy) is PROTECTED
    assert outcome(seen(1000 + room), policy=policy) is (ENOUGH if room >= 50 else PART)


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": ThresholdKind.FIXED},
        {"threshold": ThresholdKind.FIXED, "fixed": euros(0)},
        {"share_bp": 0},
        {"share_bp": 10_001},
        {"hysteresis_bp": -1},
        {"hysteresis_bp": 10_001},
        {"floor": euros(-1)},
        {"max_age": timedelta(0)},
        {"rest": timedelta(seconds=-1)},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        replace(POLICY, **wrong)  # type: ignore[arg-type]


# ------------------------------------------------------------------ the rising edge


def test_the_first_reading_above_is_a_rising_edge_and_fires_once() -> None:
    assert story([1200, 1200, 1200, 5000], POLICY) == [ENOUGH, KNOWN, KNOWN, KNOWN]


def test_a_tremble_round_the_line_is_one_event() -> None:
    calm = replace(POLICY, rest=timedelta(0), hysteresis_bp=1_000)
    # Re-armed below 45 of the 50 due, not at 45.
    assert story([1050, 1049, 1050, 1045, 1050], calm) == [
        ENOUGH,
        PROTECTED,
        KNOWN,
        PROTECTED,
        KNOWN,
    ]
    assert story([1050, 1044.99, 1050], calm) == [ENOUGH, PROTECTED, ENOUGH]


def test_without_hysteresis_every_fall_arms() -> None:
    bare = replace(POLICY, rest=timedelta(0), hysteresis_bp=0)
    assert story([1050, 1049.99, 1050], bare) == [ENOUGH, PROTECTED, ENOUGH]


def test_an_edge_during_the_rest_is_spoken_of_after_it() -> None:
    assert story([1050, 0, 1050, 1050, 1050, 1050], POLICY) == [
        ENOUGH, BELOW, RESTING, RESTING, ENOUGH, KNOWN,
    ]  # fmt: skip


def test_a_part_may_be_followed_by_the_whole_once() -> None:
    policy = replace(POLICY, threshold=ThresholdKind.SHARE, share_bp=5_000, rest=timedelta(0))
    assert story([1030, 1040, 1050, 1030, 1050], policy) == [PART, KNOWN, ENOUGH, KNOWN, KNOWN]


def test_a_smaller_debt_may_turn_known_money_into_enough() -> None:
    state = detect(seen(1040), (due(1, 90),), POLICY, DetectorState(), T0).state
    assert outcome(seen(1040), (due(1, 40),), state=state) is ENOUGH


def test_a_new_case_asks_again_after_the_rest() -> None:
    later = T0 + 40 * timedelta(days=1)
    after = detect(seen(1200), ONE, POLICY, DetectorState(), T0).state
    assert outcome(seen(1200, later), state=after, now=later) is KNOWN
    reopened = DetectorState(last_signal_at=after.last_signal_at)
    assert outcome(seen(1200, later), state=reopened, now=later) is ENOUGH
    assert outcome(seen(1200, T0 + HOUR), state=reopened, now=T0 + HOUR) is RESTING


def test_a_stale_fall_does_not_arm() -> None:
    fired = detect(seen(1200), ONE, POLICY, DetectorState(), T0).state
    now = T0 + 96 * HOUR
    old = Reading(seen(0, T0).spendable, now)
    assert detect(old, ONE, POLICY, fired, now).state == fired


# ------------------------------------------------------------------ covers and bands


def test_money_is_reserved_for_the_oldest_due_first() -> None:
    dues = (due(1, 50, day=20), due(2, 30, day=5), due(3, 40, day=12), due(4, 10, day=28))
    found = {one.case_id: one.cover for one in reserve(euros(80), dues)}
    assert found == {
        case(2): Cover.WHOLE, case(3): Cover.WHOLE, case(1): Cover.PART, case(4): Cover.NONE,
    }  # fmt: skip
    assert [one.case_id for one in reserve(euros(0), dues)] == [case(n) for n in (2, 3, 1, 4)]
    assert {one.cover for one in reserve(euros(-5), dues)} == {Cover.NONE}


def test_equal_days_keep_the_given_order() -> None:
    dues = (due(2, 10), due(1, 10))
    assert [one.case_id for one in reserve(euros(10), dues)] == [case(2), case(1)]


@pytest.mark.parametrize(
    ("room", "band"),
    [
        (0, MarginBand.UNDER_HALF),
        (49.99, MarginBand.UNDER_HALF),
        (50, MarginBand.HALF_OR_MORE),
        (99.99, MarginBand.HALF_OR_MORE),
        (100, MarginBand.JUST_ENOUGH),
        (124.99, MarginBand.JUST_ENOUGH),
        (125, MarginBand.AMPLE),
        (99_999, MarginBand.AMPLE),
    ],
)
def test_bands_are_coarse(room: float, band: MarginBand) -> None:
    assert margin_band(euros(room), euros(100)) is band


def test_a_signal_says_what_it_covers_and_never_how_much_there_is() -> None:
    found = detect(seen(1234.56), (due(1, 50), due(2, 999, 2)), POLICY, DetectorState(), T0)
    assert isinstance(found.outcome, Quiet)
    part = replace(POLICY, threshold=ThresholdKind.FIXED, fixed=euros(100))
    found = detect(seen(1234.56), (due(1, 50), due(2, 999, 2)), part, DetectorState(), T0)
    assert isinstance(found.outcome, FundsSignal)
    assert found.outcome.kind is PART
    assert [one.cover for one in found.outcome.covers] == [Cover.WHOLE, Cover.PART]
    assert not re.search(r"\d", found.outcome.because)
    assert "123456" not in repr(found)
    assert "23456" not in repr(found)


@pytest.mark.parametrize("reason", QuietReason)
def test_every_reason_is_a_sentence_without_figures(reason: QuietReason) -> None:
    assert re.fullmatch(r"[A-Z][^0-9]+\.", _BECAUSE[reason])


# ------------------------------------------------------------------ properties

cents = st.integers(-200_000, 400_000)
policies = st.builds(
    FundsPolicy,
    floor=st.integers(0, 150_000).map(lambda minor: Money(minor, "EUR")),
    threshold=st.sampled_from(ThresholdKind),
    fixed=st.integers(1, 50_000).map(lambda minor: Money(minor, "EUR")),
    share_bp=st.integers(1, 10_000),
    hysteresis_bp=st.integers(0, 10_000),
    rest=st.sampled_from([timedelta(0), 24 * HOUR, 72 * HOUR]),
)
owed = st.lists(st.integers(1, 60_000), min_size=1, max_size=5)


@given(st.lists(cents, max_size=25), policies, owed)
def test_no_story_breaks_the_promises(
    minors: list[int], policy: FundsPolicy, amounts: list[int]
) -> None:
    dues = tuple(
        CaseDue(case(n), Money(minor, "EUR"), date(2026, 9, 1)) for n, minor in enumerate(amounts)
    )
    total = Money(sum(amounts), "EUR")
    assert policy.floor is not None
    line = threshold_of(policy, total)
    rearm = line - line.share(policy.hysteresis_bp)
    state, fired_at, fell = DetectorState(), None, True
    last: SignalKind | None = None
    for number, minor in enumerate(minors):
        now = T0 + number * 6 * HOUR
        found = detect(seen(minor / 100, now), dues, policy, state, now)
        state, room = found.state, Money(minor, "EUR") - policy.floor
        if isinstance(found.outcome, FundsSignal):
            # Never below floor and threshold, never within the rest, never twice on one edge.
            assert room >= line
            assert fired_at is None or now - fired_at >= policy.rest
            kind = found.outcome.kind
            assert fell or (last is PART and kind is ENOUGH)
            assert (kind is ENOUGH) == (room >= total)
            fired_at, fell, last = now, False, kind
            whole = [one for one in found.outcome.covers if one.cover is Cover.WHOLE]
            assert (len(whole) == len(dues)) == (room >= total)
        fell = fell or room < rearm


@given(st.integers(0, 300_000), owed)
def test_what_is_reserved_never_exceeds_what_is_there(room: int, amounts: list[int]) -> None:
    dues = tuple(
        CaseDue(case(n), Money(minor, "EUR"), date(2026, 9, 1 + n))
        for n, minor in enumerate(amounts)
    )
    covers = [one.cover for one in reserve(Money(room, "EUR"), dues)]
    whole = sum(minor for minor, cover in zip(amounts, covers, strict=True) if cover is Cover.WHOLE)
    assert whole <= room
    assert covers.count(Cover.PART) <= 1
    # A case may be passed over for a younger one only when nothing is left.
    assert covers == sorted(covers, key=[Cover.WHOLE, Cover.PART, Cover.NONE].index)
