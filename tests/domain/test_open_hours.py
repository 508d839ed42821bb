"""Weekly hours against the wall clock, minute by minute, in the oddest zones there are."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.open_hours import (
    ALWAYS,
    Micros,
    Weekly,
    Window,
    micros,
    moment,
    next_open,
    open_until,
    zone_of,
)

MINUTE = 60_000_000
# Clock changes at 2:00 and 3:00, at midnight (Havana, Beirut), by half an hour (Lord Howe),
# in the "wrong" season (Casablanca), and a country that skipped a day (Apia, 2011).
ZONES = (
    "Europe/Madrid", "America/New_York", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe",
    "Africa/Casablanca", "Pacific/Apia", "Asia/Kathmandu", "UTC",
)  # fmt: skip
CHANGES = (
    datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC),
    datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 4, 5, tzinfo=UTC), datetime(2026, 10, 4, tzinfo=UTC),
    datetime(2026, 2, 15, tzinfo=UTC), datetime(2026, 3, 22, tzinfo=UTC),
    datetime(2011, 12, 30, tzinfo=UTC),
)  # fmt: skip

windows = st.builds(
    lambda start, length: Window(start, min(1440, start + length)),
    st.integers(0, 1439),
    st.integers(1, 1440),
)
weeks = st.tuples(*[st.lists(windows, max_size=2).map(lambda day: tuple(sorted(day)))] * 7)
starts = st.builds(
    lambda change, hours, micro: micros(change) + hours * 60 * MINUTE + micro,
    st.sampled_from(CHANGES),
    st.integers(-40, 40),
    st.sampled_from([0, 1, MINUTE // 2, MINUTE - 1]),
)


def is_open(zone: str, instant: Micros, weekly: Weekly, closed: frozenset[date]) -> bool:
    """The definition itself, asked of the wall clock."""
    local = moment(instant).astimezone(ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    return local.date() not in closed and any(
        window.start <= minute < window.end for window in weekly[local.weekday()]
    )


def edges(start: Micros, hours: int) -> list[Micros]:
    """The instant itself, and every full minute after it."""
    first = start - start % MINUTE + MINUTE
    return [start, *range(first, start + hours * 60 * MINUTE, MINUTE)]


@given(st.sampled_from(ZONES), starts, weeks, st.booleans())
def test_next_open_is_the_first_open_instant(
    zone: str, start: Micros, weekly: Weekly, holiday: bool
) -> None:
    closed = frozenset({moment(start).date()}) if holiday else frozenset[date]()
    found = next_open((zone,), start, weekly, closed)
    expected = next((at for at in edges(start, 30) if is_open(zone, at, weekly, closed)), None)
    if expected is None:
        assert found is None or found >= start + 30 * 60 * MINUTE
    else:
        assert found == expected


@given(st.sampled_from(ZONES), starts, weeks)
def test_open_until_is_the_first_closed_instant(zone: str, start: Micros, weekly: Weekly) -> None:
    found = open_until((zone,), start, weekly)
    shut = next((at for at in edges(start, 30) if not is_open(zone, at, weekly, frozenset())), None)
    if shut is None:
        assert found >= start + 29 * 60 * MINUTE
    else:
        assert found == shut


@given(st.lists(st.sampled_from(ZONES), min_size=2, max_size=3, unique=True), starts, weeks)
def test_several_zones_must_all_be_open(zones: list[str], start: Micros, weekly: Weekly) -> None:
    found = next_open(tuple(zones), start, weekly)
    expected = next(
        (
            at
            for at in edges(start, 30)
            if all(is_open(zone, at, weekly, frozenset()) for zone in zones)
        ),
        None,
    )
    if expected is None:
        assert found is None or found >= start + 30 * 60 * MINUTE
    else:
        assert found == expected
        shut = open_until(tuple(zones), found, weekly)
        assert all(is_open(zone, shut - 1, weekly, frozenset()) for zone in zones)


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_survive_the_way_to_microseconds_and_back(at: datetime) -> None:
    assert moment(micros(at)) == at


def test_the_hour_that_comes_twice_is_open_twice() -> None:
    weekly: Weekly = ((),) * 6 + ((Window.parse("02:15-02:45"),),)
    start = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 summer time in Madrid
    first_end = open_until(("Europe/Madrid",), micros(start), weekly)
    assert moment(first_end) == datetime(2026, 10, 25, 0, 45, tzinfo=UTC)
    again = next_open(("Europe/Madrid",), first_end, weekly)
    assert again is not None
    assert moment(again) == datetime(2026, 10, 25, 1, 15, tzinfo=UTC)


def test_the_hour_that_is_leapt_over_never_opens() -> None:
    weekly: Weekly = ((),) * 6 + ((Window.parse("02:15-02:45"),),)
    start = micros(datetime(2026, 3, 28, 12, tzinfo=UTC))
    found = next_open(("Europe/Madrid",), start, weekly)
    assert found is not None
    assert moment(found).date() == date(2026, 4, 5)


def test_no_hours_and_no_days_are_never_open() -> None:
    never: Weekly = ((),) * 7
    assert next_open(("UTC",), 0, never) is None
    closed = frozenset(date(1970, 1, 1) + timedelta(days=n) for n in range(60))
    assert next_open(("UTC",), 0, ALWAYS, closed) is None
    assert next_open(("UTC",), 0, ALWAYS, closed, days=60) == micros(
        datetime(1970, 3, 2, tzinfo=UTC)
    )


def test_what_never_shuts_is_open_as_far_as_asked() -> None:
    assert open_until(("UTC",), 0, ALWAYS, days=1) == 2 * 1440 * MINUTE
    closed_now: Weekly = ((),) * 7
    assert open_until(("UTC",), 5, closed_now) == 5


@pytest.mark.parametrize(
    ("text", "window"),
    [("09:00-21:00", Window(540, 1260)), ("00:00-24:00", Window(0, 1440)),
     (" 07:30 - 08:00 ", Window(450, 480))],
)  # fmt: skip
def test_windows_are_read(text: str, window: Window) -> None:
    assert Window.parse(text) == window


@pytest.mark.parametrize(
    "text",
    ["", "09:00", "9-21", "9:00-21:00", "09:00-25:00", "09:60-10:00", "21:00-09:00", "09:00-09:00",
     "24:00-24:00", "09:00-24:01", "aa:bb-cc:dd", "٠٩:٠٠-٢١:٠٠", "09:00-10:00-11:00"],
)  # fmt: skip
def test_other_windows_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Window.parse(text)


def test_a_window_is_written_as_a_person_would() -> None:
    assert str(Window.parse("09:00-24:00")) == "09:00–24:00"


@pytest.mark.parametrize("name", ["", "Madrid", "Europe/Atlantis", "../etc/passwd", "/etc/passwd"])
def test_a_zone_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="time_zone"):
        zone_of(name)
