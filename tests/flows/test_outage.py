"""A bank goes down for hours under two hundred people, and nobody is the worse for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from sqlalchemy import text

from app.domain.breaker import FIRST_PAUSE, MANY, Heard, Service
from app.domain.errors import ConsentEnd, ConsentGone, ProviderError, TryLater, Unreadable
from app.flows.consents.check_person import check_person
from app.flows.consents.follow_consents import plan_consents
from app.flows.messages.open_link import LinkPage, open_link
from app.flows.providers.set_maintenance import lift_maintenance, set_maintenance
from app.flows.reads.plan_reads import plan_reads
from app.flows.reads.read_balances import read_balances
from app.reports.health import health_report
from app.store.health import record_heard
from sandbox.modes import BankMode
from tests.flows.crowd import crowd
from tests.flows.lane import Lane
from tests.flows.street import BORN, Street
from tests.flows.test_stepping import step
from tests.neighbourhood import Neighbourhood

pytestmark = pytest.mark.anyio

CAJA = ("berlin_group", "caja")
STEP = 20
MANY_PEOPLE = 200


async def time_passes(hood: Neighbourhood, count: int) -> list[int]:
    """Look and work every twenty minutes; how often "luz" was asked in each."""
    asked = [await attempts(hood)]
    for _ in range(count):
        hood.advance(minutes=STEP)
        # A look that comes so rarely tells the planner so: nothing is late by less than that.
        await plan_reads(hood.house, hood.now, speed=STEP * 60 / 5)
        await plan_consents(hood.house, hood.now)
        await hood.work()
        asked.append(await attempts(hood))
    return [late - early for early, late in pairwise(asked)]


async def attempts(hood: Neighbourhood) -> int:
    return int(
        await hood.value(
            "SELECT count(*) FROM read_attempts t JOIN accounts a ON a.id = t.account_id "
            "WHERE a.bank_id = 'luz'"
        )
    )


async def nobody_is_blamed(hood: Neighbourhood) -> None:
    for what in (
        "consents WHERE state <> 'active'",
        "accounts WHERE failures > 0",
        "tasks",
        "messages",
        "funds_signals",
        "accounts WHERE next_read_at IS NULL OR NOT usable",
    ):
        assert await hood.value(f"SELECT count(*) FROM {what}") == 0, what
    assert hood.world.over_allowance() == []


async def state_of(hood: Neighbourhood, bank_id: str) -> str:
    return str(
        await hood.value(
            "SELECT state FROM provider_health WHERE bank_id = :bank AND service = 'balances'",
            bank=bank_id,
        )
    )


@pytest.mark.parametrize("mode", [BankMode.OUTAGE_401, BankMode.OUTAGE_503])
async def test_a_bank_down_for_hours(hood: Neighbourhood, mode: BankMode) -> None:
    await crowd(hood, "luz", MANY_PEOPLE)
    await crowd(hood, "ribera", 8)
    await plan_reads(hood.house, hood.now)  # everybody gets his own slot
    await time_passes(hood, 1)
    assert await state_of(hood, "luz") == "closed"

    hood.world.town.set_bank_mode("luz", mode)
    before = await attempts(hood)
    await time_passes(hood, 9)
    assert await state_of(hood, "luz") != "closed"
    assert await state_of(hood, "ribera") == "closed"
    # The first batch met it with everybody who was due; from then on one call at a time.
    probes = await attempts(hood) - before
    assert MANY <= probes <= 9 + 2 * MANY_PEOPLE * STEP / (4 * 60)
    await nobody_is_blamed(hood)
    async with hood.store.unit(hood.lender_id) as unit:
        shown = {one.bank_id: one for one in await health_report(unit, hood.house, hood.now)}
    assert (shown["luz"].down, shown["luz"].waiting) == (True, MANY_PEOPLE)
    assert (shown["ribera"].down, shown["ribera"].waiting) == (False, 8)
    assert (shown["luz"].failed_share(2), shown["ribera"].failed_share(24)) == (1.0, 0.0)

    hood.world.town.set_bank_mode("luz", mode, on=False)
    per_step = await time_passes(hood, 13)
    assert await state_of(hood, "luz") == "closed"
    # Four reads in sixteen hours each: as many a step as on any other day, and no wave.
    assert max(per_step) <= 3 * MANY_PEOPLE * STEP / (4 * 60)
    assert await hood.value("SELECT count(*) FROM accounts WHERE last_read_at IS NULL") == 0
    await nobody_is_blamed(hood)


async def test_those_who_met_it_first_are_forgiven_and_one_call_finds_out_that_it_is_over(
    lane: Lane,
) -> None:
    people = [await lane.street.neighbour() for _ in range(MANY + 1)]
    lane.bank.fails(TryLater("HTTP 503"))
    for who in people[: MANY - 1]:
        await lane.read(who)
    assert (await lane.account(people[0])).failures == 1
    await lane.read(people[MANY - 1])
    rows = await lane.street.rows("SELECT failures FROM accounts")
    assert {row.failures for row in rows} == {0}
    assert await lane.street.value("SELECT state FROM provider_health") == "open"
    assert await lane.street.value("SELECT since FROM provider_health") == lane.now

    await lane.read(*people)
    assert len(lane.bank.reads) == MANY, "the pause holds"
    await lane.later(seconds=FIRST_PAUSE.total_seconds())
    await lane.due_now(*people)
    await lane.plan()
    jobs = [[one] for batch in await lane.batches() for one in batch]
    await asyncio.gather(*(read_balances(lane.house, lane.now, ids) for ids in jobs))
    assert len(lane.bank.reads) == MANY + 1, "one call finds out"
    assert await lane.street.value("SELECT until FROM provider_health") == (
        lane.street.hands.real + 2 * FIRST_PAUSE
    )
    assert await lane.street.rows("SELECT id FROM tasks") == []

    lane.bank.holds(500)
    await lane.later(hours=5)
    await lane.read(*people)
    row = (await lane.street.rows("SELECT * FROM provider_health"))[0]
    assert (row.state, row.until, row.since, row.pauses) == ("closed", None, None, 0)
    await lane.later(hours=5)
    await lane.read(*people)
    assert await lane.street.value("SELECT count(*) FROM accounts WHERE last_read_at = :now",
                                   now=lane.now) == len(people)  # fmt: skip


@pytest.mark.parametrize(
    "said",
    [ConsentGone("CONSENT_EXPIRED", why=ConsentEnd.EXPIRED), Unreadable("a page of HTML")],
)
async def test_what_a_bank_says_to_everybody_is_about_nobody(
    lane: Lane, said: ProviderError
) -> None:
    people = [await lane.street.neighbour() for _ in range(MANY)]
    lane.bank.fails(said)
    await lane.read(*people)
    assert await lane.street.rows("SELECT id FROM consents WHERE state <> 'active'") == []
    assert await lane.street.rows("SELECT id FROM consents WHERE next_check_at = :now",
                                  now=lane.now) == []  # fmt: skip
    assert await lane.street.rows("SELECT id FROM tasks") == []
    rows = await lane.street.rows("SELECT failures, next_read_at FROM accounts")
    assert all(row.failures == 0 and row.next_read_at > lane.now for row in rows)


async def test_no_text_leaves_about_money_at_a_bank_that_does_not_answer(street: Street) -> None:
    who = await street.neighbour()
    await street.money_seen(who)
    await falls_silent(street)
    await street.tick()
    assert street.texts_to(who) == 0
    assert await street.states("messages", who) == ["queued"]
    async with street.store.engine_unit() as unit:
        one = {CAJA: Heard(fine=1)}
        await record_heard(unit, street.now, street.hands.real, Service.BALANCES, one)
    await street.minutes_pass(20)
    assert street.texts_to(who) == 1
    (row,) = await street.rows("SELECT * FROM provider_health WHERE service = 'texts'")
    assert (row.bank_id, row.state, row.last_ok_at) == ("", "closed", street.now)


async def falls_silent(street: Street, service: Service = Service.BALANCES) -> None:
    people = frozenset(UUID(int=number) for number in range(MANY))
    async with street.store.engine_unit() as unit:
        one = {CAJA: Heard(0, MANY, people, "HTTP 503")}
        await record_heard(unit, street.now, street.hands.real, service, one)


async def test_consents_are_not_asked_about_while_the_bank_is_down_but_for_one(
    lane: Lane,
) -> None:
    people = [await lane.street.neighbour() for _ in range(4)]
    await falls_silent(lane.street)

    async def look() -> int:
        async with lane.house.store.engine_unit() as unit:
            await unit.conn.execute(text("UPDATE consents SET next_check_at = :at"),
                                    {"at": lane.now})  # fmt: skip
        before = lane.bank.status_calls
        await lane.follow()
        return lane.bank.status_calls - before

    lane.bank.refuses = ConsentGone("HTTP 401", why=ConsentEnd.UNKNOWN_AT_BANK)
    assert await look() == 0
    rows = await lane.street.rows("SELECT DISTINCT next_check_at FROM consents")
    assert len(rows) == len(people), "not all at once when the pause is over"
    await lane.later(seconds=FIRST_PAUSE.total_seconds())
    assert await look() == 1
    assert await lane.street.value("SELECT count(*) FROM consents WHERE state = 'active'") == 4


async def test_no_read_in_announced_maintenance_and_none_is_made_up_for(lane: Lane) -> None:
    people = [await lane.street.neighbour() for _ in range(3)]
    lane.bank.holds(500)
    rest_id = await set_maintenance(
        lane.house,
        lane.now,
        lender_id=lane.street.lender_id,
        bank=CAJA,
        span=(lane.now + timedelta(hours=1), lane.now + timedelta(hours=7)),
        reason="its mail",
        actor="desk",
    )
    await lane.later(hours=2)
    await lane.read(*people)
    assert lane.bank.reads == []
    ends = lane.now + timedelta(hours=5)
    planned = {(await lane.account(who)).next_read_at for who in people}
    assert min(planned) > ends
    assert len(planned) == len(people)
    await lift_maintenance(
        lane.house, lane.now, lender_id=lane.street.lender_id, rest_id=rest_id, actor="desk"
    )
    await lane.read(*people)
    assert len(lane.bank.reads) == len(people)


async def test_the_count_of_each_hour_is_kept(lane: Lane) -> None:
    ana, ben = [await lane.street.neighbour() for _ in range(2)]
    lane.bank.holds(500)
    await lane.read(ana, ben)
    lane.bank.fails(TryLater("HTTP 503"))
    await lane.read(ana)
    await lane.later(hours=2)
    await lane.read(ben)
    rows = await lane.street.rows("SELECT hour, fine, failed FROM provider_hours ORDER BY hour")
    assert [(row.fine, row.failed > 0) for row in rows] == [(2, True), (0, True)]
    assert rows[1].hour - rows[0].hour == timedelta(hours=2)


# By what was sent, with what became of it; and what the strategy wanted, day by day.
TEN_DAYS = [("first_missed/1", "sent", MANY), ("follow_up/2", "sent", MANY)]
ITS_STEPS = [
    ("1/email/first_missed", "no_address", MANY),
    ("10/sms/follow_up", None, MANY),
    ("3/sms/first_missed", None, MANY),
    ("8/email/follow_up", "no_address", MANY),
]


@pytest.mark.parametrize(
    "said",
    [
        None,
        TryLater("HTTP 503"),
        TryLater("HTTP 401"),
        ConsentGone("CONSENT_EXPIRED", why=ConsentEnd.EXPIRED),
    ],
)
async def test_a_strategy_does_at_a_bank_that_is_down_what_it_does_at_any_other(
    lane: Lane, said: ProviderError | None
) -> None:
    """The bank's trouble brings nobody a word, a task or a strike: for ten days his notices leave
    on the days on which they would leave anyway, and nothing else does. Their link is no dead end.
    """
    street, due = lane.street, lane.now
    people = [await street.neighbour(days_late=-1) for _ in range(MANY)]
    await street.rows("UPDATE loans SET created_at = created_at - interval '90 days' RETURNING 1")
    if said is None:
        lane.bank.holds(500)
    else:
        lane.bank.fails(said)
        await falls_silent(street, Service.PAYMENTS)
    for day in range(1, 11):
        street.hands.go_on(seconds=(due + timedelta(days=day) - street.now).total_seconds())
        await street.rows("UPDATE loans SET owed_as_of = :now RETURNING 1", now=street.now)
        await step(street)
        await lane.read(*people)
        await lane.follow()
        await street.work_off()
        await street.tick()
    sent = "SELECT wording, state, count(*) FROM messages GROUP BY 1, 2 ORDER BY 1"
    steps = "SELECT name, result, count(*) FROM strategy_steps GROUP BY 1, 2 ORDER BY 1"
    assert [tuple(row) for row in await street.rows(sent)] == TEN_DAYS
    assert sorted(tuple(row) for row in await street.rows(steps)) == sorted(ITS_STEPS)
    assert await street.rows("SELECT reason FROM tasks") == []
    assert await street.rows("SELECT id FROM consents WHERE state <> 'active'") == []
    assert await street.rows("SELECT id FROM accounts WHERE failures > 0 OR NOT usable") == []
    reads = "SELECT state FROM provider_health WHERE service = 'balances'"
    assert (await street.value(reads) == "closed") == (said is None)

    token = street.token_on(people[0])
    checked = await check_person(street.house, street.now, token, birth_date=BORN)
    view = await open_link(street.house, street.now, token, session=checked.session)
    assert view.page is LinkPage.PAY
    assert set(view.away) == (set() if said is None else {"caja"})
    offered = {bank.id for banks in view.banks.values() for bank in banks}
    assert offered - set(view.away), "another bank is offered"
