"""What borrowers wrote to us by text message: their own words, newest first, and never many."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.dialects.postgresql import distinct_on

from app.store.contacts import SAID_PLACE
from app.store.tables import contacts
from app.store.unit import Unit

AT_MOST: Final = 6


@dataclass(frozen=True, slots=True)
class BorrowerText:
    """One text. `words` are somebody's own, and stay out of every log and repr."""

    at: datetime
    words: str = field(repr=False)


async def texts_of(unit: Unit, borrower_id: UUID) -> tuple[BorrowerText, ...]:
    """The latest of one borrower, newest first."""
    rows = await unit.conn.execute(
        _texts(contacts.c.borrower_id == borrower_id)
        .order_by(contacts.c.made_at.desc(), contacts.c.id.desc())
        .limit(AT_MOST)
    )
    return tuple(
        BorrowerText(row.made_at, unit.open(SAID_PLACE, row.id, row.said_enc)) for row in rows
    )


async def last_words(unit: Unit, borrower_ids: Collection[UUID]) -> Mapping[UUID, str]:
    """The newest text of each of these borrowers; those who never wrote are absent."""
    if not borrower_ids:
        return {}
    rows = await unit.conn.execute(
        _texts(contacts.c.borrower_id.in_(list(borrower_ids)))
        .ext(distinct_on(contacts.c.borrower_id))
        .order_by(contacts.c.borrower_id, contacts.c.made_at.desc(), contacts.c.id.desc())
    )
    return {row.borrower_id: unit.open(SAID_PLACE, row.id, row.said_enc) for row in rows}


def _texts(whose: ColumnElement[bool]) -> Select[Any]:
    return select(
        contacts.c.id, contacts.c.borrower_id, contacts.c.made_at, contacts.c.said_enc
    ).where(whose, contacts.c.said_enc.is_not(None))
