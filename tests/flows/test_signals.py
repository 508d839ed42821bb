"""From balances to signals: when money counts as seen, for which cases, and when it is gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from app.domain.errors import TryLater
from app.domain.money import Money
from app.flows.books.register_loan import LoanWanted, register_loan
from app.flows.cases.open_cases import open_cases
from app.flows.signals.expire_signals import expire_signals
from app.store import jobs
from app.store.embedded_setup import DatabaseUrls
from app.store.loans import Scheduled
from app.store.unit import SIGNAL_CHANNEL, Store
from tests.flows.lane import Lane, make_lane
from tests.flows.street import Neighbour

pytestmark = pytest.mark.anyio


async def read_at(lane: Lane, who: Neighbour, minor: int, **said: Any) -> None:
    """Six hours later the account shows this, and is read."""
    await lane.later(hours=6)
    lane.bank.holds(minor, **said)
    await lane.read(who)


async def test_money_for_all_that_is_due_is_one_signal_until_it_is_gone(lane: Lane) -> None:
    ana = await lane.street.neighbour(dues=(12_000,))
    await read_at(lane, ana, 3_000)
    assert await lane.live_signals() == []
    await read_at(lane, ana, 12_000)
    (signal,) = await lane.live_signals()
    assert (signal.covers, signal.margin_band) == ("enough", "just_enough")
    await read_at(lane, ana, 40_000)
    assert [one.id for one in await lane.live_signals()] == [signal.id]
    assert await lane.verdicts() == ["below_threshold", "signal", "already_signalled"]
    assert await lane.upright()


async def test_a_signal_defers_its_decision_tells_the_lender_and_shows_no_figure(
    lane: Lane,
) -> None:
    ana = await lane.street.neighbour(dues=(12_000,))
    await read_at(lane, ana, 123_457)
    (signal,) = await lane.live_signals()
    assert await lane.batches(jobs.DECIDE_SIGNALS) == [[signal.id]]
    everything = await lane.street.rows("SELECT details::text AS said FROM timeline")
    everything += await lane.street.rows("SELECT payload::text AS said FROM outbox")
    said = " ".join(row.said for row in everything)
    assert str(signal.id) in said
    assert "123457" not in said
    assert "1234.57" not in said
    kinds = [row.kind for row in await lane.street.rows("SELECT kind FROM timeline ORDER BY id")]
    assert kinds.index("reading") < kinds.index("signal_raised")


async def test_the_figure_stands_encrypted_in_one_column_and_opens_there_only(
    lane: Lane,
) -> None:
    ana = await lane.street.neighbour(dues=(12_000,))
    await read_at(lane, ana, 123_457)
    (row,) = await lane.street.rows("SELECT id, figure_enc, erase_at FROM readings")
    assert row.erase_at == lane.now + timedelta(days=30)
    async with lane.house.store.unit(lane.street.lender_id) as unit:
        assert unit.open("readings.figure_enc", row.id, row.figure_enc) == "123457 EUR"


async def test_the_protected_floor_is_on_by_default(store: Store) -> None:
    lane = await make_lane(store, floor_minor=None, floor_currency=None, floor_reason=None)
    level = lane.house.packs.of("ES").floor_on(lane.now.date())
    assert level is not None
    floor = level.monthly
    assert floor > Money(0, "EUR")
    ana = await lane.street.neighbour(dues=(12_000,))
    await read_at(lane, ana, floor.minor + 11_999)
    await read_at(lane, ana, floor.minor + 12_000)
    assert await lane.verdicts() == ["protected", "signal"]


@pytest.mark.parametrize(
    ("rule", "too_little", "enough"),
    [
        ({"threshold_kind": "due"}, 11_999, 12_000),
        ({"threshold_kind": "fixed", "threshold_minor": 5_000}, 4_999, 5_000),
        ({"threshold_kind": "share", "threshold_basis_points": 2_500}, 2_999, 3_000),
    ],
)
async def test_the_lenders_threshold_decides(
    store: Store, rule: dict[str, Any], too_little: int, enough: int
) -> None:
    lane = await make_lane(store, **rule)
    ana = await lane.street.neighbour(dues=(12_000,))
    await read_at(lane, ana, too_little)
    assert await lane.live_signals() == []
    await read_at(lane, ana, enough)
    assert len(await lane.live_signals()) == 1


async def test_money_that_goes_takes_its_signal_and_what_was_queued_with_it(lane: Lane) -> None:
    ana = await lane.street.neighbour(dues=(12_000,))
    await read_at(lane, ana, 12_000)
    await lane.street.work_off()
    assert await lane.street.states("messages", ana) == ["queued"]
    # A balance that trembles round the line is one event.
    await read_at(lane, ana, 11_500)
    assert len(await lane.live_signals()) == 1
    await read_at(lane, ana, 2_000)
    assert await lane.live_signals() == []
    assert await lane.street.value("SELECT ended_why FROM funds_signals") == "money_gone"
    assert await lane.street.states("messages", ana) == ["cancelled"]
    assert await lane.street.value("SELECT cancel_reason FROM messages") == "money_gone"
    await lane.later(hours=20)
    await read_at(lane, ana, 15_000)
    assert len(await lane.live_signals()) == 1
    assert await lane.upright()


async def test_money_is_reserved_over_all_loans_oldest_due_first(lane: Lane) -> None:
    ana = await lane.street.neighbour(dues=(10_000, 7_000, 5_000))
    async with lane.house.store.engine_unit() as unit:
        await unit.conn.execute(
            text("UPDATE lenders SET threshold_kind = 'fixed', threshold_minor = 1000")
        )
    await read_at(lane, ana, 12_000)
    (signal,) = await lane.live_signals()
    assert signal.covers == "part"
    rows = await lane.street.rows(
        "SELECT case_id, covers FROM signal_cases WHERE signal_id = :id", id=signal.id
    )
    covers = {row.case_id: row.covers for row in rows}
    assert [covers[case_id] for case_id in ana.cases] == ["whole", "part", "none"]


async def test_a_part_that_becomes_enough_replaces_its_signal(store: Store) -> None:
    lane = await make_lane(store, threshold_kind="share", threshold_basis_points=5_000)
    ana = await lane.street.neighbour(dues=(10_000,))
    await read_at(lane, ana, 6_000)
    (part,) = await lane.live_signals()
    await lane.later(hours=24)
    await read_at(lane, ana, 11_000)
    (enough,) = await lane.live_signals()
    assert (part.covers, enough.covers) == ("part", "enough")
    ended = await lane.street.value(
        "SELECT ended_why FROM funds_signals WHERE id = :id", id=part.id
    )
    assert ended == "replaced"


async def test_a_new_debt_makes_old_money_news_again_after_the_rest(lane: Lane) -> None:
    ana = await lane.street.neighbour(dues=(10_000,))
    await read_at(lane, ana, 50_000)
    await lane.later(hours=30)
    await register_loan(
        lane.house,
        lane.now,
        lane.street.lender_id,
        LoanWanted(
            ana.ref,
            "second",
            "Loan",
            "EUR",
            lane.now,
            (Scheduled(1, lane.now.date() - timedelta(days=1), 4_000),),
        ),
    )
    assert (await open_cases(lane.house, lane.now)).opened == 1
    await read_at(lane, ana, 50_000)
    (signal,) = await lane.live_signals()
    covered = await lane.street.rows(
        "SELECT covers FROM signal_cases WHERE signal_id = :id", id=signal.id
    )
    assert [row.covers for row in covered] == ["whole", "whole"]


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({"limit": True}, "unusable"),
        ({"limit": None}, "credit_not_excluded"),
        ({"currency": "USD"}, "unusable"),
        ({"kind": "nonInvoiced"}, "unusable"),
    ],
)
async def test_what_is_not_surely_his_money_triggers_nothing_and_a_person_knows_once(
    lane: Lane, said: dict[str, Any], verdict: str
) -> None:
    ana = await lane.street.neighbour(dues=(10_000,))
    await read_at(lane, ana, 500_000, **said)
    await read_at(lane, ana, 500_000, **said)
    assert await lane.verdicts() == [verdict, verdict]
    assert await lane.live_signals() == []
    assert await lane.street.tasks(ana) == ["balance_unreadable"]
    async with lane.house.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE tasks SET state = 'done'"))
    await read_at(lane, ana, 500_000, **said)
    assert await lane.street.tasks(ana) == []


async def test_a_stale_balance_cannot_trigger(lane: Lane) -> None:
    ana = await lane.street.neighbour(dues=(10_000,))
    await read_at(lane, ana, 500_000, as_of=lane.now - timedelta(days=3))
    assert await lane.verdicts() == ["stale"]


async def test_what_a_payment_on_its_way_covers_is_not_asked_for_again(lane: Lane) -> None:
    ana = await lane.street.neighbour(dues=(10_000, 6_000))
    async with lane.house.store.engine_unit() as unit:
        await unit.conn.execute(
            text("UPDATE cases SET state = 'in_flight' WHERE id = :id"), {"id": ana.cases[0]}
        )
    await read_at(lane, ana, 7_000)
    (signal,) = await lane.live_signals()
    rows = await lane.street.rows(
        "SELECT case_id, covers FROM signal_cases WHERE signal_id = :id", id=signal.id
    )
    assert [(row.case_id, row.covers) for row in rows] == [(ana.cases[1], "whole")]


async def test_a_paid_loan_takes_its_signal_along(lane: Lane) -> None:
    ana = await lane.street.neighbour(dues=(10_000,))
    await read_at(lane, ana, 50_000)
    await lane.street.repaid(ana, "R1")
    assert await lane.live_signals() == []
    assert await lane.upright()


async def test_a_signal_that_nobody_can_vouch_for_goes(lane: Lane) -> None:
    ana = await lane.street.neighbour(dues=(10_000,))
    await read_at(lane, ana, 50_000)
    lane.bank.fails(TryLater("HTTP 503"))
    await lane.later(hours=40)
    await lane.read(ana)
    assert (await expire_signals(lane.house, lane.now)).expired == 0
    await lane.later(hours=9)
    assert (await expire_signals(lane.house, lane.now)).expired == 1
    assert await lane.street.value("SELECT ended_why FROM funds_signals") == "expired"


async def test_a_batch_of_signals_notifies_once(lane: Lane, db: DatabaseUrls) -> None:
    people = [await lane.street.neighbour(dues=(10_000,)) for _ in range(5)]
    lane.bank.holds(50_000)
    async with await psycopg.AsyncConnection.connect(db.engine, autocommit=True) as listener:
        await listener.execute(f"LISTEN {SIGNAL_CHANNEL}")
        await lane.read(*people)
        await listener.execute("SELECT 1")
        heard = [notice.payload async for notice in listener.notifies(timeout=0.2)]
    live = {str(signal.id) for signal in await lane.live_signals()}
    assert len(live) == 5
    assert len(heard) == 1
    assert heard[0] in live
    (ids,) = await lane.batches(jobs.DECIDE_SIGNALS)
    assert len(ids) == 5
