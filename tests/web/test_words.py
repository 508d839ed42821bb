"""The desk's words: nothing the engine can say is left without them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.case import CaseClose, CaseState
from app.domain.consent import ConsentState, Purpose, RequestState
from app.domain.detector import QuietReason, SignalKind
from app.domain.hold import HoldKind
from app.domain.message import CancelReason, Channel, MessageState
from app.domain.payment import LinkState, PaymentState
from app.domain.roles import Role
from app.domain.stage_plan import Skip, StepKind, WaitsFor
from app.domain.task import TASK, TaskOutcome, TaskReason
from app.reference import formats
from app.reports.case_entries import Entry
from app.store.brakes import Brake
from app.store.timeline import Kind
from app.web import next_words, words
from app.web.story import tell
from app.web.story_reading import QUIET
from app.web.story_repeats import tell_all

MADRID = ZoneInfo("Europe/Madrid")
AT = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("catalogue", "kind"),
    [
        (words.ROLES, Role),
        (words.TASK_TITLES, TaskReason),
        (words.OUTCOMES, TaskOutcome),
        (words.CASE_STATES, CaseState),
        (words.CASE_CLOSES, CaseClose),
        (words.CONSENT_STATES, ConsentState),
        (words.REQUEST_STATES, RequestState),
        (words.PURPOSES, Purpose),
        (words.MESSAGE_STATES, MessageState),
        (words.CANCEL_REASONS, CancelReason),
        (words.SKIPS, Skip),
        (next_words.WAITS, WaitsFor),
        (next_words.STEPS, StepKind),
        (words.CHANNELS, Channel),
        (words.PAYMENT_STATES, PaymentState),
        (words.LINK_STATES, LinkState),
        (words.HOLD_KINDS, HoldKind),
        (words.BRAKES, Brake),
        (QUIET, QuietReason),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_every_code_has_words(catalogue: dict[Any, Any], kind: type[StrEnum]) -> None:
    assert set(catalogue) == set(kind)


def test_signals_and_task_sentences_have_words() -> None:
    assert {one.value for one in SignalKind} <= set(words.COVERS)
    for reason in TaskReason:
        assert words.task_sentence(reason, {}).endswith(".")
    answered = words.task_sentence(TaskReason.COLLECTOR_ACTS, {"wrote": "sms"})
    assert "answered by text" in answered


def test_a_situation_is_told_in_words_without_references() -> None:
    situation = {
        "bank_id": "luz",
        "consent_state": "revoked_at_bank",
        "said": "wrong",
        "link_id": "01a2",
        "source": "page",
        "pause_until": "2026-03-17T09:00:00+00:00",
        "tries": 5,
        "why": None,
    }
    assert words.situation_lines(situation, str.upper, MADRID) == [
        ("Bank", "LUZ"),
        ("Permission", "Ended at the bank"),
        ("Told us", "on his page"),
        ("Rests until", "17 Mar 2026, 10:00 (Madrid)"),
    ]


def test_an_unused_link_says_what_was_tried() -> None:
    situation = {"checks_failed": 2, "payments_refused": 1, "tries": 5}
    assert words.situation_lines(situation, str.upper, MADRID) == [
        ("Wrong answers on his page", "2"),
        ("Payments his bank refused", "1"),
    ]
    nothing = {"checks_failed": 0, "payments_refused": 0}
    assert words.situation_lines(nothing, str.upper, MADRID) == []


def test_a_refund_says_how_much() -> None:
    situation = {"overpaid_minor": 8_000, "paid_minor": 20_000, "currency": "EUR"}
    assert words.situation_lines(situation, str.upper, MADRID) == [
        ("Paid", "€200.00"),
        ("Too much", "€80.00"),
    ]


def test_buttons_of_a_task_are_its_lifecycles_events() -> None:
    people = {event for row in TASK.table.values() for event in row} - {"cancel"}
    assert set(words.TASK_BUTTONS) == people


def entry(kind: Kind, details: dict[str, Any], verdict: dict[str, Any] | None = None) -> Entry:
    return Entry(UUID(int=1), AT, kind.value, "saldo", details, whole_case=False, verdict=verdict)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_line_is_told_even_without_details(kind: Kind) -> None:
    told = tell(entry(kind, {}), MADRID)
    assert told.title
    assert told.actor == "Saldo"


_plain = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20))
_names = st.sampled_from(
    ["why", "state", "reason", "kind", "covers", "verdict", "steps", "rule", "checks", "details",
     "currency", "amount_minor", "outcome", "granted", "said", "purpose", "situation", "via"]
)  # fmt: skip


@given(kind=st.sampled_from(list(Kind)), details=st.dictionaries(_names, _plain, max_size=6))
def test_no_line_breaks_the_page(kind: Kind, details: dict[str, Any]) -> None:
    assert tell(entry(kind, details), MADRID).title


def test_a_message_is_called_by_its_channel() -> None:
    for channel, title in (
        ("sms", "Text refused"),
        ("email", "E-mail refused"),
        ("", "Text refused"),
    ):
        details = {"state": "failed", "channel": channel}
        assert tell(entry(Kind.MESSAGE_CHANGED, details), MADRID).title == title


def test_a_ledger_that_says_the_same_every_day_takes_one_line() -> None:
    stage = entry(Kind.STAGE_CHANGED, {"to": "grace", "days_past_due": 1})
    days = [
        replace(entry(Kind.OWED_CONFIRMED, {}), at=AT - timedelta(days=ago)) for ago in range(3)
    ]
    told = tell_all([*days, stage, days[0]], MADRID)
    assert [one.title for one in told] == [
        "Your ledger confirmed what is owed",
        "Stage: grace",
        "Your ledger confirmed what is owed",
    ]
    since = formats.short_day(days[2].at.astimezone(MADRID).date(), "en")
    assert [one.said for one in told] == [f"3 times since {since}.", "1 day past due.", ""]
    assert told[0].at == AT


def test_lines_speak_in_sentences() -> None:
    told = tell(
        entry(Kind.PAYMENT_CHANGED, {"state": "settled", "amount_minor": 4820, "currency": "EUR"}),
        MADRID,
    )
    assert (told.title, told.said) == ("Payment: paid", "€48.20.")
    told = tell(entry(Kind.SIGNAL_ENDED, {"why": "money_gone"}), MADRID)
    assert told.said == "The money is gone."
    told = tell(entry(Kind.MESSAGE_CHANGED, {"state": "cancelled", "why": "hold"}), MADRID)
    assert (told.title, told.said) == ("Text not sent", "A hold is set.")
    told = tell(
        entry(Kind.DECISION, {"rule": "funds_seen", "steps": [{"do": "ask_to_pay"}]}), MADRID
    )
    assert told.title == "Decided: send a payment link"
    told = tell(entry(Kind.READING, {"verdict": "below_threshold"}), MADRID)
    assert (told.title, told.said) == ("Balance read", "Not enough yet.")
    aside = {"verdict": "committed", "aside_by": "2026-12-07"}
    assert tell(entry(Kind.READING, aside), MADRID).said == (
        "What is there is needed before the next income. "
        "A part of it is expected to leave by 7 December 2026."
    )
    told = tell(entry(Kind.READING, {"purpose": "bills"}), MADRID)
    assert told.title == "Regular payments learned"


def test_a_verdict_opens_into_its_rules() -> None:
    checks = [
        {"rule": "hours", "passed": False, "words": "It is night.", "source": "policy"},
        {"rule": "cap", "passed": True, "words": "0 of 1 used.", "source": "law"},
    ]
    verdict = {"allowed": False, "pack": "ES 2026-01-01", "checks": checks, "earliest_at": None}
    told = tell(entry(Kind.GATE, {"allowed": False, "because": "It is night."}, verdict), MADRID)
    assert (told.title, told.said) == ("Contact rules: no", "It is night.")
    assert [check["words"] for check in told.checks] == ["It is night.", "0 of 1 used."]
    assert told.pack == "ES 2026-01-01"


def test_inputs_show_times_in_the_desks_zone_and_amounts_with_their_sign() -> None:
    details = {
        "as_of": "2026-03-03T09:00:00+00:00",
        "situation": {"owed": {"minor": 1200, "currency": "EUR"}, "observe_only": False},
    }
    told = tell(entry(Kind.DECISION, details), MADRID)
    assert ("as of", "3 Mar 2026, 10:00 (Madrid)") in told.inputs
    assert ("owed then", "€12.00") in told.inputs
    assert ("observe only then", "no") in told.inputs
