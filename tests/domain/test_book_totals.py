"""Totals laid beside the figures of the system that a book came from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.book_totals import Expected, differences, read_expected
from app.domain.errors import Invalid


def test_what_a_person_types() -> None:
    assert read_expected("", " ", "") == Expected()
    read = read_expected("12", "15", "1234.56 EUR; 10 pln")
    assert read == Expected(12, 15, {"EUR": 123456, "PLN": 1000})
    assert Expected.from_notes(read.notes()) == read


@pytest.mark.parametrize(
    ("borrowers", "loans", "owed", "field"),
    [
        ("twelve", "", "", "borrowers"),
        ("", "-1", "", "loans"),
        ("", "", "1.234,56 EUR", "owed"),
        ("", "", "12 EUR, 13 EUR", "owed"),
        ("", "", "12", "owed"),
        ("", "", "1.234 EUR", "owed"),
    ],
)
def test_what_cannot_be_read_is_refused(borrowers: str, loans: str, owed: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_expected(borrowers, loans, owed)
    assert refused.value.field == field


def test_each_difference_is_named_in_words() -> None:
    found = differences(
        Expected(3, 4, {"EUR": 100, "PLN": 5}), {"borrowers": 3, "loans": 5}, {"EUR": 90, "USD": 1}
    )
    assert [(one.what, one.expected, one.found) for one in found] == [
        ("loans", "4", "5"),
        ("owed in EUR", "1.00 EUR", "0.90 EUR"),
        ("owed in PLN", "0.05 PLN", "0.00 PLN"),
        ("owed in USD", "0.00 USD", "0.01 USD"),
    ]


sums = st.dictionaries(st.sampled_from(["EUR", "PLN", "USD"]), st.integers(1, 10**9))


@given(st.integers(0, 99), st.integers(0, 99), sums)
def test_the_same_figures_never_differ_and_one_cent_always_does(
    borrowers: int, loans: int, owed: dict[str, int]
) -> None:
    counts = {"borrowers": borrowers, "loans": loans}
    assert differences(Expected(borrowers, loans, owed), counts, owed) == []
    for currency, minor in owed.items():
        off = {**owed, currency: minor + 1}
        assert len(differences(Expected(owed=owed), counts, off)) == 1
