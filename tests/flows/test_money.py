"""Money on loans: counted once whoever reports it, and the lender's ledger is the truth."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from app.domain.errors import Conflict, Invalid, NotFound
from app.flows.cases.open_cases import open_cases
from app.flows.money.confirm_owed import confirm_owed
from app.flows.money.take_back_repayment import TakenBack, take_back_repayment
from app.store.loans import Scheduled
from tests.flows.ledger import days, euros, paid, payment_of, registered, report, settled
from tests.flows.promising import promise
from tests.flows.street import Neighbour, Street

pytestmark = pytest.mark.anyio


async def test_the_lenders_money_serves_the_oldest_and_then_the_future(street: Street) -> None:
    loan = await registered(
        street,
        Scheduled(1, days(street, -40), 1_000),
        Scheduled(2, days(street, -10), 1_000),
        Scheduled(3, days(street, 20), 1_000),
    )
    first = await report(street, "R1", 1_500)
    assert (first.counted, first.remaining_due, first.overpaid) == (True, euros(500), euros(0))
    assert await paid(street, loan.id) == [(1_000, 1_000), (1_000, 500), (1_000, 0)]
    second = await report(street, "R2", 1_700)
    assert (second.remaining_due, second.overpaid) == (euros(0), euros(200))
    assert await paid(street, loan.id) == [(1_000, 1_000)] * 3
    assert not (await report(street, "R2", 1_700)).counted
    task = (await street.rows("SELECT reason, situation FROM tasks WHERE reason = 'overpaid'"))[0]
    assert task.situation["overpaid_minor"] == 200
    assert await street.value("SELECT count(*) FROM tasks WHERE reason = 'overpaid'") == 1


async def test_the_same_report_counts_once_and_another_amount_is_a_conflict(
    street: Street,
) -> None:
    loan = await registered(street, Scheduled(1, days(street, -4), 5_000))
    reports = await asyncio.gather(*(report(street, "R1", 2_000) for _ in range(3)))
    assert sorted(one.counted for one in reports) == [False, False, True]
    assert await paid(street, loan.id) == [(5_000, 2_000)]
    with pytest.raises(Conflict):
        await report(street, "R1", 2_001)
    with pytest.raises(Invalid):
        await report(street, "R2", 0)
    with pytest.raises(NotFound):
        await report(street, "R2", 100, loan="unknown")


async def test_repaid_closes_the_case_and_everything_that_hung_on_it(street: Street) -> None:
    ana = await street.neighbour()
    await street.money_seen(ana)
    await street.tick()
    done = await street.repaid(ana, "R1")
    assert done.case_closed
    assert await street.value("SELECT close_reason FROM cases") == "paid_elsewhere"
    assert await street.value("SELECT count(*) FROM funds_signals WHERE ended_at IS NULL") == 0
    assert await street.states("payment_links", ana) == ["withdrawn"]
    assert await street.value("SELECT case_id FROM loans") is None
    await street.tick()
    assert "case.closed" in street.system.events()


@pytest.mark.parametrize("named", ["payment_id", "end_to_end_ref", "its_own_reference"])
@pytest.mark.parametrize("lender_first", [True, False])
async def test_one_payment_is_counted_once_whoever_reports_it_first(
    street: Street, named: str, *, lender_first: bool
) -> None:
    ana = await street.neighbour(dues=(12_000,))
    payment_id = await payment_of(street, ana.id, 4_000)
    loan = f"{ana.ref}-L0"

    async def by_lender() -> bool:
        if named == "payment_id":
            done = await report(street, "R1", 4_000, loan=loan, payment_id=payment_id)
        elif named == "end_to_end_ref":
            done = await report(street, "R1", 4_000, loan=loan, end_to_end_ref=payment_id.hex)
        else:
            done = await report(street, payment_id.hex, 4_000, loan=loan)
        return done.counted

    async def by_us() -> bool:
        return (await settled(street, ana.loans[0], 4_000, payment_id)).counted

    order = [by_lender, by_us] if lender_first else [by_us, by_lender]
    assert [await one() for one in order] == [True, False]
    assert await street.due(ana) == 8_000


async def test_a_lender_may_put_a_whole_payment_on_one_of_its_loans(street: Street) -> None:
    ana = await street.neighbour(dues=(12_000, 9_000))
    payment_id = await payment_of(street, ana.id, 10_000)
    await report(street, "R1", 10_000, loan=f"{ana.ref}-L0", payment_id=payment_id)
    assert not (await settled(street, ana.loans[0], 6_000, payment_id)).counted
    assert not (await settled(street, ana.loans[1], 4_000, payment_id)).counted
    assert await street.due(ana) == 11_000


async def test_a_lender_may_split_a_payment_otherwise_and_never_more_than_it_is(
    street: Street,
) -> None:
    ana = await street.neighbour(dues=(12_000, 9_000))
    payment_id = await payment_of(street, ana.id, 10_000)
    await report(street, "R1", 7_000, loan=f"{ana.ref}-L0", payment_id=payment_id)
    assert not (await settled(street, ana.loans[0], 5_000, payment_id)).counted
    rest = await settled(street, ana.loans[1], 5_000, payment_id)
    assert rest.counted
    assert await street.due(ana) == 21_000 - 10_000


async def test_another_borrowers_payment_is_not_this_ones_money(street: Street) -> None:
    ana, eva = await street.neighbour(), await street.neighbour()
    payment_id = await payment_of(street, eva.id, 4_000)
    with pytest.raises(Invalid):
        await report(street, "R1", 4_000, loan=f"{ana.ref}-L0", payment_id=payment_id)


async def test_money_through_us_pays_what_is_due_and_nothing_in_advance(street: Street) -> None:
    loan = await registered(
        street, Scheduled(1, days(street, -4), 3_000), Scheduled(2, days(street, 26), 3_000)
    )
    owner = await street.value("SELECT borrower_id FROM loans")
    payment_id = await payment_of(street, owner, 5_000)
    booked = await settled(street, loan.id, 5_000, payment_id)
    assert (booked.counted, booked.overpaid, booked.remaining_due) == (
        True,
        euros(2_000),
        euros(0),
    )
    assert await paid(street, loan.id) == [(3_000, 3_000), (3_000, 0)]


async def test_a_returned_payment_is_put_back_exactly_and_its_case_goes_on(street: Street) -> None:
    ana = await street.neighbour(dues=(3_000,))
    payment_id = await payment_of(street, ana.id, 5_000)
    await settled(street, ana.loans[0], 5_000, payment_id)
    await street.repaid(ana, "nothing left", minor=1)
    assert await street.value("SELECT state FROM cases") == "closed"
    back = await taken_back(street, payment_id)
    assert [(one.loan_id, one.case_id) for one in back] == [(ana.loans[0], ana.cases[0])]
    assert await street.due(ana) == 3_000
    assert await street.value("SELECT state FROM cases") == "open"
    assert await street.value("SELECT next_read_at FROM accounts") is not None
    assert await taken_back(street, payment_id) == []
    assert await street.due(ana) == 3_000


async def taken_back(street: Street, payment_id: UUID) -> list[TakenBack]:
    """The bank returned it."""
    async with street.store.unit(street.lender_id) as unit:
        return await take_back_repayment(unit, street.now, payment_id)


# ------------------------------------------------------------------ the lender's ledger


async def test_the_lenders_ledger_replaces_ours_and_newer_money_is_taken_off_again(
    street: Street,
) -> None:
    ana = await street.neighbour(dues=(12_000,))
    ledger_closed = street.now + timedelta(hours=1)
    street.hands.go_on(hours=2)
    payment_id = await payment_of(street, ana.id, 4_000)
    await settled(street, ana.loans[0], 4_000, payment_id)
    done = await confirm(street, ana, ledger_closed, 12_500)
    assert done == 8_500
    # The next ledger holds the money already.
    street.hands.go_on(hours=2)
    assert await confirm(street, ana, street.now, 8_500) == 8_500


async def test_an_older_ledger_is_refused_and_the_same_one_confirms(street: Street) -> None:
    ana = await street.neighbour(dues=(12_000,))
    before = street.now
    street.hands.go_on(hours=2)
    assert await confirm(street, ana, street.now, 12_000) == 12_000
    assert await confirm(street, ana, street.now, 12_000) == 12_000
    with pytest.raises(Conflict):
        await confirm(street, ana, before, 1)
    with pytest.raises(Invalid):
        await confirm(street, ana, (street.now + timedelta(hours=1)), 1)
    assert await street.value("SELECT owed_as_of FROM loans") == street.now


@pytest.mark.parametrize(("minor", "words"), [(0, "above zero"), (10**14, "larger than any loan")])
async def test_an_amount_that_cannot_be_meant_is_told_as_what_it_is(
    street: Street, minor: int, words: str
) -> None:
    ana = await street.neighbour()
    with pytest.raises(Invalid, match=words):
        await confirm(street, ana, street.now, minor)


async def test_a_payment_returned_after_the_ledger_is_owed_again(street: Street) -> None:
    ana = await street.neighbour(dues=(12_000,))
    payment_id = await payment_of(street, ana.id, 4_000)
    await settled(street, ana.loans[0], 4_000, payment_id)
    ledger_closed = street.now + timedelta(hours=1)
    street.hands.go_on(hours=2)
    await taken_back(street, payment_id)
    assert await street.due(ana) == 12_000
    # As of an hour ago the ledger still counted it; it is not there any more.
    done = await confirm_owed(
        street.house,
        street.now,
        street.lender_id,
        f"{ana.ref}-L0",
        as_of=ledger_closed,
        schedule=(Scheduled(1, days(street, -5), 12_000, 4_000),),
    )
    assert done.due == euros(12_000)


async def test_a_ledger_with_nothing_due_closes_the_case_and_a_closed_loan_stays_shut(
    street: Street,
) -> None:
    ana = await street.neighbour(dues=(12_000,))
    street.hands.go_on(hours=1)
    done = await confirm_owed(
        street.house,
        street.now,
        street.lender_id,
        f"{ana.ref}-L0",
        as_of=street.now,
        schedule=(Scheduled(1, days(street, 20), 12_000),),
    )
    assert done.case_closed
    street.hands.go_on(hours=1)
    await confirm_owed(
        street.house,
        street.now,
        street.lender_id,
        f"{ana.ref}-L0",
        as_of=street.now,
        schedule=(Scheduled(1, days(street, -9), 12_000),),
        closed=True,
    )
    assert (await open_cases(street.house, street.now)).opened == 0


async def test_a_restructuring_wipes_nothing_of_what_was_done_before(street: Street) -> None:
    """The ledger has another schedule. What happened under the old one stays as it was."""
    ana = await street.neighbour(dues=(12_000,), days_late=40)
    await promise(street, ana, (2, 5_000))
    await street.repaid(ana, "R1", minor=5_000)
    kept = {
        name: await street.rows(f"SELECT {columns} FROM {name} ORDER BY id")
        for name, columns in {
            "timeline": "id, at, kind, details",
            "repayments": "id, external_ref, amount_minor, paid_at, applied_minor",
            "promises": "id, state, made_at",
            "owed_words": "id, as_of, amount_minor, paid_minor",
        }.items()
    }
    street.hands.go_on(hours=1)
    done = await confirm_owed(
        street.house, street.now, street.lender_id, f"{ana.ref}-L0", as_of=street.now,
        schedule=tuple(Scheduled(number, days(street, 30 * number), 3_500) for number in (7, 8)),
    )  # fmt: skip
    assert done.case_closed
    assert await paid(street, ana.loans[0]) == [(0, 0), (3_500, 0), (3_500, 0)]
    for name, before in kept.items():
        columns = ", ".join(before[0]._fields)
        after = await street.rows(f"SELECT {columns} FROM {name} ORDER BY id")
        assert [row for row in after if row.id in {one.id for one in before}] == before, name
    assert [row.state for row in kept["promises"]] == ["kept"]
    assert await street.value("SELECT close_reason FROM cases") == "not_due"


async def confirm(street: Street, who: Neighbour, as_of: datetime, minor: int) -> int:
    """The lender's ledger at `as_of` has one instalment of this size, overdue; what is due now."""
    done = await confirm_owed(
        street.house,
        street.now,
        street.lender_id,
        f"{who.ref}-L0",
        as_of=as_of,
        schedule=(Scheduled(1, days(street, -5), minor),),
    )
    return done.due.minor
