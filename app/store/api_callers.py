"""Who stands behind an API key. Looked up before the lender is known: an engine unit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, update

from app.domain.ids import LenderId
from app.store.tables import api_keys
from app.store.unit import Unit

_USED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """A valid key and its lender."""

    key_id: UUID
    lender_id: LenderId
    prefix: str


async def key_owner(unit: Unit, real_now: datetime, key_hash: bytes) -> KeyOwner | None:
    """The lender behind a key's hash; None for unknown and revoked keys.

    `used_at` (real time) is written at most once a minute, so that reading stays cheap.
    """
    row = (
        await unit.conn.execute(
            select(
                api_keys.c.id, api_keys.c.lender_id, api_keys.c.prefix, api_keys.c.used_at
            ).where(api_keys.c.key_hash == key_hash, api_keys.c.revoked_at.is_(None))
        )
    ).one_or_none()
    if row is None:
        return None
    if row.used_at is None or row.used_at < real_now - _USED_EVERY:
        await unit.conn.execute(
            update(api_keys).where(api_keys.c.id == row.id).values(used_at=real_now)
        )
    return KeyOwner(row.id, LenderId(row.lender_id), row.prefix)
