"""A lender's own rules: only stricter, named where they are not, and never a yes too many."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.contact_policy import ContactQuestion, may_contact
from app.domain.errors import Invalid
from app.domain.jurisdiction import Cap, CoolDown, Hours, Pack, Strength
from app.domain.pack_edition import (
    NOTHING,
    Edition,
    check_edition,
    loosened,
    orphans,
    read_edition,
    with_edition,
)
from app.reference.packs import load_packs
from tests.domain.gate_world import questions

BOOK = load_packs()
SPAIN = BOOK.of("ES")
PACKS = [*BOOK.packs.values(), BOOK.elsewhere]


def week(*days: list[str]) -> list[list[str]]:
    return [*days, *([[]] * (7 - len(days)))]


def edition(**fields: Any) -> Edition:
    return read_edition(fields)


@st.composite
def editions(draw: st.DrawFn, pack: Pack) -> Edition:
    """Anything that can be stored for a pack, stricter or looser."""

    def ids(kind: type) -> list[str]:
        return [rule.id for rule in pack.rules if isinstance(rule.limit, kind)]

    def chosen(kind: type, values: st.SearchStrategy[Any]) -> dict[str, Any]:
        return {name: draw(values) for name in ids(kind) if draw(st.booleans())}

    start = st.integers(0, 22)
    windows = st.lists(
        start.flatmap(
            lambda hour: st.integers(hour + 1, 24).map(lambda end: f"{hour:02d}:00-{end:02d}:00")
        ),
        max_size=2,
    )
    weeks = st.lists(windows, min_size=7, max_size=7).filter(any)
    days = st.dates(date(2025, 12, 1), date(2027, 1, 31)).map(date.isoformat)
    return read_edition(
        {
            "hours": chosen(Hours, weeks),
            "caps": chosen(Cap, st.integers(1, 9)),
            "cool_downs": chosen(CoolDown, st.integers(1, 31)),
            "closed_on": draw(st.lists(days, max_size=4)),
            "contacts_per_week": draw(st.none() | st.integers(1, 9)),
        }
    )


@st.composite
def asked(draw: st.DrawFn) -> tuple[ContactQuestion, Pack, Edition]:
    pack = draw(st.sampled_from(PACKS))
    return draw(questions()), pack, draw(editions(pack))


@given(asked())
def test_the_gate_never_allows_with_an_edition_what_it_forbids_without(
    case: tuple[ContactQuestion, Pack, Edition],
) -> None:
    question, pack, own = case
    strict = with_edition(pack, own, 3)
    with_it, without = may_contact(question, strict), may_contact(question, pack)
    assert without.allowed or not with_it.allowed
    assert with_it.pack.endswith("own edition 3")
    if with_it.allowed:
        assert with_it.valid_until is not None
        assert without.valid_until is not None
        assert with_it.valid_until <= without.valid_until
    elif with_it.earliest_at is not None:
        # What it promises for later, the pack alone does not forbid then.
        later = may_contact(replace(question, now=with_it.earliest_at), pack)
        assert later.allowed
    assert strict.look_back >= pack.look_back


@given(st.data())
def test_whatever_is_stored_is_read_again_as_it_was(data: st.DataObject) -> None:
    own = data.draw(editions(SPAIN))
    assert read_edition(own.as_notes()) == own


def test_each_loosened_rule_is_named_with_both_values() -> None:
    own = edition(
        hours={"es.hours": week(["08:00-22:00"])},
        caps={"es.messages_per_person_and_week": 4, "es.messages_per_debt_and_day": 1},
        contacts_per_week=8,
    )
    found = {one.rule: (one.pack, one.edition) for one in loosened(own, SPAIN)}
    assert found == {
        "es.hours": ("Monday to Friday 09:00–21:00", "Monday 08:00–22:00"),
        "es.messages_per_person_and_week": ("at most 3", "at most 4"),
        "es.contacts_per_person_and_week": ("7 a week", "8 a week"),
    }
    with pytest.raises(Invalid) as refused:
        check_edition(own, SPAIN)
    for part in ("es.hours", "Monday 08:00–22:00 instead of Monday to Friday", "at most 4 instead"):
        assert part in refused.value.message
    check_edition(NOTHING, SPAIN)
    check_edition(edition(hours={"es.hours": week(["10:00-13:00", "15:00-19:00"])}), SPAIN)


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: str(pack.country))
def test_the_packs_own_values_are_not_looser_than_themselves(pack: Pack) -> None:
    same = Edition(
        {rule.id: rule.limit.weekly for rule in pack.rules if isinstance(rule.limit, Hours)},
        {rule.id: rule.limit.limit for rule in pack.rules if isinstance(rule.limit, Cap)},
        {
            rule.id: rule.limit.length.days
            for rule in pack.rules
            if isinstance(rule.limit, CoolDown)
        },
        frozenset(),
    )
    check_edition(same, pack)
    more = replace(same, caps={name: limit + 1 for name, limit in same.caps.items()})
    assert {one.rule for one in loosened(more, pack)} == set(same.caps)
    shorter = {name: 1 for name, days in same.cool_downs.items() if days > 1}
    assert {one.rule for one in loosened(replace(same, cool_downs=shorter), pack)} == set(shorter)


@pytest.mark.parametrize(
    "fields",
    [
        {"hours": {"es.hours": week()}},
        {"hours": {"es.hours": [["09:00-18:00"]]}},
        {"hours": {"es.hours": week(["nine to five"])}},
        {"caps": {"x": 0}},
        {"caps": {"x": True}},
        {"caps": [1]},
        {"closed_on": ["2026-02-30"]},
        {"closed_on": "2026-02-01"},
        {"contacts_per_week": 0},
        {"cool_downs": {"x": 32}},
        {"never": []},
    ],
)
def test_what_nobody_can_mean_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        read_edition(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"caps": {"es.hours": 1}},
        {"caps": {"pl.x": 1}},
        {"hours": {"es.holidays": week(["09:00-10:00"])}},
    ],
)
def test_a_rule_that_the_pack_does_not_have_is_named(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="no such rule of Spain"):
        check_edition(edition(**fields), SPAIN)
    assert len(with_edition(SPAIN, edition(**fields), 1).rules) == len(SPAIN.rules)
    named = [name for table in fields.values() for name in table]
    assert list(orphans(edition(**fields), SPAIN)) == named
    both = {**fields, "closed_on": ["2026-12-24"], "contacts_per_week": 2}
    assert orphans(edition(**both), SPAIN) == tuple(named)


def test_what_the_pack_has_is_no_orphan() -> None:
    assert orphans(edition(caps={"es.messages_per_person_and_week": 1}), SPAIN) == ()


def test_the_verdicts_rules_say_whose_they_are() -> None:
    own = edition(caps={"es.messages_per_person_and_week": 1}, closed_on=["2026-12-24"])
    strict = with_edition(SPAIN, own, 4)
    added = strict.rules[len(SPAIN.rules) :]
    assert [rule.id for rule in added] == ["own.es.messages_per_person_and_week", "own.closed_on"]
    for rule in added:
        assert rule.strength is Strength.POLICY
        assert rule.source.startswith("The lender's own rules, edition 4.")
