"""Who can get in, in which role, and when that was last used: for the regular review of access."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Text, cast, func, select

from app.domain.roles import Role
from app.store.tables import api_keys, audit, users
from app.store.unit import Unit

# Access that was not used for so long (real time) is pointed out. Saldo's own figure: a quarter
# of a year is how often such lists are usually gone through.
IDLE_AFTER: Final = timedelta(days=90)

_BY_WHOM: Final = ("add_user", "change_role")


@dataclass(frozen=True, slots=True)
class UserAccess:
    """One user. `last_used` is real time, None for never; `granted_at` and `granted_by` say who
    gave him the role he has; `unconfirmed` that compliance has not said yes to an admin's hand on
    it yet, `given_password` that an admin knows the password.
    """

    id: UUID
    email: str
    name: str
    role: Role
    created_at: datetime
    last_used: datetime | None
    away_until: date | None
    disabled_at: datetime | None
    granted_at: datetime | None
    granted_by: str
    unconfirmed: bool
    given_password: bool
    idle: bool


@dataclass(frozen=True, slots=True)
class KeyAccess:
    """One API key of the lender's systems. All times are real."""

    label: str
    prefix: str
    created_at: datetime
    last_used: datetime | None
    revoked_at: datetime | None
    idle: bool


async def users_with_access(unit: Unit, real_now: datetime) -> tuple[UserAccess, ...]:
    """Everybody of the unit's lender, those who can sign in first, by name."""
    granted = (
        select(
            audit.c.subject,
            audit.c.actor,
            audit.c.at,
            func.row_number()
            .over(partition_by=audit.c.subject, order_by=(audit.c.at.desc(), audit.c.id.desc()))
            .label("place"),
        )
        .where(audit.c.act.in_(_BY_WHOM))
        .subquery("granted")
    )
    rows = await unit.conn.execute(
        select(users, granted.c.actor.label("granted_by"), granted.c.at.label("granted_at"))
        .outerjoin(
            granted,
            (granted.c.subject == cast(users.c.id, Text)) & (granted.c.place == 1),
        )
        .order_by(users.c.disabled_at.is_not(None), users.c.name, users.c.id)
    )
    return tuple(_user(row, real_now) for row in rows)


async def keys_with_access(unit: Unit, real_now: datetime) -> tuple[KeyAccess, ...]:
    """The API keys of the unit's lender, those in force first."""
    rows = await unit.conn.execute(
        select(api_keys).order_by(api_keys.c.revoked_at.is_not(None), api_keys.c.id)
    )
    return tuple(
        KeyAccess(
            row.label,
            row.prefix,
            row.created_at,
            row.used_at,
            row.revoked_at,
            row.revoked_at is None and _idle(row.used_at, row.created_at, real_now),
        )
        for row in rows
    )


def _user(row: Row[Any], real_now: datetime) -> UserAccess:
    return UserAccess(
        id=row.id,
        email=row.email,
        name=row.name,
        role=Role(row.role),
        created_at=row.created_at,
        last_used=row.seen_at,
        away_until=row.away_until,
        disabled_at=row.disabled_at,
        granted_at=row.granted_at,
        granted_by=row.granted_by or "",
        unconfirmed=row.unconfirmed_since is not None,
        given_password=row.given_password,
        idle=row.disabled_at is None
        and row.seen_at is not None
        and real_now - row.seen_at > IDLE_AFTER,
    )


def _idle(used_at: datetime | None, created_at: datetime, real_now: datetime) -> bool:
    return real_now - (used_at or created_at) > IDLE_AFTER
