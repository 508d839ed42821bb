"""Say which work needs a skill, who has it, and whether tasks are given to people by that."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.domain.assignment import Rules
from app.domain.desk_profile import Profile, hours_text
from app.domain.errors import Invalid
from app.domain.ids import LenderId, UserId
from app.domain.roles import Act, may
from app.flows.house import House
from app.store import audit, users
from app.store.desk_team import RuleBook, profile_of, rule_book
from app.store.tables import assignment_rules, desk_profiles
from app.store.unit import Unit


async def set_rules(
    house: House, now: datetime, *, lender_id: LenderId, active: bool, rules: Rules, actor: str
) -> None:
    """Replace the lender's rules. What was given under others is looked at again.

    Switched off, nothing is given by itself any more; what is with people stays with them.
    """
    async with house.store.unit(lender_id) as unit:
        # Waits for whoever gives out tasks at this moment.
        before = await rule_book(unit, lock=True)
        values: dict[str, Any] = {
            "active": active,
            **_rules_as_columns(rules),
            "changed_at": now,
            "changed_by": actor,
        }
        await unit.conn.execute(
            insert(assignment_rules)
            .values(lender_id=lender_id, **values)
            .on_conflict_do_update(index_elements=["lender_id"], set_=values)
        )
        await audit.record(
            unit,
            now,
            actor=actor,
            act="set_assignment_rules",
            subject="assignment",
            before=_told(before),
            after=_told(RuleBook(active, rules)),
        )


def _rules_as_columns(rules: Rules) -> dict[str, Any]:
    return {
        "languages": sorted(rules.languages),
        "products": sorted(rules.products),
        "kinds": sorted(kind.value for kind in rules.kinds),
        "large_from": {one.currency: one.minor for one in rules.large_from},
    }


def _told(book: RuleBook | None) -> dict[str, Any]:
    return {} if book is None else {"active": book.active, **_rules_as_columns(book.rules)}


async def set_profile(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    user_id: UserId,
    profile: Profile,
    actor: str,
) -> None:
    """Note what somebody can do, when he works, and how much at most.

    What he has by the rules and cannot do any more goes back to the board; what is above a lower
    cap stays with him. Raises `NotFound`, and `Invalid` for somebody who works no tasks.
    """
    async with house.store.unit(lender_id) as unit:
        # Waits for whoever gives out tasks at this moment, by what stood here before.
        await rule_book(unit, lock=True)
        person = (await users.by_id(unit, user_id)).person
        if not may(person.role, Act.WORK_TASK):
            raise Invalid("person", "works no tasks.", mend="Give him such a role first.")
        before = await _profile(unit, user_id)
        values: dict[str, Any] = {**_profile_as_columns(profile), "changed_at": now}
        await unit.conn.execute(
            insert(desk_profiles)
            .values(lender_id=lender_id, user_id=user_id, **values)
            .on_conflict_do_update(index_elements=["user_id"], set_=values)
        )
        await audit.record(
            unit,
            now,
            actor=actor,
            act="set_desk_profile",
            subject=str(user_id),
            before=_profile_as_columns(before) if before else None,
            after=_profile_as_columns(profile),
        )


async def _profile(unit: Unit, user_id: UserId) -> Profile | None:
    row = (
        await unit.conn.execute(select(desk_profiles).where(desk_profiles.c.user_id == user_id))
    ).one_or_none()
    return None if row is None else profile_of(row)


def _profile_as_columns(profile: Profile) -> dict[str, Any]:
    return {
        "languages": sorted(profile.skills.languages),
        "products": sorted(profile.skills.products),
        "kinds": sorted(kind.value for kind in profile.skills.kinds),
        "large": profile.skills.large,
        "time_zone": profile.time_zone,
        "hours": [hours_text(day) for day in profile.hours],
        "cap": profile.cap,
    }
