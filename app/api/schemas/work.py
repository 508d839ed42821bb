"""Cases and what happens around them: signals, messages, payments, tasks, brakes."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field

from app.api.wire import Day, Given, Id, Instant, Line, MoneyShown, Shown
from app.domain.breaker import Service
from app.domain.message import Channel
from app.domain.stage_plan import StepKind, WaitsFor
from app.store.brakes import Brake


class NextStepShown(Shown):
    """What the strategy does next if nothing changes."""

    kind: Annotated[
        StepKind,
        Field(
            description="remind and notice: a message leaves. call: a collector is asked to call. "
            "propose_write_off, propose_placement, hand_to_person and close: the strategy's end. "
            "review: a person is asked to look at it again.",
            examples=["notice"],
        ),
    ]
    on_day: Annotated[
        Day, Field(description="The borrower's own day. Today's steps are taken within the day.")
    ]
    channel: Annotated[Channel | None, Field(description="Of a message.")]
    template: Annotated[
        str | None, Field(description="Name of the message's text.", examples=["first_missed"])
    ]
    attempt: Annotated[
        int | None, Field(description="Of a call: which of its stage's it is.", examples=[None])
    ]


class StandingShown(Shown):
    """Where a case stands in its strategy at this moment."""

    strategy: Annotated[str, Field(examples=["soft"])]
    version: int
    stage: Annotated[
        str, Field(description="Empty before the strategy's first stage.", examples=["grace"])
    ]
    days_past_due: Annotated[
        int | None,
        Field(description="As the strategy counts them. Null: nothing of the loan is due."),
    ]
    waits_for: Annotated[
        WaitsFor | None,
        Field(description="What keeps the strategy from going on.", examples=[None]),
    ]
    next_step: Annotated[
        NextStepShown | None,
        Field(description="Null: it waits, or only something that happens moves it on."),
    ]
    looks_at: Annotated[
        Instant | None,
        Field(description="When Saldo looks at it next by itself. A change brings that forward."),
    ]


class CaseShown(Shown):
    """One overdue loan being worked."""

    id: Id
    loan_ref: str
    borrower_ref: str
    state: Annotated[str, Field(description="open, in_flight or closed.")]
    due: MoneyShown
    opened_at: Instant
    closed_at: Instant | None
    close_reason: str | None
    calls_made: Annotated[
        int, Field(description="Calls to the borrower since it was opened, whoever made them.")
    ]
    promised_on: Annotated[
        Day | None, Field(description="The next day that an open promise names.", examples=[None])
    ]
    standing: Annotated[
        StandingShown | None,
        Field(description="Stage and next step. Null: it is closed or follows no strategy."),
    ]


class TimelineShown(Shown):
    """One event of a case, with what it was decided from. Never a balance figure."""

    id: Id
    at: Instant
    kind: str
    actor: str
    case_id: Annotated[UUID | None, Field(description="Null: concerns all of his cases.")]
    details: dict[str, Any]


class CaseReachShown(Shown):
    """How far the money seen reaches for one case: whole, part or none."""

    case_id: UUID
    covers: str


class SignalShown(Shown):
    """There is money on an account. Says how far it reaches, never how much it is."""

    id: Id
    borrower_ref: str
    raised_at: Instant
    covers: Annotated[str, Field(description="enough or part of what is due.")]
    decided_at: Instant | None
    ended_at: Instant | None
    ended_why: str | None
    cases: list[CaseReachShown]


class MessageShown(Shown):
    """A message to a borrower, without its text (it holds the link)."""

    id: Id
    borrower_ref: str
    channel: str
    wording: str
    language: str
    state: Annotated[str, Field(description="withheld: observe-only mode, it would have left.")]
    signal_id: UUID | None
    case_ids: list[UUID]
    created_at: Instant
    sent_at: Instant | None
    ended_at: Instant | None
    cancel_reason: str | None
    error_code: str
    verdict: Annotated[
        dict[str, Any] | None, Field(description="What the contact gate said, rule by rule.")
    ]


class PushShown(Shown):
    """A message for your app. It says nothing of a debt: a lock screen is read by others."""

    id: Id
    body: str
    link: Annotated[str, Field(description="The borrower's own page; open it in his browser.")]
    language: str


class PushedShown(Shown):
    """Where the message stands now."""

    id: Id
    state: str


class PaidLoanShown(Shown):
    """The part of a payment that serves one loan."""

    loan_ref: str
    case_id: UUID
    amount: str


class PaymentShown(Shown):
    """A payment by the borrower from his own bank."""

    id: Id
    borrower_ref: str
    amount: str
    currency: str
    state: str
    end_to_end_ref: str
    connector: str
    bank_id: str
    instant: bool
    created_at: Instant
    authorised_at: Instant | None
    settled_at: Instant | None
    ended_at: Instant | None
    loans: list[PaidLoanShown]


class ReturnGiven(Given):
    """The money of a settled payment came back."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"reason": "AC04: the account is closed."}}
    )

    reason: Annotated[
        Line,
        Field(min_length=1, max_length=140, description="Why, in the bank's or your own words."),
    ]


class TaskShown(Shown):
    """Work for a person: why a machine did not go on, and the situation in words."""

    id: Id
    borrower_ref: str
    case_id: UUID | None
    reason: str
    state: str
    priority: int
    situation: dict[str, Any]
    created_at: Instant
    not_before: Annotated[
        Instant | None, Field(description="It waits for this moment; null: it can be worked now.")
    ]
    ended_at: Instant | None
    outcome: str | None
    note: str
    cancel_reason: str | None


class SwitchGiven(Given):
    """Halt everything outgoing on a channel, or let it go on."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"halted": True, "reason": "Wrong amounts in last export."}}
    )

    halted: bool
    reason: Annotated[
        Line, Field(min_length=1, max_length=500, description="Why; it stands in the audit.")
    ]


class SwitchShown(Shown):
    """One stop switch. `set_by` is null for one that was never touched."""

    channel: Annotated[Brake, Field(description="`all` halts every other one with it.")]
    halted: bool
    reason: str
    set_by: str | None
    set_at: Instant | None


class StatusShown(Shown):
    """Where your lender stands. Counts only."""

    observe_only: bool
    loans_open: Annotated[int, Field(description="Loans with an open case.")]
    loans_recovered: Annotated[
        int, Field(description="Nothing due left and at least one settled Saldo payment.")
    ]
    signals: Annotated[int, Field(description="Funds signals raised so far.")]
    messages_sent: int
    payments_settled: int
    tasks_open: int
    owed_unconfirmed: Annotated[
        int,
        Field(
            description="Cases about which nothing leaves: your system did not confirm the amount."
        ),
    ]
    reads: Annotated[int, Field(description="Balance reads attempted at banks.")]
    reads_refused: Annotated[
        int, Field(description="Reads that a bank refused because its allowance was spent.")
    ]
    business_time: Instant


class ProviderShown(Shown):
    """How one service of a bank or provider answers."""

    connector: str
    bank_id: Annotated[str, Field(description="Empty for a provider of texts or e-mails.")]
    service: Service
    answers: Annotated[bool, Field(description="False while it is taken for down.")]
    since: Annotated[
        Instant | None, Field(description="It has not answered since; null while it does.")
    ]
    last_answer_at: Instant | None
    failed_share_day: Annotated[
        float | None,
        Field(description="Of the calls of the last 24 hours, from 0 to 1; null: there were none."),
    ]
    waiting: Annotated[
        int, Field(description="Your accounts to be read, payments under way, or messages with it.")
    ]
