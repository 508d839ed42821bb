"""Money over dues: exact, oldest first, and what is too much is said."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.allocation import LoanSpread, OpenDue, Part, Spread, spread, spread_over_loans
from app.domain.errors import Invalid
from app.domain.money import Money


def euros(minor: int) -> Money:
    return Money(minor, "EUR")


def open_due(ref: str, day: int, minor: int) -> OpenDue[str]:
    return OpenDue(ref, date(2026, 1, 1) + timedelta(days=day), euros(minor))


DUES = (open_due("march", 60, 5000), open_due("january", 0, 5000), open_due("february", 31, 3000))


@pytest.mark.parametrize(
    ("paid", "parts", "left"),
    [
        (0, [], 0),
        (1, [("january", 1)], 0),
        (5000, [("january", 5000)], 0),
        (6000, [("january", 5000), ("february", 1000)], 0),
        (13000, [("january", 5000), ("february", 3000), ("march", 5000)], 0),
        (13001, [("january", 5000), ("february", 3000), ("march", 5000)], 1),
    ],
)
def test_the_oldest_is_served_first(paid: int, parts: list[tuple[str, int]], left: int) -> None:
    expected = Spread(tuple(Part(ref, euros(minor)) for ref, minor in parts), euros(left))
    assert spread(euros(paid), DUES) == expected


def test_without_dues_everything_is_left() -> None:
    assert spread(euros(5), ()) == Spread((), euros(5))


def test_paid_instalments_take_nothing() -> None:
    found = spread(euros(5), [open_due("paid", 0, 0), open_due("open", 1, 5)])
    assert found.parts == (Part("open", euros(5)),)


def test_several_loans_are_served_by_the_age_of_their_instalments() -> None:
    loans = {
        "car": [open_due("c1", 10, 1000), open_due("c2", 40, 1000)],
        "phone": [open_due("p1", 20, 500), open_due("p2", 50, 500)],
        "paid": [open_due("x", 0, 0)],
    }
    assert spread_over_loans(euros(2700), loans) == LoanSpread(
        loans=(Part("car", euros(2000)), Part("phone", euros(700))),
        instalments={
            "car": (Part("c1", euros(1000)), Part("c2", euros(1000))),
            "phone": (Part("p1", euros(500)), Part("p2", euros(200))),
        },
        left_over=euros(0),
    )


@pytest.mark.parametrize(
    ("paid", "dues"),
    [
        (euros(-1), DUES),
        (Money(1, "PLN"), DUES),
        (euros(1), [open_due("odd", 0, -1)]),
    ],
)
def test_what_cannot_be_spread_is_refused(paid: Money, dues: list[OpenDue[str]]) -> None:
    with pytest.raises(Invalid):
        spread(paid, dues)


dues = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 10**6)), max_size=12)


@given(st.integers(0, 10**7), dues)
def test_nothing_is_lost_and_nobody_is_skipped(paid: int, written: list[tuple[int, int]]) -> None:
    offered = [open_due(str(n), day, minor) for n, (day, minor) in enumerate(written)]
    found = spread(euros(paid), offered)
    owed = {due.ref: due for due in offered}
    given_to = {part.ref: part.amount.minor for part in found.parts}
    assert sum(given_to.values()) + found.left_over.minor == paid
    assert all(0 < minor <= owed[ref].amount.minor for ref, minor in given_to.items())
    assert len(given_to) == len(found.parts)
    missing = [ref for ref, due in owed.items() if given_to.get(ref, 0) < due.amount.minor]
    if found.left_over:
        assert not missing
    if missing and given_to:
        # Whatever got anything is at least as old as everything still open.
        youngest = max(owed[ref].due_on for ref in given_to)
        assert youngest <= min(owed[ref].due_on for ref in missing)


@given(st.integers(0, 10**6), st.dictionaries(st.sampled_from("abc"), dues))
def test_over_loans_it_is_the_same_money(
    paid: int, written: dict[str, list[tuple[int, int]]]
) -> None:
    loans = {
        loan: [open_due(f"{loan}{n}", day, minor) for n, (day, minor) in enumerate(entries)]
        for loan, entries in written.items()
    }
    found = spread_over_loans(euros(paid), loans)
    flat = spread(euros(paid), [due for entries in loans.values() for due in entries])
    assert found.left_over == flat.left_over
    assert sum(part.amount.minor for part in found.loans) + found.left_over.minor == paid
    for part in found.loans:
        instalments = found.instalments[part.ref]
        assert sum(one.amount.minor for one in instalments) == part.amount.minor
    assert {part.ref for part in found.loans} == set(found.instalments)
