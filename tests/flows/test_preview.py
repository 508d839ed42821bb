"""The preview against the real thing: the same facts, the same day's work, and nothing written."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.domain.message import Channel
from app.domain.money import Money
from app.domain.promise_terms import Part, PromiseSource
from app.domain.stage_plan import CaseFacts
from app.domain.task import TaskOutcome
from app.flows.cases.cases_in_hand import cases_in_hand
from app.flows.cases.look_at_person import look_at_person
from app.flows.strategies.move_cases import Selection
from app.flows.strategies.preview_strategy import Preview, preview_strategy
from app.flows.work.set_hold import set_hold
from app.flows.work.take_promise import take_promise
from app.reference.places import working_days
from app.store.plan_facts import facts_of_cases
from tests.flows.collector import answer
from tests.flows.street import Neighbour, Street
from tests.flows.test_stepping import fresh, on_day, step

pytestmark = pytest.mark.anyio


def alike(facts: CaseFacts) -> CaseFacts:
    """Without the calendar, which is a function."""
    return replace(facts, working_day=bool)


async def both(street: Street, who: Neighbour) -> list[tuple[CaseFacts, CaseFacts]]:
    """What the engine plans from, and what a preview does, for each of his cases."""
    async with street.store.unit(street.lender_id) as unit:
        hands = await cases_in_hand(
            unit, street.now, await look_at_person(unit, street.now, who.id)
        )
        seen = await facts_of_cases(
            unit,
            [hand.case_id for hand in hands],
            street.now,
            working_days,
        )
    by_case = {one.case_id: one.facts for one in seen}
    assert by_case
    return [(alike(hand.facts), alike(by_case[hand.case_id])) for hand in hands]


async def preview(street: Street, *, product: str = "", **more: Any) -> Preview:
    version_id: UUID = await street.value("SELECT id FROM strategy_versions LIMIT 1")
    return await preview_strategy(
        street.house,
        street.now,
        lender_id=street.lender_id,
        version_id=version_id,
        selection=Selection(product=product),
        **more,
    )


async def test_the_facts_are_those_the_engine_plans_from(street: Street) -> None:
    """At every turn of a case: notices, calls, a promise, a hold, a payment, the end."""
    who, due = await fresh(street, dues=(12_000, 5_000))
    for day in (1, 3, 10, 17, 24):
        await on_day(street, due, day)
        for real, seen in await both(street, who):
            assert seen == real, day
    await answer(street, who, TaskOutcome.NO_ANSWER)
    for real, seen in await both(street, who):
        assert seen == real
        assert seen.calls
    await street.money_seen(who)
    await street.tick()
    for real, seen in await both(street, who):
        assert seen == real
        assert seen.link_live
    await promise(street, who)
    seen_promised = [seen.promised for _, seen in await both(street, who)]
    assert sorted(seen_promised) == [False, True]
    for real, seen in await both(street, who):
        assert seen == real
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit, street.now, borrower_id=who.id, case_id=who.cases[0], kind="dispute",
            reason="x", ends_at=None, set_by="desk",
        )  # fmt: skip
    for real, seen in await both(street, who):
        assert seen == real
    assert sorted(seen.held for _, seen in await both(street, who)) == [False, True]


async def test_a_way_to_him_that_nobody_found_is_a_try_for_both(street: Street) -> None:
    who, due = await fresh(street, phone="")
    await on_day(street, due, 24)
    await answer(street, who, TaskOutcome.RESOLVED, reason="no_way_to_reach")
    for real, seen in await both(street, who):
        assert seen == real
        assert [one.outcome for one in seen.calls] == [TaskOutcome.NO_ANSWER]


async def promise(street: Street, who: Neighbour) -> None:
    await take_promise(
        street.house, street.now, lender_id=street.lender_id, case_id=who.cases[0],
        parts=[Part((street.now + timedelta(days=3)).date(), Money(12_000, "EUR"))],
        source=PromiseSource.DESK, made_by="eva",
    )  # fmt: skip


async def test_what_it_says_for_today_is_what_then_happens(street: Street) -> None:
    due = street.now
    for late in (3, 3, 10, 24, 24, 2):
        await fresh(street, days_late=late)
    two = await fresh(street, days_late=24, dues=(1_000, 2_000))
    assert two[1] < due
    await street.rows("UPDATE loans SET owed_as_of = :now RETURNING 1", now=street.now)
    said = await preview(street)
    assert said.looked == said.cases == 8
    done = await step(street)
    assert said.after.calls == done.calls
    assert said.after.messages[Channel.SMS] + said.after.messages[Channel.EMAIL] == (
        await street.value("SELECT count(DISTINCT (borrower_id, split_part(name, '/', 2))) "
                           "FROM strategy_steps WHERE kind = 'notice' AND (result IS NULL "
                           "OR result NOT IN ('overtaken', 'before_our_time'))")
    )  # fmt: skip
    # Done is done: asked again, the same day holds nothing more.
    again = await preview(street)
    assert (again.after.calls, again.moved) == (0, 0)
    assert sum(again.after.messages.values()) == 0


async def test_it_compares_with_the_version_that_cases_have_and_writes_nothing(
    street: Street,
) -> None:
    await fresh(street, days_late=24)
    tables = ("strategy_steps", "messages", "tasks", "timeline", "audit")
    before = [await street.value(f"SELECT count(*) FROM {one}") for one in tables]
    said = await preview(street)
    assert said.before.calls == said.after.calls == 1
    assert said.moves == {("", "calls"): 1}
    assert [await street.value(f"SELECT count(*) FROM {one}") for one in tables] == before
    assert (await preview(street, product="Card")).cases == 0


async def test_a_large_book_is_looked_at_in_batches(street: Street) -> None:
    for _ in range(5):
        await fresh(street, days_late=24)
    said = await preview(street, batch=2, most=4)
    assert (said.cases, said.looked, said.cut) == (5, 4, True)
    assert said.after.calls == 4
    rest = await preview(street, batch=2, most=4, after=said.next_after)
    assert (rest.looked, rest.next_after, rest.after.calls) == (1, None, 1)
    whole = await preview(street, batch=2)
    assert (whole.looked, whole.cut, whole.after.calls) == (5, False, 5)
