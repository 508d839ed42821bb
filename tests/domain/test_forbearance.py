"""The record of forbearance: what is missing is named, what is kept reads back the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.forbearance import LONGEST_WHY, Forbearance, consider, read_consideration

MEASURES = [one.value for one in Forbearance]
WORDS = st.text(min_size=1, max_size=200).filter(str.strip)


@pytest.mark.parametrize(
    ("options", "why_not", "by", "field"),
    [
        ([], "He moved away.", "sue", "considered"),
        (["defer", "magic"], "He moved away.", "sue", "considered"),
        (["defer"], "", "sue", "why_not"),
        (["defer"], "  \n ", "sue", "why_not"),
        (["defer"], "x" * (LONGEST_WHY + 1), "sue", "why_not"),
        (["defer"], "He moved away.", " ", "by"),
    ],
)
def test_what_is_missing_is_named(options: list[str], why_not: str, by: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        consider(options, why_not, by=by)
    assert refused.value.field == field
    assert refused.value.mend


@given(st.lists(st.sampled_from(MEASURES), min_size=1), WORDS, WORDS)
def test_a_record_reads_back_the_same(options: list[str], why_not: str, by: str) -> None:
    made = consider(options, why_not, by=by)
    assert set(made.options) == {Forbearance(one) for one in options}
    assert len(made.options) == len(set(options))
    assert read_consideration(made.as_notes()) == made


@pytest.mark.parametrize(
    "notes",
    [
        {},
        {"forbearance": []},
        {"forbearance": "defer", "why_not": "x", "by": "sue"},
        {"forbearance": ["defer"], "by": "sue"},
        {"forbearance": ["defer"], "why_not": " ", "by": "sue"},
        {"forbearance": ["defer"], "why_not": "x"},
        {"forbearance": ["gift"], "why_not": "x", "by": "sue"},
        {"forbearance": None},
    ],
)
def test_what_says_too_little_is_no_record(notes: dict[str, Any]) -> None:
    assert read_consideration(notes) is None


def test_the_law_is_listed_in_full() -> None:
    """Directive (EU) 2023/2225, article 35: ten measures, some of them in one clause there."""
    assert len(MEASURES) == 10
