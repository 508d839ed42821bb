"""Lenders' own texts as rows: their editions, and which one is in force."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select

from app.domain.edition import EditionState
from app.domain.errors import NotFound
from app.domain.message import Channel
from app.domain.template import Template
from app.store.tables import templates
from app.store.unit import Unit


async def lock_edition(unit: Unit, edition_id: UUID) -> Row[Any]:
    """One edition, locked: two people who change the same one queue here. Raises `NotFound`."""
    row = (
        await unit.conn.execute(
            select(templates).where(templates.c.id == edition_id).with_for_update(key_share=True)
        )
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such edition.")
    return row


async def edition_of(unit: Unit, edition_id: UUID) -> Row[Any]:
    """One edition as it is. Raises `NotFound`."""
    row = (
        await unit.conn.execute(select(templates).where(templates.c.id == edition_id))
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such edition.")
    return row


async def editions_of(unit: Unit, name: str, channel: Channel, language: str) -> list[Row[Any]]:
    """Every edition of one text, the newest first."""
    rows = await unit.conn.execute(
        select(templates)
        .where(
            templates.c.name == name,
            templates.c.channel == channel.value,
            templates.c.language == language,
        )
        .order_by(templates.c.number.desc())
    )
    return list(rows)


async def in_force(unit: Unit, edition: Row[Any]) -> Row[Any] | None:
    """The published edition of the same text; None while the shipped one counts.

    Locks every edition of that text: two that are published at once follow one another.
    """
    rows = await unit.conn.execute(
        select(templates)
        .where(
            templates.c.lender_id == edition.lender_id,
            templates.c.name == edition.name,
            templates.c.channel == edition.channel,
            templates.c.language == edition.language,
        )
        .order_by(templates.c.id)
        .with_for_update(key_share=True)
    )
    return next((row for row in rows if row.state == EditionState.PUBLISHED.value), None)


async def next_number(unit: Unit, name: str, channel: Channel, language: str) -> int:
    """The number of a new edition. Two at once: the unique key lets one of them through."""
    last = await unit.conn.scalar(
        select(func.max(templates.c.number)).where(
            templates.c.name == name,
            templates.c.channel == channel.value,
            templates.c.language == language,
        )
    )
    return int(last or 0) + 1


def template_of(row: Row[Any]) -> Template:
    """The edition as a template."""
    return Template(
        row.name, Channel(row.channel), row.language, row.number, row.body, row.subject, own=True
    )
