"""Borrowers and loans from the lender's system, and the cases that open when they fall due."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import text

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import Phone
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.books.register_loan import LoanWanted, register_loan
from app.flows.cases.open_cases import open_cases
from app.flows.work.set_hold import set_hold
from app.store.dues import dues_of
from app.store.loans import Scheduled
from tests.flows.ledger import days, paid, registered
from tests.flows.street import Street

pytestmark = pytest.mark.anyio


async def test_registering_twice_is_one_loan(street: Street) -> None:
    schedule = (Scheduled(1, days(street, -3), 5_000), Scheduled(2, days(street, 27), 5_000))
    first = await registered(street, *schedule)
    again = await registered(street, *schedule)
    assert (first.created, again.created, again.id) == (True, False, first.id)
    assert await paid(street, first.id) == [(5_000, 0), (5_000, 0)]
    assert await street.value("SELECT next_due_on FROM loans") == days(street, -3)


async def test_an_older_state_changes_nothing_and_a_newer_one_replaces(street: Street) -> None:
    loan = await registered(street, Scheduled(1, days(street, -3), 5_000))
    wanted = LoanWanted(
        "B",
        "L1",
        "Loan",
        "EUR",
        street.now - timedelta(hours=1),
        (Scheduled(1, days(street, -3), 9_000),),
    )
    await register_loan(street.house, street.now, street.lender_id, wanted)
    assert await paid(street, loan.id) == [(5_000, 0)]
    street.hands.go_on(hours=1)
    newer = replace(
        wanted, as_of=street.now, schedule=(Scheduled(2, days(street, -1), 4_000, 1_000),)
    )
    await register_loan(street.house, street.now, street.lender_id, newer)
    assert await paid(street, loan.id) == [(0, 0), (4_000, 1_000)]


async def test_a_loan_keeps_its_borrower_and_its_currency(street: Street) -> None:
    await registered(street, Scheduled(1, days(street, 1), 5_000))
    wanted = LoanWanted(
        "B", "L1", "Loan", "PLN", street.now, (Scheduled(1, days(street, 1), 5_000),)
    )
    with pytest.raises(Conflict):
        await register_loan(street.house, street.now, street.lender_id, wanted)
    await street.neighbour(ref="other")
    with pytest.raises(Conflict):
        await register_loan(
            street.house,
            street.now,
            street.lender_id,
            replace(wanted, borrower_ref="other", currency="EUR"),
        )
    with pytest.raises(NotFound):
        await register_loan(
            street.house, street.now, street.lender_id, replace(wanted, borrower_ref="nobody")
        )


@pytest.mark.parametrize(
    "schedule",
    [
        (),
        (Scheduled(1, date(2026, 3, 1), 0),),
        (Scheduled(0, date(2026, 3, 1), 100),),
        (Scheduled(1, date(2026, 3, 1), 100, 101),),
        (Scheduled(1, date(2026, 3, 1), 100, -1),),
        (Scheduled(1, date(1926, 3, 1), 100),),
        (Scheduled(1, date(2026, 3, 1), 100), Scheduled(1, date(2026, 4, 1), 100)),
    ],
)
async def test_a_schedule_nobody_can_have_meant_is_refused(
    street: Street, schedule: tuple[Scheduled, ...]
) -> None:
    with pytest.raises(Invalid):
        await registered(street, *schedule)


async def test_a_borrower_keeps_what_is_not_sent_again(street: Street) -> None:
    ana = await street.neighbour(ref="A")
    again = await register_borrower(
        street.house,
        street.now,
        street.lender_id,
        BorrowerWanted(external_ref="A", name="Ana N.", country="ES", language="en"),
    )
    assert (again.id, again.created) == (ana.id, False)
    (row,) = await street.rows("SELECT * FROM borrowers WHERE id = :id", id=ana.id)
    assert row.language == "en"
    assert row.phone_enc is not None
    assert row.birth_date_hash is not None
    assert row.time_zone == "Europe/Madrid"


async def test_what_waits_goes_to_the_new_number(street: Street) -> None:
    ana = await street.neighbour(ref="A", phone="+34600111222")
    await street.money_seen(ana)
    await street.work_off()
    assert await street.states("messages", ana) == ["queued"]
    await register_borrower(
        street.house,
        street.now,
        street.lender_id,
        BorrowerWanted("A", "Ana", "ES", "es", phone=Phone.parse("+34600999888")),
    )
    await street.tick()
    assert [sent.sms.to.reveal() for sent in street.carrier.taken] == ["+34600999888"]


# ------------------------------------------------------------------ cases


async def test_a_loan_that_falls_due_opens_one_case_once(street: Street) -> None:
    loan = await registered(street, Scheduled(1, days(street, 0), 5_000))
    runs = await asyncio.gather(*(open_cases(street.house, street.now) for _ in range(4)))
    assert sum(run.opened for run in runs) == 1
    assert (await open_cases(street.house, street.now)).opened == 0
    (case,) = await street.rows("SELECT * FROM cases")
    assert case.loan_id == loan.id
    assert await street.value("SELECT case_id FROM loans") == case.id
    assert await street.value("SELECT reason FROM tasks") == "no_consent"
    await street.tick()
    assert street.system.events().count("case.opened") == 1


async def test_nobody_is_sent_to_ask_when_a_case_opens_during_a_hold(street: Street) -> None:
    await registered(street, Scheduled(1, days(street, 0), 5_000))
    borrower_id = await street.value("SELECT id FROM borrowers")
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit, street.now, borrower_id=borrower_id, case_id=None, kind="hardship",
            reason="ill", ends_at=street.now + timedelta(days=9), set_by="eva",
        )  # fmt: skip
    assert (await open_cases(street.house, street.now)).opened == 1
    assert await street.rows("SELECT reason FROM tasks") == []


async def test_three_missed_days_open_the_same_one_case(street: Street) -> None:
    await registered(
        street, Scheduled(1, days(street, 0), 5_000), Scheduled(2, days(street, 1), 5_000)
    )
    street.hands.go_on(days=3)
    assert (await open_cases(street.house, street.now)).opened == 1
    assert (await open_cases(street.house, street.now)).opened == 0


@pytest.mark.parametrize(
    ("zone", "grace", "hours", "opens"),
    [
        # 10:00 UTC is 23:00 of the same day in Auckland and the small hours in Honolulu.
        ("Pacific/Auckland", 0, 0, True),
        ("Pacific/Honolulu", 0, 0, True),
        ("Pacific/Auckland", 0, -24, False),
        ("Pacific/Auckland", 0, -20, True),
        ("Pacific/Honolulu", 0, -1, False),
        ("Europe/Madrid", 3, 24 * 2, False),
        ("Europe/Madrid", 3, 24 * 3, True),
    ],
)
async def test_due_where_the_lender_is_and_after_his_days_of_grace(
    street: Street, zone: str, grace: int, hours: int, *, opens: bool
) -> None:
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(
            text("UPDATE lenders SET time_zone = :zone, case_after_days = :grace"),
            {"zone": zone, "grace": grace},
        )
    loan = await registered(street, Scheduled(1, street.now.date(), 5_000))
    street.hands.now += timedelta(hours=hours)
    assert (await open_cases(street.house, street.now)).opened == int(opens)
    owner = await street.value("SELECT borrower_id FROM loans WHERE id = :id", id=loan.id)
    async with street.store.engine_unit() as unit:
        found = await dues_of(unit, (owner,), street.now)
    assert bool(found) is opens


async def test_what_is_due_comes_oldest_first_and_leaves_the_future_alone(street: Street) -> None:
    ana = await street.neighbour(dues=(3_000, 2_000))
    await register_loan(
        street.house,
        street.now,
        street.lender_id,
        LoanWanted(
            ana.ref,
            "third",
            "Loan",
            "EUR",
            street.now,
            (
                Scheduled(1, days(street, -60), 1_000, 400),
                Scheduled(2, days(street, -30), 1_000),
                Scheduled(3, days(street, 30), 1_000),
            ),
        ),
    )
    async with street.store.unit(street.lender_id) as unit:
        dues = (await dues_of(unit, (ana.id,), street.now))[ana.id]
    assert [(due.external_ref, due.due_minor) for due in dues] == [
        ("third", 1_600),
        (f"{ana.ref}-L0", 3_000),
        (f"{ana.ref}-L1", 2_000),
    ]
    assert [due.case_id for due in dues] == [None, *ana.cases]
