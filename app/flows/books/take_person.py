"""Take one person over from a released book: himself, his debts, and what was said and agreed.

What holds back comes before what drives: opt-outs, past contacts and holds are written in the very
transaction that makes his loans visible, so that no tick can see one without the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from app.domain.book import BookKind
from app.domain.book_rows import ContactRow
from app.domain.bulk_file import RowVerdict
from app.domain.errors import Conflict
from app.flows.books.check_book import IN_THE_BOOK
from app.flows.books.load_book import usable_kinds
from app.flows.books.read_book import BookRow, Reading, read_row
from app.flows.books.register_borrower import put_borrower
from app.flows.books.take_agreements import take_hold, take_promises
from app.flows.books.take_loan import take_loan, take_repayments
from app.flows.messages.opt_out import note_opt_out
from app.store import timeline
from app.store.borrowers import find_borrower
from app.store.keys import new_id
from app.store.locks import lock_borrower
from app.store.tables import contacts
from app.store.timeline import Kind, Line
from app.store.unit import Unit

SOURCE = "import"


async def take_person(
    unit: Unit, now: datetime, reading: Reading, rows: Sequence[BookRow], *, actor: str
) -> None:
    """Carry out all usable rows of one person. Raises `Refused` when one of them cannot be.

    Since the check somebody else may have registered him, or a loan of his: what is in the book
    stays as it is there, and the row is marked as a repeat.
    """
    wanted = usable_kinds(rows)
    for row in wanted[BookKind.BORROWERS]:
        made = await put_borrower(unit, now, read_row(row, reading, ""), update_known=False)
        if not made.created:
            row.refuse(RowVerdict.DUPLICATE, IN_THE_BOOK)
    borrower_id = await find_borrower(unit, rows[0].person)
    await lock_borrower(unit, borrower_id)
    await _opt_outs(unit, now, borrower_id, reading, wanted[BookKind.OPT_OUTS])
    await _contacts(unit, borrower_id, reading, wanted[BookKind.CONTACTS])
    for row in wanted[BookKind.LOANS]:
        await take_loan(unit, now, borrower_id, reading, row, wanted[BookKind.INSTALMENTS])
    await take_repayments(unit, now, borrower_id, reading, wanted[BookKind.REPAYMENTS])
    for row in wanted[BookKind.HOLDS]:
        await take_hold(unit, now, borrower_id, read_row(row, reading, ""), set_by=actor)
    await take_promises(unit, now, borrower_id, reading, wanted[BookKind.PROMISES], made_by=actor)
    counted = {kind.value: sum(row.usable for row in of) for kind, of in wanted.items() if of}
    await _say(unit, now, borrower_id, counted, actor)


async def _opt_outs(
    unit: Unit, now: datetime, borrower_id: UUID, reading: Reading, rows: Sequence[BookRow]
) -> None:
    for row in rows:
        record = read_row(row, reading, "")
        for channel in record.channels:
            await note_opt_out(
                unit,
                now,
                borrower_id=borrower_id,
                channel=channel,
                source=SOURCE,
                since=record.since or now,
            )


async def _contacts(
    unit: Unit, borrower_id: UUID, reading: Reading, rows: Sequence[BookRow]
) -> None:
    """Past contacts, at their own times. They name no case, so every debt counts them."""
    if rows:
        made = [_contact(unit, borrower_id, read_row(row, reading, "")) for row in rows]
        await unit.conn.execute(insert(contacts), made)


def _contact(unit: Unit, borrower_id: UUID, record: ContactRow) -> dict[str, Any]:
    return {
        "id": new_id(),
        "lender_id": unit.lender_id,
        "borrower_id": borrower_id,
        "channel": record.channel.value,
        "direction": record.direction.value,
        "conversation": record.conversation,
        "made_at": record.made_at,
        "source": SOURCE,
        "outcome": record.outcome,
        "note": record.note,
    }


async def _say(
    unit: Unit, now: datetime, borrower_id: UUID, counted: Mapping[str, int], actor: str
) -> None:
    if not any(counted.values()):
        raise Conflict("Nothing of this person is left to be loaded.")
    await timeline.write(
        unit, now, [Line(borrower_id, Kind.BOOK_LOADED, actor, {"rows": dict(counted)})]
    )
