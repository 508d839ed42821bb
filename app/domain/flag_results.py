"""What became of a case so many days after a look at it: the pure word on whether it went bad.

A case went bad when it was not paid by then: still open, or given up. It is a closed question
about one day; what happens to the case later changes nothing. app/reports/flag_results.py asks
the same of a whole book at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from app.domain.case import CaseClose
from app.domain.proportion import Proportion

# Long enough for a second payday and for a promise to be kept or broken, short enough that a rule
# of this quarter can be judged in it; and two months are where lenders begin to give cases away.
USUAL_HORIZON: Final = 60
HORIZONS: Final = (30, 60, 90)


class CaseResult(StrEnum):
    """`unclear`: the debt was changed or left Saldo, and nobody knows whether it was paid."""

    PAID = "paid"
    UNPAID = "unpaid"
    GIVEN_UP = "given_up"
    UNCLEAR = "unclear"


BAD: Final = frozenset({CaseResult.UNPAID, CaseResult.GIVEN_UP})
_GIVEN_UP: Final = frozenset({CaseClose.FAILED, CaseClose.WRITTEN_OFF})


def case_result(
    closed_as: CaseClose | None, *, forgiven: bool = False, rescheduled: bool = False
) -> CaseResult:
    """What a case had come to at the end of its days. `closed_as` None: it was open then.

    `forgiven`: something of the debt was, since the look, and still is. `rescheduled`: the lender
    replaced what is due when, since the look; dues that moved away are no payment.
    """
    if forgiven or closed_as in _GIVEN_UP:
        return CaseResult.GIVEN_UP
    if closed_as is None:
        return CaseResult.UNPAID
    if closed_as is CaseClose.LOAN_CLOSED or (closed_as is CaseClose.NOT_DUE and rescheduled):
        return CaseResult.UNCLEAR
    return CaseResult.PAID


@dataclass(frozen=True, slots=True)
class Judged:
    """Cases by what they came to."""

    results: Mapping[CaseResult, int] = field(default_factory=dict)

    def number(self, *results: CaseResult) -> int:
        """How many came to one of these."""
        return sum(self.results.get(one, 0) for one in results)

    @property
    def bad(self) -> int:
        """Not paid by then."""
        return self.number(*BAD)

    @property
    def share_bad(self) -> Proportion:
        """Those that went bad of those of whom it is known."""
        return Proportion(self.bad, self.bad + self.number(CaseResult.PAID))


@dataclass(frozen=True, slots=True)
class RuleResults:
    """How one rule did. `flagged`: its cases by result, so many days after the flag.

    `opened`: all cases that could have been flagged, by result so many days after they opened;
    `caught` of the bad ones were flagged by then, half of them within `median_days`. `waiting`
    flags are too young. Of those judged `placed` were with an agency on that day, about `looked`
    a person finished the look that the flag asked for, and of `removed` a person took it off.
    """

    flagged: Judged = Judged()
    opened: Judged = Judged()
    caught: int = 0
    median_days: float | None = None
    waiting: int = 0
    placed: int = 0
    looked: int = 0
    removed: int = 0

    @property
    def precision(self) -> Proportion:
        """Of the flagged: how many went bad."""
        return self.flagged.share_bad

    @property
    def recall(self) -> Proportion:
        """Of all that went bad: how many had been flagged."""
        return Proportion(self.caught, self.opened.bad)

    @property
    def base(self) -> Proportion:
        """Of all cases, flagged or not: how many went bad. A rule worth its work has more."""
        return self.opened.share_bad
