"""Ids: in the order they were made, of their time, and nothing to guess."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from uuid import RFC_4122, UUID

import pytest

from app.store.keys import new_id, new_ids


def _milliseconds(one: UUID) -> int:
    return one.int >> 80


def test_ids_sort_in_the_order_they_were_made() -> None:
    """Within one millisecond too, and whether they were made singly or as a batch."""
    made = [new_id(), *new_ids(9_000), new_id(), *new_ids(2), *(new_id() for _ in range(9_000))]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_ids_are_version_seven_of_real_time() -> None:
    before = time.time_ns() // 1_000_000
    made = [new_id(), *new_ids(3)]
    after = time.time_ns() // 1_000_000
    for one in made:
        assert (one.version, one.variant) == (7, RFC_4122)
        # A burst of earlier tests may have run ahead of the clock by what it made, no further.
        assert before <= _milliseconds(one) <= after + 1_000


def test_no_ids_for_an_empty_batch() -> None:
    assert new_ids(0) == []


def test_a_clock_set_back_does_not_set_ids_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_id()
    back = time.time_ns() - 3_600 * 1_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: back)
    assert first < new_id() < new_id()


def test_threads_never_share_a_place() -> None:
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(lambda _: new_ids(500), range(40)))
    places = [one.int >> 64 for batch in batches for one in batch]
    assert len(set(places)) == len(places)
    assert all(batch == sorted(batch) for batch in batches)


def test_what_follows_the_time_is_random() -> None:
    """Neighbours differ in about half of 62 bits; five or fewer is no chance (below 1e-11)."""
    tails = [one.int & (1 << 62) - 1 for one in new_ids(200)]
    assert all((one ^ other).bit_count() > 5 for one, other in pairwise(tails))
    assert all(0 < sum(tail >> bit & 1 for tail in tails) < 200 for bit in range(62))
