"""Drawing arms: by chance, once, and never more than was said."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.experiment import Arm, ExperimentKind, ExperimentTerms, Withheld, draw

HOLDOUT = ExperimentTerms(
    "What asking is worth", ExperimentKind.HOLDOUT, "", 1_000, 30, frozenset({Withheld.ASK})
)
digests = st.binary(min_size=32, max_size=32)


@given(digests, st.sampled_from(ExperimentKind), st.integers(0, 10_000))
def test_the_same_case_always_falls_into_the_same_arm(
    digest: bytes, kind: ExperimentKind, share: int
) -> None:
    assert draw(digest, kind, share) is draw(digest, kind, share)


@given(digests, st.integers(0, 9_999))
def test_a_larger_share_takes_nobody_out(digest: bytes, share: int) -> None:
    if draw(digest, ExperimentKind.CHALLENGER, share) is Arm.TREATED:
        assert draw(digest, ExperimentKind.CHALLENGER, share + 1) is Arm.TREATED
    assert draw(digest, ExperimentKind.CHALLENGER, 0) is Arm.CONTROL
    assert draw(digest, ExperimentKind.CHALLENGER, 10_000) is Arm.TREATED


@given(digests, st.integers(0, 10_000))
def test_a_holdout_leaves_alone_whom_a_challenger_would_treat(digest: bytes, share: int) -> None:
    alone = draw(digest, ExperimentKind.HOLDOUT, share) is Arm.CONTROL
    assert alone == (draw(digest, ExperimentKind.CHALLENGER, share) is Arm.TREATED)


@pytest.mark.parametrize("share", [500, 1_000, 5_000])
def test_the_shares_come_out(share: int) -> None:
    drawn = sum(
        draw(hashlib.sha256(str(at).encode()).digest(), ExperimentKind.HOLDOUT, share)
        is Arm.CONTROL
        for at in range(20_000)
    )
    assert abs(drawn - 2 * share) < 4 * (2 * share) ** 0.5


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"share_basis_points": 50}, "share"),
        ({"share_basis_points": 5_100}, "share"),
        ({"kind": ExperimentKind.CHALLENGER}, "withholds"),
        ({"withholds": frozenset()}, "withholds"),
        ({"horizon_days": 6}, "days"),
        ({"horizon_days": 121}, "days"),
    ],
)
def test_terms_that_cannot_be_meant(change: dict[str, Any], field: str) -> None:
    HOLDOUT.check()
    with pytest.raises(Invalid) as refused:
        replace(HOLDOUT, **change).check()
    assert refused.value.field == field


def test_there_is_no_word_for_withholding_care() -> None:
    assert {one.value for one in Withheld} == {"ask", "strategy"}
