"""The lines of the timeline about people's work: promises, and calls that somebody noted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.domain.case import CaseClose
from app.domain.message import Channel
from app.domain.stage_plan import Skip
from app.domain.task import TaskOutcome
from app.web import words
from app.web.telling import Details, Words, amount_in_words, day_in_words, sentence

_PROMISE_TITLES: Final = {
    "open": ("Promise stands again", "warn"),
    "kept": ("Promise kept", "good"),
    "part": ("Promise kept in part", "warn"),
    "broken": ("Promise broken", "bad"),
    "cancelled": ("Promise cancelled", ""),
}
_WHY: Final = {
    "payment_returned": "The payment was sent back",
    "paid_in_time": "What was missing had been paid in time",
    "paid_through_saldo": "Everything due was paid",
    "paid_elsewhere": "Everything due was paid",
    "not_due": "Nothing is due any more",
    "loan_closed": "The loan was closed",
    "written_off": "The debt was written off",
    "failed": "Collection has ended",
}


def promise_made(details: Details) -> Words:
    """What was promised, part by part, and the collector's note."""
    said = "; ".join(
        f"{amount_in_words(part['amount'].get('minor'), part['amount'].get('currency'))} "
        f"on {day_in_words(part.get('due_on'))}"
        for part in details.get("parts", ())
    )
    note = str(details.get("note", "") or "")
    return Words("Promise to pay", f"{said}. {note}".strip(), "heart", "note")


def promise_changed(details: Details) -> Words:
    """How it ended, what came in time and what is missing."""
    state = str(details.get("state", ""))
    title, tone = _PROMISE_TITLES.get(state, ("Promise changed", ""))
    why = str(details.get("why", "") or "")
    said = sentence(_WHY.get(why, why))
    if not said:
        paid = amount_in_words(details.get("paid_minor"), details.get("currency"))
        missing = amount_in_words(details.get("missing_minor"), details.get("currency"))
        said = f"Paid in time: {paid}." if paid else ""
        if missing and details.get("missing_minor"):
            said = f"{said} Missing: {missing}."
    return Words(title, said.strip(), "heart", tone)


def contact_noted(details: Details) -> Words:
    """A call or a message that a person made or took, and whether the rules allowed it."""
    channel = str(details.get("channel", ""))
    inbound = details.get("direction") == "inbound"
    titles = {
        Channel.CALL.value: ("Borrower called", "Called the borrower"),
        Channel.SMS.value: ("Borrower sent a text", "Text sent by hand"),
        Channel.EMAIL.value: ("Borrower sent an e-mail", "E-mail sent by hand"),
    }
    title = titles.get(channel, ("Borrower got in touch", "Contact"))[0 if inbound else 1]
    outcome = str(details.get("outcome", ""))
    said = [words.OUTCOMES[TaskOutcome(outcome)] + "."] if outcome in set(TaskOutcome) else []
    if details.get("source") == "outside":
        said.append("Made outside Saldo.")
    if details.get("agency"):
        said.append(f"By {details['agency']}.")
    if details.get("note"):
        said.append(f"“{details['note']}”")
    if details.get("allowed") is False:
        said.append(f"The contact rules said no: {details.get('because', '')}")
    tone = "warn" if details.get("allowed") is False else ""
    return Words(title, " ".join(said), "call", tone)


def case_placed(details: Details) -> Words:
    """Which agency has the case from now on, and for how much."""
    amount = amount_in_words(details.get("amount_minor"), details.get("currency"))
    return Words(f"Placed with {details.get('agency', 'an agency')}", amount, "out", "warn")


def placement_over(title: str, tone: str) -> Callable[[Details], Words]:
    """A placement that is over: taken back, or by itself."""

    def said(details: Details) -> Words:
        why = str(details.get("why", ""))
        text = words.CASE_CLOSES[CaseClose(why)] if why in set(CaseClose) else why
        return Words(f"{title} {details.get('agency', 'the agency')}", sentence(text), "out", tone)

    return said


def stage_changed(details: Details) -> Words:
    """Which stage a case came into, and on which day past due."""
    stage = str(details.get("to", "")).replace("_", " ")
    days = details.get("days_past_due")
    title = f"Stage: {stage}" if stage else "No stage yet"
    said = ""
    if isinstance(days, int):
        said = f"{days} day{'' if days == 1 else 's'} past due."
    return Words(title, said, "case", "note")


def step_skipped(details: Details) -> Words:
    """A notice that was not sent, and why."""
    why, channel = str(details.get("why", "")), str(details.get("channel", ""))
    named = words.CHANNELS[Channel(channel)] if channel in set(Channel) else "Message"
    about = str(details.get("template", "")).replace("_", " ")
    because = words.SKIPS[Skip(why)] if why in set(Skip) else why
    return Words(f"{named} not sent: {about}", sentence(because), "text")
