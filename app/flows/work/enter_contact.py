"""Enter a new number or e-mail address of a borrower, as somebody at the desk has heard it.

No stranger is told of a debt: a number is called and not written to until it is known to be his,
and an address is not written to before the lender's own system states it (docs/adr/0022).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select

from app.domain.contact_detail import Detail, check_source
from app.domain.errors import Invalid, NotFound
from app.domain.ids import LenderId, UserId
from app.domain.task import TASK, TaskOutcome, TaskReason, TaskState
from app.flows.house import House
from app.flows.work.say_detail import say_detail
from app.flows.work.work_task import write_task_line
from app.reference.contact_details import email_address, phone_in
from app.store.borrowers import email_hash, phone_hash
from app.store.contact_details import (
    change_borrower,
    change_detail,
    forget_others,
    kept_number,
    known_detail,
    put_detail,
    standing_of,
)
from app.store.locks import lock_borrower
from app.store.moves import move
from app.store.strategies import end_steps, wake_cases
from app.store.tables import cases, tasks
from app.store.timeline import Kind
from app.store.unit import Unit

_NOUNS: Final = {Detail.PHONE: "number", Detail.EMAIL: "address"}


@dataclass(frozen=True, slots=True)
class ContactHeard:
    """As it was typed; an empty one was not given. `source`: where it is from, in a few words."""

    phone: str
    email: str
    source: str


@dataclass(frozen=True, slots=True)
class _Entry:
    detail: Detail
    address: str
    hash: bytes


async def enter_contact(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    case_id: UUID,
    user_id: UserId,
    actor: str,
    heard: ContactHeard,
) -> None:
    """Take it, or nothing of it; the task that asked for another way to him is done with it.

    A number without "+" is read as one of his country. What he stopped himself stays stopped.
    Raises `NotFound`, and `Invalid` naming the field, also for what he has already and for what
    was found to be somebody else's.
    """
    async with house.store.unit(lender_id) as unit:
        owner = await unit.conn.scalar(select(cases.c.borrower_id).where(cases.c.id == case_id))
        if owner is None:
            raise NotFound("There is no such case.")
        person = await lock_borrower(unit, owner)
        entries = _read(unit, person, heard)
        source = heard.source.strip()
        check_source(source, *(entry.address for entry in entries))
        for entry in entries:
            await _refuse_known(unit, person, entry)
        for entry in entries:
            await _put(unit, now, person, entry, user_id, actor, source)
        await _end_search(unit, now, person, user_id, actor)
        await wake_cases(unit, now, borrower_id=person.id)


def _read(unit: Unit, person: Row[Any], heard: ContactHeard) -> list[_Entry]:
    found = []
    if heard.phone.strip():
        phone = phone_in(heard.phone, person.country)
        found.append(_Entry(Detail.PHONE, phone.reveal(), phone_hash(unit.vault, phone)))
    if heard.email.strip():
        email = email_address(heard.email)
        found.append(_Entry(Detail.EMAIL, email, email_hash(unit.vault, email)))
    if not found:
        raise Invalid("phone", "is missing.", mend="Enter a number, an e-mail address, or both.")
    return found


async def _refuse_known(unit: Unit, person: Row[Any], entry: _Entry) -> None:
    known = await known_detail(unit, person.id, entry.detail, entry.hash)
    standing = standing_of(person, entry.detail, entry.hash, known)
    field, noun = entry.detail.value, _NOUNS[entry.detail]
    if standing.given_up or (standing.current and not standing.reached):
        why = "somebody else’s" if entry.detail is Detail.PHONE else "dead: e-mails came back"
        raise Invalid(field, f"was found to be {why}.", mend=f"Ask for another {noun}.")
    if standing.waits:
        raise Invalid(field, "is entered already.", mend="It waits to be confirmed.")
    if standing.current:
        raise Invalid(field, f"is the {noun} that is known already.", mend="Enter another one.")


async def _put(
    unit: Unit,
    now: datetime,
    person: Row[Any],
    entry: _Entry,
    user_id: UserId,
    actor: str,
    source: str,
) -> None:
    waits = True
    if entry.detail is Detail.PHONE:
        waits = await _put_number(unit, now, person, entry, user_id)
    else:
        await _put_address(unit, now, person, entry, user_id)
    more = {"source": source} if waits else {"source": source, "why": "entered_again"}
    await say_detail(
        unit,
        now,
        person,
        Kind.DETAIL_ENTERED if waits else Kind.DETAIL_CHANGED,
        entry.detail,
        entry.address,
        actor,
        tell=waits,
        **more,
    )


async def _put_number(
    unit: Unit, now: datetime, person: Row[Any], entry: _Entry, user_id: UserId
) -> bool:
    """In the place of the one before, and in doubt. A good one is kept until this one proves.

    Entered again, the good one before is what it was. Returns whether it waits to be confirmed.
    """
    kept = await kept_number(unit, person.id)
    if person.phone_hash is not None:
        await _replace(unit, now, person)
    await change_borrower(
        unit,
        person.id,
        phone_enc=unit.seal("borrowers.phone_enc", person.id, entry.address, person.lender_id),
        phone_hash=entry.hash,
        phone_doubted_at=now,
        updated_at=now,
    )
    if kept is not None and kept.address_hash == entry.hash:
        await change_borrower(unit, person.id, phone_doubted_at=None)
        await change_detail(unit, kept.id, address_enc=None, replaced_at=None)
        return False
    await _note(unit, now, person, entry, user_id, address=None)
    return True


async def _replace(unit: Unit, now: datetime, person: Row[Any]) -> None:
    """What stands in his row makes room; a wrong one stays given up."""
    if person.phone_enc is None:
        await put_detail(unit, person, Detail.PHONE, person.phone_hash, given_up_at=now)
        return
    before = None
    if person.phone_doubted_at is None:
        before = unit.open("borrowers.phone_enc", person.id, person.phone_enc)
        await forget_others(unit, person.id, Detail.PHONE, person.phone_hash)
    await put_detail(unit, person, Detail.PHONE, person.phone_hash, address=before, replaced_at=now)


async def _put_address(
    unit: Unit, now: datetime, person: Row[Any], entry: _Entry, user_id: UserId
) -> None:
    """Beside the one in use, which stays; of several that wait only the last."""
    await forget_others(unit, person.id, Detail.EMAIL, entry.hash)
    await _note(unit, now, person, entry, user_id, address=entry.address)


async def _note(
    unit: Unit,
    now: datetime,
    person: Row[Any],
    entry: _Entry,
    user_id: UserId,
    *,
    address: str | None,
) -> None:
    await put_detail(
        unit,
        person,
        entry.detail,
        entry.hash,
        address=address,
        entered_by=user_id,
        entered_at=now,
        confirmed_at=None,
        replaced_at=None,
    )


async def _end_search(
    unit: Unit, now: datetime, person: Row[Any], user_id: UserId, actor: str
) -> None:
    """Whoever was looking for a way to him need not look on."""
    waiting = await unit.conn.execute(
        select(tasks)
        .where(
            tasks.c.borrower_id == person.id,
            tasks.c.reason == TaskReason.NO_WAY_TO_REACH.value,
            tasks.c.state.in_((TaskState.OPEN.value, TaskState.TAKEN.value)),
        )
        .with_for_update(key_share=True)
    )
    outcome = TaskOutcome.RESOLVED.value
    for task in waiting.all():
        if task.state == TaskState.OPEN.value:
            await move(unit, tasks, task.id, TASK, "take", taken_by=user_id)
        await move(
            unit, tasks, task.id, TASK, "finish", outcome=outcome, ended_at=now, leased_until=None
        )
        await write_task_line(unit, now, task, TaskState.DONE, actor, outcome=outcome)
        await end_steps(unit, now, task_id=task.id, result=outcome)
