"""The desk's words for everything the engine knows only as a code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.domain.case import CaseClose, CaseState
from app.domain.consent import ConsentState, Purpose, RequestState
from app.domain.delinquency import Standing
from app.domain.hold import HoldBlock, HoldKind
from app.domain.message import CancelReason, Channel, MessageState
from app.domain.money import Money
from app.domain.payment import LinkState, PaymentState
from app.domain.promise import PromiseState
from app.domain.reminder import ReminderCondition
from app.domain.roles import Role
from app.domain.stage_plan import Skip
from app.domain.task import TaskOutcome, TaskReason
from app.reference import formats
from app.store.brakes import Brake
from app.web.inputs import instant_in_words


@dataclass(frozen=True, slots=True)
class Mark:
    """A short word with a tone; the word alone says it, the tone only helps the eye."""

    text: str
    tone: str = ""


ROLES: Final[Mapping[Role, str]] = {
    Role.COLLECTOR: "Collector",
    Role.COLLECTION_MANAGER: "Collection manager",
    Role.SUPERVISOR: "Supervisor",
    Role.COMPLIANCE: "Compliance",
    Role.APPROVER: "Approver",
    Role.AUDITOR: "Auditor",
    Role.ADMIN: "Admin",
    Role.INTEGRATION: "Integration",
}

TASK_TITLES: Final[Mapping[TaskReason, str]] = {
    TaskReason.LINK_UNPAID: "Payment link was not used",
    TaskReason.SMS_UNDELIVERED: "Text message did not arrive",
    TaskReason.SMS_BLOCKED: "Text message was refused",
    TaskReason.SMS_OUTCOME_UNKNOWN: "Unclear whether the text message left",
    TaskReason.NO_CONSENT: "No permission to read the account",
    TaskReason.CONSENT_ENDED: "Permission to read has ended",
    TaskReason.BANK_DOWN: "Bank does not answer",
    TaskReason.ACCOUNT_BLOCKED: "Account cannot be read",
    TaskReason.BALANCE_UNREADABLE: "Bank’s answer cannot be understood",
    TaskReason.IDENTITY_CHECK_FAILED: "Identity could not be confirmed",
    TaskReason.BORROWER_DISPUTES: "Borrower says it is wrong",
    TaskReason.BORROWER_CANNOT_PAY: "Borrower cannot pay now",
    TaskReason.BORROWER_SAYS_PAID: "Borrower says it is paid",
    TaskReason.OPTED_OUT: "Borrower wants no messages",
    TaskReason.PAYMENT_REJECTED: "Bank refused the payment",
    TaskReason.PAYMENT_UNCLEAR: "Bank gives no clear answer on a payment",
    TaskReason.PAYMENT_RETURNED: "Payment was sent back",
    TaskReason.OVERPAID: "Too much was paid",
    TaskReason.OWED_AMOUNT_STALE: "Owed amount is not confirmed",
    TaskReason.COLLECTOR_ACTS: "Your turn",
    TaskReason.CALL_BORROWER: "Call the borrower",
    TaskReason.CALL_BACK: "Call back, as agreed",
    TaskReason.PROMISE_BROKEN: "Promise was not kept",
    TaskReason.NO_WAY_TO_REACH: "No way to reach the borrower",
    TaskReason.REVIEW_CASE: "Look at this case",
    TaskReason.REMINDER: "Your reminder",
    TaskReason.RELIEF_ASKED: "Borrower asks for relief",
    TaskReason.LIFT_ASKED: "Your system says a hold is over",
}

# What a machine did, and what is left for a person.
_TASK_SENTENCES: Final[Mapping[TaskReason, str]] = {
    TaskReason.LINK_UNPAID: "A payment link was sent and its time ran out without a payment.",
    TaskReason.SMS_UNDELIVERED: "The phone did not take the message. Check the number and call.",
    TaskReason.SMS_BLOCKED: "The carrier refuses messages to this number. Call instead.",
    TaskReason.SMS_OUTCOME_UNKNOWN: "The message may have arrived. It is not sent twice; call.",
    TaskReason.NO_CONSENT: "Something is due, and nobody sees when money comes. Call as usual.",
    TaskReason.CONSENT_ENDED: "Nothing is read any more. Do not press for a new permission.",
    TaskReason.BANK_DOWN: "Readings fail for some time now. Nothing is known about money.",
    TaskReason.ACCOUNT_BLOCKED: "The bank does not let this account be read.",
    TaskReason.BALANCE_UNREADABLE: "The reading was set aside; nobody guessed.",
    TaskReason.IDENTITY_CHECK_FAILED: "Too many wrong answers; the page is locked. Call first.",
    TaskReason.BORROWER_DISPUTES: "Everything is on hold until it is looked at.",
    TaskReason.BORROWER_CANNOT_PAY: "Look for a plan that works. No messages leave meanwhile.",
    TaskReason.BORROWER_SAYS_PAID: "Look the payment up in your ledger.",
    TaskReason.OPTED_OUT: "No text messages from now on. Calls and letters are up to you.",
    TaskReason.PAYMENT_REJECTED: "Nothing was paid. The borrower may need help.",
    TaskReason.PAYMENT_UNCLEAR: "Look at your bank statement before anything else.",
    TaskReason.PAYMENT_RETURNED: "The loan is open again. No message leaves by itself.",
    TaskReason.OVERPAID: "Refund what was too much.",
    TaskReason.OWED_AMOUNT_STALE: "The lender’s system did not confirm the amount, so nothing was "
    "sent. Ask there, or have its webhook mended.",
    TaskReason.COLLECTOR_ACTS: "Money is there. Call while it is.",
    TaskReason.CALL_BORROWER: "The strategy asks for a call today.",
    TaskReason.CALL_BACK: "The borrower asked to be called at this time.",
    TaskReason.PROMISE_BROKEN: "The day passed and the money did not come. Ask what happened.",
    TaskReason.NO_WAY_TO_REACH: "No message can reach the borrower. Find another way.",
    TaskReason.REVIEW_CASE: "Look at the case and what led here, and decide what follows.",
    TaskReason.REMINDER: "You asked to be reminded of this case.",
    TaskReason.RELIEF_ASKED: "Look for something that can be kept, then answer.",
    TaskReason.LIFT_ASKED: "Is its reason gone? Who may lift it does, or leaves it.",
}

# What of a situation is shown, in this order; everything else is a reference for machines.
_SITUATION_WORDS: Final[Mapping[str, str]] = {
    "later_because": "Not before its time",
    "call_at": "Agreed for",
    "agreed": "He said",
    "noted": "Noted",
    "happened": "What happened",
    "missing_minor": "Missing",
    "because": "Because",
    "ask": "Asked of you",
    "why": "The bank’s word",
    "bank_said": "The bank’s word",
    "unusable": "What is wrong with it",
    "bank_id": "Bank",
    "consent_state": "Permission",
    "source": "Told us",
    "said": "The carrier’s code",
    "paid_minor": "Paid",
    "overpaid_minor": "Too much",
    "end_to_end_ref": "Reference on the statement",
    "loan": "Loan",
    "due_on": "Due since",
    "pause_until": "Rests until",
    "sent_at": "Link from",
    "checks_failed": "Wrong answers on his page",
    "payments_refused": "Payments his bank refused",
    "last_read_at": "Last read",
}

_COUNTS: Final = frozenset({"checks_failed", "payments_refused"})

_SOURCES: Final[Mapping[str, str]] = {
    "page": "on his page",
    "sms": "by text message",
    "api": "through your system",
    "desk": "at the desk",
    "provider": "through the carrier",
}

# What the borrower pressed is in the title of these tasks already.
_SAID_IN_TITLE: Final = frozenset({"wrong", "cannot", "paid"})

OUTCOMES: Final[Mapping[TaskOutcome, str]] = {
    TaskOutcome.REACHED: "Spoke with the borrower, no promise",
    TaskOutcome.NO_ANSWER: "No answer",
    TaskOutcome.WRONG_NUMBER: "Wrong number",
    TaskOutcome.PAID_ALREADY: "Paid already",
    TaskOutcome.REFUSES: "Refuses",
    TaskOutcome.RESOLVED: "Resolved",
    TaskOutcome.PROMISE: "Promise to pay",
    TaskOutcome.CALL_BACK: "Call back later",
    TaskOutcome.DISPUTE: "Disputes the debt",
    TaskOutcome.HARDSHIP: "Cannot pay, hardship",
    TaskOutcome.THIRD_PARTY: "Somebody else answered",
}

REMINDER_EVENTS: Final[Mapping[ReminderCondition, str]] = {
    ReminderCondition.MONEY_SEEN: "Money was seen",
    ReminderCondition.PAID: "Something was paid",
    ReminderCondition.PROMISE_BROKEN: "A promise was broken",
    ReminderCondition.MESSAGE_UNDELIVERED: "A message did not arrive",
}

PROMISE_STATES: Final[Mapping[PromiseState, Mark]] = {
    PromiseState.OPEN: Mark("Open", "note"),
    PromiseState.KEPT: Mark("Kept", "good"),
    PromiseState.PART: Mark("Kept in part", "warn"),
    PromiseState.BROKEN: Mark("Broken", "bad"),
    PromiseState.CANCELLED: Mark("Cancelled"),
}

# Buttons of a task come from its lifecycle; these are their words. `cancel` is the engine's.
TASK_BUTTONS: Final[Mapping[str, str]] = {
    "take": "Take",
    "release": "Give back",
    "finish": "Finish",
}

CASE_STATES: Final[Mapping[CaseState, Mark]] = {
    CaseState.OPEN: Mark("Open", "note"),
    CaseState.IN_FLIGHT: Mark("Payment on its way", "good"),
    CaseState.CLOSED: Mark("Closed"),
}

CASE_CLOSES: Final[Mapping[CaseClose, str]] = {
    CaseClose.PAID_THROUGH_SALDO: "paid through Saldo",
    CaseClose.PAID_ELSEWHERE: "paid elsewhere",
    CaseClose.LOAN_CLOSED: "the loan was closed",
    CaseClose.NOT_DUE: "nothing is due any more",
    CaseClose.FAILED: "collection came to nothing",
    CaseClose.WRITTEN_OFF: "the debt was written off",
}

CONSENT_STATES: Final[Mapping[ConsentState, Mark]] = {
    ConsentState.PENDING: Mark("At the bank", "note"),
    ConsentState.ACTIVE: Mark("In force", "good"),
    ConsentState.REJECTED: Mark("Refused at the bank"),
    ConsentState.ABANDONED: Mark("Not finished"),
    ConsentState.EXPIRED: Mark("Expired"),
    ConsentState.REVOKED_AT_BANK: Mark("Ended at the bank", "warn"),
    ConsentState.WITHDRAWN: Mark("Withdrawn", "warn"),
    ConsentState.SUPERSEDED: Mark("Renewed"),
    ConsentState.LOST: Mark("Unknown at the bank", "bad"),
}

REQUEST_STATES: Final[Mapping[RequestState, Mark]] = {
    RequestState.OPEN: Mark("Not answered yet"),
    RequestState.CHOSEN: Mark("Chosen, no bank yet", "note"),
    RequestState.AT_BANK: Mark("At the bank", "note"),
    RequestState.COMPLETED: Mark("Answered", "good"),
    RequestState.REJECTED: Mark("Refused at the bank"),
    RequestState.EXPIRED: Mark("Expired"),
}

PURPOSES: Final[Mapping[Purpose, str]] = {
    Purpose.SCORING: "Scoring (once)",
    Purpose.REPAYMENT_MONITORING: "Repayment monitoring",
    Purpose.BILLS: "Regular payments (one look)",
}

MESSAGE_STATES: Final[Mapping[MessageState, Mark]] = {
    MessageState.QUEUED: Mark("Text waits to leave", "note"),
    MessageState.SENDING: Mark("Text is leaving", "note"),
    MessageState.SENT: Mark("Text sent", "note"),
    MessageState.ASKED: Mark("Handed to your app", "note"),
    MessageState.DELIVERED: Mark("Text arrived", "good"),
    MessageState.UNDELIVERED: Mark("Text did not arrive", "warn"),
    MessageState.FAILED: Mark("Text refused", "warn"),
    MessageState.UNKNOWN: Mark("Text: outcome unclear", "warn"),
    MessageState.CANCELLED: Mark("Text not sent"),
    MessageState.WITHHELD: Mark("Would have been sent"),
}

# Why a step of a strategy came to nothing, or what became of it.
SKIPS: Final[Mapping[Skip, str]] = {
    Skip.OVERTAKEN: "a later one took its place",
    Skip.BEFORE_OUR_TIME: "its day was before the loan came here",
    Skip.NO_CHANNEL: "this channel is not set up",
    Skip.NO_ADDRESS: "no address for this channel is known",
    Skip.OPTED_OUT: "the borrower wants no messages this way",
    Skip.NO_PAGE: "its link could lead to no page",
    Skip.NO_WORDS: "its text cannot be filled",
    Skip.TOO_LONG: "its text would be too long",
    Skip.GATE_REFUSED: "a contact rule forbids it",
    Skip.WITHHELD: "observe-only mode",
    Skip.CALLED_OFF: "it was called off",
    Skip.DONE: "done",
}

CANCEL_REASONS: Final[Mapping[CancelReason, str]] = {
    CancelReason.PAID: "it was paid",
    CancelReason.PAYMENT_IN_FLIGHT: "a payment is on its way",
    CancelReason.NOTHING_DUE: "nothing is due",
    CancelReason.HOLD: "a hold is set",
    CancelReason.OPTED_OUT: "the borrower wants no messages",
    CancelReason.CONSENT_ENDED: "the permission ended",
    CancelReason.STOP_SWITCH: "the stop switch is on",
    CancelReason.MONEY_GONE: "the money is gone",
    CancelReason.SIGNAL_STALE: "the account was not read for long",
    CancelReason.GATE_REFUSED: "a contact rule forbids it",
    CancelReason.LINK_EXPIRED: "its link ran out",
    CancelReason.OWED_AMOUNT_STALE: "the owed amount is not confirmed",
    CancelReason.PHONE_MISSING: "there is no phone number",
    CancelReason.ADDRESS_MISSING: "there is no e-mail address",
    CancelReason.CHANNEL_MISSING: "this channel is not set up",
    CancelReason.REPLACED: "a newer one takes its place",
    CancelReason.PROMISED: "the borrower promised to pay",
    CancelReason.STAGE_OVER: "its stage is over",
    CancelReason.UNPAYABLE: "its link led to no way to pay",
}

PAYMENT_STATES: Final[Mapping[PaymentState, Mark]] = {
    PaymentState.REQUESTED: Mark("Being prepared", "note"),
    PaymentState.CREATING: Mark("Being prepared", "note"),
    PaymentState.OPEN: Mark("Waits for the borrower’s yes at the bank", "note"),
    PaymentState.AUTHORISED: Mark("On its way", "good"),
    PaymentState.SETTLED: Mark("Paid", "good"),
    PaymentState.REJECTED: Mark("Refused by the bank", "warn"),
    PaymentState.CANCELLED: Mark("Cancelled"),
    PaymentState.ABANDONED: Mark("Never left the house"),
    PaymentState.LEFT_OPEN: Mark("Left open at the bank; nobody is sent there any more"),
    PaymentState.UNCLEAR: Mark("Unclear", "bad"),
    PaymentState.RETURNED: Mark("Sent back", "bad"),
}

LINK_STATES: Final[Mapping[LinkState, Mark]] = {
    LinkState.LIVE: Mark("Works", "good"),
    LinkState.SPENT: Mark("Used"),
    LinkState.EXPIRED: Mark("Ran out"),
    LinkState.WITHDRAWN: Mark("Withdrawn"),
}

HOLD_KINDS: Final[Mapping[HoldKind, str]] = {
    HoldKind.DISPUTE: "Dispute",
    HoldKind.HARDSHIP: "Cannot pay now",
    HoldKind.PROMISE: "Promise to pay",
    HoldKind.VULNERABLE: "Needs particular care",
    HoldKind.BREATHING_SPACE: "Breathing space (60 days)",
    HoldKind.CRISIS: "Breathing space: mental-health crisis",
    HoldKind.INSOLVENCY: "Insolvency",
    HoldKind.DECEASED: "Deceased",
    HoldKind.REPRESENTED: "Represented by somebody",
    HoldKind.COMPLAINT: "Complaint",
    HoldKind.PLACED: "With an agency",
    HoldKind.OTHER: "Other",
}

HOLD_BLOCKS: Final[Mapping[HoldBlock, str]] = {
    HoldBlock.CONTACT: "messages and calls",
    HoldBlock.EVERY_CONTACT: "answers too: somebody speaks for him",
    HoldBlock.PAYMENT_ASK: "asking for money",
    HoldBlock.DEBIT: "taking money",
    HoldBlock.READING: "reading the account",
    HoldBlock.AGENCY: "handing over to an agency",
    HoldBlock.BUREAU: "reporting to a bureau",
    HoldBlock.FEES: "interest and fees",
    HoldBlock.DAYS: "counting days past due",
}

LOAN_STATES: Final[Mapping[str, str]] = {
    "active": "Running",
    "closed": "Over in your ledger",
    "written_off": "Written off",
}

BOOKED: Final[Mapping[str, str]] = {
    "lender": "reported by your system",
    "saldo": "paid through Saldo",
    "forgiven": "forgiven, no money came",
    "write_off": "written off",
    "reversal": "owed again",
}

_CELLS: Final[Mapping[str, str]] = {
    Standing.CURRENT.value: "Not late",
    Standing.PAID.value: "Paid off",
    Standing.CLOSED.value: "Closed",
    Standing.WRITTEN_OFF.value: "Written off",
}


def cell(name: str) -> str:
    """Where a loan stands: the days of its bucket, or a word."""
    return _CELLS.get(name, f"{name} days")


CHANNELS: Final[Mapping[Channel, str]] = {
    Channel.SMS: "Text message",
    Channel.EMAIL: "E-mail",
    Channel.CALL: "Call",
    Channel.PUSH: "App message",
}

COVERS: Final[Mapping[str, Mark]] = {
    "enough": Mark("Enough for what is due", "good"),
    "part": Mark("Part of what is due", "note"),
    "whole": Mark("Enough for this loan", "good"),
    "none": Mark("Reserved for older dues"),
}

SIGNAL_ENDS: Final[Mapping[str, str]] = {
    "paid": "it was paid",
    "payment_in_flight": "a payment is on its way",
    "money_gone": "the money is gone",
    "consent_ended": "the permission ended",
    "closed": "the case was closed",
    "nothing_due": "nothing is due any more",
    "expired": "it is too old",
    "hold": "a hold was set",
    "opted_out": "the borrower wants no messages",
    "promised": "the borrower promised to pay",
}

BRAKES: Final[Mapping[Brake, tuple[str, str]]] = {
    Brake.ALL: ("Everything", "no text, no payment, no reading, no webhook."),
    Brake.SMS: ("Text messages", "nothing is sent to a phone."),
    Brake.EMAIL: ("E-mails", "no e-mail is sent."),
    Brake.PUSH: ("App messages", "nothing is handed to your app."),
    Brake.PAYMENT: ("Payments", "nobody can start a payment; those under way are followed."),
    Brake.READING: ("Account readings", "no balance is read."),
    Brake.WEBHOOK: ("Webhooks", "your own systems are told nothing; it is kept for later."),
}


def task_sentence(reason: TaskReason, situation: Mapping[str, Any]) -> str:
    """What happened and what is left to do."""
    if reason is TaskReason.COLLECTOR_ACTS and "wrote" in situation:
        return "The borrower answered by text message. Read it and call back."
    if reason is TaskReason.COLLECTOR_ACTS and "template" in situation:
        return (
            "A text message to this borrower would be too long. Call, and have its text shortened."
        )
    if reason is TaskReason.CALL_BORROWER and situation.get("attempt"):
        return _which_call(int(situation["attempt"]), int(situation["attempts"]))
    return _TASK_SENTENCES[reason]


def _which_call(attempt: int, attempts: int) -> str:
    then = "the next one comes on another working day" if attempt < attempts else "it is the last"
    return f"Call {attempt} of {attempts} in the strategy. Without a promise {then}."


def situation_lines(
    situation: Mapping[str, Any], bank_name: Callable[[str], str], zone: ZoneInfo
) -> list[tuple[str, str]]:
    """The parts of a situation that a person wants to read, in words."""
    lines: list[tuple[str, str]] = []
    for name, label in _SITUATION_WORDS.items():
        value = situation.get(name)
        if name.endswith("_minor") and isinstance(value, int) and situation.get("currency"):
            amount = Money(value, str(situation["currency"]))
            lines.append((label, formats.money(amount, "en")))
        elif name in _COUNTS and value:
            lines.append((label, str(value)))
        if not isinstance(value, str) or not value or value in _SAID_IN_TITLE:
            continue
        lines.append((label, _said(name, value, bank_name, zone)))
    return lines


def _said(name: str, text: str, bank_name: Callable[[str], str], zone: ZoneInfo) -> str:
    """One value in words where there are words for it, else as it is."""
    match name:
        case "bank_id":
            return bank_name(text)
        case "consent_state" if text == "none":
            return "None: no account may be read"
        case "consent_state" if text in {state.value for state in ConsentState}:
            return CONSENT_STATES[ConsentState(text)].text
        case "source":
            return _SOURCES.get(text, text)
        case "happened" if text in set(ReminderCondition):
            return REMINDER_EVENTS[ReminderCondition(text)]
        case "call_at" | "pause_until" | "sent_at" | "last_read_at" | "due_on":
            return instant_in_words(text, zone)
        case _:
            return text.replace("_", " ")
