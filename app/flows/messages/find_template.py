"""The words in force: the lender's own published edition, else what shipped with Saldo."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from app.domain.edition import EditionState
from app.domain.errors import NotFound
from app.domain.message import Channel
from app.domain.template import FALLBACK_LANGUAGE, Template
from app.flows.house import House
from app.store.tables import lenders, templates
from app.store.unit import Unit


async def find_template(
    unit: Unit,
    house: House,
    name: str,
    channel: Channel,
    language: str,
    *,
    lender_id: UUID | None = None,
) -> Template:
    """The text to send now, in the first language that has one: `language`, the lender's, English.

    In each language the lender's published edition comes before what shipped. An engine unit
    names the lender. Raises `NotFound` when there is no such text at all.
    """
    owner = lender_id or unit.lender_id
    spoken = await unit.conn.scalar(select(lenders.c.language).where(lenders.c.id == owner))
    tried = list(dict.fromkeys((language, spoken or FALLBACK_LANGUAGE, FALLBACK_LANGUAGE)))
    rows = await unit.conn.execute(
        select(
            templates.c.language, templates.c.number, templates.c.subject, templates.c.body
        ).where(
            templates.c.lender_id == owner,
            templates.c.name == name,
            templates.c.channel == channel.value,
            templates.c.language.in_(tried),
            templates.c.state == EditionState.PUBLISHED.value,
        )
    )
    own = {
        row.language: Template(
            name, channel, row.language, row.number, row.body, row.subject, own=True
        )
        for row in rows
    }
    for one in tried:
        found = own.get(one) or house.templates.find(name, channel, one)
        if found is not None:
            return found
    raise NotFound(f"There is no text called {name} for {channel.value}.")
