"""An e-mail did not arrive: a dead address is given up, and a person is told when nothing is left.

As long as he has a telephone number that is his, the texts and the calls go on without it, and
nobody has to do anything about one e-mail.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, update

from app.domain.task import TaskReason
from app.flows.actors import CARRIER
from app.flows.work.open_task import open_task
from app.store import timeline
from app.store.brakes import in_peace
from app.store.locks import lock_borrower
from app.store.tables import borrowers
from app.store.timeline import Kind, Line
from app.store.unit import Unit


async def email_failed(
    unit: Unit, now: datetime, message: Row[Any], said: str, *, dead: bool
) -> None:
    """Draw the consequences for the person; the caller has locked him and moved the message.

    `dead`: there is no such mailbox. Its hash stays in the row, so that the lender's system does
    not bring the same address back (app/flows/books/register_borrower.py).
    """
    person = await lock_borrower(unit, message.borrower_id)
    sent_to = unit.open("messages.to_enc", message.id, message.to_enc)
    same = person.email_enc is not None and sent_to == unit.open(
        "borrowers.email_enc", person.id, person.email_enc
    )
    if dead and same:
        await unit.conn.execute(
            update(borrowers).where(borrowers.c.id == person.id).values(email_enc=None)
        )
        details = {"message_id": str(message.id), "said": said}
        line = Line(person.id, Kind.EMAIL_DEAD, CARRIER, details, lender_id=person.lender_id)
        await timeline.write(unit, now, [line])
    texted = person.phone_enc is not None and person.phone_doubted_at is None
    held = [await in_peace(unit, now, person.id, case_id) for case_id in message.case_ids]
    if not texted and not all(held):
        await open_task(
            unit,
            now,
            borrower_id=person.id,
            reason=TaskReason.NO_WAY_TO_REACH,
            cause=message.id,
            situation={"message_id": str(message.id), "channel": message.channel, "said": said},
            lender_id=person.lender_id,
        )
