"""Say which strategy new cases get: for a loan, a borrower, a product, or the whole lender."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import LenderId
from app.flows.house import House
from app.store import audit
from app.store.loans import find_loan
from app.store.strategy_editions import lock_strategy, published_version
from app.store.tables import borrowers, loans, strategy_choices
from app.store.unit import Unit


class ChoiceScope(StrEnum):
    """How far a choice reaches. The narrowest wins, in this order."""

    LOAN = "loan"
    BORROWER = "borrower"
    PRODUCT = "product"
    LENDER = "lender"


_LONGEST_REASON: Final = 500


async def choose_strategy(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    scope: ChoiceScope,
    target: str,
    strategy_id: UUID | None,
    reason: str,
    actor: str,
) -> None:
    """Choose for new cases; running ones stay where they are. None takes a choice back.

    `target` is the lender's own reference of the loan or borrower, the product's name, or nothing.
    Raises `Invalid` without a reason or a target, `NotFound`, and `Conflict` for a strategy that
    has no version in force, or when the lender would be left without any.
    """
    why = reason.strip()
    if not 0 < len(why) <= _LONGEST_REASON:
        raise Invalid("reason", f"has 1 to {_LONGEST_REASON} characters.")
    if strategy_id is None and scope is ChoiceScope.LENDER:
        raise Conflict("Every lender has one: choose another instead.", code="NoDefault")
    async with house.store.unit(lender_id) as unit:
        key = await _key(unit, scope, target.strip())
        named = None
        if strategy_id is not None:
            named = (await lock_strategy(unit, strategy_id)).name
            if await published_version(unit, strategy_id) is None:
                raise Conflict(f"{named} has no version in force yet.", code="NotInForce")
        where = (
            strategy_choices.c.lender_id == lender_id,
            strategy_choices.c.scope == scope.value,
            strategy_choices.c.target == key,
        )
        before = await unit.conn.scalar(select(strategy_choices.c.strategy_id).where(*where))
        if before == strategy_id:
            return
        row = insert(strategy_choices).values(
            lender_id=lender_id,
            scope=scope.value,
            target=key,
            strategy_id=strategy_id,
            set_by=actor,
            set_at=now,
        )
        await unit.conn.execute(
            row.on_conflict_do_update(
                index_elements=["lender_id", "scope", "target"],
                set_={name: row.excluded[name] for name in ("strategy_id", "set_by", "set_at")},
            )
        )
        await audit.record(
            unit,
            now,
            actor=actor,
            act="choose_strategy",
            subject=f"{scope.value} {target.strip()}".strip(),
            before={"strategy_id": str(before) if before else None},
            after={"strategy_id": str(strategy_id) if strategy_id else None, "name": named},
            reason=why,
        )


async def _key(unit: Unit, scope: ChoiceScope, target: str) -> str:
    """What stands in `strategy_choices.target`."""
    if scope is ChoiceScope.LENDER:
        return ""
    if not target:
        raise Invalid("target", "is missing.", mend="Name the loan, the borrower or the product.")
    if scope is ChoiceScope.LOAN:
        return str(await find_loan(unit, target))
    if scope is ChoiceScope.BORROWER:
        query = select(borrowers.c.id).where(borrowers.c.external_ref == target)
    else:
        query = select(loans.c.product).where(loans.c.product == target).limit(1)
    found = await unit.conn.scalar(query)
    if found is None:
        raise NotFound(f"There is no such {scope.value}.")
    return str(found)
