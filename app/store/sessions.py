"""Sessions of the desk and of a borrower's payment page. All times here are real time.

The browser holds a random value; only its keyed hash is stored, so a copy of the table signs
nobody in. Rows are found before the lender is known: an engine unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import insert, select, update

from app.store.tables import lenders, sessions, users
from app.store.unit import Unit
from app.store.users import Person, person_of

IDLE: Final = timedelta(hours=1)
"""A session unused for this long is over."""

ABSOLUTE: Final = timedelta(hours=12)
"""A session ends this long after sign-in, used or not."""

_SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in now."""

    person: Person
    lender_name: str
    lender_zone: str
    created_at: datetime
    expires_at: datetime


async def start(
    unit: Unit, real_now: datetime, *, id_hash: bytes, user_id: UUID, lender_id: UUID
) -> datetime:
    """Write a session; returns when it ends at the latest."""
    ends = real_now + ABSOLUTE
    await unit.conn.execute(
        insert(sessions).values(
            id_hash=id_hash,
            lender_id=lender_id,
            user_id=user_id,
            created_at=real_now,
            seen_at=real_now,
            expires_at=ends,
        )
    )
    await unit.conn.execute(update(users).where(users.c.id == user_id).values(seen_at=real_now))
    return ends


async def find(
    unit: Unit, real_now: datetime, id_hash: bytes, *, touch: bool = True
) -> Session | None:
    """The live session behind a hash, of a user who may still sign in.

    `touch` marks it as used now; an open stream asks without, or it would keep itself alive.
    """
    row = (
        await unit.conn.execute(
            select(
                users,
                sessions.c.created_at.label("began_at"),
                sessions.c.expires_at,
                sessions.c.seen_at.label("used_at"),
                lenders.c.name.label("lender_name"),
                lenders.c.time_zone,
            )
            .join(users, users.c.id == sessions.c.user_id)
            .join(lenders, lenders.c.id == sessions.c.lender_id)
            .where(
                sessions.c.id_hash == id_hash,
                sessions.c.revoked_at.is_(None),
                sessions.c.expires_at > real_now,
                sessions.c.seen_at > real_now - IDLE,
                users.c.disabled_at.is_(None),
            )
        )
    ).first()
    if row is None:
        return None
    if touch and row.used_at < real_now - _SEEN_EVERY:
        await unit.conn.execute(
            update(sessions).where(sessions.c.id_hash == id_hash).values(seen_at=real_now)
        )
        await unit.conn.execute(update(users).where(users.c.id == row.id).values(seen_at=real_now))
    return Session(person_of(row), row.lender_name, row.time_zone, row.began_at, row.expires_at)


async def revoke(unit: Unit, real_now: datetime, id_hash: bytes) -> None:
    """End one session. Ending it twice is harmless."""
    await unit.conn.execute(
        update(sessions)
        .where(sessions.c.id_hash == id_hash, sessions.c.revoked_at.is_(None))
        .values(revoked_at=real_now)
    )


async def revoke_all(
    unit: Unit, real_now: datetime, user_id: UUID, *, but: bytes | None = None
) -> int:
    """End every session of one user, except the one with the hash `but`. Returns how many."""
    done = await unit.conn.execute(
        update(sessions)
        .where(
            sessions.c.user_id == user_id,
            sessions.c.revoked_at.is_(None),
            sessions.c.id_hash != (but or b""),
        )
        .values(revoked_at=real_now)
    )
    return done.rowcount


async def live_counts(unit: Unit, real_now: datetime) -> dict[UUID, int]:
    """How many live sessions each user of the unit's lender has."""
    rows = await unit.conn.execute(
        select(sessions.c.user_id).where(
            sessions.c.revoked_at.is_(None),
            sessions.c.expires_at > real_now,
            sessions.c.seen_at > real_now - IDLE,
        )
    )
    counts: dict[UUID, int] = {}
    for row in rows:
        counts[row.user_id] = counts.get(row.user_id, 0) + 1
    return counts
