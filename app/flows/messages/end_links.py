"""End payment links whose time has passed. Unpaid ones become a collector's task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select, text, update

from app.domain.ids import LenderId
from app.domain.message import MessageState
from app.domain.payment import LINK, PaymentState
from app.domain.task import TaskReason
from app.flows.cases.look_at_person import Person, look_at_person
from app.flows.house import House
from app.flows.side_by_side import side_by_side
from app.flows.work.open_task import open_task
from app.store.links import load_link, works
from app.store.moves import move
from app.store.payments import look_soon
from app.store.tables import messages, payment_links, payments
from app.store.unit import Unit

_MOST: Final = 200

# A link whose text never left is the message's business: its last look opens the task.
_NEVER_LEFT: Final = (
    MessageState.QUEUED.value,
    MessageState.CANCELLED.value,
    MessageState.WITHHELD.value,
)
# He was told of these in another way, or a person is at it already.
_TOLD_ALREADY: Final = (MessageState.UNDELIVERED.value, MessageState.FAILED.value)


@dataclass(frozen=True, slots=True)
class LinksEnded:
    """Links that expired, and the tasks that came of them."""

    ended: int
    tasks: int


async def end_links(house: House, now: datetime) -> LinksEnded:
    """Expire what is over at `now`; the longest over first, bounded per tick."""
    async with house.store.engine_unit() as unit:
        rows = await unit.conn.execute(
            select(payment_links.c.lender_id, payment_links.c.id)
            # Written out, as the partial index has it.
            .where(text("state = 'live'"), payment_links.c.expires_at <= now)
            .order_by(payment_links.c.expires_at)
            .limit(_MOST)
        )
        over = [(LenderId(row.lender_id), row.id) for row in rows]

    async def one(item: tuple[LenderId, UUID]) -> LinksEnded:
        return await _end(house, now, *item)

    ended = await side_by_side(over, one)
    return LinksEnded(sum(one.ended for one in ended), sum(one.tasks for one in ended))


async def _end(house: House, now: datetime, lender_id: LenderId, link_id: UUID) -> LinksEnded:
    async with house.store.unit(lender_id) as unit:
        owner = (await load_link(unit, link_id)).borrower_id
        person = await look_at_person(unit, now, owner)
        link = await load_link(unit, link_id)
        if link.state != "live" or works(link, now):
            return LinksEnded(0, 0)
        text_of_it = await _message(unit, link_id)
        if text_of_it is not None and text_of_it.state == MessageState.QUEUED.value:
            # Still queued: its last look comes now, cancels it and withdraws the link with it.
            await unit.conn.execute(
                update(messages).where(messages.c.id == text_of_it.id).values(next_look_at=now)
            )
            return LinksEnded(0, 0)
        await move(unit, payment_links, link_id, LINK, "expire", ended_at=now)
        if person.payment is not None and person.payment.link_id == link_id:
            await look_soon(unit, now, person.payment.id)
        tasks = await _leave_to_people(unit, now, person, link, text_of_it)
    return LinksEnded(1, tasks)


async def _message(unit: Unit, link_id: UUID) -> Row[Any] | None:
    return (
        await unit.conn.execute(select(messages).where(messages.c.link_id == link_id).limit(1))
    ).one_or_none()


async def _leave_to_people(
    unit: Unit, now: datetime, person: Person, link: Row[Any], text_of_it: Row[Any] | None
) -> int:
    """One task for each case that is still due and left alone by everything else."""
    if link.signal_id is None:
        # It came with a notice; what follows is the strategy's business.
        return 0
    if person.in_flight or (
        text_of_it is not None and text_of_it.state in (*_NEVER_LEFT, *_TOLD_ALREADY)
    ):
        return 0
    refused = await _refused(unit, link.id)
    opened = 0
    for case_id in _left_alone(person):
        made = await open_task(
            unit,
            now,
            borrower_id=person.id,
            case_id=case_id,
            reason=TaskReason.LINK_UNPAID,
            cause=f"{link.id}|{case_id}",
            situation={
                "link_id": str(link.id),
                "sent_at": link.created_at.isoformat(),
                "expired_at": link.expires_at.isoformat(),
                "checks_failed": link.checks_failed,
                "payments_refused": refused,
            },
        )
        opened += made is not None
    return opened


def _left_alone(person: Person) -> Sequence[UUID]:
    return [
        due.case_id
        for due in person.dues
        if due.case_id is not None
        and not person.holds_on(due.case_id)
        and not person.tasks_on(due.case_id)
    ]


async def _refused(unit: Unit, link_id: UUID) -> int:
    """How many payments begun through the link the bank refused."""
    found = await unit.conn.scalars(
        select(payments.c.id).where(
            payments.c.link_id == link_id, payments.c.state == PaymentState.REJECTED.value
        )
    )
    return len(found.all())
