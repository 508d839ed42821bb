"""Say which strategy new cases get: for a loan, a borrower, a product, or the whole lender."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import LenderId
from app.domain.stages import parse_body
from app.domain.strategy_diff import Difference, differences
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


@dataclass(frozen=True, slots=True)
class ChoiceSeen:
    """What a choice for many would change. `mark` names both versions: what was looked at."""

    before: str
    after: str
    changes: tuple[Difference, ...]
    mark: str


async def look_at_choice(
    house: House,
    *,
    lender_id: LenderId,
    scope: ChoiceScope,
    target: str,
    strategy_id: UUID | None,
) -> ChoiceSeen:
    """Lay what new cases would get beside what they get now; nothing is written.

    Raises what `choose_strategy` raises for the same target and strategy.
    """
    async with house.store.unit(lender_id) as unit:
        key = await _key(unit, scope, target.strip())
        default = await _chosen(unit, ChoiceScope.LENDER, "")
        now_id = await _chosen(unit, scope, key) or default
        then_id = strategy_id or default
        now = None if now_id is None else await published_version(unit, now_id)
        then = None if then_id is None else await published_version(unit, then_id)
    if then is None:
        raise Conflict("This strategy has no version in force yet.", code="NotInForce")
    old = None if now is None else parse_body(now.body)
    return ChoiceSeen(
        before="" if now is None else f"{now.name}, version {now.number}",
        after=f"{then.name}, version {then.number}",
        changes=differences(old, parse_body(then.body)),
        mark=f"{'' if now is None else now.id} {then.id}",
    )


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
        before = await _chosen(unit, scope, key)
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
            before={
                "strategy_id": str(before) if before else None,
                "name": (await lock_strategy(unit, before)).name if before else None,
            },
            after={"strategy_id": str(strategy_id) if strategy_id else None, "name": named},
            reason=why,
        )


async def _chosen(unit: Unit, scope: ChoiceScope, key: str) -> UUID | None:
    found: UUID | None = await unit.conn.scalar(
        select(strategy_choices.c.strategy_id).where(
            strategy_choices.c.lender_id == unit.lender_id,
            strategy_choices.c.scope == scope.value,
            strategy_choices.c.target == key,
        )
    )
    return found


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
