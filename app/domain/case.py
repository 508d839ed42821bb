"""A case: one overdue loan being worked, and the reasons why it ends."""

from __future__ import annotations

from enum import StrEnum

from app.domain.lifecycle import Lifecycle


class CaseState(StrEnum):
    """`open` while something is due; `in_flight` while an authorised payment is on its way."""

    OPEN = "open"
    IN_FLIGHT = "in_flight"
    CLOSED = "closed"


CASE = Lifecycle(
    "case",
    CaseState,
    start=CaseState.OPEN,
    table={
        CaseState.OPEN: {
            "payment_authorised": CaseState.IN_FLIGHT,
            "close": CaseState.CLOSED,
        },
        CaseState.IN_FLIGHT: {
            # A second payment (made elsewhere) may be authorised while the first is on its way.
            "payment_authorised": CaseState.IN_FLIGHT,
            "payment_ended": CaseState.OPEN,
            "close": CaseState.CLOSED,
        },
        CaseState.CLOSED: {"reopen": CaseState.OPEN},
    },
)


class CaseClose(StrEnum):
    """Why a case was closed."""

    PAID_THROUGH_SALDO = "paid_through_saldo"
    PAID_ELSEWHERE = "paid_elsewhere"
    LOAN_CLOSED = "loan_closed"
    NOT_DUE = "not_due"
    # Collection came to nothing; the debt stays on the books.
    FAILED = "failed"
    WRITTEN_OFF = "written_off"
