"""The lender's word on a number, held against what the desk entered; and where one has it from."""

from __future__ import annotations

import pytest

from app.domain.contact_detail import Standing, Statement, check_source, weigh
from app.domain.errors import Invalid


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (Standing(current=True, reached=True), Statement.SAME),
        (Standing(current=False, reached=True), Statement.NEWS),
        (Standing(current=False, reached=False), Statement.NEWS),
        # Found wrong: it does not come back, whether another is known by now or not.
        (Standing(current=True, reached=False), Statement.GIVEN_UP),
        (Standing(current=False, reached=True, given_up=True), Statement.GIVEN_UP),
        (Standing(current=False, reached=False, given_up=True), Statement.GIVEN_UP),
        (Standing(current=True, reached=True, waits=True), Statement.CONFIRMS),
        (Standing(current=False, reached=False, waits=True), Statement.CONFIRMS),
        # The number before is old news while the newer one stands, and the best there is after.
        (Standing(current=False, reached=True, replaced=True), Statement.OLD),
        (Standing(current=False, reached=False, replaced=True), Statement.NEWS),
    ],
)
def test_what_a_statement_does(stated: Standing, expected: Statement) -> None:
    assert weigh(stated) is expected


@pytest.mark.parametrize("source", ["", "he", "x" * 201, "two\nlines", "call +34 699 99-99-99"])
def test_a_source_is_a_few_words_without_the_number(source: str) -> None:
    with pytest.raises(Invalid) as error:
        check_source(source, "+34699999999")
    assert error.value.field == "source"
    assert error.value.mend


def test_a_source_holds_neither_the_address() -> None:
    with pytest.raises(Invalid):
        check_source("his mail Ana@Correo.example", "ana@correo.example")
    check_source("he called in on 2026-11-29, about loan 4711", "+34699999999")
