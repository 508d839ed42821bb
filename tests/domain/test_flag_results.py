"""What a case came to: every way it can end, with and without a debt that changed."""

from __future__ import annotations

from itertools import product

import pytest

from app.domain.case import CaseClose
from app.domain.flag_results import BAD, CaseResult, Judged, RuleResults, case_result

PAID, UNPAID, GIVEN_UP, UNCLEAR = CaseResult


@pytest.mark.parametrize(
    ("closed_as", "forgiven", "rescheduled", "result"),
    [
        (None, False, False, UNPAID),
        (None, False, True, UNPAID),
        (None, True, False, GIVEN_UP),
        (CaseClose.PAID_THROUGH_SALDO, False, False, PAID),
        (CaseClose.PAID_ELSEWHERE, False, True, PAID),
        # Half was paid and half forgiven: not all of it came.
        (CaseClose.PAID_ELSEWHERE, True, False, GIVEN_UP),
        # The lender's ledger says that nothing is due: paid, unless the dues were moved.
        (CaseClose.NOT_DUE, False, False, PAID),
        (CaseClose.NOT_DUE, False, True, UNCLEAR),
        (CaseClose.NOT_DUE, True, False, GIVEN_UP),
        (CaseClose.LOAN_CLOSED, False, False, UNCLEAR),
        (CaseClose.FAILED, False, False, GIVEN_UP),
        (CaseClose.WRITTEN_OFF, False, True, GIVEN_UP),
    ],
)
def test_what_a_case_came_to(
    closed_as: CaseClose | None, forgiven: bool, rescheduled: bool, result: CaseResult
) -> None:
    assert case_result(closed_as, forgiven=forgiven, rescheduled=rescheduled) is result


def test_only_money_makes_a_case_good() -> None:
    yes_or_no = (False, True)
    for closed_as, forgiven, rescheduled in product((None, *CaseClose), yes_or_no, yes_or_no):
        found = case_result(closed_as, forgiven=forgiven, rescheduled=rescheduled)
        if found is PAID:
            assert not forgiven
            assert closed_as not in (None, CaseClose.FAILED, CaseClose.WRITTEN_OFF)


def test_shares_leave_out_what_is_unclear() -> None:
    found = RuleResults(
        flagged=Judged({PAID: 10, UNPAID: 25, GIVEN_UP: 5, UNCLEAR: 7}),
        opened=Judged({PAID: 300, UNPAID: 90, GIVEN_UP: 10, UNCLEAR: 20}),
        caught=40,
    )
    assert (found.precision.hits, found.precision.of) == (30, 40)
    assert (found.recall.hits, found.recall.of) == (40, 100)
    assert found.base.share == 0.25
    assert {UNPAID, GIVEN_UP} == BAD
    empty = RuleResults()
    assert (empty.precision.of, empty.recall.of) == (0, 0)
