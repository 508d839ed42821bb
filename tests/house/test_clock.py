"""Business time: one formula, one file, never backwards."""

from __future__ import annotations

import json
import multiprocessing
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from app import clock as clock_module
from app.clock import (
    LEASE_S,
    MAX_SPEED,
    Clock,
    Warp,
    advance_to,
    end_lease,
    freeze,
    read_clock,
    renew_lease,
    resume,
    set_speed,
    start_warp,
)
from app.domain.errors import Invalid, Misconfigured

MONDAY = datetime(2026, 1, 5, 8, tzinfo=UTC)
ORIGIN = MONDAY.timestamp()

speeds = st.floats(0, MAX_SPEED, allow_nan=False)
instants = st.floats(1.7e9, 1.9e9, allow_nan=False)
leases = st.one_of(st.none(), instants)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clock.json"


# ---------------------------------------------------------------- the formula


@given(instants, instants, speeds, leases, instants, st.floats(0, 1e6))
def test_later_is_never_earlier(
    origin: float, business: float, speed: float, lease: float | None, real: float, more: float
) -> None:
    warp = Warp(origin, business, speed, lease)
    assert warp.at(real + more) >= warp.at(real) >= business


@given(instants, speeds, speeds, st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_change_of_speed_neither_jumps_nor_loses(
    origin: float, before: float, after: float, lived: float, more: float
) -> None:
    old = Warp(origin, ORIGIN, before)
    new = old.rebased(origin + lived, after)
    assert new.at(origin + lived) == old.at(origin + lived)
    expected = old.at(origin + lived) + after * (origin + lived + more - (origin + lived))
    assert new.at(origin + lived + more) == pytest.approx(expected, rel=1e-12)


@given(instants, speeds, st.floats(0, 1e6), st.floats(0, 1e6))
def test_after_its_lease_it_stands(
    origin: float, speed: float, lasting: float, more: float
) -> None:
    warp = Warp(origin, ORIGIN, speed, lease_until=origin + lasting)
    assert warp.at(origin + lasting + more) == warp.at(origin + lasting)


# ---------------------------------------------------------------- the file


def test_without_a_file_it_is_real_time(file: Path) -> None:
    for clock in (Clock(), Clock(file)):
        before = datetime.now(UTC)
        now = clock.now()
        assert before <= now <= datetime.now(UTC)
        assert now.tzinfo is UTC
        assert clock.speed() == 1.0
        assert not clock.warped
    file.write_text('{"mode": "real"}')
    assert abs(Clock(file).now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_the_file_is_what_the_other_readers_expect(file: Path) -> None:
    start_warp(file, business_start=MONDAY, speed=720)
    content = json.loads(file.read_text())
    assert content["mode"] == "warp"
    assert content["business_origin"] == ORIGIN
    assert content["speed"] == 720
    assert content["lease_until"] == pytest.approx(content["real_origin"] + LEASE_S)


def test_it_runs_fast_and_real_time_does_not(file: Path) -> None:
    start_warp(file, business_start=MONDAY, speed=3600)
    warp = read_clock(file)
    assert warp is not None
    real = warp.real_origin
    clock = Clock(file, real_now=lambda: real)
    assert clock.now() == MONDAY
    real += 1
    assert clock.now() == MONDAY + timedelta(hours=1)
    assert clock.real_now().timestamp() == pytest.approx(real, abs=1e-5)


def test_now_costs_microseconds(file: Path) -> None:
    start_warp(file, business_start=MONDAY, speed=60)
    clock = Clock(file)
    reads = 0

    def counted(path: Path) -> Warp | None:
        nonlocal reads
        reads += 1
        return read_clock(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock_module, "read_clock", counted)
        for _ in range(1000):
            clock.now()
    assert reads == 1  # the file is parsed when it changed, and only then


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"mode": "mars"}', '{"mode": "warp", "speed": 1}', '{"mode": "warp",'],
)
def test_a_damaged_file_is_said(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(Misconfigured, match="not a clock file"):
        Clock(file).now()


@pytest.mark.parametrize("speed", [-1, float("nan"), float("inf"), MAX_SPEED + 1])
def test_impossible_speeds_are_refused(file: Path, speed: float) -> None:
    with pytest.raises(Invalid):
        start_warp(file, business_start=MONDAY, speed=speed)
    start_warp(file, business_start=MONDAY, speed=1)
    with pytest.raises(Invalid):
        set_speed(file, speed)


def test_a_real_clock_cannot_be_set_and_the_beat_leaves_it_alone(file: Path) -> None:
    for change in (partial(set_speed, speed=2), freeze, resume):
        with pytest.raises(Invalid, match="real time"):
            change(file)
    renew_lease(file)
    end_lease(file)
    assert not file.exists()


def test_freeze_and_resume_keep_the_speed(file: Path) -> None:
    start_warp(file, business_start=MONDAY, speed=600, lease=False)
    freeze(file)
    freeze(file)
    stood = read_clock(file)
    assert stood is not None
    assert stood.speed == 0
    assert stood.at(stood.real_origin + 1e6) == stood.business_origin
    resume(file)
    going = read_clock(file)
    assert going is not None
    assert going.speed == 600
    assert going.business_origin == stood.business_origin
    resume(file)
    assert read_clock(file) == going


def test_a_speed_set_by_hand_ends_the_freeze(file: Path) -> None:
    start_warp(file, business_start=MONDAY, speed=600, lease=False)
    freeze(file)
    set_speed(file, 7)
    resume(file)
    assert Clock(file).speed() == 7


def test_it_jumps_forward_and_never_back(file: Path) -> None:
    start_warp(file, business_start=MONDAY, speed=0, lease=False)
    clock = Clock(file)
    advance_to(file, MONDAY + timedelta(days=3))
    assert clock.now() == MONDAY + timedelta(days=3)
    with pytest.raises(Invalid, match="cannot go back"):
        advance_to(file, MONDAY)


def test_an_ended_lease_is_not_paid_back(file: Path) -> None:
    start_warp(file, business_start=MONDAY, speed=3600)
    warp = read_clock(file)
    assert warp is not None
    assert warp.lease_until is not None
    much_later = warp.lease_until + 1e6
    renew_lease(file, real_now=lambda: much_later)
    after = read_clock(file)
    assert after is not None
    assert after.at(much_later) == warp.at(warp.lease_until)
    assert after.lease_until == much_later + LEASE_S


def test_a_lease_ended_on_purpose_stops_the_clock_now(file: Path) -> None:
    start_warp(file, business_start=MONDAY, speed=3600)
    end_lease(file)
    warp = read_clock(file)
    assert warp is not None
    assert warp.lease_until is not None
    assert warp.lease_until <= time.time() + 0.05


def test_a_clock_without_a_lease_runs_by_itself(file: Path) -> None:
    start_warp(file, business_start=MONDAY, speed=60, lease=False)
    before = file.read_text()
    renew_lease(file)
    end_lease(file)
    assert file.read_text() == before


def test_readers_never_see_it_go_back_when_the_machine_does(file: Path) -> None:
    start_warp(file, business_start=MONDAY, speed=60, lease=False)
    warp = read_clock(file)
    assert warp is not None
    real = warp.real_origin + 100
    clock = Clock(file, real_now=lambda: real)
    first = clock.now()
    real -= 50
    assert clock.now() == first


# ---------------------------------------------------------------- many hands


def _beat(path: Path, rounds: int) -> None:
    for _ in range(rounds):
        renew_lease(path)


def _hasten(path: Path, rounds: int) -> None:
    clock_module._HANDOVER_S = 0.3  # more than any pause of a busy machine
    for number in range(rounds):
        set_speed(path, 10 if number % 2 else 10_000)


def _watch(path: Path, ready: object, stop: object, answers: object) -> None:
    clock, warp_reader, seen, back = Clock(path), 0.0, 0, 0.0
    while not stop.is_set():  # type: ignore[attr-defined]
        # Each reading with a fresh eye: the guard inside one Clock must not hide a jump.
        fresh = Clock(path).now().timestamp()
        back = max(back, warp_reader - fresh)
        warp_reader = max(warp_reader, fresh)
        clock.now()
        seen += 1
        ready.set()  # type: ignore[attr-defined]
    answers.put((seen, back))  # type: ignore[attr-defined]


def test_beats_and_changes_from_many_processes_lose_nothing(file: Path) -> None:
    start_warp(file, business_start=MONDAY, speed=10)
    context = multiprocessing.get_context("spawn")
    ready, stop, answers = context.Event(), context.Event(), context.Queue()
    watcher = context.Process(target=_watch, args=(file, ready, stop, answers), daemon=True)
    writers = [
        context.Process(target=_beat, args=(file, 200), daemon=True),
        context.Process(target=_hasten, args=(file, 12), daemon=True),
    ]
    watcher.start()
    # A process may take its time to begin: nobody writes before somebody watches.
    assert ready.wait(timeout=60)
    for process in writers:
        process.start()
    try:
        for writer in writers:
            writer.join(timeout=60)
            assert writer.exitcode == 0
    finally:
        stop.set()
        seen, back = answers.get(timeout=20)
        watcher.join(timeout=20)
    assert seen > 10
    assert back == 0
    warp = read_clock(file)
    assert warp is not None
    assert warp.speed == 10  # the last change stands, whatever the beats wrote


class ManyLives(RuleBasedStateMachine):
    """Any order of beats, pauses, kills, restarts and changes: business time only goes forward.

    Real time is moved by the test; the changes are the ones the file functions make.
    """

    def __init__(self) -> None:
        super().__init__()
        self.real = 1.8e9
        self.warp = Warp(self.real, ORIGIN, 60.0, self.real + LEASE_S)
        self.latest = ORIGIN

    @rule(seconds=st.floats(0, 100))
    def time_passes(self, seconds: float) -> None:
        self.real += seconds

    @rule()
    def beat(self) -> None:
        if self.warp.lease_until is not None and self.warp.lease_until <= self.real:
            self.warp = self.warp.rebased(self.real, self.warp.speed)
        self.warp = replace(self.warp, lease_until=self.real + LEASE_S)

    @rule(speed=speeds)
    def change(self, speed: float) -> None:
        self.warp = self.warp.rebased(self.real, speed)

    @rule(seconds=st.floats(0, 1e6))
    def all_is_stopped_for(self, seconds: float) -> None:
        lease = self.warp.lease_until
        assert lease is not None
        stands = self.warp.at(max(self.real, lease))
        self.real = max(self.real, lease) + seconds
        assert self.warp.at(self.real) == stands

    @rule()
    def written_and_read(self) -> None:
        text = json.dumps({"mode": "warp", **asdict(self.warp)})
        assert clock_module._warp_of(json.loads(text)) == self.warp

    @invariant()
    def never_back(self) -> None:
        now = self.warp.at(self.real)
        # A float of epoch seconds resolves about a quarter of a microsecond.
        assert now >= self.latest - 1e-6
        self.latest = max(self.latest, now)


def test_business_time_only_goes_forward_through_all_lives() -> None:
    run_state_machine_as_test(
        ManyLives,
        settings=settings(
            max_examples=60, stateful_step_count=40, suppress_health_check=list(HealthCheck)
        ),
    )
