"""The timeline in words: what happened, who did it, and the inputs for whoever wants them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.domain.case import CaseClose
from app.domain.consent import ConsentState, Purpose
from app.domain.hold import HoldKind
from app.domain.message import CancelReason, Channel, MessageState
from app.domain.payment import PaymentState
from app.domain.task import TaskOutcome, TaskReason, TaskState
from app.reports.case_entries import Entry
from app.store.timeline import Kind
from app.web import approval_words, words
from app.web.assignment_words import task_changed_hands
from app.web.inputs import inputs_of
from app.web.story_details import detail_changed, detail_confirmed, detail_entered
from app.web.story_reading import reading
from app.web.story_work import (
    case_placed,
    contact_noted,
    placement_over,
    promise_changed,
    promise_made,
    stage_changed,
    step_skipped,
)
from app.web.telling import Details, Words, amount_in_words
from app.web.telling import sentence as _sentence


@dataclass(frozen=True, slots=True)
class Told:
    """One line for the page. `inputs` are what the act was decided from, `checks` the rules."""

    at: datetime
    title: str
    said: str
    icon: str
    tone: str
    actor: str
    inputs: tuple[tuple[str, str], ...]
    checks: tuple[Mapping[str, Any], ...]
    pack: str


_ACTORS: Final[Mapping[str, str]] = {
    "saldo": "Saldo",
    "borrower": "Borrower",
    "lender": "Your system",
    "bank": "Bank",
    "carrier": "Carrier",
}

_REOPENED: Final[Mapping[str, str]] = {
    "payment_returned": "The payment was sent back.",
    "write_off_reversed": "The write-off was taken back.",
    "forgiveness_reversed": "The forgiveness was taken back.",
}


def tell(entry: Entry, zone: ZoneInfo) -> Told:
    """Put one line into words."""
    kind = Kind(entry.kind)
    said = _WORDS[kind](entry.details)
    verdict = entry.verdict or (entry.details if "checks" in entry.details else {})
    return Told(
        at=entry.at,
        title=said.title,
        said=said.said,
        icon=said.icon,
        tone=said.tone,
        actor=_ACTORS.get(entry.actor, entry.actor),
        inputs=tuple(inputs_of(entry.details, zone)),
        checks=tuple(check for check in _listed(verdict, "checks") if isinstance(check, Mapping)),
        pack=str(verdict.get("pack", "")),
    )


# ------------------------------------------------------------------ one function per kind


def _plain(title: str, icon: str, tone: str = "", said: str = "") -> Callable[[Details], Words]:
    return lambda _details: Words(title, said, icon, tone)


def _case_closed(details: Details) -> Words:
    why = details.get("why", "")
    text = words.CASE_CLOSES[CaseClose(why)] if _is(CaseClose, why) else ""
    return Words("Case closed", _sentence(text), "check", "good")


def _case_reopened(details: Details) -> Words:
    said = _REOPENED.get(str(details.get("why", "")), "")
    return Words("Case open again", said, "case", "bad")


def _approval_asked(details: Details) -> Words:
    kind = approval_words.KINDS.get(str(details.get("kind", "")), "Something")
    return Words(f"Proposed: {kind.lower()}", _amount(details), "scale", "warn")


def _approval_ended(details: Details) -> Words:
    kind = approval_words.KINDS.get(str(details.get("kind", "")), "Something")
    state = str(details.get("state", ""))
    note = str(details.get("note", "") or "")
    return Words(f"{kind}: {state}", _sentence(note) if note else "", "scale", "note")


def _given_up(title: str, tone: str) -> Callable[[Details], Words]:
    return lambda details: Words(title, _amount(details), "scale", tone)


def _reversed(details: Details) -> Words:
    kind = approval_words.KINDS.get(str(details.get("kind", "")), "Something")
    return Words(f"Taken back: {kind.lower()}", _amount(details), "scale", "warn")


def _requested(details: Details) -> Words:
    named = _purposes(_listed(details, "purposes"))
    return Words("Permission asked for", _sentence(named), "consent")


def _chosen(details: Details) -> Words:
    granted = _purposes(_listed(details, "granted"))
    refused = _purposes(_listed(details, "refused"))
    parts = [f"Yes to: {granted}." if granted else "", f"No to: {refused}." if refused else ""]
    return Words("Borrower chose", " ".join(filter(None, parts)), "consent", "note")


def _consent_changed(details: Details) -> Words:
    state = details.get("state", "")
    if not _is(ConsentState, state):
        return Words("Permission changed", str(state), "consent")
    mark = words.CONSENT_STATES[ConsentState(state)]
    via = {"page": "by the borrower", "api": "by your system", "bank": "at the bank"}
    return Words(
        f"Permission: {mark.text.lower()}",
        _sentence(via.get(str(details.get("via")), "")),
        "consent",
        mark.tone,
    )


def _read_refused(details: Details) -> Words:
    why = str(details.get("why", details.get("detail", ""))).replace("_", " ")
    return Words("Reading failed", _sentence(why), "eye", "warn")


def _signal_raised(details: Details) -> Words:
    covers = str(details.get("covers", ""))
    mark = words.COVERS.get(covers)
    return Words(
        f"Money is there: {mark.text.lower()}" if mark else "Money is there",
        str(details.get("because", "")),
        "coin",
        "good",
    )


def _signal_ended(details: Details) -> Words:
    why = str(details.get("why", ""))
    return Words("Alert ended", _sentence(words.SIGNAL_ENDS.get(why, _cancelled(why))), "coin")


def _decision(details: Details) -> Words:
    steps = [_step(step) for step in _listed(details, "steps")]
    title = "Decided: " + (", ".join(filter(None, steps)) or "nothing to do")
    rule = str(details.get("rule", "")).replace("_", " ")
    said = f"By the rule “{rule}”." if rule else ""
    if details.get("observe_only"):
        said = f"{said} Observe-only mode: nothing leaves.".strip()
    return Words(title, said, "scale", "note")


def _step(step: Any) -> str:
    if not isinstance(step, Mapping):
        return str(step).replace("_", " ")
    match step.get("do"):
        case "ask_to_pay":
            return "send a payment link"
        case "open_task":
            reason = step.get("reason", "")
            return "a person is needed" + (
                f" ({words.TASK_TITLES[TaskReason(reason)].lower()})"
                if _is(TaskReason, reason)
                else ""
            )
        case "wait":
            return "wait"
        case "close":
            return "close the case"
        case other:
            return str(other or "")


def _gate(details: Details) -> Words:
    verdict = details.get("verdict", details)
    if not isinstance(verdict, Mapping):
        verdict = details
    if verdict.get("allowed"):
        return Words("Contact rules: allowed", "Every rule agrees.", "scale", "good")
    because = str(verdict.get("because") or "")
    if not because:
        because = " ".join(
            str(check.get("words", ""))
            for check in _listed(verdict, "checks")
            if isinstance(check, Mapping) and not check.get("passed")
        )
    later = verdict.get("earliest_at") is not None
    title = "Contact rules: later" if later else "Contact rules: no"
    return Words(title, because, "scale", "warn")


_MESSAGES: Final = {"sms": "Text", "email": "E-mail", "push": "App message"}


def _message_queued(details: Details) -> Words:
    what = _MESSAGES.get(str(details.get("channel", "")), "Text")
    if details.get("state") == MessageState.WITHHELD.value:
        return Words(f"{what} would have been sent", "Observe-only mode.", "text", "note")
    if details.get("signal_id"):
        return Words(f"{what} with a payment link prepared", "", "text", "note")
    about = str(details.get("wording", "")).partition("/")[0].replace("_", " ")
    return Words(f"{what} prepared: {about}", "", "text", "note")


def _message_changed(details: Details) -> Words:
    state = str(details.get("state", ""))
    if not _is(MessageState, state):
        return Words("Text message", state, "text")
    mark = words.MESSAGE_STATES[MessageState(state)]
    what = _MESSAGES.get(str(details.get("channel", "")), "Text")
    title = mark.text.replace("Text", what, 1) if mark.text.startswith("Text") else mark.text
    why = str(details.get("why", "") or details.get("error_code", "") or "")
    return Words(title, _sentence(_cancelled(why)), "text", mark.tone)


def _check_failed(details: Details) -> Words:
    locked = " The page is locked." if details.get("locked") else ""
    return Words(
        "Identity check failed", f"Try {details.get('tries', '?')}.{locked}", "lock", "warn"
    )


def _said(details: Details) -> Words:
    what = str(details.get("said", details.get("what", "")))
    titles = {
        "wrong": "Borrower says: this is wrong",
        "cannot": "Borrower says: I cannot pay now",
        "paid": "Borrower says: I have paid",
        "stop": "Borrower says: no more messages",
    }
    note = str(details.get("note", "") or "")
    wrote = details.get("by") == Channel.SMS.value
    other = "Borrower wrote a text" if wrote else "Borrower said something"
    return Words(titles.get(what, other), f"“{note}”" if note else "", "speak", "warn")


def _payment(details: Details) -> Words:
    state = str(details.get("state", ""))
    if not _is(PaymentState, state):
        return Words("Payment", state, "card")
    mark = words.PAYMENT_STATES[PaymentState(state)]
    return Words(f"Payment: {mark.text.lower()}", _amount(details), "card", mark.tone)


def _repayment(details: Details) -> Words:
    said = _amount(details)
    if details.get("counted") is False:
        said = f"{said} Known already; counted once.".strip()
    return Words("Money booked", said, "coin", "good")


def _task_opened(details: Details) -> Words:
    reason = details.get("reason", "")
    title = words.TASK_TITLES[TaskReason(reason)] if _is(TaskReason, reason) else str(reason)
    return Words(f"Task: {title.lower()}", "", "task", "warn")


def _task_changed(details: Details) -> Words:
    if (hands := task_changed_hands(details)) is not None:
        return hands
    state = str(details.get("state", ""))
    titles = {
        TaskState.OPEN.value: "Task given back",
        TaskState.TAKEN.value: "Task taken",
        TaskState.DONE.value: "Task finished",
        TaskState.CANCELLED.value: "Task no longer needed",
    }
    outcome = details.get("outcome", "")
    said = words.OUTCOMES[TaskOutcome(outcome)] if _is(TaskOutcome, outcome) else ""
    said = said or _cancelled(str(details.get("why", "") or ""))
    return Words(titles.get(state, "Task changed"), _sentence(said), "task")


def _hold(title: str) -> Callable[[Details], Words]:
    def say(details: Details) -> Words:
        kind = details.get("kind", "")
        named = words.HOLD_KINDS[HoldKind(kind)] if _is(HoldKind, kind) else str(kind)
        said = _sentence(named)
        if details.get("reason"):
            said = f"{said} “{details['reason']}”"
        return Words(title, said, "hold", "warn" if title.endswith("set") else "")

    return say


def _book_loaded(details: Details) -> Words:
    rows = details.get("rows")
    listed = sorted(rows.items()) if isinstance(rows, dict) else []
    said = ", ".join(f"{count} {str(kind).replace('_', ' ')}" for kind, count in listed)
    return Words("Taken over from your files", _sentence(said), "case", "note")


def _opt_out(details: Details) -> Words:
    what = "calls" if details.get("channel") == Channel.CALL.value else "messages"
    if details.get("stopped") is False:
        return Words(f"Borrower wants {what} again", "", "text")
    return Words(f"Borrower wants no more {what}", "", "stop", "warn")


def _stop_switch(details: Details) -> Words:
    return Words("Stop switch " + ("on" if details.get("halted") else "off"), "", "stop", "warn")


def _flagged(details: Details) -> Words:
    because = str(details.get("because", ""))
    return Words(f"Flagged: {details.get('title', '')}", _sentence(because), "flag", "warn")


def _strategy_changed(details: Details) -> Words:
    before, why = str(details.get("before", "")), str(details.get("why", ""))
    said = " ".join(filter(None, [f"Before: {before}." if before else "", _sentence(why)]))
    name = f"{details.get('strategy', '')} {details.get('number', '')}".strip()
    return Words(f"Now under the strategy {name}", said, "scale", "note")


_WORDS: Final[Mapping[Kind, Callable[[Details], Words]]] = {
    Kind.LOAN_REGISTERED: _plain("Loan registered", "case"),
    Kind.BOOK_LOADED: _book_loaded,
    Kind.CASE_OPENED: _plain("Case opened", "case", "note", "Something is due and unpaid."),
    Kind.CASE_CLOSED: _case_closed,
    Kind.CASE_REOPENED: _case_reopened,
    Kind.CONSENT_REQUESTED: _requested,
    Kind.CONSENT_CHOSEN: _chosen,
    Kind.CONSENT_CHANGED: _consent_changed,
    Kind.FIGURES_ERASED: _plain("Balance figures erased", "lock"),
    Kind.READING: reading,
    Kind.READ_REFUSED: _read_refused,
    Kind.SIGNAL_RAISED: _signal_raised,
    Kind.SIGNAL_ENDED: _signal_ended,
    Kind.DECISION: _decision,
    Kind.GATE: _gate,
    Kind.MESSAGE_QUEUED: _message_queued,
    Kind.MESSAGE_CHANGED: _message_changed,
    Kind.EMAIL_DEAD: _plain("E-mail address given up", "text", "warn", "No such mailbox."),
    Kind.LINK_OPENED: _plain("Payment link opened", "link"),
    Kind.CHECK_PASSED: _plain("Borrower proved who he is", "lock", "good"),
    Kind.CHECK_FAILED: _check_failed,
    Kind.BORROWER_SAID: _said,
    Kind.PAYMENT_CHANGED: _payment,
    Kind.REPAYMENT_RECORDED: _repayment,
    Kind.OWED_CONFIRMED: _plain("Your ledger confirmed what is owed", "case"),
    Kind.TASK_OPENED: _task_opened,
    Kind.TASK_CHANGED: _task_changed,
    Kind.HOLD_SET: _hold("Hold set"),
    Kind.HOLD_LIFTED: _hold("Hold lifted"),
    Kind.HOLD_CHANGED: _hold("Hold has an end now"),
    Kind.OPT_OUT: _opt_out,
    Kind.PROMISE_MADE: promise_made,
    Kind.PROMISE_CHANGED: promise_changed,
    Kind.CONTACT_NOTED: contact_noted,
    Kind.DETAIL_ENTERED: detail_entered,
    Kind.DETAIL_CONFIRMED: detail_confirmed,
    Kind.DETAIL_CHANGED: detail_changed,
    Kind.STOP_SWITCH: _stop_switch,
    Kind.CASE_FLAGGED: _flagged,
    Kind.FLAG_ENDED: _plain("Flag ended", "flag", "", "Its rule no longer holds."),
    Kind.STAGE_CHANGED: stage_changed,
    Kind.STEP_SKIPPED: step_skipped,
    Kind.STRATEGY_CHANGED: _strategy_changed,
    Kind.APPROVAL_ASKED: _approval_asked,
    Kind.APPROVAL_ENDED: _approval_ended,
    Kind.WRITTEN_OFF: _given_up("Written off", "bad"),
    Kind.FORGIVEN: _given_up("Forgiven", "note"),
    Kind.REVERSED: _reversed,
    Kind.CASE_PLACED: case_placed,
    Kind.CASE_RECALLED: placement_over("Taken back from", "note"),
    Kind.PLACEMENT_ENDED: placement_over("No longer with", "good"),
}


def _amount(details: Details) -> str:
    said = amount_in_words(details.get("amount_minor"), details.get("currency"))
    return f"{said}." if said else ""


def _listed(details: Details, name: str) -> Sequence[Any]:
    """A list in the details; empty when there is none."""
    found = details.get(name)
    return found if isinstance(found, list | tuple) else ()


def _purposes(named: Sequence[Any]) -> str:
    known = {purpose.value: words.PURPOSES[purpose] for purpose in Purpose}
    return "; ".join(known.get(str(one), str(one)).lower() for one in named)


def _cancelled(why: str) -> str:
    return words.CANCEL_REASONS[CancelReason(why)] if _is(CancelReason, why) else why


def _is(kind: Any, value: object) -> bool:
    return isinstance(value, str) and value in {one.value for one in kind}
