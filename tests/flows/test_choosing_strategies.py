"""Which strategy a case gets: the narrowest choice, at the moment it opens, and for good."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, text

from app.domain.stages import body_notes
from app.flows.cases.open_cases import open_cases
from app.flows.lenders.make_lender import LenderWanted
from app.flows.lenders.make_lender import make_lender as found_lender
from app.flows.strategies.install_strategies import install_strategies
from app.reference.strategies import shipped_strategies
from app.store.keys import new_id
from app.store.strategies import chosen_versions
from app.store.tables import strategies, strategy_choices, strategy_versions
from tests.flows.street import Neighbour, Street

pytestmark = pytest.mark.anyio

SOFT = body_notes(shipped_strategies()["soft"])


async def strategy(street: Street, name: str, *, state: str = "published") -> UUID:
    """A strategy of the lender with one version, said like the soft one."""
    strategy_id = new_id()
    async with street.store.unit(street.lender_id) as unit:
        own: dict[str, Any] = {"lender_id": street.lender_id}
        await unit.conn.execute(
            insert(strategies).values(id=strategy_id, name=name, created_at=street.now, **own)
        )
        await unit.conn.execute(
            insert(strategy_versions).values(
                id=new_id(),
                strategy_id=strategy_id,
                number=1,
                state=state,
                body={**SOFT, "name": name},
                made_by="ana",
                made_at=street.now,
                **own,
            )
        )
    return strategy_id


async def choose(street: Street, scope: str, target: object, strategy_id: UUID) -> None:
    async with street.store.unit(street.lender_id) as unit:
        await unit.conn.execute(
            insert(strategy_choices).values(
                lender_id=street.lender_id,
                scope=scope,
                target=str(target),
                strategy_id=strategy_id,
                set_by="ana",
                set_at=street.now,
            )
        )


async def of_case(street: Street, who: Neighbour) -> str:
    found: str = await street.value(
        "SELECT s.name FROM cases c JOIN strategy_versions v ON v.id = c.strategy_version_id "
        "JOIN strategies s ON s.id = v.strategy_id WHERE c.id = :id",
        id=who.cases[0],
    )
    return found


async def chosen(street: Street, who: Neighbour) -> str:
    async with street.store.unit(street.lender_id) as unit:
        versions = await chosen_versions(unit, who.loans)
    found: str = await street.value(
        "SELECT s.name FROM strategy_versions v JOIN strategies s ON s.id = v.strategy_id "
        "WHERE v.id = :id",
        id=versions[who.loans[0]],
    )
    return found


async def test_a_lender_who_chose_nothing_has_the_soft_one(street: Street) -> None:
    who = await street.neighbour()
    assert await of_case(street, who) == "soft"
    published = await street.rows("SELECT state, made_by, published_by FROM strategy_versions")
    assert [tuple(row) for row in published] == [("published", "installation", "installation")]
    assert await street.value("SELECT next_step_at FROM cases") == street.now


async def test_the_narrowest_choice_wins(street: Street) -> None:
    who = await street.neighbour()
    for scope, target in (
        ("product", "Loan"),
        ("borrower", who.id),
        ("loan", who.loans[0]),
    ):
        await choose(street, scope, target, await strategy(street, f"by {scope}"))
        assert await chosen(street, who) == f"by {scope}"
    # Running cases keep what they opened with.
    assert await of_case(street, who) == "soft"


async def test_a_choice_without_a_published_version_counts_for_nothing(street: Street) -> None:
    who = await street.neighbour()
    await choose(street, "loan", who.loans[0], await strategy(street, "draft", state="draft"))
    await choose(street, "product", "Loan", await strategy(street, "product"))
    assert await chosen(street, who) == "product"


async def test_another_product_and_another_person_are_not_meant(street: Street) -> None:
    ana, eva = await street.neighbour(), await street.neighbour()
    await choose(street, "product", "Car", await strategy(street, "cars"))
    await choose(street, "borrower", ana.id, await strategy(street, "ana"))
    assert (await chosen(street, ana), await chosen(street, eva)) == ("ana", "soft")


async def test_installing_again_changes_nothing(street: Street) -> None:
    await street.neighbour()
    async with street.store.unit(street.lender_id) as unit:
        await unit.conn.execute(
            text('UPDATE strategy_versions SET body = body || \'{"name": "mine"}\'')
        )
        assert await install_strategies(unit, street.now, street.lender_id) == 0
    assert await street.value("SELECT body ->> 'name' FROM strategy_versions") == "mine"
    await street.neighbour()
    assert await street.value("SELECT count(*) FROM strategies") == 1


async def test_a_new_lender_has_it_from_the_first_day(street: Street) -> None:
    wanted = LenderWanted("luna", "Luna", "ES", "Europe/Madrid")
    made = await found_lender(street.house, street.now, wanted, actor="cli")
    found = await street.rows(
        "SELECT s.name, c.scope FROM strategy_choices c JOIN strategies s ON s.id = c.strategy_id "
        "WHERE c.lender_id = :id",
        id=made.id,
    )
    assert [tuple(row) for row in found] == [("soft", "lender")]
    assert (
        await street.value(
            "SELECT act FROM audit WHERE lender_id = :id ORDER BY id DESC LIMIT 1", id=made.id
        )
        == "publish_strategy"
    )


async def test_a_case_that_is_opened_twice_at_once_is_opened_once(street: Street) -> None:
    await street.neighbour()
    await open_cases(street.house, street.now)
    assert await street.value("SELECT count(*) FROM cases") == 1
