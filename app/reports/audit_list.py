"""The history of every change: who, when, what, the old value and the new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, or_, select

from app.reports.slices import take
from app.store.tables import audit, loans, users
from app.store.unit import Unit

AT_MOST: Final = 60
AUDIT_BY: Final = (audit.c.at, audit.c.id)

# Group -> the beginnings of its acts. What is in no group is found under everything.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "refused": ("refused",),
    "brakes": ("halt", "let_go_on", "set_observe_only", "set_maintenance", "lift_maintenance"),
    "limits": ("lower_floor", "set_tiers", "set_lender", "make_lender"),
    "words_and_rules": (
        "publish", "propose_strategy", "propose_template", "propose_pack", "approved_strategy",
        "approved_template", "approved_pack", "refused_strategy", "refused_template",
        "refused_pack", "withdrawn_strategy", "withdrawn_template", "withdrawn_pack", "install",
        "write", "draft", "retire", "roll_back", "move_cases", "choose_strategy", "make_strategy",
        "save", "add_agency",
    ),
    "providers": (
        "set_up_provider", "put_provider", "remove_provider", "send_back_provider",
        "erase_provider", "propose_provider", "approved_provider", "refused_provider",
        "withdrawn_provider",
    ),
    "payees": (
        "set_payee", "draft_payee", "send_back_payee", "propose_payee", "endorse_payee",
        "approved_payee", "refused_payee", "withdrawn_payee",
    ),
    "debts": (
        "recall_placement",
        *(
            f"{verb}_{kind}"
            for verb in ("propose", "endorse", "first_yes", "approved", "refused", "withdrawn")
            for kind in ("write_off", "forgiveness", "reversal", "placement")
        ),
    ),
    "people": ("add_user", "change_role", "disable_user", "enable_user", "set_password",
               "confirm_access", "make_key", "revoke_key"),
    "sign_ins": ("sign_in",),
}  # fmt: skip
# `refused` alone is an attempt without the right; `refused_write_off` is a decision.
_WHOLE_WORDS: Final = frozenset({"refused"})


@dataclass(frozen=True, slots=True)
class Change:
    """One value that is another one now; None where there was none, or is none any more."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line. `about` names the subject in words where it is a person or a loan."""

    id: UUID
    at: datetime
    actor: str
    act: str
    about: str
    changes: tuple[Change, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class AuditList:
    """At most `AT_MOST` lines, the newest first; `last` is the key of what follows."""

    lines: tuple[AuditLine, ...]
    last: tuple[Any, ...] | None


async def audit_list(
    unit: Unit,
    *,
    group: str = "",
    actor: str = "",
    about: str = "",
    after: tuple[Any, ...] | None = None,
) -> AuditList:
    """Lines of one group of acts ("": all but sign-ins), of somebody, about something.

    `actor` is a part of the name that stands there; `about` a part of the subject, of the e-mail
    address of the person it was about, or the reference of the loan.
    """
    query = select(audit)
    if group == "":
        # Who came in is a history of its own; it would bury what was changed.
        query = query.where(audit.c.act != "sign_in")
    elif group in GROUPS:
        query = query.where(
            or_(
                *(
                    audit.c.act == one
                    if one in _WHOLE_WORDS
                    else audit.c.act.startswith(one, autoescape=True)
                    for one in GROUPS[group]
                )
            )
        )
    if actor:
        query = query.where(audit.c.actor.icontains(actor, autoescape=True))
    if about:
        named = await unit.conn.scalars(
            select(users.c.id)
            .where(users.c.email.icontains(about, autoescape=True))
            .union(select(loans.c.id).where(loans.c.external_ref == about))
            .limit(AT_MOST)
        )
        query = query.where(
            or_(
                audit.c.subject.icontains(about, autoescape=True),
                audit.c.subject.in_([str(one) for one in named]),
            )
        )
    found = await take(unit, query, AUDIT_BY, after=after, limit=AT_MOST)
    names = await _names(unit, [row.subject for row in found.rows])
    return AuditList(tuple(_line(row, names) for row in found.rows), found.last)


async def _names(unit: Unit, subjects: Sequence[str]) -> Mapping[str, str]:
    """What people call the subjects that are ids: users and loans."""
    ids = []
    for subject in set(subjects):
        with suppress(ValueError):
            ids.append(UUID(subject))
    people = await unit.conn.execute(select(users.c.id, users.c.email).where(users.c.id.in_(ids)))
    debts = await unit.conn.execute(
        select(loans.c.id, loans.c.external_ref).where(loans.c.id.in_(ids))
    )
    names = {str(row.id): str(row.email) for row in people}
    return names | {str(row.id): f"loan {row.external_ref}" for row in debts}


def _line(row: Row[Any], names: Mapping[str, str]) -> AuditLine:
    return AuditLine(
        id=row.id,
        at=row.at,
        actor=row.actor,
        act=row.act,
        about=names.get(row.subject, row.subject),
        changes=changes_of(row.before, row.after),
        reason=row.reason,
    )


def changes_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """What differs, in the order of the names as they were written."""
    names = [*before, *(name for name in after if name not in before)]
    return tuple(
        Change(name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    )
