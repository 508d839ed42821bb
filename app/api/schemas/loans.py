"""Loans, what is owed on them, and repayments made elsewhere."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from app.api.wire import (
    EXAMPLE_ID,
    AmountText,
    Currency,
    Day,
    Given,
    Id,
    Instant,
    Line,
    MoneyShown,
    Ref,
    Shown,
)
from app.flows.money.confirm_owed import MOST_INSTALMENTS

_INSTALMENTS: list[JsonValue] = [
    {"number": 1, "due_on": "2026-03-01", "amount": "120.00"},
    {"number": 2, "due_on": "2026-04-01", "amount": "120.00"},
]


class InstalmentGiven(Given):
    """One instalment. `paid` is what your ledger already counted on it."""

    number: Annotated[int, Field(ge=1, le=MOST_INSTALMENTS, description="1 for the first.")]
    due_on: Day
    amount: AmountText
    paid: Annotated[
        str,
        StringConstraints(pattern=r"^\d{1,15}(\.\d{1,3})?$"),
        Field(description="Paid so far, a decimal string; zero is fine.", examples=["0.00"]),
    ] = "0"


class LoanGiven(Given):
    """A loan with its instalments. Sending the same again changes nothing."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "external_ref": "L-2024-0042",
                "borrower_ref": "C-1001",
                "product": "consumer loan",
                "currency": "EUR",
                "as_of": "2026-03-02T06:00:00Z",
                "instalments": _INSTALMENTS,
            }
        }
    )

    external_ref: Ref
    borrower_ref: Annotated[Ref, Field(description="`external_ref` of a registered borrower.")]
    product: Annotated[
        Line,
        Field(
            min_length=1,
            max_length=80,
            description="What kind of loan, in your words.",
            examples=["consumer loan"],
        ),
    ]
    currency: Currency
    instalments: Annotated[
        list[InstalmentGiven], Field(min_length=1, max_length=MOST_INSTALMENTS, strict=False)
    ]
    as_of: Annotated[
        Instant | None,
        Field(description="When your ledger said so; null: now. Too old a word is not acted on."),
    ] = None


class OwedGiven(Given):
    """What is owed, in full: it replaces all instalments of the loan.

    Money that Saldo settled after `as_of` is put on top again, so that nothing is asked twice.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"as_of": "2026-03-02T06:00:00Z", "instalments": _INSTALMENTS}
        }
    )

    as_of: Annotated[Instant, Field(description="When your ledger said so; not in the future.")]
    instalments: Annotated[
        list[InstalmentGiven],
        Field(
            min_length=1,
            max_length=MOST_INSTALMENTS,
            strict=False,
            description="Every instalment, the paid ones too.",
        ),
    ]
    closed: Annotated[
        bool,
        Field(description="true: the loan is over on your side (written off, sold, settled)."),
    ] = False


class RepaymentGiven(Given):
    """A payment that reached you. Reporting it twice, or after us, counts it once.

    Name `payment_id` or `end_to_end_ref` when it is a Saldo payment on your account statement.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "external_ref": "BANK-2026-03-02-17",
                "amount": "120.00",
                "currency": "EUR",
                "paid_at": "2026-03-02T08:15:00Z",
            }
        }
    )

    external_ref: Ref
    amount: AmountText
    currency: Currency
    paid_at: Instant
    payment_id: Annotated[Id | None, Field(description="Our payment, if it is ours.")] = None
    end_to_end_ref: Annotated[
        str | None,
        StringConstraints(pattern=r"^[A-Za-z0-9/?:().,'+ -]{1,35}$"),
        Field(description="The end-to-end reference of our payment.", examples=["SALDO-8KQ2"]),
    ] = None


class InstalmentShown(Shown):
    """One instalment as it stands."""

    number: int
    due_on: Day
    amount: str
    paid: str


class LoanShown(Shown):
    """A loan. `due` is what is due and unpaid today, `outstanding` all that is unpaid."""

    id: Id
    external_ref: str
    borrower_ref: str
    product: str
    state: Annotated[str, Field(description="active or closed.")]
    due: MoneyShown
    outstanding: MoneyShown
    next_due_on: Day | None
    owed_as_of: Instant
    case_id: Annotated[UUID | None, Field(description="The open case, if there is one.")]
    created_at: Instant


class LoanInFullShown(LoanShown):
    """A loan with its instalments, and how late it is today."""

    days_past_due: Annotated[
        int,
        Field(description="Since the oldest unpaid due date, without days that a hold froze."),
    ]
    days_since_due: Annotated[int, Field(description="The same with them.")]
    bucket: Annotated[
        str,
        Field(
            description="Of the days past due, such as 31-60; or current, paid, closed, "
            "written_off.",
            examples=["31-60"],
        ),
    ]
    instalments: list[InstalmentShown]


class BookedShown(Shown):
    """What a report of money did."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "counted": True,
                "overpaid": {"amount": "0.00", "currency": "EUR"},
                "remaining_due": {"amount": "0.00", "currency": "EUR"},
                "loan_id": EXAMPLE_ID,
            }
        }
    )

    loan_id: Id
    counted: Annotated[
        bool, Field(description="False: this money was counted before, nothing changed.")
    ]
    overpaid: Annotated[MoneyShown, Field(description="More than all instalments could take.")]
    remaining_due: Annotated[MoneyShown, Field(description="Still due and unpaid.")]
