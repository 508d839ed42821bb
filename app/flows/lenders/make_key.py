"""API keys of a lender's systems: made, listed and revoked. Only a keyed hash is stored."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update

from app.domain.errors import Invalid, NotFound
from app.domain.ids import LenderId
from app.flows.house import House
from app.store import audit
from app.store.keys import new_id
from app.store.tables import api_keys, lenders

KEY_PURPOSE = "api_key"
"""The purpose under which the vault hashes API keys."""

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class KeyMade:
    """A fresh key. `token` is shown this once and cannot be read again."""

    id: UUID
    prefix: str
    token: str


@dataclass(frozen=True, slots=True)
class KeyListed:
    """One key as an operator sees it. Times are real time."""

    id: UUID
    lender: str
    label: str
    prefix: str
    created_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


async def make_key(
    house: House, now: datetime, lender_id: LenderId, label: str, *, actor: str
) -> KeyMade:
    """Make an API key of 256 random bits. Raises `Invalid` for a label nobody can read."""
    label = label.strip()
    if not 1 <= len(label) <= 60 or not label.isprintable():
        raise Invalid("label", "has 1 to 60 printable characters.")
    token = f"sk_{secrets.token_urlsafe(32)}"
    made = KeyMade(new_id(), token[:_SHOWN], token)
    async with house.store.unit(lender_id) as unit:
        await unit.conn.execute(
            insert(api_keys).values(
                id=made.id,
                lender_id=lender_id,
                key_hash=unit.vault.digest(KEY_PURPOSE, token),
                label=label,
                prefix=made.prefix,
                created_at=house.real_now(),
            )
        )
        await audit.record(
            unit, now, actor=actor, act="make_key", subject=made.prefix, after={"label": label}
        )
    return made


async def revoke_key(house: House, now: datetime, key_id: UUID, *, actor: str) -> str:
    """Revoke at once; returns the prefix. Revoking twice is harmless. Raises `NotFound`."""
    async with house.store.engine_unit() as unit:
        key = (
            await unit.conn.execute(select(api_keys).where(api_keys.c.id == key_id))
        ).one_or_none()
        if key is None:
            raise NotFound("There is no such API key.")
        done = await unit.conn.execute(
            update(api_keys)
            .where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
            .values(revoked_at=house.real_now())
        )
        if done.rowcount:
            await audit.record(
                unit,
                now,
                actor=actor,
                act="revoke_key",
                subject=key.prefix,
                before={"label": key.label},
                lender_id=key.lender_id,
            )
    return str(key.prefix)


async def list_keys(house: House, lender_id: LenderId | None = None) -> list[KeyListed]:
    """All keys, or those of one lender, oldest first."""
    query = (
        select(api_keys, lenders.c.slug)
        .join(lenders, lenders.c.id == api_keys.c.lender_id)
        .order_by(api_keys.c.id)
    )
    if lender_id is not None:
        query = query.where(api_keys.c.lender_id == lender_id)
    async with house.store.engine_unit() as unit:
        rows = (await unit.conn.execute(query)).all()
    return [
        KeyListed(
            row.id, row.slug, row.label, row.prefix, row.created_at, row.used_at, row.revoked_at
        )
        for row in rows
    ]
