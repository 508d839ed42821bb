"""Experiments: drawn once at the opening; nothing is asked of the control arm, and no more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.experiment import ExperimentKind, ExperimentTerms, Withheld
from app.domain.task import TaskReason
from app.flows.cases.open_cases import open_cases
from app.flows.strategies.draw_arms import draw_arms
from app.flows.strategies.run_experiment import end_experiment, start_experiment
from app.flows.strategies.step_cases import step_cases
from app.flows.work.open_task import open_task
from app.reports.alerts import count_live, live_alerts
from app.store.experiments import left_alone
from app.store.keys import new_id
from tests.flows.street import Neighbour, Street
from tests.rig import make_lender

pytestmark = pytest.mark.anyio


def holdout(name: str = "Asking", **more: Any) -> ExperimentTerms:
    """Half of all cases are left alone for 30 days."""
    terms: dict[str, Any] = {
        "product": "",
        "share_basis_points": 5_000,
        "horizon_days": 30,
        "withholds": frozenset({Withheld.ASK}),
        **more,
    }
    return ExperimentTerms(name, ExperimentKind.HOLDOUT, **terms)


async def start(street: Street, terms: ExperimentTerms, strategy_id: UUID | None = None) -> UUID:
    """Somebody of the desk starts it."""
    return await start_experiment(
        street.house,
        street.now,
        lender_id=street.lender_id,
        terms=terms,
        strategy_id=strategy_id,
        actor="ana@sol.example",
    )


async def end(street: Street, experiment_id: UUID, reason: str = "Enough is known.") -> None:
    """And ends it."""
    await end_experiment(
        street.house,
        street.now,
        lender_id=street.lender_id,
        experiment_id=experiment_id,
        reason=reason,
        actor="ana@sol.example",
    )


async def arms(street: Street) -> dict[UUID, str]:
    """The arm of each drawn case."""
    rows = await street.rows("SELECT case_id, arm FROM case_arms")
    return {row.case_id: row.arm for row in rows}


async def another_strategy(street: Street, version_id: UUID) -> Any:
    """A second strategy that says what the first one says."""
    rows = await street.rows(
        "WITH made AS (INSERT INTO strategies (id, lender_id, name, origin, created_at) "
        "VALUES (:new, :lender, 'Other words', 'own', :now) RETURNING id) "
        "INSERT INTO strategy_versions (id, lender_id, strategy_id, number, state, body, made_by, "
        "made_at, published_at) SELECT :version, :lender, made.id, 1, 'published', v.body, 'ana', "
        ":now, :now FROM made, strategy_versions v WHERE v.id = :used RETURNING id, strategy_id",
        new=new_id(), version=new_id(), lender=street.lender_id, now=street.now, used=version_id,
    )  # fmt: skip
    return rows[0]


async def neighbours(street: Street, count: int) -> list[Neighbour]:
    """People with one case each."""
    return [await street.neighbour() for _ in range(count)]


def in_arm(people: Iterable[Neighbour], drawn: dict[UUID, str], arm: str) -> list[Neighbour]:
    """Those whose case is in this arm."""
    return [who for who in people if drawn[who.cases[0]] == arm]


async def test_money_seen_in_the_control_arm_asks_nobody_and_in_the_other_everybody(
    street: Street,
) -> None:
    await start(street, holdout())
    people = await neighbours(street, 14)
    drawn = await arms(street)
    assert len(drawn) == 14
    alone, treated = in_arm(people, drawn, "control"), in_arm(people, drawn, "treated")
    assert alone
    assert treated
    for who in people:
        await street.money_seen(who)
    async with street.store.unit(street.lender_id) as unit:
        shown = await live_alerts(unit, street.now)
        assert await count_live(unit, street.now) == len(shown) == len(treated)
    assert {one.case_id for one in shown} == {who.cases[0] for who in treated}
    await street.work_off()
    await street.minutes_pass(2, 2)
    assert {street.texts_to(who) for who in alone} == {0}
    assert {street.texts_to(who) for who in treated} == {1}
    rows = await street.rows("SELECT due_minor, currency FROM case_arms")
    assert {(row.due_minor, row.currency) for row in rows} == {(12_000, "EUR")}


async def test_a_strategy_that_is_withheld_goes_on_when_the_time_is_over(street: Street) -> None:
    experiment = await start(street, holdout(withholds=frozenset({Withheld.STRATEGY})))
    people = await neighbours(street, 10)
    await street.rows("UPDATE loans SET created_at = created_at - interval '90 days' RETURNING 1")
    drawn = await arms(street)
    alone, treated = in_arm(people, drawn, "control"), in_arm(people, drawn, "treated")
    assert alone
    assert treated
    await step_cases(street.house, street.now, list(drawn))
    rows = await street.rows("SELECT borrower_id FROM messages WHERE cause = 'notice'")
    assert {row.borrower_id for row in rows} == {who.id for who in treated}
    rows = await street.rows("SELECT stage, next_step_at FROM cases")
    assert all(row.next_step_at > street.now for row in rows)
    # Money that is seen may be asked for: that was not said to be withheld.
    await street.money_seen(alone[0])
    await street.work_off()
    assert await street.states("messages", alone[0]) == ["queued"]
    await end(street, experiment)
    street.hands.now += timedelta(days=2)
    await step_cases(street.house, street.now, list(drawn))
    rows = await street.rows("SELECT DISTINCT borrower_id FROM strategy_steps")
    assert {row.borrower_id for row in rows} >= {who.id for who in alone[1:]}


async def test_what_is_wrong_still_reaches_a_person(street: Street) -> None:
    await start(street, holdout())
    people = await neighbours(street, 10)
    who = in_arm(people, await arms(street), "control")[0]
    async with street.store.unit(street.lender_id) as unit:
        await open_task(
            unit,
            street.now,
            borrower_id=who.id,
            case_id=who.cases[0],
            reason=TaskReason.BORROWER_CANNOT_PAY,
            cause="test",
            situation={},
        )
    await street.money_seen(who)
    await street.work_off()
    assert "borrower_cannot_pay" in await street.tasks(who)
    # He may pay, and what he pays is his own.
    await street.repaid(who, "cash")
    assert await street.due(who) == 0


async def test_after_its_time_or_its_end_a_control_case_is_like_any_other(street: Street) -> None:
    first = await start(street, holdout())
    people = await neighbours(street, 10)
    alone = in_arm(people, await arms(street), "control")
    case_ids = [who.cases[0] for who in alone]
    async with street.store.engine_unit() as unit:
        now = street.now
        assert set(await left_alone(unit, case_ids, now)) == set(case_ids)
        day_29, day_30 = now + timedelta(days=29, hours=23), now + timedelta(days=30)
        assert set(await left_alone(unit, case_ids, day_29)) == set(case_ids)
        assert await left_alone(unit, case_ids, day_30) == {}
    await end(street, first)
    async with street.store.engine_unit() as unit:
        assert await left_alone(unit, case_ids, street.now) == {}
    await street.money_seen(alone[0])
    await street.work_off()
    await street.minutes_pass(2, 2)
    assert street.texts_to(alone[0]) == 1


async def test_a_case_is_drawn_once_and_only_at_its_opening(street: Street) -> None:
    before = await street.neighbour()
    await start(street, holdout())
    after = await street.neighbour()
    drawn = await arms(street)
    assert set(drawn) == set(after.cases)
    assert before.cases[0] not in drawn
    async with street.store.engine_unit() as unit:
        again = await draw_arms(unit, street.now, {}, {})
    assert again == 0
    assert await arms(street) == drawn


async def test_a_challenger_gets_its_share_and_its_version_stays(street: Street) -> None:
    await street.neighbour()
    used = await street.value("SELECT strategy_version_id FROM cases")
    other = await another_strategy(street, used)
    terms = ExperimentTerms("Other words", ExperimentKind.CHALLENGER, "Loan", 5_000, 30)
    await start(street, terms, other.strategy_id)
    people = await neighbours(street, 12)
    drawn = await arms(street)
    rows = await street.rows("SELECT id, strategy_version_id FROM cases")
    versions = {row.id: row.strategy_version_id for row in rows}
    assert set(drawn.values()) == {"control", "treated"}
    for who in people:
        case_id = who.cases[0]
        assert versions[case_id] == (other.id if drawn[case_id] == "treated" else used)


async def test_a_strategy_chosen_by_hand_is_not_left_to_chance(street: Street) -> None:
    who = await street.neighbour(dues=())
    strategy_id = await street.value("SELECT id FROM strategies LIMIT 1")
    if strategy_id is None:
        await street.neighbour()
        strategy_id = await street.value("SELECT id FROM strategies LIMIT 1")
    await street.rows(
        "INSERT INTO strategy_choices (lender_id, scope, target, strategy_id, set_by, set_at) "
        "VALUES (:lender, 'borrower', :who, :strategy, 'ana', :now) RETURNING 1",
        lender=street.lender_id, who=str(who.id), strategy=strategy_id, now=street.now,
    )  # fmt: skip
    await start(street, holdout())
    await street._loan(who.ref, 0, 9_000, 5)
    await open_cases(street.house, street.now)
    assert await arms(street) == {}


async def test_experiments_do_not_disturb_each_other(street: Street) -> None:
    first = await start(street, holdout("One"))
    for terms in (holdout("Two"), holdout("Three", product="Car")):
        with pytest.raises(Conflict, match="'One' runs on the same loans"):
            await start(street, terms)
    await end(street, first)
    await start(street, holdout("Two", product="Car"))
    await start(street, holdout("Three", product="Loan"))
    with pytest.raises(Conflict, match="name was there before"):
        await start(street, holdout("One", product="Boat"))
    with pytest.raises(Conflict, match="ended already"):
        await end(street, first)


async def test_other_products_and_other_lenders_are_not_drawn(street: Street) -> None:
    await start(street, holdout(product="Car"))
    await street.neighbour()
    assert await arms(street) == {}
    other = await make_lender(street.store, street.now)
    found = await street.value("SELECT id FROM experiments")
    with pytest.raises(NotFound):
        await end_experiment(
            street.house,
            street.now,
            lender_id=other,
            experiment_id=found,
            reason="not mine",
            actor="x",
        )


async def test_starting_and_ending_are_kept_with_who_and_why(street: Street) -> None:
    experiment_id = await start(street, holdout())
    with pytest.raises(Invalid, match="reason"):
        await end(street, experiment_id, " ")
    await end(street, experiment_id, "Asking is worth it.")
    rows = await street.rows("SELECT act, actor, reason FROM audit ORDER BY at, act DESC")
    kept = [(row.act, row.actor, row.reason) for row in rows if "experiment" in row.act]
    assert kept == [
        ("start_experiment", "ana@sol.example", ""),
        ("end_experiment", "ana@sol.example", "Asking is worth it."),
    ]


async def test_a_challenger_without_a_published_version_is_refused(street: Street) -> None:
    terms = ExperimentTerms("Other", ExperimentKind.CHALLENGER, "", 5_000, 30)
    for strategy_id in (None, UUID(int=1)):
        with pytest.raises(Invalid, match="strategy"):
            await start(street, terms, strategy_id)
    with pytest.raises(Invalid, match="strategy"):
        await start(street, holdout(), UUID(int=1))
