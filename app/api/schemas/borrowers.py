"""Borrowers, their holds and their opt-outs."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from app.api.wire import Country, Day, EmailText, Given, Id, Instant, Line, PhoneText, Ref, Shown
from app.domain.hold import BY_HAND, HoldBlock
from app.domain.message import Channel

Language = Annotated[
    Literal["en", "es", "pl"], Field(description="Language of pages and messages.")
]


class BorrowerGiven(Given):
    """A borrower as your system knows him. The same `external_ref` again
    changes what you send; fields that you leave out stay as they were.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "external_ref": "C-1001",
                "name": "Ana Núñez",
                "phone": "+34612345678",
                "email": "ana@example.com",
                "country": "ES",
                "language": "es",
                "time_zone": "Europe/Madrid",
                "birth_date": "1988-04-17",
                "document_last4": "678Z",
            }
        }
    )

    external_ref: Ref
    name: Annotated[
        Line, Field(min_length=1, max_length=140, description="His name.", examples=["Ana Núñez"])
    ]
    phone: PhoneText | None = None
    email: EmailText | None = None
    has_app: Annotated[
        bool | None,
        Field(description="He has your app: messages may go there first (message.push_requested)."),
    ] = None
    country: Country
    region: Annotated[
        Line | None,
        Field(
            max_length=10,
            description="Region, where its public holidays differ: ISO 3166-2 without the country.",
            examples=["MD"],
        ),
    ] = None
    time_zone: Annotated[
        Line | None,
        Field(
            max_length=60,
            description="IANA time zone. Without it the country and the phone number decide.",
            examples=["Europe/Madrid"],
        ),
    ] = None
    language: Language | None = None
    birth_date: Annotated[
        Day | None,
        Field(description="Asked on the payment page before anything is shown. Kept as a hash."),
    ] = None
    document_last4: Annotated[
        str | None,
        StringConstraints(pattern=r"^[0-9A-Za-z]{4}$"),
        Field(
            description="The last four of an identity document, as another way to ask who is "
            "there. Kept as a hash.",
            examples=["678Z"],
        ),
    ] = None


class BorrowerShown(Shown):
    """A borrower. Number and address are masked; birth date and document are never shown."""

    id: Id
    external_ref: Annotated[str, Field(examples=["C-1001"])]
    name: str
    phone_masked: Annotated[str | None, Field(examples=["+34•••••78"])]
    email_masked: Annotated[
        str | None,
        Field(description="null also after e-mails came back.", examples=["a•••@example.com"]),
    ]
    country: str
    region: str
    time_zone: str | None
    language: str
    has_birth_date: bool
    has_document: bool
    created_at: Instant
    updated_at: Instant


class HoldGiven(Given):
    """Leave somebody in peace, as long as the hold lasts. His own payment is always possible.

    It may have begun before today: people learn late. deceased, insolvency and crisis take no
    end; they are ended by hand. breathing_space lasts 60 days unless you give another end.
    Every kind stops asking for money; `blocks` without what the kind always stops are refused.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "kind": "dispute",
                "reason": "Says the loan was repaid in the shop.",
                "ends_at": "2026-04-30T00:00:00Z",
            }
        }
    )

    kind: Annotated[
        Literal[tuple(kind.value for kind in BY_HAND)],  # type: ignore[valid-type]
        Field(description="What sort of hold."),
    ]
    reason: Annotated[
        Line,
        Field(min_length=1, max_length=500, description="Why, for whoever reads it next."),
    ]
    starts_at: Annotated[
        Instant | None, Field(description="Since when, not in the future; null: from now on.")
    ] = None
    ends_at: Annotated[
        Instant | None,
        Field(description="When it ends by itself; null: the kind's own end, or until lifted."),
    ] = None
    blocks: Annotated[
        list[Literal[tuple(block.value for block in HoldBlock)]] | None,  # type: ignore[valid-type]
        Field(max_length=len(HoldBlock), description="What it stops; null: what is usual for it."),
    ] = None
    case_id: Annotated[Id | None, Field(description="Only this case; null: all of his.")] = None


class HoldShown(Shown):
    """A hold."""

    id: Id
    kind: str
    reason: str
    case_id: UUID | None
    starts_at: Instant
    ends_at: Instant | None
    recorded_at: Annotated[Instant, Field(description="When Saldo learnt of it.")]
    blocks: Annotated[list[str], Field(description="What it stops; empty: everything.")]
    set_by: str
    lifted_at: Instant | None
    lifted_by: str | None


class EarlyContactShown(Shown):
    """A contact that would not have been made, had the hold been known."""

    at: Instant
    channel: Annotated[Channel, Field(description="sms, email, call or push.")]


class OptOutShown(Shown):
    """Whether a borrower stopped a channel. `stopped_at` is null after he started it again."""

    channel: Annotated[Channel, Field(description="sms, email, call or push.")]
    stopped_at: Instant | None
    source: Annotated[str, Field(description="Who passed it on: sms, page, api, provider, desk.")]
    changed_at: Instant
