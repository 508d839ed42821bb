"""What tests of the strategy desk share: the shipped strategy, a draft of it, a decision."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from app.domain.roles import Role
from app.flows.approvals.decide_approval import Decided, Word, decide_approval
from app.flows.strategies.install_strategies import install_strategies
from tests.flows.street import Street
from tests.web.conftest import Browser
from tests.web.reading import Page


async def ship(street: Street) -> UUID:
    """Give the street's lender the ready-made strategies; returns the version of `soft`."""
    async with street.store.engine_unit() as unit:
        await install_strategies(unit, street.now, street.lender_id)
    return await version(street, 1)


async def version(street: Street, number: int, name: str = "soft") -> UUID:
    found = await street.value(
        "SELECT v.id FROM strategy_versions v JOIN strategies s ON s.id = v.strategy_id "
        "WHERE v.lender_id = :lender AND s.name = :name AND v.number = :number",
        lender=street.lender_id, name=name, number=number,
    )  # fmt: skip
    assert isinstance(found, UUID)
    return found


async def state(street: Street, number: int) -> str:
    found = await street.value(
        "SELECT state FROM strategy_versions WHERE id = :id", id=await version(street, number)
    )
    return str(found)


async def person(street: Street, role: Role) -> Any:
    """The user who sits at the browser of a role."""
    query = "SELECT id, email FROM users WHERE role = :role AND lender_id = :lender"
    return (await street.rows(query, role=role.value, lender=street.lender_id))[0]


async def decide(street: Street, role: Role, word: Word, note: str = "") -> Decided:
    """What the approvals page does with the one proposal that waits."""
    who = await person(street, role)
    waits = await street.value("SELECT id FROM approvals WHERE state = 'proposed'")
    return await decide_approval(
        street.house, street.now, lender_id=street.lender_id, approval_id=waits,
        user_id=who.id, actor=who.email, word=word, note=note,
    )  # fmt: skip


def changed(fields: dict[str, str]) -> dict[str, Any]:
    """Fields of a form whose names are no words of Python."""
    return dict(fields)


async def drafted(writer: Browser, source: UUID, **fields: Any) -> Page:
    """A new draft from `source` with some fields of the form changed, saved."""
    page = await writer.open(f"/strategies/versions/{source}")
    page = await writer.send(page, "draft")
    assert "A new draft" in page.text
    return await writer.send(page, "save", **fields)
