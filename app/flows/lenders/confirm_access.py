"""Compliance says that a user whom an admin touched is really another person.

An admin hands out roles and passwords. Without this he could give himself a second pair of eyes: a
new user in a role that decides, or a new password for one. Until it is confirmed, such a user
decides nothing and lets nothing go on that somebody stopped (app/domain/roles.py); everything else
of his work goes on. He chooses a password of his own first: the admin knows the one that he gave
him, and would sit at the confirmed person's desk with it.
"""

from __future__ import annotations

from datetime import datetime

from app.domain.errors import Conflict, NotAllowed
from app.domain.ids import LenderId, UserId
from app.domain.roles import Act, check_right
from app.flows.house import House
from app.flows.lenders.note_refusal import refusals_noted
from app.store import audit, users
from app.store.approvals import hand_of
from app.store.unit import Unit


async def confirm_access(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    user_id: UserId,
    by_id: UserId,
    actor: str,
) -> None:
    """Confirm one user. Raises `NotFound`; `NotAllowed` (recorded) for one's own access, without
    the compliance role, or while one's own is not confirmed; `Conflict` when nothing waits, or
    the password is still the one that an admin gave.
    """
    noted = refusals_noted(
        house,
        now,
        lender_id=lender_id,
        actor=actor,
        wanted=Act.CONFIRM_ACCESS.value,
        subject=user_id,
    )
    async with noted, house.store.unit(lender_id) as unit:
        await _confirm(unit, now, user_id, by_id, actor)


async def _confirm(unit: Unit, now: datetime, user_id: UserId, by_id: UserId, actor: str) -> None:
    found = await users.by_id(unit, user_id)
    by = await hand_of(unit, by_id)
    if by_id == user_id:
        raise NotAllowed("Somebody else confirms your access.", code="OwnProposal")
    check_right(by.role, Act.CONFIRM_ACCESS, confirmed=by.confirmed)
    if (await hand_of(unit, user_id)).confirmed:
        raise Conflict("Nothing waits to be confirmed here.", code="ConfirmedAlready")
    if found.given:
        raise Conflict(
            f"{found.person.name} still has the password that an admin gave, and knows. A new one "
            "is chosen first, under Account.",
            code="PasswordGiven",
        )
    await users.change(unit, user_id, unconfirmed_since=None)
    await audit.record(
        unit,
        now,
        actor=actor,
        act="confirm_access",
        subject=str(user_id),
        after={"role": found.person.role.value},
    )
