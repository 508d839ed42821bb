"""Segments at work: at opening, every day, with reasons; and a person's care only softens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

from app.domain.case_facts import Care, FundsHistory, Reach
from app.domain.delinquency import Buckets
from app.domain.hold import HoldKind
from app.domain.segments import Segment, parse_segment
from app.flows.cases.flag_cases import Flagged, flag_cases
from app.flows.cases.open_cases import open_cases
from app.flows.strategies.install_segments import install_segments, stored_conditions
from app.flows.work.set_hold import set_hold
from app.reports.delinquency import loan_standing
from app.store.case_facts import facts_of
from app.store.keys import new_id
from app.store.tables import segments, strategies, strategy_versions
from tests.flows.street import Neighbour, Street

pytestmark = pytest.mark.anyio

LATE = {"field": "days_past_due", "op": "at_least", "value": 1}


async def rule(
    street: Street, name: str, when: Any = None, *, rank: int = 1, action: Any = None
) -> Segment:
    """A published rule of the street's lender."""
    does = action or {"do": "review", "ask": "Look"}
    made = parse_segment(name, name.title(), rank, when or LATE, does)
    async with street.store.unit(street.lender_id) as unit:
        await unit.conn.execute(
            insert(segments).values(
                id=new_id(), lender_id=street.lender_id, name=name, state="published", rank=rank,
                conditions=stored_conditions(made), action=does,
                made_by="test", made_at=street.now,
            )
        )  # fmt: skip
    return made


async def strategy(street: Street, name: str, *, state: str = "published") -> Any:
    """A strategy with one version; returns the version's id."""
    strategy_id, version_id = new_id(), new_id()
    async with street.store.unit(street.lender_id) as unit:
        await unit.conn.execute(
            insert(strategies).values(
                id=strategy_id, lender_id=street.lender_id, name=name, created_at=street.now
            )
        )
        await unit.conn.execute(
            insert(strategy_versions).values(
                id=version_id, lender_id=street.lender_id, strategy_id=strategy_id, state=state,
                made_by="test", made_at=street.now,
            )
        )  # fmt: skip
    return version_id


async def flags(street: Street, who: Neighbour) -> list[tuple[str, bool]]:
    query = (
        "SELECT flag, ended_at IS NULL AS live FROM case_flags WHERE borrower_id = :id "
        "ORDER BY raised_at, flag"
    )
    return [(row.flag, row.live) for row in await street.rows(query, id=who.id)]


async def test_the_facts_of_a_case(street: Street) -> None:
    who = await street.neighbour(dues=(12_000, 5_000), days_late=5)
    await street.rows(
        "INSERT INTO cases (id, lender_id, loan_id, borrower_id, state, opened_at) "
        "SELECT gen_random_uuid(), lender_id, loan_id, borrower_id, 'closed', opened_at - "
        "interval '400 days' FROM cases WHERE id = :id RETURNING 1",
        id=who.cases[0],
    )
    await street.money_seen(who)
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit, street.now, borrower_id=who.id, case_id=who.cases[0], kind=HoldKind.HARDSHIP,
            reason="lost his work", ends_at=None, set_by="desk",
        )  # fmt: skip
        facts = await facts_of(unit, who.cases, street.now)
    first, second = facts[who.cases[0]], facts[who.cases[1]]
    assert str(first.owed) == "120.00 EUR"
    # The hold over the first one freezes the count from today on.
    assert first.days_past_due == 6
    assert second.days_past_due == 6
    assert (first.product, first.open_loans, first.past_cases) == ("Loan", 2, 1)
    # The one that opened more than a year ago does not count.
    assert first.times_late == 2
    assert first.loan_age_days == 7
    assert first.funds_seen is FundsHistory.SOMETIMES
    assert first.reach is Reach.SEVERAL
    assert first.care == {Care.HARDSHIP}
    assert second.care == frozenset()


async def test_rules_and_suggestions_count_days_as_the_case_page_does(street: Street) -> None:
    """Else a rule about 31 days holds on a case whose page, stage and bucket say 21."""
    who = await street.neighbour(days_late=30)
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit, street.now, borrower_id=who.id, case_id=None, kind=HoldKind.DISPUTE,
            reason="says no", ends_at=None, set_by="eva",
            starts_at=street.now - timedelta(days=9),
        )  # fmt: skip
        facts = (await facts_of(unit, who.cases, street.now))[who.cases[0]]
        shown = await loan_standing(unit, who.loans[0], Buckets.parse("1-30, 31+"), street.now)
    assert (facts.days_past_due, shown.lateness.days_since_due) == (21, 31)
    assert facts.days_past_due == shown.lateness.days_past_due


async def test_a_stopped_channel_is_no_way_to_reach_somebody(street: Street) -> None:
    who, nobody = await street.neighbour(), await street.neighbour(phone="")
    await street.rows(
        "INSERT INTO opt_outs (lender_id, borrower_id, channel, stopped_at, source, changed_at) "
        "VALUES (:l, :b, 'sms', :now, 'desk', :now) RETURNING 1",
        l=street.lender_id, b=who.id, now=street.now,
    )  # fmt: skip
    async with street.store.unit(street.lender_id) as unit:
        facts = await facts_of(unit, [who.cases[0], nobody.cases[0]], street.now)
    assert facts[who.cases[0]].reach is Reach.ONE
    assert facts[nobody.cases[0]].reach is Reach.NONE


async def test_a_case_is_flagged_when_it_opens_with_reasons_and_a_look(street: Street) -> None:
    await rule(street, "late")
    who = await street.neighbour()
    assert await flags(street, who) == [("late", True)]
    assert "review_case" in await street.tasks(who)
    reasons = await street.value("SELECT reasons FROM case_flags")
    assert reasons["because"] == "days past due at least 1 (6)"
    assert reasons["seen"][0]["saw"] == "6"
    situation = await street.value("SELECT situation FROM tasks WHERE reason = 'review_case'")
    assert situation == {"because": "days past due at least 1 (6)", "ask": "Look"}
    kinds = [row.kind for row in await street.rows("SELECT kind FROM timeline")]
    assert "case_flagged" in kinds


async def test_shipped_rules_are_installed_once_and_find_several_loans(street: Street) -> None:
    who = await street.neighbour(dues=(1_000, 2_000, 3_000))
    looked = await flag_cases(street.house, street.now)
    assert (looked.asked, looked.flagged) == (3, 3)
    assert await flags(street, who) == [("several_loans", True)] * 3
    rows = await street.rows("SELECT name, state, published_by FROM segments ORDER BY name")
    assert [tuple(row) for row in rows] == [
        (name, "published", "installation")
        for name in ("broken_promises", "frequently_late", "several_loans")
    ]
    async with street.store.unit(street.lender_id) as unit:
        assert await install_segments(unit, street.now, street.lender_id) == 0


async def test_a_second_look_on_the_same_day_asks_nobody(street: Street) -> None:
    await rule(street, "late")
    await street.neighbour()
    assert await flag_cases(street.house, street.now) == Flagged()
    street.hands.go_on(hours=21)
    again = await flag_cases(street.house, street.now)
    assert again == Flagged(asked=1)
    assert await street.value("SELECT count(*) FROM case_flags") == 1


async def test_a_flag_ends_when_its_rule_no_longer_holds(street: Street) -> None:
    await rule(street, "fresh", {"field": "days_past_due", "op": "at_most", "value": 6})
    await rule(street, "old", {"field": "days_past_due", "op": "above", "value": 6}, rank=2)
    who = await street.neighbour()
    street.hands.go_on(days=1)
    looked = await flag_cases(street.house, street.now)
    assert (looked.flagged, looked.ended) == (1, 1)
    assert await flags(street, who) == [("fresh", False), ("old", True)]


async def test_a_rule_starts_another_strategy(street: Street) -> None:
    version = await strategy(street, "Firm")
    await rule(street, "late", action={"do": "start", "strategy": "Firm"})
    who = await street.neighbour()
    row = (await street.rows("SELECT strategy_version_id, next_step_at, stage FROM cases"))[0]
    assert tuple(row) == (version, street.now, "")
    assert await street.tasks(who) == []
    line = await street.value("SELECT details FROM timeline WHERE kind = 'strategy_changed'")
    assert (line["strategy"], line["why"]) == ("Firm", "Late")


async def test_a_strategy_that_is_not_in_force_is_not_started(street: Street) -> None:
    await strategy(street, "Firm", state="draft")
    await rule(street, "late", action={"do": "start", "strategy": "Firm"})
    who = await street.neighbour()
    assert await street.tasks(who) == ["review_case"]
    situation = await street.value("SELECT situation FROM tasks")
    assert "no published version" in situation["ask"]


async def test_care_turns_a_start_into_a_look(street: Street) -> None:
    await strategy(street, "Firm")
    who = await street.neighbour()
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit, street.now, borrower_id=who.id, case_id=None, kind=HoldKind.VULNERABLE,
            reason="told us", ends_at=None, set_by="desk",
        )  # fmt: skip
    await rule(street, "late", action={"do": "start", "strategy": "Firm"})
    await street.rows("UPDATE cases SET segmented_at = NULL RETURNING 1")
    looked = await flag_cases(street.house, street.now)
    assert (looked.flagged, looked.moved) == (1, 0)
    assert await street.value("SELECT strategy_version_id FROM cases") is None
    assert await street.tasks(who) == ["review_case"]
    assert (await street.value("SELECT reasons FROM case_flags"))["softened"] is True


async def test_two_looks_at_once_flag_once(street: Street) -> None:
    import asyncio

    for _ in range(4):
        await street.neighbour(dues=(1_000, 1_000, 1_000))
    await install(street)
    await street.rows("UPDATE cases SET segmented_at = NULL RETURNING 1")
    looks = await asyncio.gather(*(flag_cases(street.house, street.now) for _ in range(3)))
    assert sum(one.flagged for one in looks) == 12
    assert await street.value("SELECT count(*) FROM case_flags") == 12


async def install(street: Street) -> None:
    async with street.store.unit(street.lender_id) as unit:
        await install_segments(unit, street.now, street.lender_id)


async def test_at_most_a_batch_is_asked_at_a_time(street: Street) -> None:
    for _ in range(3):
        await street.neighbour()
    await street.rows("UPDATE cases SET segmented_at = NULL RETURNING 1")
    assert (await flag_cases(street.house, street.now, limit=2)).asked == 2
    assert (await flag_cases(street.house, street.now, limit=2)).asked == 1
    async with street.store.engine_unit() as unit:
        found = await unit.conn.execute(
            text("SELECT count(*) FROM cases WHERE segmented_at IS NULL")
        )
    assert found.scalar_one() == 0


async def test_a_closed_case_is_left_alone(street: Street) -> None:
    who = await street.neighbour()
    await street.repaid(who, "R-1")
    await rule(street, "late")
    street.hands.go_on(days=2)
    assert await flag_cases(street.house, street.now) == Flagged()
    assert await open_cases(street.house, street.now + timedelta(days=1)) is not None
    assert await flags(street, who) == []
