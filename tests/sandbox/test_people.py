"""The people: valid account numbers and phones, the same on every start, histories replayed."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
import schwifty
from hypothesis import given
from hypothesis import strategies as st

from sandbox import history, ibans
from sandbox.apps import has_app
from sandbox.banks import BANKS, BY_ID, IN_EURO, Bank
from sandbox.chance import Chance
from sandbox.modes import Mode
from sandbox.money_life import moved
from sandbox.people import Person, draw_person
from sandbox.town import PAST
from sandbox.troubles import deal
from tests.sandbox.rig import MONDAY, Town

MADRID = ZoneInfo("Europe/Madrid")


@given(st.sampled_from(BANKS), st.integers(0, 999_999_999))
def test_account_numbers_are_valid_in_each_country(bank: Bank, number: int) -> None:
    iban = ibans.make(bank.country, bank.bank_code, number)
    assert str(schwifty.IBAN(iban, validate_bban=True)) == iban
    assert ibans.is_valid(iban)
    wrong = iban[:-1] + str((int(iban[-1]) + 1) % 10)
    assert not ibans.is_valid(wrong)


@pytest.mark.parametrize("text", ["", "ES", "ES00", "es91 2100", "ÄÖ12345678", "ES91-2100"])
def test_what_is_no_account_number(text: str) -> None:
    assert not ibans.is_valid(text)


def drawn(number: int) -> Person:
    return draw_person(7, number, MONDAY)


def test_people_are_the_same_on_every_start_and_differ_from_each_other() -> None:
    people = [drawn(number) for number in range(1, 301)]
    assert people == [drawn(number) for number in range(1, 301)]
    for distinct in ("id", "phone", "code", "iban"):
        assert len({getattr(person, distinct) for person in people}) == len(people)
    assert {person.bank_id for person in people} == {bank.id for bank in IN_EURO}
    reactions = {person.mood.reactions for person in people}
    assert len(reactions) > 8
    soon = [p for p in people if p.accounts[0].salary and p.accounts[0].salary.day in range(2, 9)]
    assert len(soon) > 150


def test_people_with_a_monthly_salary_have_bills_after_it_and_a_past_that_shows_them() -> None:
    town = Town(people=60)
    billed = [p for p in town.world.people.values() if (s := p.accounts[0].spending) and s.bills]
    assert 20 < len(billed) < 55
    shown = 0
    for person in billed:
        account = town.world.town.accounts[person.iban]
        seen = Counter(
            -minor for _, minor in moved(account.life, MONDAY - timedelta(days=90), MONDAY)
        )
        assert account.plan.spending
        shown += any(seen[bill.minor] >= 2 for bill in account.plan.spending.bills)
    assert shown > len(billed) / 2


def test_phones_are_mobile_numbers_of_their_country() -> None:
    for number in range(1, 120):
        person = drawn(number)
        parsed = phonenumbers.parse(person.phone)
        assert phonenumbers.is_valid_number(parsed), person.phone
        assert phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.MOBILE
        assert phonenumbers.region_code_for_number(parsed) == person.country


def test_chance_depends_on_its_keys_alone() -> None:
    chance = Chance(1, ("a",))
    first = chance.whole("x")
    chance.whole("y")
    assert chance.whole("x") == first == Chance(1).under("a").whole("x")
    assert Chance(2, ("a",)).whole("x") != first
    assert {chance.between(3, 5, n) for n in range(99)} == {3, 4, 5}
    assert all(0 <= chance.fraction(n) < 1 for n in range(99))
    weights = [chance.weighted((("rare", 1), ("often", 9)), n) for n in range(500)]
    assert 20 < weights.count("rare") < 90


def test_the_shipped_account_is_the_published_one_in_euros() -> None:
    found = history.shipped(MONDAY, MADRID)
    assert len(found) == 581
    assert min(minor for _, minor in found) == 2_000
    assert found[0][0].astimezone(MADRID).date() == MONDAY.date()
    steps = {after - before for (_, before), (_, after) in pairwise(found)}
    assert {-50_000, -49_999, -50_001} & steps, "its rent of 500.00 is seen"


def test_a_csv_is_replayed_with_and_without_times() -> None:
    lines = [
        "account,date,time,amount,balance",
        "A,2024-05-01,09:15,100.00,150.00",
        "A,2024-05-02,00:00,-20.50,129.50",
        "B,2024-05-01,23:59,1,1",
    ]
    found = history.read_csv(lines, MADRID)
    assert [minor for _, minor in found["A"]] == [15_000, 12_950]
    assert found["A"][0][0].isoformat() == "2024-05-01T07:15:00+00:00"
    moved = history.shifted(found["A"], MONDAY, MADRID)
    assert [at.astimezone(MADRID).isoformat() for at, _ in moved] == [
        "2026-03-02T09:15:00+01:00",
        "2026-03-03T00:00:00+01:00",
    ]
    undated = history.read_csv(["account,date,amount,balance", "A,2024-05-01,1,-2.10"], MADRID)
    assert undated["A"][0][1] == -210


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("A,2024-05-01,x,1", "line 2"),
        ("A,2024-13-01,1,1", "line 2"),
        ("A,2024-05-01,1,1.001", "line 2"),
        ("A,2024-05-01,1,NaN", "line 2"),
    ],
)
def test_a_csv_row_that_cannot_be_read_is_named(row: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        history.read_csv(["account,date,amount,balance", row], MADRID)


def test_a_csv_without_its_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="balance"):
        history.read_csv(["account,date,amount"], MADRID)


def test_one_of_the_town_lives_the_real_account() -> None:
    town = Town(people=3)
    person = town.world.people["p0002"]
    assert person.accounts[0].replays == history.SHIPPED
    born = MONDAY - PAST
    expected = dict(history.shipped(born, BY_ID[person.bank_id].zone))
    at = max(moment for moment in expected if moment <= MONDAY)
    assert town.world.town.balance(person.iban) == expected[at]


def test_a_history_can_be_given_to_somebody_new(tmp_path: Path) -> None:
    file = tmp_path / "world.sqlite"
    town = Town(file)
    found = history.read_csv(["account,date,amount,balance", "A,2024-05-01,1,77.70"], MADRID)
    town.world.town.keep_history("mine/A", history.shifted(found["A"], MONDAY, MADRID))
    person = town.world.add_person("Rita", replays="mine/A")
    assert town.world.town.balance(person.iban) == 7_770
    town.world.close()
    assert Town(file).world.town.balance(person.iban) == 7_770


def test_nobody_moves_in_twice() -> None:
    town = Town()
    town.world.add_person("Ana", phone="+34612345678")
    with pytest.raises(ValueError, match="phone"):
        town.world.add_person("Eva", phone="+34612345678")


def test_troubles_are_dealt_once_and_are_few(tmp_path: Path) -> None:
    file = tmp_path / "world.sqlite"
    first = Town(file, people=240)
    dealt = deal(first.world)
    assert 20 < dealt < 60
    troubled = [key for key in first.world.people if first.world.town.settings(key).modes]
    assert len(troubled) == dealt
    modes = [set(first.world.town.settings(key).modes) for key in troubled]
    for wanted in (Mode.EMAIL_BOUNCES, Mode.EMAIL_UNKNOWN, Mode.APP_SILENT):
        assert {wanted.value} in modes, wanted
    apps = [key for key, person in first.world.people.items() if has_app(person, 7)]
    assert 15 < len(apps) < 60
    calm = troubled[0]
    for mode in list(first.world.town.settings(calm).modes):
        first.world.set_mode(calm, Mode(mode), on=False)
    first.world.close()
    second = Town(file)
    assert deal(second.world) == 0
    assert second.world.town.settings(calm).modes == {}
