"""May this person be called now, and if not, when? Asked before anybody dials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import select

from app.domain.contact_exemption import asked_for as is_asked_for
from app.domain.contact_policy import Check, ContactPurpose
from app.domain.errors import NotFound
from app.domain.ids import LenderId
from app.domain.message import Channel
from app.domain.stage_plan import Skip
from app.domain.task import ANSWERING, TaskReason
from app.flows.house import House
from app.flows.messages.ask_gate import Asked, ask_gate, verdict_notes
from app.reference.packs import PackBook
from app.store.arrays import among
from app.store.blocked_contacts import Blocked, hourly_key, note_blocked
from app.store.tables import borrowers, cases
from app.store.unit import Unit

About: TypeAlias = tuple[UUID, UUID | None]
"""A borrower, and one of his cases; None for the case asks about the person alone."""

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CallWindow:
    """The gate's answer for a call, or for a contact by an agency, at one moment.

    `until` is when a yes ends, `opens_at` when a no may become a yes (None: waiting does not
    help). `zone` is where the borrower's clock is; `because` the sentences of the rules that
    refused, `used` the one that says how much of the tightest cap on calls is used (empty: none).
    `checks` are all rules that were asked, each with its source, `pack` names their version;
    `notes` is all of it as it is kept beside a contact.
    """

    allowed: bool
    because: str
    opens_at: datetime | None
    until: datetime | None
    zone: str
    used: str = ""
    checks: tuple[Check, ...] = ()
    pack: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)


async def call_window(
    unit: Unit,
    packs: PackBook,
    now: datetime,
    *,
    borrower_id: UUID,
    case_ids: Iterable[UUID],
    purpose: ContactPurpose = ContactPurpose.COLLECTION,
    asked_for: bool = False,
    at_work: bool = False,
) -> CallWindow:
    """Ask the contact gate for a call. Changes nothing. Raises `NotFound`.

    `purpose` is answer where he said something first, `asked_for` where he wished to be called,
    `at_work` where the call would reach him at his place of work.
    """
    wanted: set[About] = {(borrower_id, case_id) for case_id in case_ids}
    found = await call_windows(
        unit,
        packs,
        now,
        wanted or {(borrower_id, None)},
        purpose=purpose,
        asked_for=asked_for,
        at_work=at_work,
    )
    if not found:
        raise NotFound("There is no such borrower.")
    # Spoken about several cases at once, the strictest answer counts: a no before a yes, and of
    # several the one that lasts longest.
    refused = [one for one in found.values() if not one.allowed]
    if not refused:
        return next(iter(found.values()))
    return max(refused, key=lambda one: one.opens_at or _NEVER)


async def ask_to_call(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    case_id: UUID,
    actor: str,
    asked_for: bool = False,
    at_work: bool = False,
) -> CallWindow:
    """The gate's answer for the lender's own system, which is about to call about a case.

    A no is kept as an attempt. Raises `NotFound`.
    """
    async with house.store.unit(lender_id) as unit:
        borrower_id = await unit.conn.scalar(
            select(cases.c.borrower_id).where(cases.c.id == case_id)
        )
        if borrower_id is None:
            raise NotFound("There is no such case.")
        window = await call_window(
            unit,
            house.packs,
            now,
            borrower_id=borrower_id,
            case_ids=(case_id,),
            asked_for=asked_for,
            at_work=at_work,
        )
        if not window.allowed:
            blocked = Blocked(
                hourly_key(case_id, "api", now),
                borrower_id,
                Channel.CALL,
                "call",
                Skip.GATE_REFUSED,
                source="api",
                actor=actor,
                case_ids=(case_id,),
                verdict=window.notes,
            )
            await note_blocked(unit, now, blocked)
        return window


async def call_windows(
    unit: Unit,
    packs: PackBook,
    now: datetime,
    wanted: Iterable[About],
    *,
    purpose: ContactPurpose = ContactPurpose.COLLECTION,
    asked_for: bool = False,
    at_work: bool = False,
) -> dict[About, CallWindow]:
    """The same for several; those that are not there are left out."""
    asked_about = set(wanted)
    people = {
        row.id: row
        for row in await unit.conn.execute(
            select(borrowers).where(among(borrowers.c.id, {who for who, _ in asked_about}))
        )
    }
    found: dict[About, CallWindow] = {}
    for borrower_id, case_id in asked_about:
        person = people.get(borrower_id)
        if person is None:
            continue
        asked = await ask_gate(
            unit,
            packs,
            now,
            person,
            case_ids=() if case_id is None else (case_id,),
            channel=Channel.CALL,
            purpose=purpose,
            asked_for=asked_for,
            at_work=at_work,
        )
        found[borrower_id, case_id] = window_of(asked)
    return found


def window_of(asked: Asked) -> CallWindow:
    """The gate's answer as people and systems read it."""
    verdict = asked.verdict
    return CallWindow(
        verdict.allowed,
        verdict.because,
        None if verdict.allowed else asked.look_again_at,
        verdict.valid_until,
        asked.zone,
        verdict.tightest,
        verdict.checks,
        verdict.pack,
        verdict_notes(asked),
    )


def purpose_of(reason: str) -> ContactPurpose:
    """What a call from a task of this reason is for."""
    return ContactPurpose.ANSWER if reason in ANSWERING else ContactPurpose.COLLECTION


def wished_for(reason: str, asked_at: datetime, now: datetime) -> bool:
    """Is a call at `now` one that he asked for, at the moment this task was made?"""
    return reason == TaskReason.CALL_BACK and is_asked_for(now, said_at=asked_at)
