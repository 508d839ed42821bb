"""Where the lender is paid: what is said, and what is proposed."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from app.api.wire import Currency, Given, Line, Shown
from app.flows.approvals.propose_approval import LONGEST_REASON

AccountText = Annotated[Line, Field(max_length=60)]


class PayeeGiven(Given):
    """Another account for one currency. Nothing changes before two people at the desk agree."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "currency": "GBP",
                "sort_code": "20-00-00",
                "account_number": "55779911",
                "reason": "Our account at the new bank.",
            }
        }
    )

    currency: Currency
    iban: Annotated[
        AccountText, Field(description="For PLN the 26 digits of an NRB do. For GBP one of both.")
    ] = ""
    sort_code: Annotated[
        AccountText, Field(description="For GBP alone: six digits, with `account_number`.")
    ] = ""
    account_number: Annotated[AccountText, Field(description="For GBP alone: eight digits.")] = ""
    reason: Annotated[
        Line, Field(min_length=1, max_length=LONGEST_REASON, description="For whoever decides.")
    ]


class PayeeShown(Shown):
    """One currency. Accounts are masked: `ES•• •••• 1332`, `••-••-00 ••••9911`."""

    currency: str
    account_masked: Annotated[
        str | None,
        Field(
            description="Null: none is said, and loans in it cannot be paid.",
            examples=["••-••-00 ••••9911"],
        ),
    ]
    proposed_masked: Annotated[
        str | None, Field(description="Waits for people at the desk.", examples=[None])
    ]
    approval_id: Annotated[str | None, Field(description="Of what waits.", examples=[None])]
