"""Unattended reading: what is asked, what is not, and what is counted."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from app.domain.errors import AllowanceSpent, ConsentDoubtful, Declined, TryLater, Unreadable
from app.flows.consents.withdraw_consent import withdraw_consent
from app.flows.reads.read_balances import read_balances
from app.flows.work.set_hold import set_hold
from app.store.unit import Store
from tests.flows.killing import Killed
from tests.flows.lane import Lane, gate_that, make_lane

pytestmark = pytest.mark.anyio


async def test_a_read_carries_no_presence_and_leaves_an_attempt_and_a_verdict(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    lane.bank.holds(500)
    await lane.read(ana)
    assert [(read.ref, read.presence) for read in lane.bank.reads] == [("a1", None)]
    assert await lane.outcomes() == ["read"]
    assert await lane.verdicts() == ["below_threshold"]
    row = await lane.account(ana)
    assert row.last_read_at == lane.now == row.last_attempt_at
    assert row.leased_until is None
    assert row.next_read_at > lane.now
    assert await lane.upright()


async def test_an_open_case_puts_the_account_on_the_plan_and_reads_nothing_on_the_spot(
    lane: Lane,
) -> None:
    ana = await lane.street.neighbour()
    assert (await lane.account(ana)).next_read_at is not None
    planned = await lane.plan()
    assert (planned.handed, planned.moved) == (0, 1)
    assert lane.now < (await lane.account(ana)).next_read_at < lane.now + timedelta(hours=20)
    assert lane.bank.reads == []


async def test_a_paid_loan_takes_the_account_off_the_plan(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    await lane.street.repaid(ana, "R1")
    assert (await lane.account(ana)).next_read_at is None
    await lane.hours_pass(24, minutes=60)
    assert lane.bank.reads == []


async def test_nothing_due_means_nothing_read_though_the_plan_says_so(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    await lane.due_now(ana)
    await lane.plan()
    await lane.street.repaid(ana, "R1")
    await lane.work()
    assert lane.bank.reads == []
    assert (await lane.account(ana)).next_read_at is None


async def test_four_a_day_at_even_distances_within_booking_hours(lane: Lane) -> None:
    people = [await lane.street.neighbour() for _ in range(3)]
    lane.bank.holds(500)
    await lane.hours_pass(24 * 3)
    for who in people:
        rows = await lane.street.rows(
            "SELECT attempted_at FROM read_attempts WHERE account_id = :id ORDER BY attempted_at",
            id=who.account_id,
        )
        moments: list[datetime] = [row.attempted_at for row in rows]
        assert 9 <= len(moments) <= 12
        spans = [late - early for early, late in zip(moments, moments[4:], strict=False)]
        assert all(span > timedelta(hours=24) for span in spans)
        # Madrid is an hour ahead of UTC in March; a batch may start ten minutes late.
        assert {moment.hour + 1 for moment in moments} <= set(range(6, 23))
        assert len({moment.minute for moment in moments}) > 1
    assert await lane.upright()


async def test_one_allowance_for_one_bank_account_whoever_asks(lane: Lane, store: Store) -> None:
    """Two lenders see the same IBAN: together they may ask four times."""
    other = await make_lane(store)
    other.street.house = lane.house
    other.street.hands = lane.street.hands
    ana, twin = await lane.street.neighbour(), await other.street.neighbour()
    async with store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE accounts SET iban_hash = 'the same one'"))
    lane.bank.holds(500)
    for _ in range(4):
        await lane.due_now(ana, twin)
        await lane.plan()
        batches = await lane.batches()
        ids = [account for batch in batches for account in batch]
        await asyncio.gather(*(read_balances(lane.house, lane.now, [one]) for one in ids))
        await lane.later(minutes=90)
    assert len(lane.bank.reads) == 4
    assert await lane.outcomes() == ["read"] * 4
    assert await lane.upright()


async def test_two_rows_of_one_bank_account_in_one_batch_share_what_is_left(
    lane: Lane, store: Store
) -> None:
    people = [await lane.street.neighbour() for _ in range(5)]
    async with store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE accounts SET iban_hash = 'the same one'"))
    lane.bank.holds(500)
    await lane.read(*people)
    assert len(lane.bank.reads) == 4
    assert await lane.upright()


async def test_a_job_that_runs_twice_asks_once(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    lane.bank.holds(500)
    await lane.due_now(ana)
    await lane.plan()
    (ids,) = await lane.batches()
    await asyncio.gather(*(read_balances(lane.house, lane.now, ids) for _ in range(4)))
    await read_balances(lane.house, lane.now, ids)
    assert len(lane.bank.reads) == 1


async def test_two_planners_at_once_hand_an_account_out_once(lane: Lane) -> None:
    people = [await lane.street.neighbour() for _ in range(6)]
    await lane.due_now(*people)
    planned = await asyncio.gather(*(lane.plan() for _ in range(4)))
    assert sum(one.handed for one in planned) == 6
    assert sorted(one for batch in await lane.batches() for one in batch) == sorted(
        who.account_id for who in people
    )


async def test_a_worker_that_dies_in_the_call_has_spent_the_attempt(lane: Lane) -> None:
    ana = await lane.street.neighbour()

    async def die() -> None:
        raise Killed

    lane.bank.before = gate_that(die)
    await lane.due_now(ana)
    await lane.plan()
    (ids,) = await lane.batches()
    with pytest.raises(BaseExceptionGroup):
        await read_balances(lane.house, lane.now, ids)
    assert await lane.outcomes() == [None]
    # The rescue puts the job back: it asks nobody again.
    await read_balances(lane.house, lane.now, ids)
    assert len(lane.bank.reads) == 1
    assert (await lane.account(ana)).next_read_at > lane.now


async def test_a_job_nobody_began_costs_the_slot_and_not_the_account(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    lane.bank.holds(500)
    await lane.due_now(ana)
    await lane.plan()
    (ids,) = await lane.batches()
    await lane.later(minutes=16)
    planned = await lane.plan()
    assert (planned.handed, planned.moved) == (0, 1)
    await read_balances(lane.house, lane.now, ids)
    assert lane.bank.reads == []
    await lane.hours_pass(14)
    assert lane.bank.reads != []


async def test_after_an_outage_everybody_waits_for_his_own_slot(lane: Lane) -> None:
    people = [await lane.street.neighbour() for _ in range(8)]
    lane.bank.holds(500)
    await lane.due_now(*people)
    await lane.later(hours=7)
    planned = await lane.plan()
    assert (planned.handed, planned.moved) == (0, 8)
    places = {(await lane.account(who)).next_read_at for who in people}
    assert len(places) == 8
    assert max(places) - min(places) > timedelta(hours=1)


async def test_a_fast_clock_is_not_an_outage(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    await lane.due_now(ana)
    await lane.later(hours=5)
    assert (await lane.plan(speed=6_000.0)).handed == 1


async def test_a_large_tick_is_several_transactions_and_misses_nobody(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.flows.reads.plan_reads.PER_TRANSACTION", 2)
    people = [await lane.street.neighbour() for _ in range(5)]
    await lane.due_now(*people)
    assert (await lane.plan()).handed == 5
    assert [len(batch) for batch in await lane.batches()] == [2, 2, 1]


@pytest.mark.parametrize(
    "until",
    [None, timedelta(seconds=-1_875_538), timedelta(days=400), timedelta(hours=9)],
)
async def test_429_is_its_own_outcome_and_its_end_is_believed_only_if_it_makes_sense(
    lane: Lane, until: timedelta | None
) -> None:
    ana = await lane.street.neighbour()
    end = None if until is None else lane.now + until
    lane.bank.fails(AllowanceSpent("HTTP 429", until=end))
    await lane.read(ana)
    row = await lane.account(ana)
    assert await lane.outcomes() == ["limited"]
    assert await lane.verdicts() == []
    assert row.failures == 0
    sensible = until == timedelta(hours=9)
    expected = timedelta(hours=9) if sensible else timedelta(hours=24, minutes=10)
    assert row.blocked_until == lane.now + expected
    assert row.next_read_at >= row.blocked_until


async def test_no_read_while_the_bank_said_no_more(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    lane.bank.fails(AllowanceSpent("HTTP 429", until=lane.now + timedelta(hours=9)))
    await lane.read(ana)
    await lane.later(hours=8)
    await lane.read(ana)
    assert len(lane.bank.reads) == 1
    lane.bank.holds(500)
    await lane.later(hours=2)
    await lane.read(ana)
    assert len(lane.bank.reads) == 2


async def test_a_withdrawal_during_the_call_leaves_no_figure(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    lane.bank.holds(50_000)

    async def withdraw() -> None:
        # In a task of its own: the borrower's request, not the worker's.
        await asyncio.create_task(
            withdraw_consent(
                lane.house,
                lane.now,
                lender_id=lane.street.lender_id,
                consent_id=ana.consent_id,
                via="page",
            )
        )

    lane.bank.before = gate_that(withdraw)
    await lane.read(ana)
    assert await lane.outcomes() == ["dropped"]
    assert await lane.verdicts() == []
    assert await lane.live_signals() == []
    await lane.hours_pass(30, minutes=60)
    assert len(lane.bank.reads) == 1
    assert await lane.upright()


async def test_holds_the_stop_switch_and_a_payment_on_its_way_keep_the_bank_unasked(
    lane: Lane,
) -> None:
    held, paying, free = [await lane.street.neighbour() for _ in range(3)]
    lane.bank.holds(500)
    async with lane.house.store.unit(lane.street.lender_id) as unit:
        await set_hold(
            unit,
            lane.now,
            borrower_id=held.id,
            case_id=None,
            kind="hardship",
            reason="between jobs",
            ends_at=lane.now + timedelta(days=2),
            set_by="desk",
        )
        await unit.conn.execute(
            text("UPDATE cases SET state = 'in_flight' WHERE borrower_id = :id"), {"id": paying.id}
        )
    await lane.read(held, paying, free)
    assert len(lane.bank.reads) == 1
    for who in (held, paying):
        assert (await lane.account(who)).next_read_at > lane.now
    async with lane.house.store.unit(lane.street.lender_id) as unit:
        await unit.conn.execute(
            text(
                "INSERT INTO stop_switches (lender_id, channel, halted, set_by, set_at) "
                "VALUES (:lender, 'reading', true, 'desk', :now)"
            ),
            {"lender": lane.street.lender_id, "now": lane.now},
        )
    await lane.later(hours=4)
    await lane.read(free)
    assert len(lane.bank.reads) == 1


async def test_no_purpose_no_read(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    async with lane.house.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE consents SET purposes = '{scoring}'"))
    await lane.read(ana)
    assert lane.bank.reads == []
    assert (await lane.account(ana)).next_read_at is None


async def test_the_window_ends_to_the_minute(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    lane.bank.holds(500)
    async with lane.house.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE consents SET ends_at = :at"), {"at": lane.now})
    await lane.read(ana)
    assert lane.bank.reads == []


async def test_with_no_slot_left_before_the_end_the_plan_holds_the_end_itself(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    lane.bank.holds(500)
    await lane.read(ana)
    # Where an account stands in its slot hangs on its id: the end goes before this one's place.
    end = lane.now + ((await lane.account(ana)).next_read_at - lane.now) / 2
    async with lane.house.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE consents SET ends_at = :at"), {"at": end})
    await lane.read(ana)
    assert (await lane.account(ana)).next_read_at == end
    await lane.later(seconds=(end - lane.now).total_seconds() + 60)
    await lane.plan()
    await lane.work()
    assert (await lane.account(ana)).next_read_at is None
    assert len(lane.bank.reads) == 2


async def test_two_schedulers_and_two_workers_for_three_days(lane: Lane) -> None:
    people = [await lane.street.neighbour() for _ in range(5)]
    lane.bank.holds(500)
    for _ in range(72):
        await lane.later(hours=1)
        await asyncio.gather(lane.plan(speed=1440.0), lane.plan(speed=1440.0))
        # A rescued job runs beside the one that was taken for dead.
        twice = [ids for ids in await lane.batches() for _ in range(2)]
        await asyncio.gather(*(read_balances(lane.house, lane.now, ids) for ids in twice))
    counted = int(await lane.street.value("SELECT count(*) FROM read_attempts"))
    assert len(lane.bank.reads) == counted
    assert counted >= len(people) * 9


async def test_three_failures_of_one_account_are_a_persons_task_while_the_bank_answers_others(
    lane: Lane,
) -> None:
    ana, ben = [await lane.street.neighbour() for _ in range(2)]
    for _ in range(3):
        lane.bank.fails(TryLater("HTTP 500"))
        await lane.read(ana)
        lane.bank.holds(500)
        await lane.read(ben)
        await lane.later(hours=5)
    assert (await lane.account(ana)).failures == 3
    assert await lane.street.tasks(ana) == ["bank_down"]
    assert await lane.street.tasks(ben) == []
    assert await lane.street.value("SELECT state FROM provider_health") == "closed"


async def test_an_account_the_bank_blocks_goes_to_a_person_and_is_left_alone(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    lane.bank.fails(Declined("HTTP 403", reason="RESOURCE_BLOCKED"))
    await lane.read(ana)
    row = await lane.account(ana)
    assert (row.usable, row.why_unusable, row.next_read_at) == (False, "RESOURCE_BLOCKED", None)
    assert await lane.street.tasks(ana) == ["account_blocked"]


async def test_an_answer_nobody_understands_is_a_failure_and_never_a_zero(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    lane.bank.fails(Unreadable("the answer is not JSON"))
    await lane.read(ana)
    assert await lane.verdicts() == []
    assert await lane.street.tasks(ana) == ["balance_unreadable"]
    assert (await lane.account(ana)).failures == 1


async def test_a_doubtful_word_has_the_consent_looked_at_and_ends_nothing(lane: Lane) -> None:
    ana = await lane.street.neighbour()
    lane.bank.fails(ConsentDoubtful("HTTP 401 CONSENT_INVALID"))
    await lane.read(ana)
    assert await lane.street.value("SELECT state FROM consents") == "active"
    assert await lane.street.value("SELECT next_check_at FROM consents") == lane.now
    assert await lane.outcomes() == ["doubtful"]


async def test_one_answer_that_fails_does_not_touch_the_others(lane: Lane, store: Store) -> None:
    good, bad = [await lane.street.neighbour() for _ in range(2)]
    async with store.engine_unit() as unit:
        await unit.keys((lane.street.lender_id,))
        sealed = unit.seal("accounts.ref_enc", bad.account_id, "a2", lane.street.lender_id)
        await unit.conn.execute(
            text("UPDATE accounts SET ref_enc = :ref WHERE id = :id"),
            {"ref": sealed, "id": bad.account_id},
        )
    lane.bank.holds(500)
    lane.bank.fails(RuntimeErrorFromBank("boom"), ref="a2")
    await lane.read(good, bad)
    assert sorted(await lane.outcomes(), key=str) == ["read", "unreadable"]
    assert (await lane.account(good)).last_read_at == lane.now
    assert (await lane.account(bad)).last_read_at is None


async def test_a_row_that_cannot_be_opened_asks_nobody_and_harms_nobody(lane: Lane) -> None:
    good, broken = [await lane.street.neighbour() for _ in range(2)]
    async with lane.house.store.engine_unit() as unit:
        await unit.conn.execute(
            text("UPDATE accounts SET ref_enc = 'not a ciphertext of ours' WHERE id = :id"),
            {"id": broken.account_id},
        )
    lane.bank.holds(500)
    await lane.read(good, broken)
    assert await lane.outcomes() == ["read"]
    assert (await lane.account(good)).last_read_at == lane.now
    assert (await lane.account(broken)).next_read_at > lane.now


class RuntimeErrorFromBank(Unreadable):
    """A connector's own mistake, as the boundary hands it on."""
