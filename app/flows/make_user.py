"""People who sign in: made by the command line or by an admin, disabled at once when they leave."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import LenderId, UserId
from app.domain.roles import Role
from app.flows.house import House
from app.store.keys import new_id
from app.store.tables import audit, lenders, sessions, users
from app.store.unit import Unit

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}\.[^@\s.]{2,24}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class UserListed:
    """One user as an operator sees him. `seen_at` is real time."""

    id: UUID
    lender: str
    email: str
    name: str
    role: str
    created_at: datetime
    disabled_at: datetime | None
    seen_at: datetime | None


def normal_email(text: str) -> str:
    """Lower-cased and checked; addresses are unique over all lenders. Raises `Invalid`."""
    email = text.strip().lower()
    if not _EMAIL.match(email):
        raise Invalid("email", "is not an e-mail address.", mend='Write it like "ana@lender.com".')
    return email


async def make_user(
    house: House,
    now: datetime,
    lender_id: LenderId,
    *,
    email: str,
    name: str,
    role: str,
    password_hash: str,
    actor: str,
) -> UserId:
    """Create a user. The caller hashes the password. Raises `Invalid` and `Conflict`."""
    address = normal_email(email)
    name = name.strip()
    if not 1 <= len(name) <= 70 or not name.isprintable():
        raise Invalid("name", "has 1 to 70 printable characters.")
    if role not in [known.value for known in Role]:
        raise Invalid("role", "is not a role.", mend=f"Use {', '.join(Role)}.")
    user_id = UserId(new_id())
    try:
        async with house.store.unit(lender_id) as unit:
            await unit.conn.execute(
                insert(users).values(
                    id=user_id,
                    lender_id=lender_id,
                    email=address,
                    name=name,
                    role=role,
                    password_hash=password_hash,
                    created_at=now,
                )
            )
            await _note(unit, now, lender_id, actor, "user_created", user_id, {"role": role})
    except IntegrityError:
        raise Conflict(
            "A user with this e-mail address exists already.", code="email_taken"
        ) from None
    return user_id


async def set_password(
    house: House, now: datetime, email: str, password_hash: str, *, actor: str
) -> UserId:
    """Replace a password and end every session. Raises `NotFound`."""
    async with house.store.engine_unit() as unit:
        row = await _user(unit, email)
        await unit.conn.execute(
            update(users).where(users.c.id == row.id).values(password_hash=password_hash)
        )
        await _end_sessions(unit, row.id, house.real_now())
        await _note(unit, now, row.lender_id, actor, "password_set", row.id, {})
    return UserId(row.id)


async def disable_user(house: House, now: datetime, email: str, *, actor: str) -> UserId:
    """Lock a user out: no new sign-in, every session ended. Twice is harmless."""
    async with house.store.engine_unit() as unit:
        row = await _user(unit, email)
        await unit.conn.execute(
            update(users)
            .where(users.c.id == row.id, users.c.disabled_at.is_(None))
            .values(disabled_at=now)
        )
        await _end_sessions(unit, row.id, house.real_now())
        await _note(unit, now, row.lender_id, actor, "user_disabled", row.id, {})
    return UserId(row.id)


async def list_users(house: House, lender_id: LenderId | None = None) -> list[UserListed]:
    """All users, or those of one lender, by address."""
    query = (
        select(users, lenders.c.slug)
        .join(lenders, lenders.c.id == users.c.lender_id)
        .order_by(users.c.email)
    )
    if lender_id is not None:
        query = query.where(users.c.lender_id == lender_id)
    async with house.store.engine_unit() as unit:
        rows = (await unit.conn.execute(query)).all()
    return [
        UserListed(
            row.id, row.slug, row.email, row.name, row.role,
            row.created_at, row.disabled_at, row.seen_at,
        )
        for row in rows
    ]  # fmt: skip


async def _user(unit: Unit, email: str) -> _UserRow:
    row = (
        await unit.conn.execute(
            select(users.c.id, users.c.lender_id).where(users.c.email == normal_email(email))
        )
    ).one_or_none()
    if row is None:
        raise NotFound("There is no user with this e-mail address.")
    return _UserRow(row.id, LenderId(row.lender_id))


@dataclass(frozen=True, slots=True)
class _UserRow:
    id: UUID
    lender_id: LenderId


async def _end_sessions(unit: Unit, user_id: UUID, real_now: datetime) -> None:
    await unit.conn.execute(
        update(sessions)
        .where(sessions.c.user_id == user_id, sessions.c.revoked_at.is_(None))
        .values(revoked_at=real_now)
    )


async def _note(
    unit: Unit,
    now: datetime,
    lender_id: LenderId,
    actor: str,
    act: str,
    user_id: UUID,
    after: dict[str, str],
) -> None:
    await unit.conn.execute(
        insert(audit).values(
            id=new_id(),
            lender_id=lender_id,
            at=now,
            actor=actor,
            act=act,
            subject=f"user {user_id}",
            before={},
            after=after,
        )
    )
