"""Lenders' own rules as rows: the editions for each pack, and which one is in force."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select

from app.domain.edition import EditionState
from app.domain.errors import NotFound
from app.store.tables import borrowers, pack_editions
from app.store.unit import Unit


async def edition_of(unit: Unit, edition_id: UUID) -> Row[Any]:
    """One edition as it is. Raises `NotFound`."""
    row = (
        await unit.conn.execute(select(pack_editions).where(pack_editions.c.id == edition_id))
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such edition.")
    return row


async def lock_editions(unit: Unit, edition_id: UUID) -> tuple[Row[Any], Row[Any] | None]:
    """One edition, and the one in force for the same pack. Raises `NotFound`.

    Locks every edition for that pack: two that are published at once follow one another.
    """
    about = await edition_of(unit, edition_id)
    rows = list(
        await unit.conn.execute(
            select(pack_editions)
            .where(
                pack_editions.c.lender_id == about.lender_id,
                pack_editions.c.country == about.country,
            )
            .order_by(pack_editions.c.id)
            .with_for_update(key_share=True)
        )
    )
    published = [row for row in rows if row.state == EditionState.PUBLISHED.value]
    return next(row for row in rows if row.id == edition_id), next(iter(published), None)


async def editions_of(unit: Unit, country: str) -> list[Row[Any]]:
    """Every edition of the unit's lender for one pack, the newest first."""
    rows = await unit.conn.execute(
        select(pack_editions)
        .where(pack_editions.c.country == country)
        .order_by(pack_editions.c.number.desc())
    )
    return list(rows)


async def published_editions(unit: Unit) -> dict[str, Row[Any]]:
    """Those in force, by the country of the pack."""
    rows = await unit.conn.execute(
        select(pack_editions).where(pack_editions.c.state == EditionState.PUBLISHED.value)
    )
    return {row.country: row for row in rows}


async def next_number(unit: Unit, country: str) -> int:
    """The number of a new edition. Two at once: the unique key lets one of them through."""
    last = await unit.conn.scalar(
        select(func.max(pack_editions.c.number)).where(pack_editions.c.country == country)
    )
    return int(last or 0) + 1


async def countries_of(unit: Unit) -> dict[str, int]:
    """How many borrowers of the lender live in each country."""
    rows = await unit.conn.execute(
        select(borrowers.c.country, func.count()).group_by(borrowers.c.country)
    )
    return {row[0]: int(row[1]) for row in rows}
