"""The contact gate against a slow second one that was written from the rules' own words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.domain.contact_policy import ContactQuestion, may_contact
from app.domain.jurisdiction import Pack
from app.reference.packs import load_packs
from tests.domain.gate_world import QUARTER, clock_allows, packs, questions, slowly_allowed

BOOK = load_packs()
SHIPPED = [*(BOOK.packs[country] for country in sorted(BOOK.packs)), BOOK.elsewhere]
MICRO = timedelta(microseconds=1)
# Quarter hours looked at before the search is called good enough.
FAR = 10 * 96


@given(questions(), packs)
def test_the_verdict_is_that_of_the_slow_gate(question: ContactQuestion, pack: Pack) -> None:
    verdict = may_contact(question, pack)
    assert verdict.allowed == slowly_allowed(question, pack, question.now)
    assert verdict.allowed == all(check.passed for check in verdict.checks)
    assert verdict == may_contact(question, pack)


@given(questions(), st.sampled_from(SHIPPED))
def test_the_packs_that_ship_say_what_the_slow_gate_says(
    question: ContactQuestion, pack: Pack
) -> None:
    assert may_contact(question, pack).allowed == slowly_allowed(question, pack, question.now)


@given(questions(), packs)
def test_what_lies_further_back_than_any_rule_looks_changes_nothing(
    question: ContactQuestion, pack: Pack
) -> None:
    since = question.now - pack.look_back
    recent = replace(question, history=tuple(past for past in question.history if past.at > since))
    whole, part = may_contact(question, pack), may_contact(recent, pack)
    assert (part.allowed, part.earliest_at, part.valid_until) == (
        whole.allowed, whole.earliest_at, whole.valid_until,
    )  # fmt: skip


@given(questions(), packs)
def test_the_earliest_moment_is_the_first_that_the_gate_allows(
    question: ContactQuestion, pack: Pack
) -> None:
    earliest = may_contact(question, pack).earliest_at
    first = None
    for count in range(FAR):
        at = question.now + count * QUARTER
        if slowly_allowed(question, pack, at):
            first = at
            break
    if first is not None:
        assert earliest == first
    else:
        assert earliest is None or earliest >= question.now + FAR * QUARTER


@given(questions(), packs)
def test_at_the_earliest_moment_the_gate_says_yes_and_before_it_no(
    question: ContactQuestion, pack: Pack
) -> None:
    verdict = may_contact(question, pack)
    if verdict.allowed:
        assert verdict.earliest_at == question.now
    elif verdict.earliest_at is not None:
        assert verdict.earliest_at > question.now
        assert may_contact(replace(question, now=verdict.earliest_at), pack).allowed
        before = replace(question, now=verdict.earliest_at - MICRO)
        assert not may_contact(before, pack).allowed


@given(questions(), packs)
def test_a_permission_ends_when_the_clock_closes(question: ContactQuestion, pack: Pack) -> None:
    verdict = may_contact(question, pack)
    assert (verdict.valid_until is not None) == verdict.allowed
    if verdict.valid_until is None:
        return
    assert question.now < verdict.valid_until <= question.now + timedelta(hours=24)
    at = question.now
    while at < verdict.valid_until:
        assert clock_allows(question, pack, at)
        at += QUARTER
    # It ends at a closing hour, at a day's limit, or where a new rule comes into force.
    in_force = {rule.effective_from for rule in pack.rules}
    assert (
        verdict.valid_until == question.now + timedelta(hours=24)
        or not clock_allows(question, pack, verdict.valid_until)
        or verdict.valid_until.date() in in_force
    )
