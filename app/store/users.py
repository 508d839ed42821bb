"""The people who sign in at the desk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import LenderId, UserId
from app.domain.roles import Role
from app.store.keys import new_id
from app.store.tables import users
from app.store.unit import Unit

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]{1,63}(\.[^@\s.]{1,63})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Person:
    """One user. `seen_at` is real time, `disabled_at` business time.

    `away_until` is the last day of an absence; `confirmed` False: an admin had a hand on his access
    and compliance has not confirmed it yet.
    """

    id: UserId
    lender_id: LenderId
    email: str
    name: str
    role: Role
    disabled_at: datetime | None
    seen_at: datetime | None
    away_until: date | None = None
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Credentials:
    """What sign-in compares. The hash never leaves this record's two callers.

    `given`: an admin chose the password, and its owner has not chosen another one since.
    """

    person: Person
    password_hash: str
    given: bool = False

    def __repr__(self) -> str:
        return f"Credentials({self.person.id})"


def normal_email(text: str) -> str:
    """Lower-cased and checked for its form. Raises `Invalid`."""
    value = text.strip().lower()
    if len(value) > 254 or not _EMAIL.fullmatch(value):
        raise Invalid(
            "email",
            "does not look like an e-mail address.",
            mend='Write it like "ana@lender.example".',
        )
    return value


def person_of(row: Row[Any]) -> Person:
    """The record behind a row of `users`."""
    return Person(
        id=UserId(row.id),
        lender_id=LenderId(row.lender_id),
        email=row.email,
        name=row.name,
        role=Role(row.role),
        disabled_at=row.disabled_at,
        seen_at=row.seen_at,
        away_until=row.away_until,
        confirmed=row.unconfirmed_since is None,
    )


async def by_email(unit: Unit, email: str) -> Credentials | None:
    """Look one user up before the lender is known: an engine unit. Disabled ones are found too."""
    row = (await unit.conn.execute(select(users).where(users.c.email == email))).first()
    return (
        None if row is None else Credentials(person_of(row), row.password_hash, row.given_password)
    )


async def by_id(unit: Unit, user_id: UUID) -> Credentials:
    """One user of the unit's lender. Raises `NotFound`."""
    row = (await unit.conn.execute(select(users).where(users.c.id == user_id))).first()
    if row is None:
        raise NotFound("There is no such user.")
    return Credentials(person_of(row), row.password_hash, row.given_password)


async def everybody(unit: Unit) -> tuple[Person, ...]:
    """All users of the unit's lender, those who may sign in first."""
    rows = await unit.conn.execute(
        select(users).order_by(users.c.disabled_at.is_not(None), users.c.name, users.c.id)
    )
    return tuple(person_of(row) for row in rows)


async def add(
    unit: Unit,
    now: datetime,
    *,
    lender_id: UUID,
    email: str,
    name: str,
    role: Role,
    password_hash: str,
    unconfirmed_since: datetime | None = None,
    given_password: bool = False,
) -> UserId:
    """Insert one user. Raises `Conflict` when the address is taken, by whichever lender."""
    user_id = new_id()
    try:
        async with unit.conn.begin_nested():
            await unit.conn.execute(
                insert(users).values(
                    id=user_id,
                    lender_id=lender_id,
                    email=email,
                    name=name,
                    role=role.value,
                    password_hash=password_hash,
                    created_at=now,
                    unconfirmed_since=unconfirmed_since,
                    given_password=given_password,
                )
            )
    except IntegrityError:
        raise Conflict("This e-mail address cannot be used for a new user.") from None
    return UserId(user_id)


async def change(unit: Unit, user_id: UUID, **values: Any) -> None:
    """Write columns of one user of the unit's lender. Raises `NotFound`."""
    done = await unit.conn.execute(update(users).where(users.c.id == user_id).values(**values))
    if done.rowcount != 1:
        raise NotFound("There is no such user.")


async def lock(unit: Unit, user_id: UUID) -> None:
    """Lock one user until the unit ends, against whoever asks for the same lock."""
    await unit.conn.execute(
        select(users.c.id).where(users.c.id == user_id).with_for_update(key_share=True)
    )


async def lock_other_admins(unit: Unit, but: UUID) -> bool:
    """Lock the lender's admins until the unit ends; is there one who can sign in besides `but`?"""
    rows = await unit.conn.execute(
        select(users.c.id)
        .where(users.c.role == Role.ADMIN.value, users.c.disabled_at.is_(None))
        .order_by(users.c.id)
        .with_for_update()
    )
    return any(row.id != but for row in rows)
