"""Requests for consent, and the consents that come of them."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from app.api.schemas.borrowers import Language
from app.api.wire import EXAMPLE_ID, Day, Given, Id, Instant, MoneyShown, Ref, Shown
from app.domain.consent import Purpose
from app.flows.consents.request_consent import LONGEST_WINDOW_DAYS

PurposeWord = Literal["scoring", "repayment_monitoring", "bills"]


class ConsentRequestGiven(Given):
    """Ask a borrower to let Saldo read his balances. You get a link to send to him."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "borrower_ref": "C-1001",
                "purposes": ["scoring", "repayment_monitoring"],
                "window_days": 90,
                "language": "es",
                "return_url": "https://lender.example/application/4711",
            }
        }
    )

    borrower_ref: Annotated[Ref, Field(description="`external_ref` of a registered borrower.")]
    purposes: Annotated[
        list[PurposeWord],
        Field(
            min_length=1,
            max_length=len(Purpose),
            strict=False,
            description="scoring: one read with the borrower present, handed to you once. "
            "repayment_monitoring: the scheduled reads. bills: one look at the transactions of the "
            "last 90 days, beside repayment_monitoring, where your setting reads_bills is on. He "
            "chooses each by itself.",
        ),
    ]
    window_days: Annotated[
        int,
        Field(ge=1, le=LONGEST_WINDOW_DAYS, description="Days asked for; the bank may cut them."),
    ] = 90
    language: Language | None = None
    return_url: Annotated[
        str,
        StringConstraints(max_length=500, pattern=r"^(https?://[^\s\x00-\x1f]+)?$"),
        Field(
            description="Where the page sends him at the end. https, or this machine in the demo."
        ),
    ] = ""


class ConsentRequestMade(Shown):
    """The request, and the link to the borrower's consent page. The link is shown this once."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": EXAMPLE_ID,
                "link": "https://pay.lender.example/c/Zk0qv3r1y8uX2bD5mN7pQw",
                "expires_at": "2026-03-16T09:30:00Z",
            }
        }
    )

    id: Id
    link: str
    expires_at: Instant


class ChoiceShown(Shown):
    """What the borrower chose for one purpose, and the wording he saw."""

    purpose: str
    granted: bool
    wording_version: str
    language: str
    chosen_at: Instant
    withdrawn_at: Instant | None
    withdrawn_via: str | None


class ConsentInRequestShown(Shown):
    """A consent that came of a request."""

    id: Id
    state: str
    scoring: Annotated[str, Field(description="none, due, stored (collect it), handed, or failed.")]


class ConsentRequestShown(Shown):
    """A request and how far it got."""

    id: Id
    borrower_ref: str
    purposes: list[str]
    window_days: int
    language: str
    return_url: str
    state: str
    created_at: Instant
    expires_at: Instant
    completed_at: Instant | None
    choices: list[ChoiceShown]
    consents: list[ConsentInRequestShown]


class AccountShown(Shown):
    """An account that a consent covers. No figures, no full number.

    `iban_masked` shows a British account by sort code and number: "••-••-13 ••••6819".
    """

    id: Id
    iban_masked: str
    currency: str | None
    usable: bool
    why_unusable: str
    last_read_at: Instant | None


class ConsentShown(Shown):
    """A consent at one bank."""

    id: Id
    borrower_ref: str
    request_id: UUID
    connector: str
    bank_id: str
    state: str
    purposes: list[str]
    valid_until: Day | None
    ends_at: Instant | None
    created_at: Instant
    activated_at: Instant | None
    ended_at: Instant | None
    ended_why: str
    scoring: str
    accounts: list[AccountShown]


class ScoringShown(Shown):
    """What the bank stated while the borrower was there. It is erased here with this answer."""

    spendable: Annotated[
        MoneyShown, Field(description="May be zero or negative (then with a minus sign).")
    ]
    kind: Annotated[
        str, Field(description="The bank's kind of balance.", examples=["interimAvailable"])
    ]
    read_at: Instant
    as_of: Annotated[Instant | None, Field(description="The bank's own instant, if it gave one.")]
    credit_excluded: Annotated[
        bool, Field(description="True: surely his own money, no credit limit in it.")
    ]
