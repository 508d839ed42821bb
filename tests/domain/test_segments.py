"""Segments: which rule decides, overlaps and gaps, and that care only softens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.case_facts import Care, RuleFacts
from app.domain.errors import Invalid
from app.domain.money import Money
from app.domain.segments import (
    Action,
    Review,
    Segment,
    Start,
    action_notes,
    classify,
    coverage,
    parse_action,
    parse_segment,
    segment_notes,
)
from tests.domain import rule_facts

LATE = {"field": "times_late", "op": "at_least", "value": 4}
BROKEN = {"field": "broken_promises", "op": "at_least", "value": 2}
CASE = RuleFacts(20, Money(15_000, "EUR"), "Loan")


def rule(name: str, when: Any, *, rank: int = 10, action: Any = None) -> Segment:
    return parse_segment(name, name.title(), rank, when, action or {"do": "review", "ask": "Look"})


def hardness(action: Action | None) -> int:
    """A person's look presses nobody; a strategy may."""
    return 1 if isinstance(action, Start) else 0


def test_the_lowest_rank_decides_and_names_decide_between_equals() -> None:
    both = replace(CASE, times_late=5, broken_promises=3)
    late, broken = rule("late", LATE, rank=20), rule("broken", BROKEN)
    for order in ([late, broken], [broken, late]):
        found = classify(order, both)
        assert found is not None
        assert found.segment.name == "broken"
        assert [one.saw for one in found.reasons] == ["3"]
    equal = classify([rule("bb", LATE), rule("aa", LATE)], both)
    assert equal is not None
    assert equal.segment.name == "aa"
    assert classify([late, broken], CASE) is None


def test_care_turns_a_start_into_a_look() -> None:
    firm = rule("firm", LATE, action={"do": "start", "strategy": "Firm"})
    late = replace(CASE, times_late=4)
    found = classify([firm], late)
    assert found is not None
    assert found.action == Start("Firm")
    softer = classify([firm], replace(late, care=frozenset({Care.HARDSHIP})))
    assert softer is not None
    assert isinstance(softer.action, Review)
    assert softer.softened


segments = st.lists(
    st.builds(
        lambda when, rank, do: (when, rank, do),
        rule_facts.conditions,
        st.integers(0, 50),
        st.sampled_from([{"do": "review", "ask": "x"}, {"do": "start", "strategy": "Firm"}]),
    ),
    max_size=5,
).map(
    lambda rows: [
        rule(f"rule{number}", when, rank=rank, action=do)
        for number, (when, rank, do) in enumerate(rows)
    ]
)


@given(segments, rule_facts.facts, rule_facts.cares)
def test_a_sign_of_care_never_makes_it_harder(
    rules: list[Segment], facts: RuleFacts, more: frozenset[Care]
) -> None:
    before, after = classify(rules, facts), classify(rules, replace(facts, care=facts.care | more))
    assert hardness(after.action if after else None) <= hardness(before.action if before else None)
    # And nobody is forgotten for it: the same rule still finds the case.
    assert (before.segment if before else None) == (after.segment if after else None)


@given(segments, rule_facts.facts, st.randoms(use_true_random=False))
def test_the_order_in_which_rules_are_kept_does_not_matter(
    rules: list[Segment], facts: RuleFacts, chance: Any
) -> None:
    mixed = list(rules)
    chance.shuffle(mixed)
    assert classify(rules, facts) == classify(mixed, facts)


@given(segments, st.lists(rule_facts.facts, max_size=8))
def test_coverage_adds_up(rules: list[Segment], cases: list[RuleFacts]) -> None:
    book = [(UUID(int=number), facts) for number, facts in enumerate(cases)]
    found = coverage(rules, book)
    assert found.cases == len(cases)
    assert sum(found.first.values()) + found.gap == found.cases
    for name in found.first:
        assert found.first[name] <= found.would[name]
    for (one, two), cases_of_both in found.overlaps.items():
        assert cases_of_both <= min(found.would[one], found.would[two])


def test_overlaps_gaps_and_rules_that_never_decide() -> None:
    ancient = {"field": "days_past_due", "op": "above", "value": 999}
    rules = [rule("broken", BROKEN, rank=1), rule("late", LATE, rank=2)]
    rules.append(rule("never", ancient, rank=3))
    both = replace(CASE, times_late=4, broken_promises=2)
    found = coverage(rules, [(UUID(int=1), both), (UUID(int=2), both), (UUID(int=3), CASE)])
    assert found.overlaps == {("broken", "late"): 2}
    assert found.gap == 1
    assert found.shadowed == ("late",)
    assert found.silent == ("never",)
    assert found.first == {"broken": 2, "late": 0, "never": 0}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "Broken"}, "name"), ({"name": "x"}, "name"), ({"name": "a" * 41}, "name"),
        ({"name": None}, "name"), ({"title": " "}, "title"), ({"title": "x" * 81}, "title"),
        ({"rank": -1}, "rank"), ({"rank": 1000}, "rank"), ({"rank": True}, "rank"),
        ({"rank": "1"}, "rank"), ({"when": {}}, "when"), ({"action": None}, "action"),
        ({"action": {"do": "call"}}, "action"), ({"action": {"do": "review"}}, "action"),
        ({"action": {"do": "review", "ask": ""}}, "action.ask"),
        ({"action": {"do": "review", "ask": "a\nb"}}, "action.ask"),
        ({"action": {"do": "start", "strategy": 7}}, "action.strategy"),
        ({"action": {"do": "start", "strategy": "S", "ask": "x"}}, "action"),
    ],
)  # fmt: skip
def test_a_rule_is_checked_to_the_last_field(change: dict[str, Any], field: str) -> None:
    given_rule = {
        "name": "late", "title": "Late", "rank": 1, "when": LATE,
        "action": {"do": "review", "ask": "Look"}, **change,
    }  # fmt: skip
    with pytest.raises(Invalid) as refused:
        parse_segment(**given_rule)
    assert refused.value.field == field


@given(segments)
def test_notes_read_back_to_the_same(rules: list[Segment]) -> None:
    for one in rules:
        assert parse_segment(**segment_notes(one)) == one
        assert parse_action(action_notes(one.action)) == one.action
