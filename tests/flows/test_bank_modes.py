"""What real banks were seen to do, over their real wire format: each quirk and what it must mean.

The sandbox's modes come from threads of people whose integrations broke. Here every mode of the
reading side is switched on for one person, and the outcome is looked at from both sides.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.domain.consent import Purpose
from app.domain.ids import Phone
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.books.register_loan import LoanWanted, register_loan
from app.flows.cases.open_cases import open_cases
from app.flows.consents.begin_bank_consent import begin_bank_consent
from app.flows.consents.choose_consent import choose_consent
from app.flows.consents.finish_bank_consent import Back, BankConsentFinished, finish_bank_consent
from app.flows.consents.follow_consents import plan_consents
from app.flows.consents.request_consent import request_consent
from app.flows.messages.deliver_outbox import plan_outbox
from app.flows.reads.plan_reads import plan_reads
from app.ports import Presence
from app.store.loans import Scheduled
from sandbox.modes import BankMode, Mode
from sandbox.people import Person
from tests.neighbourhood import Neighbourhood

pytestmark = pytest.mark.anyio

HERE = Presence("203.0.113.7", "Mozilla/5.0")
MONITORING = (Purpose.REPAYMENT_MONITORING,)


async def moved_in(hood: Neighbourhood, ref: str = "B-1", **life: Any) -> Person:
    """Somebody with a bank account in the world and an overdue loan here."""
    person = hood.world.add_person(**{"opening_minor": 20_000, **life})
    await register_borrower(
        hood.house,
        hood.now,
        hood.lender_id,
        BorrowerWanted(ref, person.name, "ES", "es", phone=Phone.parse(person.phone)),
    )
    await register_loan(
        hood.house,
        hood.now,
        hood.lender_id,
        LoanWanted(
            ref,
            f"L-{ref}",
            "Loan",
            "EUR",
            hood.now,
            (Scheduled(1, hood.now.date() - timedelta(days=3), 900_000),),
        ),
    )
    return person


async def agrees(
    hood: Neighbourhood,
    person: Person,
    ref: str = "B-1",
    purposes: tuple[Purpose, ...] = MONITORING,
) -> tuple[BankConsentFinished, str]:
    """The whole way through his bank; how it ended, and the token he came back with."""
    made = await request_consent(
        hood.house, hood.now, lender_id=hood.lender_id, borrower_ref=ref, purposes=purposes
    )
    token = made.link.rsplit("/", 1)[1]
    await choose_consent(
        hood.house, hood.now, token=token, granted=purposes, wording_version="1", language="es"
    )
    await begin_bank_consent(
        hood.house, hood.now, token=token, bank_id=person.bank_id, presence=HERE
    )
    consent = hood.world.consents.all()[-1]
    ibans = [plan.iban for plan in person.accounts]
    hood.world.consents.approve(consent, person, ibans, hood.now)
    return_token = consent.redirect_url.rsplit("/", 1)[1].partition("?")[0]
    done = await finish_bank_consent(hood.house, hood.now, return_token=return_token, presence=HERE)
    return done, return_token


async def monitored(hood: Neighbourhood, ref: str = "B-1", **life: Any) -> Person:
    """Somebody with an overdue loan and a consent in force."""
    person = await moved_in(hood, ref, **life)
    done, _ = await agrees(hood, person, ref)
    assert done.back is Back.ACTIVE
    await open_cases(hood.house, hood.now)
    return person


async def hours_pass(hood: Neighbourhood, hours: int) -> None:
    """Let time go on hour by hour, reading and looking after consents at each."""
    for _ in range(hours):
        hood.advance(hours=1)
        # A look that comes hourly tells the planner so: nothing is late by less than two hours.
        await plan_reads(hood.house, hood.now, speed=1440.0)
        await plan_consents(hood.house, hood.now)
        await plan_outbox(hood.house, hood.now)
        await hood.work()


async def one(hood: Neighbourhood, table: str) -> Any:
    """The newest row of a table."""
    return (await hood.rows(f"SELECT * FROM {table} ORDER BY id DESC LIMIT 1"))[0]


async def words(hood: Neighbourhood, ref: str = "%") -> set[str]:
    """The outcomes of all attempts, or of one person's."""
    query = """
        SELECT a.outcome FROM read_attempts a JOIN consents c ON c.id = a.consent_id
        JOIN borrowers b ON b.id = c.borrower_id WHERE b.external_ref LIKE :ref
    """
    return {row.outcome for row in await hood.rows(query, ref=ref)}


async def open_tasks(hood: Neighbourhood, ref: str = "%") -> set[str]:
    """The reasons of the tasks that wait, for all or for one person."""
    query = """
        SELECT t.reason FROM tasks t JOIN borrowers b ON b.id = t.borrower_id
        WHERE t.state = 'open' AND b.external_ref LIKE :ref
    """
    return {row.reason for row in await hood.rows(query, ref=ref)}


@pytest.mark.long
async def test_six_days_of_reading_are_never_a_fifth_in_the_banks_own_count(
    hood: Neighbourhood,
) -> None:
    for number, bank_id in enumerate(("luz", "ribera", "foerde")):
        ref = f"B-{number}"
        person = await moved_in(hood, ref, bank_id=bank_id, phone=f"+3460011122{number}")
        await agrees(hood, person, ref)
    await open_cases(hood.house, hood.now)
    await hours_pass(hood, 24 * 6)
    assert hood.world.over_allowance() == []
    assert await words(hood) == {"read"}
    assert int(await hood.value("SELECT count(*) FROM read_attempts")) >= 3 * 18
    headers = {attended for *_, attended, _, _ in hood.world.store.reads() if attended}
    assert headers == {1}, "the lists at linking were attended"


QUIRKS: dict[Mode, tuple[str, set[str]]] = {
    Mode.LIMITED_AT_ONCE: ("limited", set()),
    Mode.BALANCE_ERROR_500: ("failed", {"bank_down"}),
    Mode.ACCOUNT_BLOCKED: ("declined", {"account_blocked"}),
    Mode.EXPIRED_AS_400: ("consent_gone", {"consent_ended"}),
    Mode.EXPIRED_AS_401: ("consent_gone", {"consent_ended"}),
    Mode.EMPTY_BALANCES: ("read", {"balance_unreadable"}),
    Mode.UNKNOWN_TYPES: ("read", {"balance_unreadable"}),
    Mode.ONLY_AVAILABLE_WITH_LIMIT: ("read", {"balance_unreadable"}),
    Mode.FROZEN_OLD_DATE: ("read", set()),
}
"""Each with the outcome that attempts must have, and the tasks that must wait for a person."""


@pytest.mark.long
async def test_a_quirk_of_one_person_ends_where_it_must(hood: Neighbourhood) -> None:
    # Trouble of a whole bank is seen in its customers: these have a bank to themselves. Two whose
    # consents end one after the other make their bank's word doubtful.
    alone = {Mode.BALANCE_ERROR_500: "foerde", Mode.EXPIRED_AS_401: "ribera"}
    for mode in QUIRKS:
        bank_id = alone.get(mode, "luz")
        life = {"bank_id": bank_id, "opening_minor": 5_000_000, "limit_minor": 100_000}
        person = await monitored(hood, mode.value, **life)
        hood.world.set_mode(person.id, mode)
    # The date on the frozen balance is as old as the mode.
    await hours_pass(hood, 24 * 4)
    for mode, (outcome, tasks) in QUIRKS.items():
        assert await words(hood, mode.value) >= {outcome}, mode
        assert await open_tasks(hood, mode.value) >= tasks, mode
    signals = """
        SELECT DISTINCT b.external_ref AS ref FROM funds_signals s
        JOIN borrowers b ON b.id = s.borrower_id
    """
    assert {row.ref for row in await hood.rows(signals)} <= {Mode.FROZEN_OLD_DATE.value}
    assert hood.world.over_allowance() == []


async def test_an_old_date_on_the_same_figure_is_stale(hood: Neighbourhood) -> None:
    person = await monitored(hood, opening_minor=5_000_000)
    hood.world.set_mode(person.id, Mode.FROZEN_OLD_DATE)
    await hours_pass(hood, 96)
    latest = await hood.rows("SELECT verdict FROM readings ORDER BY read_at DESC LIMIT 3")
    assert {row.verdict for row in latest} == {"stale"}


async def test_a_limit_that_nobody_speaks_of_is_no_money(hood: Neighbourhood) -> None:
    """100.00 of his own and 12,000.00 of credit, and the bank calls all of it available."""
    person = await monitored(hood, opening_minor=10_000, limit_minor=1_200_000)
    hood.world.set_mode(person.id, Mode.LIMIT_UNSTATED)
    await hours_pass(hood, 48)
    readings = await hood.rows("SELECT DISTINCT verdict FROM readings")
    assert {row.verdict for row in readings} == {"below_threshold"}
    assert int(await hood.value("SELECT count(*) FROM funds_signals")) == 0


async def test_a_bank_that_dates_ahead_is_read_at_the_weekend_too(hood: Neighbourhood) -> None:
    # It has no balances but those of the moment.
    person = await monitored(hood, bank_id="wisla", opening_minor=5_000_000)
    hood.world.set_mode(person.id, Mode.DATED_AHEAD)
    hood.advance(hours=(6 - hood.now.weekday()) * 24)
    assert hood.now.weekday() == 6
    seen = "SELECT verdict FROM readings WHERE read_at >= :since"
    since = hood.now
    await hours_pass(hood, 24)
    found = {row.verdict for row in await hood.rows(seen, since=since)}
    assert found
    assert found.isdisjoint({"unusable", "credit_not_excluded"}), found
    assert "balance_unreadable" not in await open_tasks(hood)


LIMITS = (
    Mode.LIMIT_ROLLING,
    Mode.LIMIT_CALENDAR,
    Mode.LIMIT_RESET_NEGATIVE,
    Mode.LIMIT_RESET_MISSING,
    Mode.LIMIT_OWN_SHAPE,
)


async def test_however_a_bank_counts_and_answers_reading_goes_on_the_next_day(
    hood: Neighbourhood,
) -> None:
    people = {mode: await monitored(hood, mode.value) for mode in LIMITS}
    for mode, person in people.items():
        hood.world.set_mode(person.id, mode)
        hood.world.set_mode(person.id, Mode.LIMITED_AT_ONCE)
    await hours_pass(hood, 14)
    assert await words(hood) == {"limited"}
    attempts = "SELECT count(*) FROM read_attempts GROUP BY account_id"
    assert max(row[0] for row in await hood.rows(attempts)) <= 2
    for person in people.values():
        hood.world.set_mode(person.id, Mode.LIMITED_AT_ONCE, on=False)
    await hours_pass(hood, 48)
    for mode in LIMITS:
        assert "read" in await words(hood, mode.value), mode
    assert hood.world.over_allowance() == []


async def test_revoked_between_two_reads(hood: Neighbourhood) -> None:
    person = await monitored(hood)
    hood.world.set_mode(person.id, Mode.REVOKED_MIDWAY, 2)
    await hours_pass(hood, 48)
    consent = await one(hood, "consents")
    assert (consent.state, consent.token_enc) == ("revoked_at_bank", None)
    assert int(await hood.value("SELECT count(*) FROM readings WHERE figure_enc IS NOT NULL")) == 0
    assert await open_tasks(hood) == {"consent_ended"}


async def test_renewed_with_new_ids_it_is_the_same_account(hood: Neighbourhood) -> None:
    person = await monitored(hood)
    hood.world.set_mode(person.id, Mode.NEW_IDS_ON_RENEWAL)
    account_id: UUID = await hood.value("SELECT id FROM accounts")
    hood.advance(days=60)
    done, _ = await agrees(hood, person)
    assert done.back is Back.ACTIVE
    rows = await hood.rows("SELECT id, consent_id FROM accounts")
    assert [(row.id, row.consent_id) for row in rows] == [(account_id, done.consent_id)]
    states = await hood.rows("SELECT state FROM consents ORDER BY created_at")
    assert [row.state for row in states] == ["superseded", "active"]
    await hours_pass(hood, 24)
    assert await words(hood) == {"read"}


async def test_stuck_at_the_bank_is_abandoned_and_given_back(hood: Neighbourhood) -> None:
    person = await moved_in(hood)
    hood.world.set_mode(person.id, Mode.AUTHORISATION_STUCK)
    done, _ = await agrees(hood, person)
    assert done.back is Back.WAITING
    await hours_pass(hood, 30)
    assert (await one(hood, "consents")).state == "abandoned"
    assert hood.world.consents.all()[-1].status == "terminatedByTpp"


async def test_a_second_account_in_trouble_does_not_stop_the_first(hood: Neighbourhood) -> None:
    person = await monitored(hood, second=True)
    hood.world.set_mode(person.id, Mode.SECOND_ACCOUNT_ERROR)
    await hours_pass(hood, 24)
    rows = await hood.rows("SELECT failures, last_read_at FROM accounts ORDER BY failures")
    assert [row.last_read_at is not None for row in rows] == [True, False]
    assert await words(hood) == {"read", "failed"}


async def test_a_bank_that_answers_401_to_everybody_ends_no_consent(hood: Neighbourhood) -> None:
    await monitored(hood)
    hood.world.town.set_bank_mode("luz", BankMode.OUTAGE_401)
    await hours_pass(hood, 24)
    assert (await one(hood, "consents")).state == "active"
    assert await words(hood) == {"failed"}
    hood.world.town.set_bank_mode("luz", BankMode.OUTAGE_401, on=False)
    await hours_pass(hood, 24)
    assert "read" in await words(hood)
