"""Sign a person in at the desk, and out again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.domain.errors import Invalid, NotAllowed
from app.domain.roles import Role
from app.flows.house import House
from app.store import audit, sessions, users
from app.store.keys import new_token
from app.store.users import Person, normal_email

SESSION_HASH: Final = "session"
"""The vault's purpose for the hash of a session's value."""

Check = Callable[[str | None, str], Awaitable[bool]]
"""Compares a password with a stored hash, or with none at the same cost."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session. `value` goes into the cookie and is kept nowhere else."""

    person: Person
    value: str
    ends_at: datetime

    def __repr__(self) -> str:
        return f"SignedIn({self.person.id})"


async def sign_in(
    house: House,
    now: datetime,
    *,
    email: str,
    password: str,
    check: Check,
    old_value: str = "",
) -> SignedIn:
    """Start a session, always under a new value, and end the one the browser came with.

    An unknown address, a disabled user, a system's user (role integration) and a wrong password
    take the same time and give the same `NotAllowed`. The password is compared with no transaction
    open.
    """
    try:
        address = normal_email(email)
    except Invalid:
        address = ""
    async with house.store.engine_unit() as unit:
        found = await users.by_email(unit, address)
    right = await check(None if found is None else found.password_hash, password)
    if found is None or not right or not _has_a_desk(found.person):
        raise NotAllowed("The e-mail address or the password is not right.", code="SignInFailed")
    real_now = house.real_now()
    value = new_token() + new_token()
    async with house.store.engine_unit() as unit:
        if old_value:
            await sessions.revoke(unit, real_now, house.store.vault.digest(SESSION_HASH, old_value))
        ends_at = await sessions.start(
            unit,
            real_now,
            id_hash=house.store.vault.digest(SESSION_HASH, value),
            user_id=found.person.id,
            lender_id=found.person.lender_id,
        )
        await audit.record(
            unit,
            now,
            actor=found.person.email,
            act="sign_in",
            subject=str(found.person.id),
            lender_id=found.person.lender_id,
        )
    return SignedIn(found.person, value, ends_at)


def _has_a_desk(person: Person) -> bool:
    """A disabled user has none, nor has a system: systems come with an API key."""
    return person.disabled_at is None and person.role is not Role.INTEGRATION


async def sign_out(house: House, value: str) -> None:
    """End the session behind a cookie's value; unknown and ended ones are fine."""
    async with house.store.engine_unit() as unit:
        await sessions.revoke(unit, house.real_now(), house.store.vault.digest(SESSION_HASH, value))
