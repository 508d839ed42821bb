"""Experiments: what a treatment is worth, told by chance and not by before and after.

A case is drawn once, when it opens, and stays in its arm. In a *holdout* the drawn cases are the
control: for a time Saldo asks nothing of them by itself. In a *challenger* the drawn cases are
treated: they follow another strategy. In one about *reading* the drawn cases are treated: their
accounts are read when income is likely, the others' evenly. What is measured is fixed before the
first case is drawn: the share of what was due at the opening that came within so many days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from app.domain.errors import Invalid

LONGEST_NAME: Final = 80
SHORTEST_DAYS: Final = 7
LONGEST_DAYS: Final = 120


class ExperimentKind(StrEnum):
    """`holdout`: treated against left alone. `challenger`: another strategy against the usual.

    `reading`: read when income is likely against read evenly.
    """

    HOLDOUT = "holdout"
    CHALLENGER = "challenger"
    READING = "reading"


class Arm(StrEnum):
    """`treated` gets what is to be judged; `control` is what it is judged against."""

    CONTROL = "control"
    TREATED = "treated"


class Withheld(StrEnum):
    """What a holdout may keep from its control arm. There is no word here for anything else.

    ask: payment links, and tasks to call, because money was seen. strategy: the reminders, notices
    and calls of the strategy. Never withheld: a notice that the law demands, care and relief, what
    a borrower begins himself (a payment, a promise, a complaint), consent and its withdrawal.
    """

    ASK = "ask"
    STRATEGY = "strategy"


# Shares in basis points. More than half of all cases is no holdout but a change of policy.
LARGEST_SHARE: Final = {
    ExperimentKind.HOLDOUT: 5_000,
    ExperimentKind.CHALLENGER: 9_000,
    ExperimentKind.READING: 9_000,
}
SMALLEST_SHARE: Final = 100


@dataclass(frozen=True, slots=True)
class ExperimentTerms:
    """What is fixed at the start. `product` "" means every product."""

    name: str
    kind: ExperimentKind
    product: str
    share_basis_points: int
    horizon_days: int
    withholds: frozenset[Withheld] = frozenset()

    def check(self) -> None:
        """Raises `Invalid` naming the field."""
        if not 1 <= len(self.name.strip()) <= LONGEST_NAME or not self.name.isprintable():
            raise Invalid("name", f"has 1 to {LONGEST_NAME} printable characters.")
        largest = LARGEST_SHARE[self.kind]
        if not SMALLEST_SHARE <= self.share_basis_points <= largest:
            raise Invalid("share", f"must be {SMALLEST_SHARE // 100} to {largest // 100} per cent.")
        if not SHORTEST_DAYS <= self.horizon_days <= LONGEST_DAYS:
            raise Invalid("days", f"must be {SHORTEST_DAYS} to {LONGEST_DAYS}.")
        if (self.kind is ExperimentKind.HOLDOUT) != bool(self.withholds):
            raise Invalid(
                "withholds",
                "belongs to a holdout, and a holdout needs it.",
                mend="Say what is withheld for a holdout, and only there.",
            )


def draw(digest: bytes, kind: ExperimentKind, share_basis_points: int) -> Arm:
    """The arm of one case. `digest` is a keyed hash of the experiment and the case.

    The same digest always gives the same arm, and a larger share takes no case out of the drawn
    ones. The number is compared in whole: 2^64 steps, so no share is rounded.
    """
    drawn = int.from_bytes(digest[:8], "big") * 10_000 < share_basis_points << 64
    if kind is ExperimentKind.HOLDOUT:
        return Arm.CONTROL if drawn else Arm.TREATED
    return Arm.TREATED if drawn else Arm.CONTROL


def left_alone_until(drawn_at: datetime, horizon_days: int) -> datetime:
    """When a control case of a holdout is treated like any other: its measuring time is over."""
    return drawn_at + timedelta(days=horizon_days)
