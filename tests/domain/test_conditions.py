"""Conditions as data: what is read, what is refused, and what they say about a case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.case_facts import PROTECTED, Care, FundsHistory, RuleFacts, funds_band, reach_band
from app.domain.conditions import (
    DEEPEST,
    MOST_LEAVES,
    condition_notes,
    condition_words,
    holds,
    leaves,
    parse_condition,
    seen,
)
from app.domain.errors import Invalid
from app.domain.money import Money
from tests.domain import rule_facts

CASE = RuleFacts(20, Money(15_000, "EUR"), "Loan", open_loans=2, broken_promises=1, times_late=3)


def leaf(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


@pytest.mark.parametrize(
    ("field", "op", "value", "answer"),
    [
        ("days_past_due", "at_least", 20, True),
        ("days_past_due", "at_least", 21, False),
        ("days_past_due", "above", 20, False),
        ("days_past_due", "above", 19, True),
        ("days_past_due", "at_most", 20, True),
        ("days_past_due", "at_most", 19, False),
        ("days_past_due", "below", 20, False),
        ("days_past_due", "below", 21, True),
        ("days_past_due", "is", 20, True),
        ("days_past_due", "is_not", 20, False),
        ("owed", "at_least", "150.00 EUR", True),
        ("owed", "above", "150.00 EUR", False),
        ("owed", "below", "150.01 EUR", True),
        ("owed", "at_least", "600.00 PLN", None),
        ("owed", "at_least", ["600.00 PLN", "100.00 EUR"], True),
        ("product", "is", "Loan", True),
        ("product", "is_not", "Loan", False),
        ("product", "one_of", ["Card", "Loan"], True),
        ("product", "one_of", ["Card"], False),
        ("funds_seen", "is", "never", True),
        ("reach", "is_not", "none", True),
    ],
)
def test_one_comparison(field: str, op: str, value: Any, answer: bool | None) -> None:
    assert holds(parse_condition(leaf(field, op, value)), CASE) is answer


def test_what_cannot_be_compared_is_neither_true_nor_false() -> None:
    foreign = leaf("owed", "at_least", "1.00 PLN")
    true, false = leaf("open_loans", "is", 2), leaf("open_loans", "is", 1)
    for given_tree, answer in (
        ({"not": foreign}, None),
        ({"all": [foreign, true]}, None),
        ({"all": [foreign, false]}, False),
        ({"any": [foreign, true]}, True),
        ({"any": [foreign, false]}, None),
    ):
        assert holds(parse_condition(given_tree), CASE) is answer, given_tree


def test_every_comparison_says_what_it_saw() -> None:
    rule = parse_condition(
        {"all": [leaf("broken_promises", "at_least", 1), leaf("owed", "above", ["1.00 EUR"])]}
    )
    assert [one.words() for one in seen(rule, CASE)] == [
        "broken promises at least 1 (1)",
        "amount due more than 1.00 EUR (150.00 EUR)",
    ]
    assert seen(rule, CASE)[0].notes() == {
        "field": "broken_promises", "op": "at_least", "wanted": "1", "saw": "1", "holds": True,
    }  # fmt: skip


def test_a_condition_in_words() -> None:
    rule = parse_condition(
        {
            "any": [
                leaf("owed", "at_most", ["1.00 EUR", "4.00 PLN"]),
                {"all": [leaf("times_late", "above", 3), {"not": leaf("reach", "is", "none")}]},
            ]
        }
    )
    assert condition_words(rule) == (
        "amount due at most 1.00 EUR or 4.00 PLN or (times late in 12 months more than 3 and "
        "not (ways to reach the person is none))"
    )


@pytest.mark.parametrize("trait", sorted(PROTECTED))
def test_what_a_person_is_cannot_be_asked(trait: str) -> None:
    with pytest.raises(Invalid, match="no rule may ask for"):
        parse_condition({"any": [leaf(trait, "is", "x")]})


@pytest.mark.parametrize(
    ("tree", "place"),
    [
        (None, "when"),
        ([], "when"),
        ({}, "when"),
        ({"all": []}, "when.all"),
        ({"all": "x"}, "when.all"),
        ({"all": [leaf("owed", "is", "1.00 EUR")], "any": []}, "when"),
        ({"field": "owed", "op": "is"}, "when"),
        (leaf("eyes", "is", "x"), "when.field"),
        (leaf("owed", "one_of", "1.00 EUR"), "when.op"),
        (leaf("product", "at_least", "Loan"), "when.op"),
        (leaf("owed", "is", "1.00"), "when.value"),
        (leaf("owed", "is", 100), "when.value"),
        (leaf("owed", "is", "1,00 EUR"), "when.value"),
        (leaf("owed", "is", "-1.00 EUR"), "when.value"),
        (leaf("owed", "is", ["1.00 EUR", "2.00 EUR"]), "when.value"),
        (leaf("owed", "is", []), "when.value"),
        (leaf("open_loans", "is", True), "when.value"),
        (leaf("open_loans", "is", -1), "when.value"),
        (leaf("open_loans", "is", "2"), "when.value"),
        (leaf("open_loans", "is", 2.0), "when.value"),
        (leaf("open_loans", "is", [2, 3]), "when.value"),
        (leaf("funds_seen", "is", "rich"), "when.value"),
        (leaf("product", "is", ""), "when.value"),
        ({"not": {"any": [leaf("owed", "is", "NaN EUR")]}}, "when.not.any[1].value"),
    ],
)
def test_a_fault_names_its_place(tree: Any, place: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_condition(tree)
    assert refused.value.field == place


def test_a_tree_is_bounded() -> None:
    deep: Any = leaf("open_loans", "is", 1)
    for _ in range(DEEPEST - 1):
        deep = {"not": deep}
    parse_condition(deep)
    with pytest.raises(Invalid, match="deeper"):
        parse_condition({"not": deep})
    many = [leaf("open_loans", "is", n) for n in range(MOST_LEAVES)]
    assert len(leaves(parse_condition({"any": many}))) == MOST_LEAVES
    with pytest.raises(Invalid):
        parse_condition({"any": [{"all": many}, leaf("open_loans", "is", 1)]})
    endless: dict[str, Any] = {}
    endless["not"] = endless
    with pytest.raises(Invalid):
        parse_condition(endless)


@given(rule_facts.conditions)
def test_notes_read_back_to_the_same(tree: dict[str, Any]) -> None:
    parsed = parse_condition(tree)
    assert parse_condition(condition_notes(parsed)) == parsed


@given(rule_facts.conditions, rule_facts.facts)
def test_not_turns_round_what_can_be_said(tree: dict[str, Any], facts: RuleFacts) -> None:
    plain = holds(parse_condition(tree), facts)
    turned = {"not": tree}
    if _depth(turned) <= DEEPEST:
        answer = holds(parse_condition(turned), facts)
        assert answer is (None if plain is None else not plain)


@given(rule_facts.conditions, rule_facts.facts, st.sampled_from(Care))
def test_no_condition_can_see_care(tree: dict[str, Any], facts: RuleFacts, care: Care) -> None:
    rule = parse_condition(tree)
    more = replace(facts, care=facts.care | {care})
    assert holds(rule, facts) is holds(rule, more)
    assert seen(rule, facts) == seen(rule, more)


def _depth(tree: dict[str, Any]) -> int:
    inner = tree.get("all") or tree.get("any") or ([tree["not"]] if "not" in tree else [])
    return 1 + max((_depth(one) for one in inner), default=0)


def test_bands_hide_figures() -> None:
    assert [funds_band(n).value for n in (0, 1, 2, 3, 99)] == [
        "never", "sometimes", "sometimes", "often", "often",
    ]  # fmt: skip
    assert [reach_band(n).value for n in (0, 1, 2, 5)] == ["none", "one", "several", "several"]
    assert replace(CASE, funds_seen=FundsHistory.OFTEN).funds_seen == "often"
