"""Money that only the ledger's words show: counted once, whatever else moves the debt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.domain.owed_words import Movement, OwedWord, Unreported, unreported

BEGIN = datetime(2026, 3, 2, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


def word(hours: int, amount: int, paid: int, before: int = 0) -> OwedWord:
    return OwedWord(BEGIN + hours * HOUR, BEGIN + hours * HOUR, amount, paid, before)


def total(found: tuple[Unreported, ...]) -> int:
    assert all(one.minor > 0 for one in found)
    return sum(one.minor for one in found)


# What happens on one loan: (kind, minor, is the ledger late with it?).
happenings = st.lists(
    st.tuples(
        st.sampled_from(["told", "untold", "fee", "word", "word"]),
        st.integers(1, 5_000),
        st.booleans(),
    ),
    max_size=24,
)


def played(
    story: list[tuple[str, int, bool]], *, gross: bool
) -> tuple[list[OwedWord], list[Movement], int, int]:
    """The words and known movements of a story, what nobody told of, and the fees."""
    amount, paid, late = 1_000_000, 0, 0
    untold = fees = 0
    words, movements = [word(0, amount, paid)], []
    for hour, (kind, minor, is_late) in enumerate([*story, ("word", 1, False)], start=1):
        if kind == "fee":
            amount, fees = amount + minor, fees + minor
        elif kind == "word":
            words.append(word(hour, amount, paid) if gross else word(hour, amount - paid, 0))
            # What the ledger was late with stands in its next word.
            paid, late = paid + late, 0
        elif kind == "untold":
            paid, untold = paid + minor, untold + minor
        else:
            movements.append(Movement(BEGIN + hour * HOUR, minor))
            paid, late = (paid, late + minor) if is_late else (paid + minor, late)
    paid += late
    end = len(story) + 2
    words.append(word(end, amount, paid) if gross else word(end, amount - paid, 0))
    return words, movements, untold, fees


@given(happenings)
def test_with_paid_figures_it_is_what_nobody_told_of_to_the_cent(
    story: list[tuple[str, int, bool]],
) -> None:
    words, movements, untold, _ = played(story, gross=True)
    assert total(unreported(words, movements)) == untold


@given(happenings)
def test_without_them_fees_hide_no_more_than_they_are(story: list[tuple[str, int, bool]]) -> None:
    words, movements, untold, fees = played(story, gross=False)
    assert untold - fees <= total(unreported(words, movements)) <= untold


@given(happenings)
def test_telling_of_it_later_counts_nothing_twice(story: list[tuple[str, int, bool]]) -> None:
    told = [("told", minor, False) if kind == "untold" else (kind, minor, late)
            for kind, minor, late in story]  # fmt: skip
    words, movements, untold, _ = played(told, gross=True)
    assert untold == 0
    assert unreported(words, movements) == ()


def test_a_rise_is_a_fee_and_less_paid_takes_the_latest_back() -> None:
    words = [word(0, 12_000, 0), word(24, 12_000, 5_000), word(48, 13_000, 5_000)]
    assert total(unreported(words, [])) == 5_000
    bounced = [*words, word(72, 13_000, 2_000)]
    assert unreported(bounced, []) == (Unreported(BEGIN, BEGIN + 24 * HOUR, 2_000),), (
        "the day it can have been paid stays"
    )
    # The same bounce, reported: the known movement explains it.
    back = Movement(BEGIN + 50 * HOUR, -3_000)
    assert total(unreported(bounced, [back])) == 5_000


def test_old_instalments_listed_late_are_no_news() -> None:
    words = [word(0, 12_000, 0), word(24, 24_000, 12_000, before=12_000)]
    assert unreported(words, []) == ()
    both = [word(0, 12_000, 0), word(24, 24_000, 17_000, before=12_000)]
    assert total(unreported(both, [])) == 5_000
    # Paid ones that are not listed any more take nothing back.
    assert unreported([word(0, 24_000, 12_000), word(24, 12_000, 0)], []) == ()


def test_one_word_shows_nothing() -> None:
    assert unreported([], []) == unreported([word(0, 12_000, 5_000)], []) == ()
