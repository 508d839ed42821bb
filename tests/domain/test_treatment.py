"""The treatment suggestion: arithmetic that can be repeated by hand, rules, and care."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from app.domain.case_facts import Care, RuleFacts
from app.domain.money import Money
from app.domain.treatment import (
    PRESSURE,
    Pressure,
    Treatment,
    TreatmentBook,
    hardest_allowed,
    suggest,
    worth,
)
from app.reference.segments import load_treatments
from tests.domain import rule_facts

BOOK = load_treatments()
TERMS = {one.treatment: one for one in BOOK.terms}


def case(amount: str, days: int, *care: Care, currency: str = "EUR") -> RuleFacts:
    return RuleFacts(days, Money.parse(amount, currency), "Loan", care=frozenset(care))


def test_the_arithmetic_by_hand() -> None:
    # 1,000.00 owed for 100 days. An agency: 25 % of it comes, 30 % of that is theirs, 5.00 fixed.
    found = worth(TERMS[Treatment.AGENCY], case("1000.00", 100))
    assert str(found.gross) == "250.00 EUR"
    assert str(found.commission) == "75.00 EUR"
    assert str(found.cost) == "5.00 EUR"
    assert str(found.expected) == "170.00 EUR"
    # A settlement: 35 % accept, 65 % of the debt each: 227.50, less 5.00.
    assert str(worth(TERMS[Treatment.SETTLE], case("1000.00", 100)).expected) == "222.50 EUR"
    # Rounded down to a whole cent: 0.99 x 70 % x 95 % = 0.65835.
    assert str(worth(TERMS[Treatment.EXTEND], case("0.99", 5)).gross) == "0.65 EUR"


@pytest.mark.parametrize(("days", "chance"), [(0, 7000), (30, 7000), (31, 5000), (90, 3000),
                                              (91, 1500), (4000, 1500)])  # fmt: skip
def test_the_chance_follows_the_age_of_the_debt(days: int, chance: int) -> None:
    assert TERMS[Treatment.EXTEND].chance_at(days) == chance


def test_small_and_late_is_extended_and_large_and_old_goes_to_an_agency() -> None:
    small = suggest(BOOK, case("60.00", 12))
    assert (small.main.treatment, small.rule) == (Treatment.EXTEND, "small_and_late")
    assert small.reasons[0].words() == "amount due at most 100.00 EUR (60.00 EUR)"
    large = suggest(BOOK, case("5000.00", 120))
    assert (large.main.treatment, large.rule) == (Treatment.AGENCY, "large_and_old")
    for found in (small, large):
        assert len(found.others) == 2
        assert found.main not in found.others
    # Between them the arithmetic decides, and nobody's name for it.
    middle = suggest(BOOK, case("500.00", 100))
    assert (middle.main.treatment, middle.rule) == (Treatment.RESTRUCTURE, "")


def test_a_currency_without_costs_is_not_guessed() -> None:
    found = suggest(BOOK, case("90000", 10, currency="JPY"))
    assert found.main.treatment is Treatment.WAIT
    assert found.main.expected == Money(27_000, "JPY")
    unknown = worth(TERMS[Treatment.CALL], case("90000", 10, currency="JPY"))
    assert unknown.expected is None


@pytest.mark.parametrize(
    ("care", "left"),
    [
        (Care.DECEASED, Pressure.NONE), (Care.INSOLVENCY, Pressure.NONE),
        (Care.BREATHING_SPACE, Pressure.NONE), (Care.CRISIS, Pressure.NONE),
        (Care.DISPUTE, Pressure.NONE),
        (Care.HARDSHIP, Pressure.RELIEF), (Care.VULNERABLE, Pressure.RELIEF),
        (Care.REPRESENTED, Pressure.RELIEF), (Care.COMPLAINT, Pressure.RELIEF),
    ],
)  # fmt: skip
def test_care_takes_harder_ways_off_the_list(care: Care, left: Pressure) -> None:
    assert hardest_allowed(frozenset({care})) is left
    found = suggest(BOOK, case("5000.00", 120, care))
    for one in (found.main, *found.others):
        assert PRESSURE[one.treatment] <= left
    assert found.care == (care,)


@given(rule_facts.facts, rule_facts.cares)
def test_a_sign_of_care_never_gives_a_harder_treatment(
    facts: RuleFacts, more: frozenset[Care]
) -> None:
    before = suggest(BOOK, facts)
    after = suggest(BOOK, replace(facts, care=facts.care | more))
    assert PRESSURE[after.main.treatment] <= PRESSURE[before.main.treatment]


@given(rule_facts.facts)
def test_every_figure_follows_from_the_named_ones(facts: RuleFacts) -> None:
    found = suggest(BOOK, facts)
    for one in (found.main, *found.others):
        assert one.owed == facts.owed
        assert one.gross.minor == facts.owed.minor * one.chance * one.share // 10**8
        if one.expected is not None and one.cost is not None:
            assert one.expected == one.gross - one.commission - one.cost
        assert one.source
    if not found.rule and found.main.expected is not None:
        for other in found.others:
            assert other.expected is None or other.expected <= found.main.expected


def test_a_book_without_a_way_is_refused() -> None:
    with pytest.raises(ValueError, match="exactly once"):
        TreatmentBook("1", BOOK.terms[1:], ())
