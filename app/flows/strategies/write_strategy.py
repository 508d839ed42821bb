"""Write a strategy: begin one, begin a draft from a version, save it, bring it up to date.

A version that was ever in force is never changed: cases run under it, and their timelines name it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from app.domain.edition import EditionState
from app.domain.errors import Conflict, Invalid
from app.domain.ids import LenderId
from app.domain.stage_checks import Finding
from app.domain.stages import StrategyBody, body_notes, parse_body
from app.flows.house import House
from app.flows.strategies.check_strategy import findings_of
from app.store import audit
from app.store.keys import new_id
from app.store.strategy_editions import (
    lock_strategy,
    next_number,
    published_version,
    stamp_of,
    version_of,
)
from app.store.tables import strategies, strategy_versions
from app.store.unit import Unit

MOST_DRAFTS: Final = 10
LONGEST_NOTE: Final = 500
LONGEST_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class DraftMade:
    """A new draft, of which strategy."""

    strategy_id: UUID
    version_id: UUID
    number: int


async def begin_strategy(
    house: House, now: datetime, *, lender_id: LenderId, name: str, source_id: UUID, actor: str
) -> DraftMade:
    """A new strategy whose first draft does what the version `source_id` does.

    Raises `Invalid` for the name, `Conflict` when it is taken, `NotFound` for the version.
    """
    called = " ".join(name.split())
    if not 0 < len(called) <= LONGEST_NAME or not called.isprintable():
        raise Invalid("name", f"has 1 to {LONGEST_NAME} characters.")
    async with house.store.unit(lender_id) as unit:
        source = await version_of(unit, source_id)
        strategy_id = new_id()
        made = await unit.conn.execute(
            insert(strategies)
            .values(id=strategy_id, lender_id=lender_id, name=called, created_at=now)
            .on_conflict_do_nothing(index_elements=["lender_id", "name"])
            .returning(strategies.c.id)
        )
        if made.first() is None:
            raise Conflict(f"A strategy named {called} exists already.", code="NameTaken")
        body = body_notes(replace(parse_body(source.body), name=called))
        draft = await _insert(unit, now, strategy_id, body, 0, actor)
        await audit.record(
            unit,
            now,
            actor=actor,
            act="begin_strategy",
            subject=str(strategy_id),
            after={"name": called, "from": f"{source.name} {source.number}"},
        )
        return draft


async def begin_draft(
    house: House, now: datetime, *, lender_id: LenderId, source_id: UUID, actor: str
) -> DraftMade:
    """A new draft of the same strategy from any of its versions.

    Raises `NotFound`, and `Conflict` when there are too many drafts already.
    """
    async with house.store.unit(lender_id) as unit:
        source = await version_of(unit, source_id)
        await lock_strategy(unit, source.strategy_id)
        drafts = await unit.conn.scalar(
            select(func.count())
            .select_from(strategy_versions)
            .where(
                strategy_versions.c.strategy_id == source.strategy_id,
                strategy_versions.c.state == EditionState.DRAFT.value,
                strategy_versions.c.published_at.is_(None),
            )
        )
        if int(drafts or 0) >= MOST_DRAFTS:
            raise Conflict(f"There are {MOST_DRAFTS} drafts already: go on with one of them.")
        in_force = await published_version(unit, source.strategy_id)
        based_on = 0 if in_force is None else in_force.number
        draft = await _insert(unit, now, source.strategy_id, source.body, based_on, actor)
        await audit.record(
            unit,
            now,
            actor=actor,
            act="begin_draft",
            subject=str(source.strategy_id),
            after={"name": source.name, "number": draft.number, "from": source.number},
        )
        return draft


async def save_draft(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    version_id: UUID,
    seen: str,
    fields: Mapping[str, Any],
    note: str,
    actor: str,
) -> tuple[Finding, ...]:
    """Replace the body of a draft; returns what is still wrong with it.

    A draft may have findings; a proposal may not have any that blocks. `seen` is the stamp of the
    body that the page showed. Raises `Invalid` naming the field where the body cannot be read,
    `Conflict` when somebody else saved it meanwhile, or when it is no draft.
    """
    if len(note) > LONGEST_NOTE:
        raise Invalid("note", f"has more than {LONGEST_NOTE} characters.", mend="Shorten it.")
    async with house.store.unit(lender_id) as unit:
        row = await version_of(unit, version_id)
        await lock_strategy(unit, row.strategy_id)
        row = await version_of(unit, version_id)
        body = _read(fields, row.name)
        check_is_draft(row)
        if stamp_of(row.body) != seen:
            raise Conflict(
                "Somebody else saved this draft since you opened it. Look at what is there now, "
                "then make your change again.",
                code="DraftChanged",
            )
        findings = await findings_of(unit, house, body)
        await unit.conn.execute(
            update(strategy_versions)
            .where(strategy_versions.c.id == version_id)
            .values(
                body=body_notes(body),
                note=note.strip(),
                made_by=actor,
                made_at=now,
                writers=sorted({*row.writers, actor}),
            )
        )
        await audit.record(
            unit,
            now,
            actor=actor,
            act="save_draft",
            subject=str(row.strategy_id),
            before={"number": row.number, "stamp": seen},
            after={
                "name": row.name,
                "number": row.number,
                "stamp": stamp_of(body_notes(body)),
                "findings": len(findings),
            },
        )
        return findings


async def bring_up_to_date(
    house: House, now: datetime, *, lender_id: LenderId, version_id: UUID, actor: str
) -> None:
    """Say that a draft was compared with the version in force now, and stands against that one.

    Raises `NotFound`, or `Conflict` when it is no draft.
    """
    async with house.store.unit(lender_id) as unit:
        row = await version_of(unit, version_id)
        await lock_strategy(unit, row.strategy_id)
        row = await version_of(unit, version_id)
        check_is_draft(row)
        in_force = await published_version(unit, row.strategy_id)
        number = 0 if in_force is None else in_force.number
        await unit.conn.execute(
            update(strategy_versions)
            .where(strategy_versions.c.id == version_id)
            .values(based_on=number)
        )
        await audit.record(
            unit,
            now,
            actor=actor,
            act="compare_draft",
            subject=str(row.strategy_id),
            before={"number": row.number, "based_on": row.based_on},
            after={"name": row.name, "number": row.number, "based_on": number},
        )


def check_is_draft(row: Any) -> None:
    """Raises `Conflict` for a version that may not be written to, in words that say why."""
    if row.published_at is not None:
        raise Conflict(
            "This version was in force: it is not changed any more. Begin a new draft from it.",
            code="WasInForce",
        )
    if row.state != EditionState.DRAFT.value:
        raise Conflict(
            f"This version is {row.state}: only a draft is written to.", code="NotADraft"
        )


async def check_not_stale(unit: Unit, row: Any) -> None:
    """Raises `Conflict` when another version came into force since the draft was begun."""
    in_force = await published_version(unit, row.strategy_id)
    number = 0 if in_force is None else in_force.number
    if number not in (row.based_on, row.number):
        raise Conflict(
            f"Version {number} came into force since this one was begun from version "
            f"{row.based_on}. Compare them first, then propose again.",
            code="StaleDraft",
        )


def _read(fields: Mapping[str, Any], name: str) -> StrategyBody:
    """A body keeps the name of its strategy, whatever the form says."""
    return replace(parse_body({**fields, "name": name}), name=name)


async def _insert(
    unit: Unit,
    now: datetime,
    strategy_id: UUID,
    body: Mapping[str, Any],
    based_on: int,
    actor: str,
) -> DraftMade:
    number = await next_number(unit, strategy_id)
    version_id = new_id()
    await unit.conn.execute(
        insert(strategy_versions).values(
            id=version_id,
            lender_id=unit.lender_id,
            strategy_id=strategy_id,
            number=number,
            state=EditionState.DRAFT.value,
            body=dict(body),
            based_on=based_on,
            writers=[actor],
            made_by=actor,
            made_at=now,
        )
    )
    return DraftMade(strategy_id, version_id, number)
