"""The packs: each file is read, says what the market's rule says, and a fault names its place."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from app.domain.contact_policy import Contact, ContactQuestion, Verdict, may_contact
from app.domain.errors import Misconfigured
from app.domain.ids import CaseId
from app.domain.jurisdiction import Hours, NoHolidays, Strength
from app.domain.message import Channel
from app.domain.money import Money
from app.reference.packs import PACKS_FOLDER, PackBook, load_packs

BOOK = load_packs()
CASE = CaseId(UUID(int=1))
SMS, CALL = Channel.SMS, Channel.CALL
COUNTRIES = ("AU", "CO", "DE", "ES", "GB", "IN", "MX", "PL", "US")
EVERY = [*(BOOK.of(country) for country in COUNTRIES), BOOK.elsewhere]


def local(zone: str, day: int, hour: int, minute: int = 0) -> datetime:
    """A wall-clock time in November 2026 as an instant."""
    return datetime(2026, 11, day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def gate(
    country: str,
    zone: str,
    *at: int,
    channel: Channel = SMS,
    history: tuple[Contact, ...] = (),
    holidays: frozenset[date] = frozenset(),
) -> Verdict:
    question = ContactQuestion(
        local(zone, *at), channel, frozenset({zone}), frozenset({CASE}),
        history=history, holidays=holidays,
    )  # fmt: skip
    return may_contact(question, BOOK.of(country))


# ------------------------------------------------------------------ the book


def test_the_book_holds_the_markets_and_a_strict_page_for_the_rest() -> None:
    assert set(BOOK.packs) == set(COUNTRIES)
    assert BOOK.of("es") is BOOK.of("ES")
    for country in ("FR", "", None, "*", "XX"):
        assert BOOK.of(country) is BOOK.elsewhere
    assert BOOK.elsewhere.zones == frozenset()


@pytest.mark.parametrize("pack", EVERY, ids=lambda pack: pack.country)
def test_every_pack_has_hours_holidays_and_sources_for_every_channel(pack: object) -> None:
    assert pack in EVERY
    for one in EVERY:
        for channel in Channel:
            kinds = {type(rule.limit) for rule in one.rules if channel in rule.channels}
            assert {Hours, NoHolidays} <= kinds
            assert len(kinds) > 2, "no frequency is limited"
        for rule in one.rules:
            assert rule.id.startswith("elsewhere" if one.country == "*" else one.country.lower())
            assert len(rule.source) > 5


@pytest.mark.parametrize("country", COUNTRIES)
def test_the_strict_page_is_open_only_when_every_market_is(country: str) -> None:
    assert BOOK.elsewhere.country == "*"
    (strict,) = [rule.limit for rule in BOOK.elsewhere.rules if isinstance(rule.limit, Hours)]
    for rule in BOOK.of(country).rules:
        # At work the strict page is never open.
        if isinstance(rule.limit, Hours) and not rule.at_work:
            for day, windows in enumerate(strict.weekly):
                for window in windows:
                    assert any(
                        one.start <= window.start and window.end <= one.end
                        for one in rule.limit.weekly[day]
                    ), (country, day)


# ------------------------------------------------------------------ what the markets demand


@pytest.mark.parametrize(
    ("country", "zone", "open_at", "shut_at"),
    [
        ("ES", "Europe/Madrid", [(3, 9), (3, 20, 59)], [(3, 8, 59), (3, 21), (7, 12), (8, 12)]),
        ("PL", "Europe/Warsaw", [(3, 9), (7, 19, 59)], [(3, 20), (8, 12)]),
        ("DE", "Europe/Berlin", [(3, 9), (7, 19, 59)], [(3, 20), (8, 12)]),
        ("GB", "Europe/London", [(3, 9), (7, 19, 59)], [(3, 20), (8, 12)]),
        ("US", "America/New_York", [(3, 8), (8, 20, 59)], [(3, 7, 59), (3, 21)]),
        ("MX", "America/Mexico_City", [(3, 7), (8, 21, 59)], [(3, 6, 59), (3, 22)]),
        (
            "CO",
            "America/Bogota",
            [(3, 7), (3, 18, 59), (7, 8), (7, 14, 59)],
            [(3, 19), (7, 7, 59), (7, 15), (8, 12)],
        ),
        (
            "AU",
            "Australia/Sydney",
            [(3, 7, 30), (3, 20, 59), (8, 9), (8, 20, 59)],
            [(3, 7, 29), (3, 21), (8, 8, 59)],
        ),
        ("IN", "Asia/Kolkata", [(3, 8), (8, 18, 59)], [(3, 7, 59), (3, 19)]),
        ("FR", "Europe/Paris", [(3, 9), (3, 18, 59)], [(3, 8, 59), (3, 19), (7, 12)]),
    ],
)
def test_hours_of_contact(
    country: str, zone: str, open_at: list[tuple[int, ...]], shut_at: list[tuple[int, ...]]
) -> None:
    for at in open_at:
        assert gate(country, zone, *at).allowed, at
    for at in shut_at:
        verdict = gate(country, zone, *at)
        assert not verdict.allowed, at
        assert "outside the hours" in verdict.because


@pytest.mark.parametrize("country", [*COUNTRIES, "FR"])
def test_no_market_is_contacted_on_a_holiday(country: str) -> None:
    zone = "UTC"
    verdict = gate(country, zone, 3, 12, holidays=frozenset({date(2026, 11, 3)}))
    assert "public holiday" in verdict.because


def calls(zone: str, *days: int, conversation: bool = False) -> tuple[Contact, ...]:
    return tuple(
        Contact(local(zone, day, 12), CALL, frozenset({CASE}), conversation=conversation)
        for day in days
    )


def test_regulation_f_counts_seven_calls_in_seven_days() -> None:
    zone = "America/Chicago"
    seven = calls(zone, *range(2, 9))
    refused = gate("US", zone, 9, 11, channel=CALL, history=seven)
    assert "7 of at most 7 calls about this debt in 7 days used." in refused.because
    assert refused.earliest_at == local(zone, 9, 12)
    assert gate("US", zone, 9, 11, channel=CALL, history=seven[1:]).allowed
    assert gate("US", zone, 9, 11, history=seven).allowed, "texts are not in the count"


def test_regulation_f_rests_seven_days_after_a_conversation() -> None:
    zone = "America/Chicago"
    spoke = calls(zone, 3, conversation=True)
    assert gate("US", zone, 9, 12, channel=CALL, history=spoke).earliest_at == local(zone, 10, 12)
    (check,) = [
        one for one in gate("US", zone, 9, 12, channel=CALL, history=spoke).checks if not one.passed
    ]
    assert check.strength is Strength.LAW
    assert "1006.14" in check.source


def test_colombia_allows_one_contact_a_day_and_one_channel_a_week() -> None:
    zone = "America/Bogota"
    text = (Contact(local(zone, 3, 8), SMS, frozenset({CASE})),)
    assert gate("CO", zone, 3, 12, history=text).earliest_at == local(zone, 4, 7)
    other = gate("CO", zone, 4, 12, channel=CALL, history=text)
    assert other.earliest_at == local(zone, 10, 8)
    assert "Ley 2300" in next(one.source for one in other.checks if not one.passed)


def test_australia_allows_three_a_week_and_ten_a_month() -> None:
    zone = "Australia/Perth"
    three = calls(zone, 2, 3, 4, conversation=True)
    assert gate("AU", zone, 8, 12, history=three).earliest_at == local(zone, 9, 12)
    assert gate("AU", zone, 8, 12, history=calls(zone, 2, 3, 4)).allowed, "nobody was reached"
    seven = calls(zone, *range(2, 9))
    assert gate("AU", zone, 8, 13, history=seven).earliest_at == local(zone, 9, 12)
    begun = local(zone, 1, 12)
    ten = tuple(
        Contact(begun + timedelta(days=gap), SMS) for gap in (0, 1, 2, 8, 9, 10, 16, 17, 18, 24)
    )
    question = ContactQuestion(
        begun + timedelta(days=27), SMS, frozenset({zone}), frozenset({CASE}), history=ten
    )
    assert may_contact(question, BOOK.of("AU")).earliest_at == begun + timedelta(days=31)


@pytest.mark.parametrize("country", ["ES", "PL", "DE", "GB", "US", "MX", "CO", "AU", "IN", "FR"])
def test_nobody_gets_two_texts_a_day_or_four_a_week(country: str) -> None:
    zone = "UTC"
    first = Contact(local(zone, 3, 10), SMS, frozenset({CASE}))
    if country != "AU":
        assert not gate(country, zone, 3, 14, history=(first,)).allowed
    three = tuple(Contact(local(zone, day, 9), SMS, frozenset({CASE})) for day in (2, 3, 4))
    assert not gate(country, zone, 6, 14, history=three).allowed


@pytest.mark.parametrize("country", [*COUNTRIES, "FR"])
def test_nobody_is_called_at_work_but_in_australia_and_there_in_office_hours(country: str) -> None:
    pack = BOOK.of(country)
    zone = min(pack.zones) if pack.zones else "Europe/Paris"
    call = ContactQuestion(
        local(zone, 3, 12), CALL, frozenset({zone}), frozenset({CASE}), at_work=True
    )
    assert may_contact(call, pack).allowed == (country == "AU")
    assert may_contact(replace(call, at_work=False), pack).allowed
    evening = replace(call, now=local(zone, 3, 17, 30))
    assert not may_contact(evening, pack).allowed


def test_inbound_calls_are_no_attempts_and_begin_the_rest_under_regulation_f() -> None:
    zone = "America/Chicago"
    rang = tuple(
        one._replace(outbound=False) for one in calls(zone, *range(1, 9), conversation=False)
    )
    assert gate("US", zone, 9, 12, channel=CALL, history=rang).allowed
    spoke = (calls(zone, 8, conversation=True)[0]._replace(outbound=False),)
    assert gate("US", zone, 9, 12, channel=CALL, history=spoke).earliest_at == local(zone, 15, 12)
    unheard = tuple(one._replace(counts=False) for one in calls(zone, *range(2, 9)))
    wished = tuple(one._replace(asked_for=True) for one in calls(zone, *range(2, 9)))
    for exempt in (unheard, wished):
        assert gate("US", zone, 9, 11, channel=CALL, history=exempt).allowed


def test_a_call_he_asked_for_counts_where_no_rule_exempts_it() -> None:
    zone = "Europe/Madrid"
    wished = tuple(one._replace(asked_for=True) for one in calls(zone, 3, 4, 5))
    unheard = tuple(one._replace(counts=False) for one in wished)
    for history, used in ((wished, 3), (unheard, 0)):
        asked = gate("ES", zone, 6, 11, channel=CALL, history=history)
        assert asked.tightest.startswith(f"{used} of at most 7 "), asked.tightest


def test_a_call_he_asked_for_waits_for_the_morning_and_for_nothing_else() -> None:
    zone = "America/Chicago"
    busy = (*calls(zone, *range(2, 9)), *calls(zone, 8, conversation=True))
    question = ContactQuestion(
        local(zone, 9, 11), CALL, frozenset({zone}), frozenset({CASE}), history=busy
    )
    assert not may_contact(question, BOOK.of("US")).allowed
    wished = replace(question, asked_for=True)
    assert may_contact(wished, BOOK.of("US")).allowed
    night = replace(wished, now=local(zone, 9, 22))
    assert may_contact(night, BOOK.of("US")).earliest_at == local(zone, 10, 8)


def test_the_gate_is_open_in_hours_of_the_local_clock_on_both_days_it_changes() -> None:
    new_york = ZoneInfo("America/New_York")
    for month, day in ((3, 8), (11, 1)):
        for hour, allowed in ((7, False), (8, True), (20, True), (21, False)):
            now = datetime(2026, month, day, hour, 30, tzinfo=new_york).astimezone(UTC)
            if hour == 8:
                now -= timedelta(minutes=30)
            question = ContactQuestion(
                now, CALL, frozenset({"America/New_York"}), frozenset({CASE})
            )
            assert may_contact(question, BOOK.of("US")).allowed == allowed, (month, hour)


# ------------------------------------------------------------------ protected floors


@pytest.mark.parametrize(
    ("country", "day", "floor"),
    [
        ("ES", date(2025, 12, 31), Money(118_400, "EUR")),
        ("ES", date(2026, 1, 1), Money(122_100, "EUR")),
        ("DE", date(2026, 11, 2), Money(156_000, "EUR")),
        ("PL", date(2025, 6, 1), Money(349_950, "PLN")),
        ("PL", date(2026, 6, 1), Money(360_450, "PLN")),
        ("GB", date(2026, 11, 2), Money(100_000, "GBP")),
        ("US", date(2026, 11, 2), Money(94_250, "USD")),
        ("MX", date(2026, 11, 2), Money(958_247, "MXN")),
        ("CO", date(2026, 11, 2), Money(175_090_500, "COP")),
    ],
)
def test_the_floor_in_force_is_the_latest_of_its_day(country: str, day: date, floor: Money) -> None:
    level = BOOK.of(country).floor_on(day)
    assert level is not None
    assert level.monthly == floor
    assert level.source


@pytest.mark.parametrize("country", ["AU", "IN", "FR", None])
def test_where_no_level_is_known_nobody_guesses_one(country: str | None) -> None:
    assert BOOK.of(country).floor_on(date(2026, 11, 2)) is None


def test_before_the_first_level_there_is_none() -> None:
    assert BOOK.of("ES").floor_on(date(2024, 12, 31)) is None


# ------------------------------------------------------------------ faults

GOOD = (PACKS_FOLDER / "elsewhere.toml").read_text(encoding="utf-8")
FLOOR = """
[[floor]]
monthly = "10.00"
currency = "EUR"
strength = "law"
source = "a test"
effective_from = 2020-01-01
"""


def broken(
    folder: Path, mend: Callable[[str], str], *, name: str = "elsewhere.toml"
) -> Misconfigured:
    (folder / name).write_text(mend(GOOD + FLOOR), encoding="utf-8")
    with pytest.raises(Misconfigured) as fault:
        load_packs(folder)
    return fault.value


def test_the_material_of_the_broken_packs_is_sound(tmp_path: Path) -> None:
    (tmp_path / "any.toml").write_text(GOOD + FLOOR, encoding="utf-8")
    book = load_packs(tmp_path)
    assert isinstance(book, PackBook)
    assert book.of("ES").floor_on(date(2026, 1, 1)) is not None


@pytest.mark.parametrize(
    ("old", "new", "place", "field"),
    [
        ("version = 2026-11-01", "version = 'today'", "elsewhere.toml", "version"),
        ("version = 2026-11-01", "version = 2026-11-01T00:00:00", "elsewhere.toml", "version"),
        ('name = "Any other place"', 'name = ""', "elsewhere.toml", "name"),
        ('name = "Any other place"', "", "elsewhere.toml", "name"),
        ('country = "*"', 'country = "Spain"', "elsewhere.toml", "country"),
        ('country = "*"', 'country = "*"\ncolour = "red"', "elsewhere.toml", "colour"),
        ("country", "country = = ", "elsewhere.toml", "TOML"),
        ('id = "elsewhere.hours"', "", "a rule", "id"),
        ('kind = "hours"', 'kind = "weather"', "rule elsewhere.hours", "kind"),
        ('kind = "hours"', "", "rule elsewhere.hours", "kind"),
        ('"09:00-19:00"', '"9-19"', "rule elsewhere.hours", "windows.monday-friday"),
        ('["09:00-19:00"]', "[900]", "rule elsewhere.hours", "windows.monday-friday"),
        ('["09:00-19:00"]', "7", "rule elsewhere.hours", "windows.monday-friday"),
        ('["09:00-19:00"]', "[]", "rule elsewhere.hours", "windows"),
        ('"monday-friday"', '"friday-monday"', "rule elsewhere.hours", "windows"),
        ('"monday-friday"', '"weekdays"', "rule elsewhere.hours", "windows"),
        ('"monday-friday"', '"monday-someday"', "rule elsewhere.hours", "windows"),
        (
            '["09:00-19:00"] }', '["09:00-19:00"], "monday" = ["08:00-09:00"] }',
            "rule elsewhere.hours", "windows.monday",
        ),
        ('kind = "no_holidays"', 'kind = "no_holidays"\nlimit = 1', "elsewhere.holidays", "limit"),
        ("limit = 3", "limit = 0", "person_and_week", "limit"),
        ("limit = 3", "limit = true", "person_and_week", "limit"),
        ("limit = 3", 'limit = "3"', "person_and_week", "limit"),
        ('per = "person"', 'per = "head"', "person_and_day", "per"),
        ('within = "day"', 'within = "today"', "person_and_day", "within"),
        ('length = "7 days"', 'length = "0 days"', "rest_after_conversation", "length"),
        ('strength = "policy"', 'strength = "custom"', "rule elsewhere.hours", "strength"),
        ('within = "7 days"', 'within = "32 days"', "person_and_week", "within"),
        ("limit = 3", 'limit = 3\nreached_only = "yes"', "person_and_week", "reached_only"),
        ("at_work = true", "at_work = 1", "elsewhere.not_at_work", "at_work"),
        ('kind = "never"', 'kind = "never"\nlimit = 1', "elsewhere.not_at_work", "limit"),
        ('["sms", "email", "call"]', '["sms", "fax"]', "rule elsewhere.hours", "channels"),
        ('["sms", "email", "call"]', "[]", "rule elsewhere.hours", "channels"),
        ('["sms", "email", "call"]', "[[]]", "rule elsewhere.hours", "channels"),
        ("effective_from = 2020-01-01", "", "rule elsewhere.hours", "effective_from"),
        ('id = "elsewhere.holidays"', 'id = "elsewhere.hours"', "rule elsewhere.hours", "id"),
        ("[[floor]]", "[floor]", "elsewhere.toml", "floor"),
        ('monthly = "10.00"', 'monthly = "10,00"', "floor 2020-01-01", "amount"),
        ('monthly = "10.00"', 'monthly = "0.00"', "floor 2020-01-01", "monthly"),
        ('monthly = "10.00"', "monthly = 10.00", "floor 2020-01-01", "monthly"),
        ('currency = "EUR"', 'currency = "EURO"', "floor 2020-01-01", "currency"),
        ('currency = "EUR"', 'currency = "EUR"\nper = "week"', "floor 2020-01-01", "per"),
    ],
)  # fmt: skip
def test_a_fault_names_file_rule_and_field(
    tmp_path: Path, old: str, new: str, place: str, field: str
) -> None:
    fault = broken(tmp_path, lambda text: text.replace(old, new, 1))
    assert place in fault.setting
    assert "elsewhere.toml" in fault.setting
    assert fault.problem.startswith(f"{field}: "), fault.problem


def test_a_pack_without_hours_is_refused(tmp_path: Path) -> None:
    hours = tomllib.loads(GOOD)["rule"][0]
    assert hours["kind"] == "hours"
    start = GOOD.index("[[rule]]")
    end = GOOD.index("[[rule]]", start + 1)
    fault = broken(tmp_path, lambda text: text[:start] + text[end:])
    assert "hours" in fault.problem


def test_two_packs_for_one_country_are_refused(tmp_path: Path) -> None:
    (tmp_path / "again.toml").write_text(GOOD, encoding="utf-8")
    fault = broken(tmp_path, lambda text: text)
    assert "has a pack already" in fault.problem


def test_the_strict_page_must_be_there(tmp_path: Path) -> None:
    spain = (PACKS_FOLDER / "es.toml").read_text(encoding="utf-8")
    (tmp_path / "es.toml").write_text(spain, encoding="utf-8")
    with pytest.raises(Misconfigured, match="no pack says"):
        load_packs(tmp_path)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes('country = "ñ"'.encode("latin-1"))
    with pytest.raises(Misconfigured, match=r"latin\.toml"):
        load_packs(tmp_path)
