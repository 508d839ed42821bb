"""Consent from the lender's question to its end: every state, and what is read in none of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.domain.consent import ConsentState, Purpose, RequestState
from app.domain.errors import (
    ConsentEnd,
    IllegalTransition,
    Invalid,
    NotAllowed,
    NotFound,
    TryLater,
)
from app.flows.consents.begin_bank_consent import begin_bank_consent
from app.flows.consents.finish_bank_consent import Back
from app.flows.consents.open_consent import open_consent, open_return
from app.flows.consents.request_consent import request_consent
from app.flows.strategies.step_cases import step_cases
from tests.flows.account_bank import IBANS
from tests.flows.lane import BOTH, MONITORING, Lane, consent, newcomer, request_state
from tests.flows.street import HERE

pytestmark = pytest.mark.anyio

SCORING = (Purpose.SCORING,)


# ------------------------------------------------------------------ asking and choosing


async def test_the_whole_way_ends_with_an_active_consent_and_an_account_on_the_plan(
    lane: Lane,
) -> None:
    ana = await newcomer(lane)
    lane.bank.holds(1_000)
    done = await lane.agree(ana)
    assert (done.back, done.state, done.scoring) == (Back.ACTIVE, ConsentState.ACTIVE, "stored")
    row = await consent(lane)
    assert row.purposes == ["scoring", "repayment_monitoring"]
    assert b"consent-1" not in bytes(row.token_enc)
    assert await request_state(lane) == "completed"
    (account,) = await lane.street.rows(
        "SELECT * FROM accounts WHERE consent_id = :id", id=done.consent_id
    )
    assert account.next_read_at is not None
    assert account.iban_masked == "ES•• •••• 1332"
    assert IBANS[0].encode() not in bytes(account.iban_enc)
    ask = lane.bank.consents["consent-1"].ask
    assert (ask.recurring, ask.frequency_per_day, ask.presence) == (True, 4, HERE)
    assert ask.valid_until == lane.now.date() + timedelta(days=90)
    assert await lane.upright()


async def test_a_call_asked_for_before_does_not_deny_the_permission(lane: Lane) -> None:
    who = await newcomer(lane)
    await lane.later(days=30)
    await step_cases(lane.house, lane.now, who.cases)
    told = "SELECT situation FROM tasks WHERE reason = 'call_borrower' AND state = 'open'"
    assert (await lane.street.value(told))["consent_state"] == "none"
    await lane.agree(who)
    now_told = await lane.street.value(told)
    assert "consent_state" not in now_told
    assert now_told["attempt"] == 1


async def test_each_purpose_has_its_own_record_with_the_words_he_saw(lane: Lane) -> None:
    ana = await newcomer(lane)
    token = await lane.ask(ana)
    assert await lane.choose(token, MONITORING)
    rows = await lane.street.rows("SELECT * FROM consent_choices ORDER BY purpose")
    assert [(row.purpose, row.granted, row.wording_version, row.language) for row in rows] == [
        ("repayment_monitoring", True, "2026-11", "es"),
        ("scoring", False, "2026-11", "es"),
    ]


async def test_refusing_everything_completes_the_request_and_nothing_happens_at_a_bank(
    lane: Lane,
) -> None:
    ana = await newcomer(lane)
    token = await lane.ask(ana)
    assert not await lane.choose(token, ())
    assert await request_state(lane) == "completed"
    assert lane.bank.consents == {}
    await lane.street.tick()
    assert "consent.refused" in lane.street.system.events()
    with pytest.raises(IllegalTransition):
        await lane.choose(token, BOTH)


async def test_refusing_the_monitoring_costs_nothing_and_is_never_polled(lane: Lane) -> None:
    ana = await newcomer(lane)
    token = await lane.ask(ana)
    await lane.choose(token, SCORING)
    back = await lane.leave(token)
    lane.bank.says_yes()
    lane.bank.holds(42_000)
    done = await lane.come_back(back)
    assert (done.back, done.scoring) == (Back.ACTIVE, "stored")
    ask = lane.bank.consents["consent-1"].ask
    assert (ask.recurring, ask.frequency_per_day) == (False, 1)
    assert ask.valid_until == lane.now.date() + timedelta(days=1)
    assert [read.presence for read in lane.bank.reads] == [HERE]
    await lane.hours_pass(30, minutes=60)
    assert len(lane.bank.reads) == 1
    assert await lane.upright()


async def test_monitoring_alone_reads_nothing_while_he_is_there(lane: Lane) -> None:
    ana = await newcomer(lane)
    done = await lane.agree(ana, MONITORING)
    assert done.scoring == "none"
    assert lane.bank.reads == []


async def test_nothing_can_be_granted_that_was_not_asked_for(lane: Lane) -> None:
    ana = await newcomer(lane)
    token = await lane.ask(ana, SCORING)
    await lane.choose(token, BOTH)
    rows = await lane.street.rows("SELECT purpose FROM consent_choices")
    assert [row.purpose for row in rows] == ["scoring"]


async def test_a_link_ends_and_looking_changes_nothing(lane: Lane) -> None:
    ana = await newcomer(lane)
    token = await lane.ask(ana)
    before = await lane.street.rows("SELECT * FROM consent_requests")
    page = await open_consent(lane.house, lane.now, token)
    assert (page.state, page.purposes, page.consent) == (RequestState.OPEN, BOTH, None)
    assert page.until == lane.now.date() + timedelta(days=90)
    assert await lane.street.rows("SELECT * FROM consent_requests") == before
    await lane.later(days=15)
    assert (await open_consent(lane.house, lane.now, token)).state is RequestState.EXPIRED
    with pytest.raises(NotAllowed):
        await lane.choose(token, BOTH)
    await lane.follow()
    assert await request_state(lane) == "expired"
    with pytest.raises(NotFound):
        await open_consent(lane.house, lane.now, "not a token")


@pytest.mark.parametrize(
    "wrong",
    [
        {"purposes": ()},
        {"window_days": 0},
        {"window_days": 181},
        {"language": "xx"},
        {"return_url": "http://lender.example/back"},
        {"return_url": "javascript:alert(1)"},
    ],
)
async def test_a_question_nobody_may_ask_is_refused(lane: Lane, wrong: dict[str, Any]) -> None:
    ana = await newcomer(lane)
    asked = {"borrower_ref": ana.ref, "purposes": BOTH, **wrong}
    with pytest.raises(Invalid):
        await request_consent(lane.house, lane.now, lender_id=lane.street.lender_id, **asked)


# ------------------------------------------------------------------ at the bank


async def test_a_bank_that_cannot_be_reached_leaves_nothing_behind_and_he_tries_again(
    lane: Lane,
) -> None:
    ana = await newcomer(lane)
    token = await lane.ask(ana)
    await lane.choose(token, BOTH)
    lane.bank.refuses = TryLater("HTTP 503")
    with pytest.raises(TryLater):
        await lane.leave(token)
    assert (await consent(lane)).state == "abandoned"
    lane.bank.refuses = None
    await lane.leave(token)
    back = await lane.leave(token)
    lane.bank.says_yes()
    assert (await lane.come_back(back)).back is Back.ACTIVE
    await lane.street.tick()
    # Twice he had to begin again. That is no answer, and the lender is told of none.
    assert "consent.active" in lane.street.system.events()
    assert "consent.refused" not in lane.street.system.events()


async def test_only_a_bank_of_the_list_and_only_after_a_choice(lane: Lane) -> None:
    ana = await newcomer(lane)
    token = await lane.ask(ana)
    with pytest.raises(IllegalTransition):
        await lane.leave(token)
    await lane.choose(token, BOTH)
    with pytest.raises(Invalid):
        await begin_bank_consent(
            lane.house, lane.now, token=token, bank_id="nowhere", presence=HERE
        )


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (ConsentEnd.REJECTED, "rejected"),
        (ConsentEnd.EXPIRED, "expired"),
        (ConsentEnd.REVOKED_AT_BANK, "revoked_at_bank"),
        (ConsentEnd.UNKNOWN_AT_BANK, "lost"),
    ],
)
async def test_his_no_at_the_bank_is_its_own_state_and_he_may_start_over(
    lane: Lane, end: ConsentEnd, state: str
) -> None:
    ana = await newcomer(lane)
    token = await lane.ask(ana)
    await lane.choose(token, BOTH)
    back = await lane.leave(token)
    lane.bank.ends(end)
    assert (await lane.come_back(back)).back is Back.ENDED
    assert (await consent(lane)).state == state
    assert lane.bank.reads == []
    await lane.choose(token, BOTH)
    again = await lane.leave(token, "otra")
    lane.bank.says_yes()
    assert (await lane.come_back(again)).back is Back.ACTIVE


async def test_coming_back_is_a_hint_the_bank_decides(lane: Lane) -> None:
    ana = await newcomer(lane)
    token = await lane.ask(ana)
    await lane.choose(token, BOTH)
    back = await lane.leave(token)
    assert (await lane.come_back(back)).back is Back.WAITING
    lane.bank.refuses = TryLater("HTTP 503")
    assert (await lane.come_back(back)).back is Back.WAITING
    lane.bank.refuses = None
    lane.bank.says_yes()
    lane.bank.holds(1_000)
    done = await asyncio.gather(*(lane.come_back(back) for _ in range(4)))
    assert {one.back for one in done} == {Back.ACTIVE}
    # Pressed four times at once, and once more: one read for scoring, ever.
    await lane.come_back(back)
    assert [read.presence for read in lane.bank.reads] == [HERE]
    page = await open_return(lane.house, lane.now, back)
    assert page.consent is not None
    assert page.consent.state is ConsentState.ACTIVE
    with pytest.raises(NotFound):
        await lane.come_back("not a token")


async def test_choosing_anew_gives_up_what_was_begun_under_the_old_choice(lane: Lane) -> None:
    ana = await newcomer(lane)
    token = await lane.ask(ana)
    await lane.choose(token, BOTH)
    first = await lane.leave(token)
    await lane.choose(token, ())
    lane.bank.says_yes("consent-1")
    await lane.street.tick()
    assert lane.bank.ended == ["consent-1"]
    assert (await lane.come_back(first)).back is Back.ENDED
    assert (await consent(lane)).state == "abandoned"
    assert (await consent(lane)).token_enc is None
    assert lane.bank.reads == []


async def test_nobody_came_back_and_the_bank_is_asked_until_a_day_is_over(lane: Lane) -> None:
    ana = await newcomer(lane)
    token = await lane.ask(ana)
    await lane.choose(token, BOTH)
    await lane.leave(token)
    for _ in range(25):
        await lane.later(hours=1)
        await lane.follow()
    assert (await consent(lane)).state == "abandoned"
    assert lane.bank.status_calls >= 20
    await lane.street.tick()
    assert lane.street.system.events().count("consent.refused") == 1
    assert lane.bank.ended == ["consent-1"]


async def test_he_authorised_and_closed_the_window(lane: Lane) -> None:
    ana = await newcomer(lane)
    token = await lane.ask(ana)
    await lane.choose(token, BOTH)
    back = await lane.leave(token)
    lane.bank.says_yes()
    await lane.later(minutes=11)
    await lane.follow()
    row = await consent(lane)
    assert (row.state, row.scoring) == ("active", "due")
    # Nobody is there: the list of accounts was asked for without presence, no balance at all.
    assert lane.bank.list_calls == [None]
    assert lane.bank.reads == []
    lane.bank.holds(1_000)
    assert (await lane.come_back(back)).scoring == "stored"
    assert [read.presence for read in lane.bank.reads] == [HERE]


async def test_a_scoring_read_that_nobody_came_for_is_given_up(lane: Lane) -> None:
    ana = await newcomer(lane)
    token = await lane.ask(ana)
    await lane.choose(token, BOTH)
    await lane.leave(token)
    lane.bank.says_yes()
    for _ in range(3):
        await lane.later(hours=25)
        await lane.follow()
    row = await consent(lane)
    assert (row.state, row.scoring) == ("active", "failed")
