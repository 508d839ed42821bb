"""A move of running cases is taken back: exactly those that are still where it put them."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from app.domain.errors import Invalid, NotFound
from app.flows.strategies.install_strategies import install_strategies
from app.flows.strategies.move_cases import Selection, move_cases
from app.flows.strategies.take_back_move import TakenBack, take_back_move
from app.reports.case_moves import Move, moves_to, stayed_cases
from app.store.keys import new_id
from tests.flows.street import Neighbour, Street
from tests.flows.test_choosing_strategies import of_case, strategy

pytestmark = pytest.mark.anyio


async def version_named(street: Street, name: str) -> UUID:
    found: UUID = await street.value(
        "SELECT v.id FROM strategy_versions v JOIN strategies s ON s.id = v.strategy_id "
        "WHERE s.name = :name AND v.state = 'published'",
        name=name,
    )
    return found


async def neighbours(street: Street, count: int) -> list[Neighbour]:
    """People under the strategy that ships, and two others to move them to."""
    async with street.store.engine_unit() as unit:
        await install_strategies(unit, street.now, street.lender_id)
    for name in ("firm", "gentle"):
        await strategy(street, name)
    found = await street.neighbours(count)
    street.hands.go_on(minutes=1)
    return found


async def moves(street: Street, name: str, selection: Selection | None = None) -> UUID:
    """Move the selection; returns the move."""
    version_id = await version_named(street, name)
    street.hands.go_on(minutes=1)
    await move_cases(
        street.house,
        street.now,
        lender_id=street.lender_id,
        version_id=version_id,
        selection=selection or Selection(),
        reason="To the wrong one",
        actor="sue",
        seen=99,
        with_care=True,
    )
    street.hands.go_on(minutes=1)
    query = "SELECT id FROM case_moves ORDER BY made_at DESC, id DESC LIMIT 1"
    found: UUID = await street.value(query)
    return found


async def back(street: Street, move_id: UUID, **more: Any) -> TakenBack:
    return await take_back_move(
        street.house,
        street.now,
        lender_id=street.lender_id,
        move_id=move_id,
        reason=more.get("reason", "It was the wrong one"),
        actor="sue",
    )


async def told(street: Street, move_id: UUID) -> Move:
    async with street.store.unit(street.lender_id) as unit:
        found = await moves_to(unit, await version_named(street, "firm"))
    return next(one for one in found if one.id == move_id)


async def test_all_go_back_to_what_they_followed(street: Street) -> None:
    people = await neighbours(street, 3)
    move_id = await moves(street, "firm")
    assert {await of_case(street, who) for who in people} == {"firm"}
    # Its version is not in force any more: a running case would have kept it.
    await street.rows(
        "UPDATE strategy_versions SET state = 'retired' WHERE id = :id RETURNING 1",
        id=await version_named(street, "soft"),
    )
    assert await back(street, move_id) == TakenBack(3, 0)
    assert {await of_case(street, who) for who in people} == {"soft"}
    states = await street.rows("SELECT stage, next_step_at FROM cases")
    assert {(row.stage, row.next_step_at) for row in states} == {("", street.now)}
    lines = await street.rows(
        "SELECT details FROM timeline WHERE kind = 'strategy_changed' ORDER BY at"
    )
    assert [row.details["why"] for row in lines[3:]] == ["It was the wrong one"] * 3
    note = (await street.rows("SELECT * FROM audit WHERE act = 'take_back_move'"))[0]
    assert (note.subject, note.after) == (str(move_id), {"cases": 3, "stayed": 0})
    move = await told(street, move_id)
    assert (move.cases, move.back, move.stayed) == (3, 3, 0)
    assert await back(street, move_id) == TakenBack(0, 0), "nothing is moved twice"


async def test_whoever_has_gone_on_stays_and_is_named(street: Street) -> None:
    here, elsewhere, round_trip, paid = people = await neighbours(street, 4)
    move_id = await moves(street, "firm")
    await put(street, elsewhere, "gentle")
    # Away and under the same version again: somebody decided about him since.
    await put(street, round_trip, "gentle")
    await put(street, round_trip, "firm")
    await street.repaid(paid, "R1")
    assert await street.value("SELECT state FROM cases WHERE id = :id", id=paid.cases[0]) == (
        "closed"
    )
    assert await back(street, move_id) == TakenBack(1, 3)
    assert [await of_case(street, who) for who in people] == ["soft", "gentle", "firm", "firm"]
    async with street.store.unit(street.lender_id) as unit:
        stayed = {one.case_id: one.why for one in await stayed_cases(unit, move_id)}
    assert stayed == {
        elsewhere.cases[0]: "moved_since",
        round_trip.cases[0]: "moved_since",
        paid.cases[0]: "closed",
    }
    assert here.cases[0] not in stayed
    assert (await told(street, move_id)).stayed == 3


async def put(street: Street, who: Neighbour, name: str) -> None:
    """This case alone, by a move of its own."""
    await street.rows(
        "UPDATE loans SET product = 'alone' WHERE id = :id RETURNING 1", id=who.loans[0]
    )
    await moves(street, name, Selection(product="alone"))
    await street.rows(
        "UPDATE loans SET product = 'Loan' WHERE id = :id RETURNING 1", id=who.loans[0]
    )


async def test_each_move_is_taken_back_by_itself(street: Street) -> None:
    (who,) = await neighbours(street, 1)
    first, second = await moves(street, "firm"), await moves(street, "gentle")
    assert await back(street, first) == TakenBack(0, 1)
    assert await back(street, second) == TakenBack(1, 0)
    assert await of_case(street, who) == "firm"
    street.hands.go_on(minutes=1)
    # Two decisions have been made about him since the first one.
    assert await back(street, first) == TakenBack(0, 1)


async def test_who_followed_none_stays(street: Street) -> None:
    (who,) = await neighbours(street, 1)
    await street.rows("UPDATE cases SET strategy_version_id = NULL RETURNING 1")
    move_id = await moves(street, "firm")
    assert await back(street, move_id) == TakenBack(0, 1)
    assert await of_case(street, who) == "firm"


async def test_two_who_take_it_back_at_once_move_each_case_once(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.flows.strategies.take_back_move.BATCH", 2)
    await neighbours(street, 5)
    move_id = await moves(street, "firm")
    done = await asyncio.gather(*(back(street, move_id) for _ in range(3)))
    assert (sum(one.back for one in done), sum(one.stayed for one in done)) == (5, 0)
    lines = "SELECT count(*) FROM timeline WHERE kind = 'strategy_changed'"
    assert await street.value(lines) == 10


async def test_it_needs_a_reason_and_a_move(street: Street) -> None:
    with pytest.raises(Invalid):
        await back(street, new_id(), reason=" ")
    with pytest.raises(NotFound):
        await back(street, new_id())
