"""The detector where bills are known: what will leave is no room, and a part can be asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.balance import Spendable
from app.domain.detector import (
    CaseDue,
    Cover,
    Detection,
    DetectorState,
    FundsPolicy,
    FundsSignal,
    MarginBand,
    QuietReason,
    Reading,
    SignalKind,
    ThresholdKind,
    detect,
)
from app.domain.ids import CaseId
from app.domain.money import Money

T0 = datetime(2026, 12, 3, 8, tzinfo=UTC)
DAY = timedelta(days=1)
ENOUGH, PART = SignalKind.ENOUGH, SignalKind.PART


def euros(amount: float) -> Money:
    return Money(round(amount * 100), "EUR")


DUES = (CaseDue(CaseId(UUID(int=1)), euros(300), date(2026, 11, 1)),)
POLICY = FundsPolicy(floor=euros(50), rest=timedelta(0))


def look(
    amount: float,
    leaving: float | None,
    state: DetectorState | None = None,
    policy: FundsPolicy = POLICY,
    now: datetime = T0,
) -> Detection:
    spendable = Spendable(euros(amount), "interimAvailable", now, credit_excluded=True)
    minor = None if leaving is None else round(leaving * 100)
    return detect(
        Reading(spendable, now), DUES, policy, state or DetectorState(), now, leaving_minor=minor
    )


def word(found: Detection) -> SignalKind | QuietReason:
    return found.outcome.kind if isinstance(found.outcome, FundsSignal) else found.outcome.reason


@pytest.mark.parametrize(
    ("amount", "leaving", "expected"),
    [
        (780, None, ENOUGH),
        (780, 0, ENOUGH),
        (780, 430, ENOUGH),  # 300 stay above the floor when the bill has left
        (779.99, 430, PART),
        (510, 430, PART),  # a tenth of what is due
        (509.99, 430, QuietReason.COMMITTED),
        (400, 430, QuietReason.COMMITTED),
        (349.99, 430, QuietReason.PROTECTED),
        (299.99, 430, QuietReason.BELOW_THRESHOLD),
        (349.99, 0, QuietReason.PROTECTED),
    ],
)
def test_what_will_leave_is_no_room(
    amount: float, leaving: float | None, expected: SignalKind | QuietReason
) -> None:
    assert word(look(amount, leaving)) == expected


def test_the_affordable_part_covers_what_stays_and_names_the_reason() -> None:
    signal = look(680, 430).outcome
    assert isinstance(signal, FundsSignal)
    assert (signal.kind, signal.margin_band) == (PART, MarginBand.HALF_OR_MORE)
    assert [one.cover for one in signal.covers] == [Cover.PART]
    assert "expected to leave" in signal.because
    assert not any(letter.isdigit() for letter in signal.because)


def test_other_thresholds_know_bills_too() -> None:
    fixed = FundsPolicy(floor=euros(0), threshold=ThresholdKind.FIXED, fixed=euros(100))
    assert word(look(500, 430, policy=fixed)) is PART
    assert word(look(435, 430, policy=fixed)) is QuietReason.COMMITTED
    share = FundsPolicy(floor=euros(0), threshold=ThresholdKind.SHARE, share_bp=5_000)
    assert word(look(600, 430, policy=share)) is PART


def test_a_bill_that_comes_and_goes_is_no_new_money() -> None:
    whole = look(900, 0)
    in_view = look(900, 850, whole.state, now=T0 + DAY)
    assert (word(in_view), in_view.state.armed) == (QuietReason.COMMITTED, False)
    out_of_view = look(900, 0, in_view.state, now=T0 + 2 * DAY)
    assert word(out_of_view) is QuietReason.ALREADY_SIGNALLED


def test_the_part_is_there_still_when_its_bill_has_left() -> None:
    part = look(680, 430)
    left = look(250, 0, part.state, now=T0 + DAY)
    assert (word(left), left.part_there) == (QuietReason.BELOW_THRESHOLD, True)
    spent = look(60, 0, left.state, now=T0 + 2 * DAY)
    assert not spent.part_there
    # Nobody knows bills here: the part has gone, as it always had.
    assert not look(250, None, part.state, now=T0 + DAY).part_there


def test_the_whole_may_follow_the_part() -> None:
    part = look(680, 430)
    assert word(look(900, 430, part.state, now=T0 + DAY)) is ENOUGH


room = st.integers(-50_000, 200_000)


@given(room, st.integers(0, 150_000), st.booleans(), st.sampled_from([None, PART, ENOUGH]))
def test_bills_never_make_more_of_a_balance(
    minor: int, leaving: int, armed: bool, kind: SignalKind | None
) -> None:
    state = DetectorState(armed=armed, last_signal_at=T0 - 9 * DAY, last_kind=kind)
    bare, kept = (look(minor / 100, one, state) for one in (None, leaving / 100))
    if isinstance(kept.outcome, FundsSignal):
        assert isinstance(bare.outcome, FundsSignal) or kept.outcome.kind is PART
        free = minor - 5_000 - leaving
        assert free > 0
        whole = [one for one in kept.outcome.covers if one.cover is Cover.WHOLE]
        assert bool(whole) == (free >= 30_000)
    # Whatever will leave, the account is armed by its balance alone.
    if isinstance(bare.outcome, type(kept.outcome)):
        assert kept.state.armed == bare.state.armed


@given(room, st.booleans(), st.sampled_from([None, PART, ENOUGH]))
def test_where_nothing_is_expected_all_is_as_it_was(
    minor: int, armed: bool, kind: SignalKind | None
) -> None:
    state = DetectorState(armed=armed, last_signal_at=T0 - 9 * DAY, last_kind=kind)
    unknown, none = (look(minor / 100, one, state) for one in (None, 0))
    assert (unknown.outcome, unknown.state) == (none.outcome, none.state)
