"""Reading when income is likely: learned from readings, planned by it, and forgotten with them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.case import CaseClose
from app.domain.experiment import ExperimentKind, ExperimentTerms
from app.domain.income import IncomeProfile
from app.flows.cases.refresh_loan import refresh_loan
from app.flows.consents.end_consent import end_consent
from app.flows.reads.erase_figures import erase_figures
from app.flows.strategies.run_experiment import end_experiment, start_experiment
from app.store.unit import Store
from tests.flows.lane import Lane, make_lane
from tests.flows.street import Neighbour

pytestmark = pytest.mark.anyio

MADRID = ZoneInfo("Europe/Madrid")
POOR, RICH = 2_000, 150_000


@pytest.fixture
async def learning(store: Store) -> Lane:
    """A lender who reads when income is likely."""
    return await make_lane(store, reading_way="learned")


def set_so(lane: Lane, **settings: Any) -> None:
    """Run the house with other settings."""
    house = lane.street.house
    lane.street.house = replace(house, settings=house.settings.model_copy(update=settings))


async def account(lane: Lane, who: Neighbour) -> Any:
    """His account's place on the plan, and what is known of its income."""
    query = """
        SELECT a.next_read_at, a.last_read_at, p.profile_enc, p.planned_at, p.reason,
            p.odds_basis_points AS odds
        FROM accounts a LEFT JOIN income_profiles p ON p.account_id = a.id WHERE a.id = :id
    """
    return (await lane.street.rows(query, id=who.account_id))[0]


async def days_pass(lane: Lane, who: Neighbour, days: float) -> list[datetime]:
    """Live from read to read; his wages come on each Friday at nine and are gone on Sunday."""
    end, times = lane.now + timedelta(days=days), []
    while (at := (await account(lane, who)).next_read_at) is not None and at < end:
        lane.street.hands.go_on(seconds=max((at - lane.now).total_seconds(), 0.0))
        local = lane.now.astimezone(MADRID)
        there = (local.weekday(), local.hour) >= (4, 9) and local.weekday() < 6
        lane.bank.holds(RICH if there else POOR)
        await lane.plan()
        await lane.work()
        times.append(lane.now)
    return times


async def opened(lane: Lane, who: Neighbour) -> IncomeProfile:
    """What is known of his income."""
    sealed = (await account(lane, who)).profile_enc
    async with lane.house.store.engine_unit() as unit:
        await unit.keys((lane.street.lender_id,))
        return IncomeProfile.from_json(
            unit.open("income_profiles.profile_enc", who.account_id, sealed)
        )


async def test_it_learns_a_payday_and_plans_by_it(learning: Lane) -> None:
    set_so(learning, read_costs="EUR 5")
    who = await learning.street.neighbour(dues=(100_000,))
    await learning.due_now(who)
    times = await days_pass(learning, who, 40)
    now = await account(learning, who)
    assert now.planned_at == now.next_read_at
    assert (await opened(learning, who)).incomes >= 5
    assert len(times) < 40, "evenly it would have been four times as many, and more"
    read_on = {at.astimezone(MADRID).date() for at in times}
    paydays = [on for on in read_on if on.weekday() == 4]
    assert len(paydays) >= 5, "each Friday is read on"
    signals = await learning.street.value("SELECT count(*) FROM funds_signals")
    assert signals >= 5


async def test_what_is_due_and_what_a_read_costs_decide_how_often(store: Store) -> None:
    counts = {}
    for due, cost in ((20_000, "EUR 0.05"), (20_000, "EUR 2")):
        lane = await make_lane(store, reading_way="learned")
        set_so(lane, read_costs=cost, read_blind_days=5)
        who = await lane.street.neighbour(dues=(due,))
        await lane.due_now(who)
        times = await days_pass(lane, who, 21)
        assert all(later - one < timedelta(days=6) for one, later in pairwise(times))
        counts[due, cost] = len(times)
    assert counts[20_000, "EUR 0.05"] > counts[20_000, "EUR 2"]


async def test_others_are_read_evenly_and_nothing_is_known_of_them(lane: Lane) -> None:
    who = await lane.street.neighbour(dues=(900_000,))
    await lane.due_now(who)
    assert len(await days_pass(lane, who, 2)) >= 7
    assert (await account(lane, who)).profile_enc is None


async def test_while_the_money_is_there_one_look_a_day_is_enough(learning: Lane) -> None:
    who = await learning.street.neighbour(dues=(12_000,))
    learning.bank.holds(RICH)
    await learning.read(who)
    assert len(await learning.live_signals()) == 1
    waits = (await account(learning, who)).next_read_at - learning.now
    assert timedelta(hours=6) < waits <= timedelta(hours=49)


async def test_an_answer_without_an_amount_keeps_the_even_slot(learning: Lane) -> None:
    who = await learning.street.neighbour()
    learning.bank.balances_now["a1"] = ()
    await learning.read(who)
    now = await account(learning, who)
    assert (now.profile_enc, now.next_read_at > learning.now) == (None, True)


async def test_what_was_learned_is_erased_with_the_figures(learning: Lane) -> None:
    ana = await learning.street.neighbour(dues=(900_000,))
    learning.bank.holds(POOR)
    await learning.read(ana)
    assert (await account(learning, ana)).profile_enc is not None
    async with learning.house.store.engine_unit() as unit:
        await end_consent(unit, learning.now, ana.consent_id, "withdraw", "he said so", "page")
    forgotten = await account(learning, ana)
    assert (forgotten.profile_enc, forgotten.planned_at, forgotten.odds) == (None, None, 0)

    eva = await learning.street.neighbour(dues=(900_000,))
    await learning.read(eva)
    await learning.later(days=learning.house.settings.reading_expiry_days + 1)
    assert (await erase_figures(learning.house, learning.now)).forgotten == 1
    assert (await account(learning, eva)).profile_enc is None


async def test_a_profile_that_nobody_can_read_is_begun_anew(learning: Lane) -> None:
    who = await learning.street.neighbour(dues=(900_000,))
    learning.bank.holds(POOR)
    await learning.read(who)
    await learning.street.rows("UPDATE income_profiles SET profile_enc = 'rubbish' RETURNING 1")
    await learning.later(hours=12)
    await learning.read(who)
    assert (await opened(learning, who)).incomes == 0


async def test_a_figure_that_nobody_can_read_costs_the_others_nothing(learning: Lane) -> None:
    people = await learning.street.neighbours(2, dues=(900_000,))
    learning.bank.holds(POOR)
    await learning.read(*people)
    spoil = "UPDATE readings SET figure_enc = 'rubbish' WHERE account_id = :id RETURNING 1"
    await learning.street.rows(spoil, id=people[0].account_id)
    await learning.later(hours=12)
    await learning.read(*people)
    assert await learning.street.value("SELECT count(*) FROM readings") == 4
    assert await learning.street.value("SELECT count(*) FROM income_profiles") == 2


async def test_another_amount_needs_another_plan(learning: Lane) -> None:
    set_so(learning, read_costs="EUR 1.00")  # so dear that nothing is read on the next day
    who = await learning.street.neighbour(dues=(120_000,))
    learning.bank.holds(POOR)
    await learning.read(who)
    planned = (await account(learning, who)).next_read_at
    assert planned > learning.now + timedelta(days=1)
    await learning.street.rows("UPDATE loans SET owed_as_of = :now RETURNING 1", now=learning.now)
    # Something that changes nothing leaves the plan alone.
    async with learning.house.store.engine_unit() as unit:
        await refresh_loan(unit, learning.now, who.loans[0], because=CaseClose.NOT_DUE)
    assert (await account(learning, who)).next_read_at == planned
    await learning.street.repaid(who, "a part", minor=119_000)
    await learning.plan()
    now = await account(learning, who)
    assert now.next_read_at < learning.now + timedelta(days=1), "the rest may be there today"
    learning.street.hands.go_on(seconds=(now.next_read_at - learning.now).total_seconds())
    await learning.plan()
    await learning.work()
    assert len(await learning.live_signals()) == 1


async def test_an_experiment_decides_for_the_cases_it_drew(lane: Lane) -> None:
    terms = ExperimentTerms("Paydays", ExperimentKind.READING, "", 5_000, 30)
    given: dict[str, Any] = {"lender_id": lane.street.lender_id, "actor": "ana@sol.example"}
    experiment_id = await start_experiment(
        lane.house, lane.now, terms=terms, strategy_id=None, **given
    )
    people: list[Neighbour] = []
    arms = "SELECT count(DISTINCT arm) FROM case_arms"
    while await lane.street.value(arms) < 2:  # chance draws, and may take its time
        people += await lane.street.neighbours(4, dues=(900_000,))
        assert len(people) < 100
    lane.bank.holds(POOR)
    await lane.read(*people)
    rows = await lane.street.rows("SELECT case_id, arm FROM case_arms")
    treated = {row.case_id for row in rows if row.arm == "treated"}
    assert 0 < len(treated) < len(people) == len(rows)
    for who in people:
        known = (await account(lane, who)).profile_enc is not None
        assert known is (who.cases[0] in treated)
    await end_experiment(
        lane.house, lane.now, experiment_id=experiment_id, reason="Enough is known.", **given
    )
    before = await lane.street.value("SELECT max(learned_at) FROM income_profiles")
    await lane.later(hours=8)
    await lane.read(*people)
    assert await lane.street.value("SELECT max(learned_at) FROM income_profiles") == before
