"""A stamp finds any change of what it covers, and names the line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.stamp import Difference, History, Kind, Line, Stamp, first_difference, stamp

LENDER = UUID(int=7)
NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)

texts = st.one_of(st.none(), st.text(max_size=8))


def line(place: int, *parts: str | None) -> Line:
    return put(place, UUID(int=place * 1000 + 1), *parts)


def put(place: int, line_id: UUID, *parts: str | None) -> Line:
    """As the store gives it: place and id are among the fields."""
    return Line(place, line_id, NOW, (str(place), str(line_id), *parts))


def stamped(lines: list[Line], before: Stamp | None = None) -> Stamp:
    return stamp(before, lines, lender_id=LENDER, history=History.TIMELINE, stamped_at=NOW)


@st.composite
def histories(draw: st.DrawFn) -> list[Line]:
    places = draw(st.lists(st.integers(1, 60), min_size=1, max_size=12, unique=True))
    return [line(place, draw(texts), draw(texts)) for place in sorted(places)]


@given(histories())
def test_what_nobody_touched_is_as_it_was(lines: list[Line]) -> None:
    assert first_difference(stamped(lines), lines) is None


@given(histories(), st.data())
def test_a_changed_field_names_its_line(lines: list[Line], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(lines) - 1))
    old = lines[index]
    other = data.draw(texts.filter(lambda text: text != old.parts[3]))
    changed = [*lines]
    changed[index] = put(old.place, old.id, old.parts[2], other)
    assert first_difference(stamped(lines), changed) == Difference(Kind.CHANGED, old.place, old.id)


@given(histories(), st.data())
def test_a_removed_line_is_named(lines: list[Line], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(lines) - 1))
    gone = lines[index]
    left = lines[:index] + lines[index + 1 :]
    assert first_difference(stamped(lines), left) == Difference(Kind.REMOVED, gone.place, gone.id)


@given(histories(), st.integers(1, 60))
def test_an_inserted_line_is_named(lines: list[Line], place: int) -> None:
    new = put(place, UUID(int=5), "new", None)
    others = [one for one in lines if one.place != place]
    if others:
        more = sorted([*others, new])
        assert first_difference(stamped(others), more) == Difference(Kind.INSERTED, place, new.id)


@given(histories(), st.data())
def test_two_lines_that_changed_places_are_named(lines: list[Line], data: st.DataObject) -> None:
    if len(lines) < 2:
        return
    first = data.draw(st.integers(0, len(lines) - 2))
    second = data.draw(st.integers(first + 1, len(lines) - 1))
    one, other = lines[first], lines[second]
    moved = [*lines]
    moved[first] = put(one.place, other.id, *other.parts[2:])
    moved[second] = put(other.place, one.id, *one.parts[2:])
    assert first_difference(stamped(lines), moved) == Difference(
        Kind.REORDERED, one.place, other.id
    )


def test_no_two_lines_read_alike() -> None:
    rows: list[tuple[str | None, ...]] = [
        ("a", "b"), ("ab", ""), ("", "ab"), ("ab", None), (None, "ab"), ("a", "b", None),
        ("-;",), (None,), ("1:a;",), ("a",), ("a", "1:b;"),
    ]  # fmt: skip
    digests = {Line(1, LENDER, NOW, parts).digest() for parts in rows}
    assert len(digests) == len(rows)


@pytest.mark.parametrize(
    "field",
    [
        {"lender_id": UUID(int=8)},
        {"history": History.AUDIT},
        {"number": 3},
        {"last_place": 3},
        {"lines": 1},
        {"stamped_at": NOW + timedelta(microseconds=1)},
        {"marks": b"x" * 32},
        {"lines_hash": b"x" * 32},
    ],
)
def test_the_hash_covers_every_field_of_a_stamp(field: dict[str, object]) -> None:
    first = stamped([line(1, "a")])
    second = stamped([line(2, "b"), line(4, "c")], first)
    assert second.chained(first.hash) == second.hash
    assert replace(second, **field).chained(first.hash) != second.hash  # type: ignore[arg-type]


def test_the_hash_covers_all_stamps_before() -> None:
    lines = [line(5, "z")]
    behind_one = stamped(lines, stamped([line(1, "a")]))
    behind_other = stamped(lines, stamped([line(1, "b")]))
    assert behind_one.lines_hash == behind_other.lines_hash
    assert behind_one.hash != behind_other.hash


def test_marks_that_were_altered_cannot_hide_a_change() -> None:
    lines, forged = [line(1, "a"), line(2, "b")], [line(1, "a"), line(2, "c")]
    blind = replace(stamped(lines), marks=stamped(forged).marks)
    found = first_difference(blind, forged)
    assert found is not None
    assert found.kind is Kind.STAMP_CHANGED
