"""The book on any day by one statement, held against the rules loan by loan."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, text

from app.domain.delinquency import Buckets
from app.flows.money.confirm_owed import confirm_owed
from app.flows.work.set_hold import set_hold
from app.reports.delinquency import loan_list, loan_standing, portfolio
from app.store import driver
from app.store.keys import new_id
from app.store.lateness import on_a_day, parameters
from app.store.loans import Scheduled
from app.store.tables import adjustments, approvals, holds, past_schedules, repayments
from app.store.unit import Store
from tests.flows.ledger import days, registered, report
from tests.flows.street import Neighbour, Street, make_street
from tests.rig import make_lender

pytestmark = pytest.mark.anyio

USUAL = Buckets.parse("1-30, 31-60, 61-90, 91+")
DAY = timedelta(days=1)


async def standings(street: Street, on: date) -> dict[UUID, tuple[Any, ...]]:
    async with street.store.unit(street.lender_id) as unit:
        rows = await driver.rows(
            unit, on_a_day("day"), parameters(street.lender_id, USUAL.firsts, day=on)
        )
    return {row[0]: row[5:] for row in rows}


async def one_by_one(street: Street, loan_id: UUID, on: date) -> tuple[Any, ...]:
    async with street.store.unit(street.lender_id) as unit:
        found = await loan_standing(unit, loan_id, USUAL, street.now, on=on)
    late, names = found.lateness, ["current", *(bucket.name for bucket in USUAL.all)]
    cell = {"paid": -1, "written_off": -2, "closed": -3}
    return (
        late.outstanding_minor, late.overdue_minor, late.oldest_due_on, late.days_since_due,
        late.days_frozen, cell[found.cell] if found.cell in cell else names.index(found.cell),
    )  # fmt: skip


async def plant(street: Street, dice: random.Random) -> UUID:
    """A loan with a history that the book could have: money, returns, holds, a write-off."""
    who: Neighbour = await street.neighbour(days_late=dice.choice([-3, 2, 33, 70, 130]))
    loan_id = who.loans[0]

    def when() -> datetime:
        return street.now - dice.randrange(0, 150 * 24) * timedelta(hours=1)

    async with street.store.unit(street.lender_id) as unit:
        own = {"lender_id": street.lender_id}
        first = street.now.date() - dice.randrange(5, 140) * DAY
        for number in range(1, 5):
            await unit.conn.execute(
                text(
                    "INSERT INTO instalments (id, lender_id, loan_id, number, due_on, "
                    "amount_minor, paid_minor) VALUES (gen_random_uuid(), :lender, :loan, :n, "
                    ":due, :amount, :paid) ON CONFLICT (loan_id, number) DO UPDATE SET "
                    "due_on = excluded.due_on, amount_minor = excluded.amount_minor, "
                    "paid_minor = excluded.paid_minor"
                ),
                {
                    "lender": street.lender_id, "loan": loan_id, "n": number,
                    "due": first + 30 * (number - 1) * DAY, "amount": 1000,
                    "paid": dice.choice([0, 0, 400, 1000]),
                },
            )  # fmt: skip
        for _ in range(dice.randrange(4)):
            paid_at = when()
            await unit.conn.execute(
                insert(repayments).values(
                    id=new_id(), loan_id=loan_id, external_ref=str(new_id()), source="lender",
                    amount_minor=1500, applied_minor=dice.choice([0, 300, 1500]), currency="EUR",
                    paid_at=paid_at, recorded_at=paid_at, counted=dice.random() < 0.9,
                    reversed_at=dice.choice([None, None, paid_at + dice.randrange(40) * DAY]),
                    **own,
                )
            )  # fmt: skip
        for _ in range(dice.randrange(4)):
            begins = when()
            await unit.conn.execute(
                insert(holds).values(
                    id=new_id(), borrower_id=who.id, kind="other", reason="x", starts_at=begins,
                    case_id=dice.choice([None, *who.cases]), recorded_at=begins, set_by="x",
                    ends_at=dice.choice([None, begins + dice.randrange(30) * DAY]),
                    lifted_at=dice.choice([None, begins + dice.randrange(30) * DAY]),
                    blocks=dice.choice([[], ["days"], ["contact"]]), **own,
                )
            )  # fmt: skip
        for _ in range(dice.randrange(3)):
            await _replace_schedule(unit, loan_id, when(), dice, own)
        if dice.random() < 0.3:
            await _write_off(unit, who, loan_id, when(), dice.random() < 0.5, own)
        elif dice.random() < 0.2:
            await unit.conn.execute(
                text("UPDATE loans SET state = 'closed', owed_as_of = :at WHERE id = :id"),
                {"at": when(), "id": loan_id},
            )
    return UUID(str(loan_id))


async def _replace_schedule(
    unit: Any, loan_id: UUID, until: datetime, dice: random.Random, own: dict[str, Any]
) -> None:
    count = dice.randrange(1, 5)
    first = until.date() - dice.randrange(-20, 120) * DAY
    await unit.conn.execute(
        insert(past_schedules).values(
            id=new_id(), loan_id=loan_id, until=until, recorded_at=until + dice.randrange(3) * DAY,
            numbers=list(range(1, count + 1)),
            due_on=[first + 21 * number * DAY for number in range(count)],
            amount_minor=[1_200] * count,
            paid_minor=[dice.choice([0, 500, 1_200]) for _ in range(count)], **own,
        )
    )  # fmt: skip


async def _write_off(
    unit: Any, who: Neighbour, loan_id: UUID, at: datetime, undone: bool, own: dict[str, Any]
) -> None:
    written: UUID | None = None
    for kind, made_at in (("write_off", at), ("reversal", at + 20 * DAY))[: 1 + undone]:
        approval, entry = new_id(), new_id()
        await unit.conn.execute(
            insert(approvals).values(
                id=approval, kind=kind, subject_id=entry, borrower_id=who.id, loan_id=loan_id,
                reason="x", proposed_by="x", proposed_at=made_at, **own,
            )
        )  # fmt: skip
        await unit.conn.execute(
            insert(adjustments).values(
                id=entry, loan_id=loan_id, borrower_id=who.id, approval_id=approval, kind=kind,
                amount_minor=4000, currency="EUR", reverses_id=written, made_at=made_at, **own,
            )
        )  # fmt: skip
        written = entry


async def say_owed(street: Street, *schedule: Scheduled, closed: bool = False) -> None:
    await confirm_owed(
        street.house, street.now, street.lender_id, "L1", as_of=street.now,
        schedule=schedule, closed=closed,
    )  # fmt: skip


@pytest.mark.parametrize("seed", [3, 20261128])
async def test_the_statement_says_what_the_rules_say(store: Store, seed: int) -> None:
    # A street of its own: what is planted is no book that flows would keep.
    street = await make_street(store)
    dice = random.Random(seed)
    planted = [await plant(street, dice) for _ in range(14)]
    today = street.now.date()
    seen = set()
    for back in (0, 1, 9, 31, 64, 100, 139):
        on = today - back * DAY
        book = await standings(street, on)
        assert set(book) == set(planted)
        for loan_id in planted:
            expected = await one_by_one(street, loan_id, on)
            assert book[loan_id] == expected, (seed, back, loan_id)
            seen.add(expected[-1])
    assert len(seen) >= 6, "the histories are too much alike to prove anything"


async def test_a_payment_of_yesterday_does_not_change_the_day_before(street: Street) -> None:
    loan = await registered(street, Scheduled(1, days(street, -40), 5_000))
    street.hands.go_on(days=2)
    await report(street, "R1", 5_000)
    today = days(street, 0)
    assert (await one_by_one(street, loan.id, today))[-1] == -1
    assert (await one_by_one(street, loan.id, today - DAY)) == (
        5_000, 5_000, days(street, -42), 41, 0, 2,
    )  # fmt: skip
    async with street.store.unit(street.lender_id) as unit:
        found = await portfolio(unit, USUAL, on=today, since=today - DAY)
    assert found.rolls["EUR"].share("31-60", "paid").loans == 1
    assert found.books[0].loans == 0


async def test_a_past_day_is_told_with_the_schedule_of_that_day(street: Street) -> None:
    loan = await registered(
        street, Scheduled(1, days(street, -40), 5_000), Scheduled(2, days(street, -10), 5_000)
    )
    street.hands.go_on(days=1)
    await report(street, "R1", 2_000)
    street.hands.go_on(days=1)
    # Restructured: all that is left in one part, next month. It is late no more.
    await say_owed(street, Scheduled(3, days(street, 30), 8_000))
    today = days(street, 0)
    expected = {
        today: (8_000, 0, None, 0, 0, 0),
        today - DAY: (8_000, 8_000, days(street, -42), 41, 0, 2),
        # Before the payment, which the kept schedule holds.
        today - 2 * DAY: (10_000, 10_000, days(street, -42), 40, 0, 2),
    }
    for on, standing in expected.items():
        assert await one_by_one(street, loan.id, on) == standing, on
        assert (await standings(street, on))[loan.id] == standing, on


async def test_a_loan_that_the_ledger_closed_was_late_before(street: Street) -> None:
    loan = await registered(street, Scheduled(1, days(street, -40), 5_000))
    street.hands.go_on(days=1)
    # Settled for less: the ledger states the loan as it ended.
    await say_owed(street, Scheduled(1, days(street, -41), 2_000, 2_000), closed=True)
    today = days(street, 0)
    assert (await standings(street, today))[loan.id][-1] == -3
    before = (5_000, 5_000, days(street, -41), 40, 0, 2)
    assert (await standings(street, today - DAY))[loan.id] == before
    assert await one_by_one(street, loan.id, today - DAY) == before


async def test_schedules_are_kept_only_where_the_end_of_a_day_saw_them(street: Street) -> None:
    loan = await registered(street, Scheduled(1, days(street, -40), 5_000))
    kept = "SELECT count(*) FROM past_schedules WHERE loan_id = :id"
    # Corrected on its first day: it was never so.
    street.hands.go_on(seconds=60)
    await say_owed(street, Scheduled(1, days(street, -40), 5_500))
    assert await street.value(kept, id=loan.id) == 0
    street.hands.go_on(days=1)
    for minor, paid, count in ((5_500, 3_000, 0), (6_000, 3_000, 1), (7_000, 3_000, 1)):
        street.hands.go_on(seconds=60)
        await say_owed(street, Scheduled(1, days(street, -41), minor, paid))
        assert await street.value(kept, id=loan.id) == count
    street.hands.go_on(days=1)
    await say_owed(street, Scheduled(1, days(street, -42), 8_000, 3_000))
    assert await street.value(kept, id=loan.id) == 2


async def test_a_hold_learnt_of_late_takes_days_off_the_past_too(street: Street) -> None:
    who = await street.neighbour(days_late=45)
    yesterday = street.now.date() - DAY
    before = await one_by_one(street, who.loans[0], yesterday)
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit, street.now, borrower_id=who.id, case_id=None, kind="breathing_space",
            reason="notice", ends_at=None, starts_at=street.now - 20 * DAY, set_by="eva",
        )  # fmt: skip
    after = await one_by_one(street, who.loans[0], yesterday)
    assert (before[3:], after[3:]) == ((45, 0, 2), (45, 20, 1))
    assert (await standings(street, yesterday))[who.loans[0]] == after


async def test_the_list_of_loans_holds_no_formula_and_no_neighbour(street: Street) -> None:
    await street.neighbour(ref="=B1", days_late=3)
    stranger = await make_lender(street.store, street.now)
    for lender_id, count in ((street.lender_id, 1), (stranger, 0)):
        async with street.store.unit(lender_id) as unit:
            lines = list(await loan_list(unit, USUAL, street.now.date()))
            found = await portfolio(
                unit, USUAL, on=street.now.date(), since=street.now.date() - 30 * DAY
            )
        assert len(lines) == 1 + count
        assert sum(book.loans for book in found.books) == count
        if count:
            assert "'=B1-L0,'=B1,Loan,EUR,120.00,120.00,2026-02-27,4,4,1-30" in lines[1]
