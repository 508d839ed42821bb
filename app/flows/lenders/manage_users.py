"""The people of one lender's desk: add, change, disable, give a new password."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.domain.errors import Invalid, NotAllowed
from app.domain.ids import LenderId, UserId
from app.domain.roles import Role, needs_confirming
from app.flows.house import House
from app.flows.lenders.sign_in import SESSION_HASH
from app.store import audit, sessions, users
from app.store.unit import Unit
from app.store.users import normal_email


async def add_user(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    email: str,
    name: str,
    role: Role,
    password_hash: str,
    actor: str,
    confirmed: bool = True,
) -> UserId:
    """Let one more person sign in. Raises `Invalid`, or `Conflict` for a taken address.

    `confirmed` False: an admin does it at the desk, and in a role that decides compliance confirms
    the person before his word counts (app/flows/lenders/confirm_access.py).
    """
    address, known_as = normal_email(email), name.strip()
    if not known_as or len(known_as) > 100:
        raise Invalid("name", "is needed, with at most 100 characters.")
    async with house.store.unit(lender_id) as unit:
        user_id = await users.add(
            unit,
            now,
            lender_id=lender_id,
            email=address,
            name=known_as,
            role=role,
            password_hash=password_hash,
            unconfirmed_since=_unconfirmed(role, now, confirmed),
            given_password=not confirmed,
        )
        await audit.record(
            unit,
            now,
            actor=actor,
            act="add_user",
            subject=str(user_id),
            after={"email": address, "role": role.value},
        )
    return user_id


async def change_role(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    user_id: UserId,
    role: Role,
    actor: str,
    confirmed: bool = True,
) -> None:
    """Give a user another role; his sessions end, so the new rights hold from his next sign-in.

    `confirmed` as in `add_user`. Raises `NotAllowed` when the last admin would be gone.
    """
    async with house.store.unit(lender_id) as unit:
        before = (await users.by_id(unit, user_id)).person
        if before.role is Role.ADMIN and role is not Role.ADMIN:
            await _keep_an_admin(unit, user_id)
        await users.change(
            unit,
            user_id,
            role=role.value,
            unconfirmed_since=_unconfirmed(role, now, confirmed),
        )
        await sessions.revoke_all(unit, house.real_now(), user_id)
        await audit.record(
            unit,
            now,
            actor=actor,
            act="change_role",
            subject=str(user_id),
            before={"role": before.role.value},
            after={"role": role.value},
        )


async def disable_user(
    house: House, now: datetime, *, lender_id: LenderId, user_id: UserId, actor: str
) -> None:
    """Let a user sign in no more, from this moment. Raises `NotAllowed` for the last admin."""
    async with house.store.unit(lender_id) as unit:
        person = (await users.by_id(unit, user_id)).person
        if person.role is Role.ADMIN:
            await _keep_an_admin(unit, user_id)
        await users.change(unit, user_id, disabled_at=person.disabled_at or now)
        await sessions.revoke_all(unit, house.real_now(), user_id)
        await audit.record(unit, now, actor=actor, act="disable_user", subject=str(user_id))


async def enable_user(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    user_id: UserId,
    actor: str,
    confirmed: bool = True,
) -> None:
    """Let a disabled user sign in again. `confirmed` as in `add_user`: who left is not here."""
    async with house.store.unit(lender_id) as unit:
        person = (await users.by_id(unit, user_id)).person
        values: dict[str, Any] = {"disabled_at": None}
        if person.disabled_at is not None and not confirmed and needs_confirming(person.role):
            values["unconfirmed_since"] = now
        await users.change(unit, user_id, **values)
        await audit.record(unit, now, actor=actor, act="enable_user", subject=str(user_id))


async def set_password(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    user_id: UserId,
    password_hash: str,
    actor: str,
    keep_value: str = "",
    confirmed: bool | None = None,
) -> None:
    """Replace a password and end every other session of that user.

    `confirmed` as in `add_user`; None leaves it as it is: a user changes his own.
    `keep_value` is the cookie's value of the session that asked for it, if that one may go on.
    """
    kept = house.store.vault.digest(SESSION_HASH, keep_value) if keep_value else None
    async with house.store.unit(lender_id) as unit:
        values: dict[str, Any] = {
            "password_hash": password_hash,
            "given_password": confirmed is False,
        }
        if confirmed is not None:
            role = (await users.by_id(unit, user_id)).person.role
            values["unconfirmed_since"] = _unconfirmed(role, now, confirmed)
        await users.change(unit, user_id, **values)
        await sessions.revoke_all(unit, house.real_now(), user_id, but=kept)
        await audit.record(unit, now, actor=actor, act="set_password", subject=str(user_id))


def _unconfirmed(role: Role, now: datetime, confirmed: bool) -> datetime | None:
    return None if confirmed or not needs_confirming(role) else now


async def _keep_an_admin(unit: Unit, but: UserId) -> None:
    # The rows of all admins are locked, so that two admins cannot remove each other at once.
    if not await users.lock_other_admins(unit, but):
        raise NotAllowed("This is the last admin. Make somebody else admin first.")
