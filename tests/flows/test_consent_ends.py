"""How consents end, are renewed, and what becomes of the figures read under them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.consent import Purpose
from app.domain.errors import (
    Conflict,
    ConsentEnd,
    ConsentGone,
    Declined,
)
from app.domain.ids import Iban, Secret
from app.domain.money import Money
from app.flows.consents.collect_scoring import collect_scoring
from app.flows.consents.finish_bank_consent import Back
from app.flows.consents.open_consent import open_consent
from app.flows.consents.withdraw_consent import (
    withdraw_all,
    withdraw_by_consent_link,
    withdraw_consent,
)
from app.flows.reads.erase_figures import erase_figures
from app.ports import FoundAccount
from tests.flows.account_bank import IBANS
from tests.flows.lane import MONITORING, Lane, consent, newcomer
from tests.flows.test_holds import hold

pytestmark = pytest.mark.anyio

SCORING = (Purpose.SCORING,)


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
    asked = "SELECT count(*) FROM consents WHERE next_check_at = :now"
    assert await lane.street.value(asked, now=lane.now) == 0, "none is even doubted"
    alone, other = people[:2]
    lane.bank.holds(500)
    await lane.later(hours=5)
    await lane.read(other)
    lane.bank.fails(ConsentGone("HTTP 401", why=ConsentEnd.UNKNOWN_AT_BANK))
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


async def test_nobody_is_sent_to_ask_for_another_while_a_hold_stands(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    await hold(lane.street, ana, "hardship")
    await withdraw_all(
        lane.house, lane.now, lender_id=lane.street.lender_id, borrower_id=ana.id, via="page"
    )
    assert await lane.street.tasks(ana) == []


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
