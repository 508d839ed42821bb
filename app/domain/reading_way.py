"""In which way an account is read: evenly through the day, or when income is likely.

The lender sets one way for all. While an experiment about reading runs, chance decides for the
cases that were drawn, whatever the lender set.
"""

from __future__ import annotations

from enum import StrEnum

from app.domain.experiment import Arm


class ReadingWay(StrEnum):
    """`even`: `read_planner.next_read`. `learned`: by the account's own income."""

    EVEN = "even"
    LEARNED = "learned"


def way_of(lenders: ReadingWay, arm: Arm | None) -> ReadingWay:
    """The way of one account. `arm` is that of its owner in a running experiment about reading."""
    if arm is None:
        return lenders
    return ReadingWay.LEARNED if arm is Arm.TREATED else ReadingWay.EVEN
