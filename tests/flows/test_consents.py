"""Consent from the lender's question to its end: every state, and what is read in none of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.consent import ConsentState, Purpose, RequestState
from app.domain.errors import (
    Conflict,
    ConsentEnd,
    ConsentGone,
    Declined,
    IllegalTransition,
    Invalid,
    NotAllowed,
    NotFound,
    TryLater,
)
from app.domain.ids import Iban, Secret
from app.domain.money import Money
from app.flows.begin_bank_consent import begin_bank_consent
from app.flows.collect_scoring import collect_scoring
from app.flows.erase_figures import erase_figures
from app.flows.finish_bank_consent import Back
from app.flows.open_consent import open_consent, open_return
from app.flows.request_consent import request_consent
from app.flows.withdraw_consent import (
    withdraw_all,
    withdraw_by_consent_link,
    withdraw_consent,
)
from app.ports import FoundAccount
from app.store.unit import Store
from tests.flows.account_bank import IBANS
from tests.flows.lane import BOTH, MONITORING, Lane, make_lane
from tests.flows.street import HERE, Neighbour

pytestmark = pytest.mark.anyio

SCORING = (Purpose.SCORING,)


@pytest.fixture
async def lane(store: Store) -> Lane:
    """A lane with nobody in it yet."""
    return await make_lane(store)


async def newcomer(lane: Lane) -> Neighbour:
    """Somebody with an overdue loan whose account nobody may read yet."""
    who = await lane.street.neighbour()
    async with lane.house.store.engine_unit() as unit:
        await unit.conn.execute(
            text("UPDATE consents SET state = 'expired', ended_at = :now, token_enc = NULL"),
            {"now": lane.now},
        )
        await unit.conn.execute(text("UPDATE accounts SET next_read_at = NULL, iban_hash = 'old'"))
    return who


async def consent(lane: Lane) -> Any:
    """The newest consent's row."""
    rows = await lane.street.rows("SELECT * FROM consents ORDER BY created_at DESC, id DESC")
    return rows[0]


async def request_state(lane: Lane) -> str:
    """The newest request's state."""
    rows = await lane.street.rows(
        "SELECT state FROM consent_requests ORDER BY created_at DESC, id DESC"
    )
    return str(rows[0].state)


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


# ------------------------------------------------------------------ its end


async def test_the_window_is_the_shorter_of_what_he_was_told_and_what_the_bank_grants(
    lane: Lane,
) -> None:
    ana, eva = await newcomer(lane), await lane.street.neighbour()
    for who, granted, lasts in ((ana, 30, 30), (eva, 400, 90)):
        token = await lane.ask(who)
        await lane.choose(token, MONITORING)
        back = await lane.leave(token)
        lane.bank.says_yes(until=lane.now.date() + timedelta(days=granted))
        await lane.come_back(back)
        row = await consent(lane)
        assert row.valid_until == lane.now.date() + timedelta(days=lasts)
        # To the end of that day in Madrid.
        assert row.ends_at.hour in (22, 23)


async def test_a_consent_expires_by_itself_and_hands_its_case_to_a_person(lane: Lane) -> None:
    ana = await newcomer(lane)
    lane.bank.holds(500)
    await lane.agree(ana, MONITORING, window_days=2)
    assert await lane.street.tasks(ana) == []
    for _ in range(4):
        await lane.hours_pass(24, minutes=60)
        await lane.follow()
    assert (await consent(lane)).state == "expired"
    assert await lane.street.tasks(ana) == ["consent_ended"]
    last = max(
        row.attempted_at for row in await lane.street.rows("SELECT attempted_at FROM read_attempts")
    )
    assert last < (await consent(lane)).ends_at
    await lane.street.tick()
    assert "consent.ended" in lane.street.system.events()
    assert await lane.upright()


async def test_a_withdrawal_ends_the_reads_and_every_figure_at_once(lane: Lane) -> None:
    ana = await newcomer(lane)
    lane.bank.holds(50_000)
    done = await lane.agree(ana)
    account_id = await lane.street.value(
        "SELECT id FROM accounts WHERE consent_id = :id", id=done.consent_id
    )
    await lane.set_next_read([account_id], lane.now)
    await lane.plan()
    await lane.work()
    await lane.street.work_off()
    assert await lane.street.states("messages", ana) == ["queued"]
    figures = "SELECT count(*) FROM readings WHERE figure_enc IS NOT NULL"
    assert await lane.street.value(figures) == 2
    gone = await withdraw_consent(
        lane.house,
        lane.now,
        lender_id=lane.street.lender_id,
        consent_id=done.consent_id,
        via="page",
    )
    assert (gone.consents, gone.erased) == (1, 2)
    assert await lane.street.value(figures) == 0
    assert await lane.live_signals() == []
    assert await lane.street.states("messages", ana) == ["cancelled"]
    (choice,) = await lane.street.rows("SELECT DISTINCT withdrawn_via FROM consent_choices")
    assert choice.withdrawn_via == "page"
    reads = len(lane.bank.reads)
    await lane.hours_pass(48, minutes=60)
    assert len(lane.bank.reads) == reads
    await lane.street.tick()
    assert lane.bank.ended == ["consent-1"]
    assert (await consent(lane)).token_enc is None
    again = await withdraw_consent(
        lane.house,
        lane.now,
        lender_id=lane.street.lender_id,
        consent_id=done.consent_id,
        via="page",
    )
    assert (again.consents, again.erased) == (0, 0)
    with pytest.raises(Conflict):
        await collect_scoring(
            lane.house, lane.now, lender_id=lane.street.lender_id, request_id=done.request_id
        )
    assert await lane.upright()


async def test_the_stop_page_works_also_when_the_link_is_over(lane: Lane) -> None:
    ana = await newcomer(lane)
    token = await lane.ask(ana)
    await lane.choose(token, MONITORING)
    back = await lane.leave(token)
    lane.bank.says_yes()
    await lane.come_back(back)
    await lane.later(days=20)
    assert (await withdraw_by_consent_link(lane.house, lane.now, token)).consents == 1
    page = await open_consent(lane.house, lane.now, token)
    assert page.reading_stopped


async def test_withdrawing_all_reaches_what_is_still_at_the_bank(lane: Lane) -> None:
    ana = await newcomer(lane)
    token = await lane.ask(ana)
    await lane.choose(token, MONITORING)
    back = await lane.leave(token)
    gone = await withdraw_all(
        lane.house, lane.now, lender_id=lane.street.lender_id, borrower_id=ana.id, via="api"
    )
    assert gone.consents == 1
    lane.bank.says_yes()
    assert (await lane.come_back(back)).back is Back.ENDED
    assert (await consent(lane)).state == "withdrawn"


@pytest.mark.parametrize("seen_by", ["status", "read"])
async def test_revoked_at_the_bank(lane: Lane, seen_by: str) -> None:
    ana = await newcomer(lane)
    lane.bank.holds(500)
    done = await lane.agree(ana)
    if seen_by == "status":
        lane.bank.ends(ConsentEnd.REVOKED_AT_BANK)
        await lane.later(hours=25)
        await lane.follow()
    else:
        account_id = await lane.street.value(
            "SELECT id FROM accounts WHERE consent_id = :id", id=done.consent_id
        )
        lane.bank.fails(ConsentGone("HTTP 401", why=ConsentEnd.REVOKED_AT_BANK))
        await lane.set_next_read([account_id], lane.now)
        await lane.plan()
        await lane.work()
    row = await consent(lane)
    assert (row.state, row.token_enc) == ("revoked_at_bank", None)
    assert (
        await lane.street.value("SELECT count(*) FROM readings WHERE figure_enc IS NOT NULL") == 0
    )
    assert await lane.street.tasks(ana) == ["consent_ended"]
    await lane.street.tick()
    assert lane.bank.ended == [], "the bank knows"
    reads = len(lane.bank.reads)
    await lane.hours_pass(30, minutes=60)
    assert len(lane.bank.reads) == reads
    assert await lane.upright()


async def test_many_consents_gone_at_one_bank_at_once_are_an_outage(lane: Lane) -> None:
    people = [await lane.street.neighbour() for _ in range(5)]
    lane.bank.fails(ConsentGone("HTTP 401", why=ConsentEnd.UNKNOWN_AT_BANK))
    await lane.read(*people)
    states = await lane.street.rows("SELECT DISTINCT state FROM consents")
    assert [row.state for row in states] == ["active"]
    assert (
        await lane.street.value(
            "SELECT count(*) FROM consents WHERE next_check_at = :now", now=lane.now
        )
        == 5
    )
    alone = people[0]
    await lane.later(hours=5)
    await lane.read(alone)
    assert (
        await lane.street.value("SELECT state FROM consents WHERE id = :id", id=alone.consent_id)
        == "lost"
    )


# ------------------------------------------------------------------ renewal


async def test_a_renewal_moves_the_account_and_supersedes_the_older_consent(lane: Lane) -> None:
    ana = await newcomer(lane)
    first = await lane.agree(ana, MONITORING)
    (before,) = await lane.street.rows(
        "SELECT * FROM accounts WHERE consent_id = :id", id=first.consent_id
    )
    async with lane.house.store.engine_unit() as unit:
        await unit.conn.execute(
            text("UPDATE accounts SET armed = false, last_signal_at = :now, failures = 2"),
            {"now": lane.now},
        )
    await lane.later(days=80)
    second = await lane.agree(ana, MONITORING)
    rows = await lane.street.rows(
        "SELECT * FROM accounts WHERE borrower_id = :id AND iban_hash <> 'old'", id=ana.id
    )
    assert [row.id for row in rows] == [before.id]
    (after,) = rows
    assert after.consent_id == second.consent_id
    assert after.ref_enc != before.ref_enc
    assert (after.armed, after.failures) == (False, 0)
    assert (
        await lane.street.value("SELECT state FROM consents WHERE id = :id", id=first.consent_id)
        == "superseded"
    )
    await lane.street.tick()
    assert lane.bank.ended == ["consent-1"]
    lane.bank.holds(500)
    await lane.set_next_read([after.id], lane.now)
    await lane.plan()
    await lane.work()
    assert [(read.token, read.ref) for read in lane.bank.reads] == [("consent-2", "consent-2/a1")]
    assert await lane.street.tasks(ana) == []
    assert await lane.upright()


async def test_an_older_consent_with_another_account_stays(lane: Lane) -> None:
    ana = await newcomer(lane)
    first = await lane.agree(ana, MONITORING)
    lane.bank.found = [FoundAccount(Secret("b1"), Iban.parse(IBANS[1]), "EUR")]
    await lane.agree(ana, MONITORING, bank_id="otra")
    assert (
        await lane.street.value("SELECT state FROM consents WHERE id = :id", id=first.consent_id)
        == "active"
    )
    assert (
        await lane.street.value("SELECT count(*) FROM accounts WHERE next_read_at IS NOT NULL") == 2
    )


async def test_a_consent_for_one_look_does_not_end_the_scheduled_reads(lane: Lane) -> None:
    ana = await newcomer(lane)
    first = await lane.agree(ana, MONITORING)
    lane.bank.holds(7_000)
    second = await lane.agree(ana, SCORING)
    assert second.scoring == "stored"
    assert lane.bank.reads[-1].token == "consent-2"
    (row,) = await lane.street.rows(
        "SELECT consent_id, next_read_at FROM accounts WHERE iban_hash <> 'old'"
    )
    assert row.consent_id == first.consent_id
    assert row.next_read_at is not None


async def test_cards_and_closed_accounts_are_never_read(lane: Lane) -> None:
    ana = await newcomer(lane)
    lane.bank.found = [
        FoundAccount(Secret("c1"), None, "EUR", "Visa", usable=False, why_unusable="it is a card"),
        FoundAccount(Secret("a1"), Iban.parse(IBANS[0]), "EUR"),
    ]
    lane.bank.holds(9_000)
    await lane.agree(ana)
    assert [read.ref for read in lane.bank.reads] == ["consent-1/a1"]
    planned = await lane.street.rows("SELECT usable FROM accounts WHERE next_read_at IS NOT NULL")
    assert [row.usable for row in planned] == [True]


async def test_a_consent_ends_the_task_that_asked_for_one(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    await withdraw_all(
        lane.house, lane.now, lender_id=lane.street.lender_id, borrower_id=ana.id, via="page"
    )
    assert await lane.street.tasks(ana) == ["consent_ended"]
    await lane.agree(ana, MONITORING)
    assert await lane.street.tasks(ana) == []


# ------------------------------------------------------------------ figures


async def test_the_scoring_figure_is_handed_over_once_and_is_gone(lane: Lane) -> None:
    ana = await newcomer(lane)
    lane.bank.holds(123_456)
    done = await lane.agree(ana)

    async def collect() -> Any:
        return await collect_scoring(
            lane.house, lane.now, lender_id=lane.street.lender_id, request_id=done.request_id
        )

    tries = await asyncio.gather(*(collect() for _ in range(3)), return_exceptions=True)
    handed = [one for one in tries if not isinstance(one, BaseException)]
    assert len(handed) == 1
    assert "1234" not in repr(handed[0])
    assert sum(isinstance(one, Conflict) for one in tries) == 2
    assert handed[0].amount == Money(123_456, "EUR")
    assert (
        await lane.street.value("SELECT count(*) FROM readings WHERE figure_enc IS NOT NULL") == 0
    )
    assert (await consent(lane)).scoring == "handed"


async def test_a_failed_scoring_read_is_not_repeated(lane: Lane) -> None:
    ana = await newcomer(lane)
    lane.bank.fails(Declined("HTTP 403", reason="RESOURCE_BLOCKED"))
    done = await lane.agree(ana)
    assert (done.back, done.scoring) == (Back.ACTIVE, "failed")
    assert len(lane.bank.reads) == 1


async def test_figures_are_erased_when_their_time_has_come(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    lane.bank.holds(500)
    await lane.read(ana)
    await lane.later(days=29)
    assert (await erase_figures(lane.house, lane.now)).erased == 0
    await lane.later(days=2)
    assert (await erase_figures(lane.house, lane.now)).erased == 1
    (row,) = await lane.street.rows("SELECT * FROM readings")
    assert (row.figure_enc, row.erased_at, row.verdict) == (None, lane.now, "below_threshold")
