"""Who gets a task: whoever can do it and is there, evenly, up to a cap, with the reason in parts.

A lender says which work needs a skill; everything else is anybody's. The same people and the same
tasks always give the same answer, and a task that nobody fits stays on the shared board and says
why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Final, TypeAlias
from uuid import UUID

from app.domain.money import Money
from app.domain.open_hours import Weekly, micros, moment, next_open
from app.domain.roles import Act, Role, may
from app.domain.task import TaskReason

REACH: Final = timedelta(hours=16)
"""Business time: a task is given to somebody whose next shift begins within it. It bridges a night
and no weekend: what comes in on Friday evening waits on the board for whoever is there first."""

REST: Final = timedelta(hours=12)
"""Business time for which what a person put on the board stays there for everybody."""


class WorkKind(StrEnum):
    """Kinds of work that not everybody is trained for."""

    HARDSHIP = "hardship"
    DISPUTE = "dispute"
    BROKEN_PROMISE = "broken_promise"
    MONEY = "money"


KIND_OF: Final[Mapping[TaskReason, WorkKind]] = {
    TaskReason.BORROWER_CANNOT_PAY: WorkKind.HARDSHIP,
    TaskReason.RELIEF_ASKED: WorkKind.HARDSHIP,
    TaskReason.BORROWER_DISPUTES: WorkKind.DISPUTE,
    TaskReason.PROMISE_BROKEN: WorkKind.BROKEN_PROMISE,
    TaskReason.BORROWER_SAYS_PAID: WorkKind.MONEY,
    TaskReason.OVERPAID: WorkKind.MONEY,
    TaskReason.PAYMENT_REJECTED: WorkKind.MONEY,
    TaskReason.PAYMENT_RETURNED: WorkKind.MONEY,
}

# What ends these is no collector's right: given to one, they would wait for nothing.
DECIDED_BY: Final[Mapping[TaskReason, Act]] = {
    TaskReason.LIFT_ASKED: Act.LIFT_HOLD,
    TaskReason.PAYMENT_UNCLEAR: Act.SETTLE_UNCLEAR,
}
LEADS_DECIDE: Final = frozenset(DECIDED_BY)


def beyond(role: Role) -> frozenset[TaskReason]:
    """Tasks that somebody in this role can look at and not end."""
    return frozenset(reason for reason, act in DECIDED_BY.items() if not may(role, act))


@dataclass(frozen=True, slots=True)
class Rules:
    """Which work needs a skill. What is not named here needs none.

    `languages` are ISO 639-1 codes of borrowers, `products` names of products. `large_from` has
    at most one amount per currency: so much due on a loan is for those who may.
    """

    languages: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    kinds: frozenset[WorkKind] = frozenset()
    large_from: tuple[Money, ...] = ()


@dataclass(frozen=True, slots=True)
class Skills:
    """What one person can do."""

    languages: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    kinds: frozenset[WorkKind] = frozenset()
    large: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """What one task asks of whoever does it. The empty one asks nothing."""

    language: str = ""
    product: str = ""
    kind: WorkKind | None = None
    large: bool = False


def need_of(
    rules: Rules, *, language: str, product: str, reason: TaskReason, due: Money | None
) -> Need:
    """What a task needs under the lender's rules. `due` None: nothing is due."""
    kind = KIND_OF.get(reason)
    return Need(
        language if language in rules.languages else "",
        product if product in rules.products else "",
        kind if kind in rules.kinds else None,
        due is not None
        and any(
            due.currency == one.currency and due.minor >= one.minor for one in rules.large_from
        ),
    )


def able(skills: Skills, need: Need) -> bool:
    """Whether somebody has everything that a task needs."""
    return (
        (not need.language or need.language in skills.languages)
        and (not need.product or need.product in skills.products)
        and (need.kind is None or need.kind in skills.kinds)
        and (not need.large or skills.large)
    )


def may_be_served(mine: Skills, need: Need, there: Iterable[Skills]) -> bool:
    """Whether "Next case" may offer a task of the board: to those who can, or, where nobody of
    those who are there can, to everybody. A skill that nobody has strands no task.
    """
    return able(mine, need) or not any(able(one, need) for one in there)


def next_shift(
    zone: str, hours: Weekly, away_on: frozenset[date], now: datetime
) -> datetime | None:
    """When somebody is on shift next: `now` itself on shift, None when it is not within reach.

    `hours` and the days of `away_on` are those of the zone's calendar.
    """
    found = next_open((zone,), micros(now), hours, away_on, days=2)
    if found is None or moment(found) - now > REACH:
        return None
    return moment(found)


@dataclass(frozen=True, slots=True)
class Member:
    """One person who works tasks by rule: how much is with him, of how much at most.

    `away`: on leave today. `on_shift_at` as `next_shift` says it; None while away.
    """

    id: UUID
    skills: Skills
    load: int
    cap: int
    away: bool
    on_shift_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """One task on the board. Whoever has another task of the same borrower is asked first."""

    id: UUID
    borrower_id: UUID
    reason: TaskReason
    need: Need
    priority: int
    created_at: datetime
    held_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """A task that has an owner now, and why him: `load` of `cap` were with him before it.

    `on_shift_at` None: he is on shift. `same_borrower`: another task of the borrower is with him.
    """

    task_id: UUID
    to: UUID
    need: Need
    load: int
    cap: int
    on_shift_at: datetime | None
    same_borrower: bool


class Why(StrEnum):
    """Why a task stays on the board."""

    LEADS_DECIDE = "leads_decide"
    NOBODY_CAN = "nobody_can"
    NOBODY_THERE = "nobody_there"
    ALL_FULL = "all_full"


@dataclass(frozen=True, slots=True)
class Stays:
    """A task that nobody fits now."""

    task_id: UUID
    need: Need
    why: Why


Shared: TypeAlias = Given | Stays


def share_out(
    waiting: Iterable[Waiting], team: Iterable[Member], now: datetime
) -> tuple[Shared, ...]:
    """An owner for each task, the most urgent first; nobody goes above his cap.

    Of those who can and are there: whoever has the borrower already, then those on shift before
    those who come later, then whoever has least of what he may have, then the older id.
    """
    people = {one.id: one for one in team}
    loads = {one.id: one.load for one in people.values()}
    holders: dict[UUID, UUID] = {}
    shared: list[Shared] = []
    for task in sorted(waiting, key=lambda one: (one.priority, one.created_at, one.id)):
        holder = holders.get(task.borrower_id, task.held_by)
        free = [one for one in people.values() if _fits(one, task) and loads[one.id] < one.cap]
        if not free:
            shared.append(Stays(task.id, task.need, why_not(task, people.values())))
            continue
        chosen = min(free, key=lambda one: _rank(one, loads[one.id], now, holder))
        later = chosen.on_shift_at if not _on_shift(chosen, now) else None
        shared.append(
            Given(
                task.id,
                chosen.id,
                task.need,
                loads[chosen.id],
                chosen.cap,
                later,
                chosen.id == holder,
            )
        )
        loads[chosen.id] += 1
        holders[task.borrower_id] = chosen.id
    return tuple(shared)


def why_not(task: Waiting, team: Iterable[Member]) -> Why:
    """Why nobody fits, asked of a task for which that is so."""
    if task.reason in LEADS_DECIDE:
        return Why.LEADS_DECIDE
    can = [one for one in team if able(one.skills, task.need)]
    if not can:
        return Why.NOBODY_CAN
    if all(one.on_shift_at is None for one in can):
        return Why.NOBODY_THERE
    return Why.ALL_FULL


def still_fits(reason: TaskReason, need: Need, owner: Member | None) -> bool:
    """Whether a task may stay with its owner: he is there (not: on shift) and can do it."""
    return (
        owner is not None
        and not owner.away
        and reason not in LEADS_DECIDE
        and able(owner.skills, need)
    )


def _fits(one: Member, task: Waiting) -> bool:
    return (
        not one.away
        and one.on_shift_at is not None
        and task.reason not in LEADS_DECIDE
        and able(one.skills, task.need)
    )


def _on_shift(one: Member, now: datetime) -> bool:
    return one.on_shift_at is not None and one.on_shift_at <= now


def _rank(
    one: Member, load: int, now: datetime, holder: UUID | None
) -> tuple[bool, bool, Fraction, UUID]:
    return (one.id != holder, not _on_shift(one, now), Fraction(load, one.cap), one.id)
