"""People's work: promises, what came of a task, contacts made elsewhere."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from app.api.wire import AmountText, Currency, Day, Given, Id, Instant, Line, Shown
from app.domain.message import Channel
from app.domain.task import TaskOutcome

Note = Annotated[Line, Field(max_length=500, description="For whoever reads it next.")]


class PartGiven(Given):
    """One dated part of a promise."""

    due_on: Annotated[Day, Field(description="The day it will be paid, from today on.")]
    amount: AmountText


class PromiseGiven(Given):
    """What a borrower promised in your own channel. Together at most what is due now."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "parts": [{"due_on": "2026-03-31", "amount": "60.00"}],
                "currency": "EUR",
                "note": "After payday.",
            }
        }
    )

    parts: Annotated[list[PartGiven], Field(min_length=1, max_length=12)]
    currency: Currency
    note: Note = ""


class PartShown(Shown):
    """One dated part of a promise."""

    due_on: Day
    amount: str


class PromiseShown(Shown):
    """A promise to pay. Payments alone decide whether it was kept."""

    id: Id
    borrower_ref: str
    loan_ref: str
    case_id: UUID
    state: Annotated[str, Field(description="open, kept, part, broken or cancelled.")]
    parts: list[PartShown]
    currency: str
    source: Annotated[str, Field(description="desk, page, api or import.")]
    made_by: str
    made_at: Instant
    note: str
    ended_at: Instant | None
    ended_why: Annotated[str, Field(description="Why, where payments did not decide.")]


class CancelGiven(Given):
    """Why a promise need not be kept any more."""

    model_config = ConfigDict(json_schema_extra={"example": {"reason": "Agreed anew."}})

    reason: Annotated[Line, Field(min_length=1, max_length=500, description="It is kept.")]


class OutcomeGiven(Given):
    """What came of a task that your own people worked."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"outcome": "no_answer", "called": True, "note": ""}}
    )

    outcome: Annotated[TaskOutcome, Field(strict=False)]
    called: Annotated[
        bool, Field(description="true: the borrower was rung; it counts in the contact limits.")
    ]
    note: Annotated[Line, Field(max_length=2000, description="For whoever reads it next.")] = ""
    promise: Annotated[
        PromiseGiven | None, Field(description="With `promise`: what was promised.")
    ] = None
    call_at: Annotated[
        Instant | None, Field(description="With `call_back`: when the borrower wants to be called.")
    ] = None


class ContactGiven(Given):
    """A contact made outside Saldo. It counts in the contact limits like any other."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "channel": "call",
                "direction": "outbound",
                "made_at": "2026-03-31T09:30:00Z",
                "conversation": False,
                "outcome": "no_answer",
                "note": "",
            }
        }
    )

    channel: Annotated[Channel, Field(strict=False)]
    direction: Literal["outbound", "inbound"]
    made_at: Annotated[Instant, Field(description="When; at most 32 days ago.")]
    conversation: Annotated[bool, Field(description="true: the borrower himself was spoken with.")]
    outcome: Annotated[
        TaskOutcome | None,
        Field(strict=False, description="Anything but promise and call_back; it has its effect."),
    ] = None
    note: Annotated[Line, Field(max_length=2000, description="For whoever reads it next.")] = ""
    asked_for: Annotated[
        bool,
        Field(
            description="true: the borrower had asked for it in the seven days before. Rules of "
            "his country that say so do not count it."
        ),
    ] = False
    connected: Annotated[
        bool,
        Field(
            description="false: a call that never reached the number (engaged, out of service). "
            "It counts in no limit."
        ),
    ] = True
    at_work: Annotated[bool, Field(description="true: the call reached the borrower at work.")] = (
        False
    )


class RuleAsked(Shown):
    """One rule that the contact gate asked."""

    rule: Annotated[str, Field(description="Its name, such as es.hours.")]
    passed: bool
    words: Annotated[str, Field(description="What it says now.")]
    source: Annotated[str, Field(description="Who demands it: the paragraph, or whose policy.")]
    strength: Annotated[str, Field(description="law, practice or policy.")]


class CallWindowShown(Shown):
    """Whether a borrower may be called now. The answer is the contact gate's, at this moment."""

    allowed: bool
    because: Annotated[str, Field(description="The rules that say no, in words; empty: none.")]
    opens_at: Annotated[
        Instant | None,
        Field(description="When a no may become a yes; null: waiting does not help."),
    ]
    until: Annotated[Instant | None, Field(description="When a yes ends by the clock.")]
    time_zone: Annotated[str, Field(description="Where the borrower's clock is.")]
    used: Annotated[str, Field(description="How much of the tightest limit is used, in words.")]
    rules: Annotated[list[RuleAsked], Field(description="Every rule that was asked.")]
    pack: Annotated[str, Field(description="Whose rules, and of which version.")]


class ContactShown(Shown):
    """The contact that was written down."""

    id: Id
