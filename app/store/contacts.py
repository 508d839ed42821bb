"""Past contacts, as the contact gate counts them: whoever made them, on whatever channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, not_, null, or_, select
from sqlalchemy.dialects.postgresql import insert

from app.domain.contact_policy import Contact
from app.domain.ids import CaseId
from app.domain.message import Channel, MessageState
from app.store.keys import new_id
from app.store.strategies import followed_by
from app.store.tables import contacts, messages
from app.store.unit import Unit

SAID_PLACE: Final = "contacts.said_enc"
LONGEST_SAID: Final = 1_600
"""Characters: what ten parts of a long text hold (GSM 03.40)."""

# The longest window of any rule in the packs is a month; what is older counts nowhere.
LOOK_BACK: Final = timedelta(days=32)

# These did surely not go out: nobody was contacted. One that failed because nobody could find out
# may have gone out, and counts.
OUTCOME_UNKNOWN: Final = "outcome_unknown"
_DID_NOT_LEAVE: Final = or_(
    messages.c.state.in_((MessageState.QUEUED.value, MessageState.CANCELLED.value)),
    and_(messages.c.state == MessageState.FAILED.value, messages.c.error_code != OUTCOME_UNKNOWN),
)


def really_made() -> ColumnElement[bool]:
    """The condition on `contacts` outer-joined to `messages`: not a message that never left."""
    return or_(messages.c.id.is_(None), not_(_DID_NOT_LEAVE))


async def withheld_of(unit: Unit, borrower_id: UUID, now: datetime) -> list[Contact]:
    """The messages that observe-only mode held back, as if they had left."""
    rows = await unit.conn.execute(
        select(messages.c.ended_at, messages.c.channel, messages.c.case_ids).where(
            messages.c.borrower_id == borrower_id,
            messages.c.state == MessageState.WITHHELD.value,
            messages.c.ended_at > now - LOOK_BACK,
        )
    )
    return [
        Contact(row.ended_at, Channel(row.channel), frozenset(CaseId(one) for one in row.case_ids))
        for row in rows
    ]


async def note_message(
    unit: Unit,
    now: datetime,
    *,
    lender_id: UUID,
    borrower_id: UUID,
    channel: Channel,
    case_ids: Sequence[UUID],
    message_id: UUID,
) -> None:
    """Count a message at the moment it is taken for sending; taken again, it moves to then."""
    row = insert(contacts).values(
        id=new_id(),
        lender_id=lender_id,
        borrower_id=borrower_id,
        channel=channel.value,
        direction="outbound",
        conversation=False,
        made_at=now,
        case_ids=list(case_ids),
        message_id=message_id,
    )
    await unit.conn.execute(
        row.on_conflict_do_update(
            index_elements=["lender_id", "message_id"],
            # A message for the app may have become a text meanwhile.
            set_={
                "made_at": row.excluded.made_at,
                "case_ids": row.excluded.case_ids,
                "channel": row.excluded.channel,
            },
        )
    )


async def taken_for_sending_at(unit: Unit, *, lender_id: UUID, message_id: UUID) -> datetime | None:
    """The business time at which a message was last taken for sending; None: it never was."""
    return await unit.conn.scalar(
        select(contacts.c.made_at).where(
            contacts.c.lender_id == lender_id, contacts.c.message_id == message_id
        )
    )


async def note_contact(
    unit: Unit,
    made_at: datetime,
    *,
    lender_id: UUID,
    borrower_id: UUID,
    channel: Channel,
    outbound: bool,
    conversation: bool,
    case_ids: Sequence[UUID] = (),
    task_id: UUID | None = None,
    user_id: UUID | None = None,
    placement_id: UUID | None = None,
    source: str = "saldo",
    outcome: str = "",
    note: str = "",
    said: str = "",
    counts: bool = True,
    asked_for: bool = False,
    verdict: Mapping[str, Any] | None = None,
    noted_at: datetime | None = None,
) -> UUID:
    """Count a contact that a person made, or that the borrower began. Returns its id.

    `said` are the borrower's own words; they are kept sealed, and cut after `LONGEST_SAID`
    characters. `counts` False: exempt from every cap; `asked_for`: from those that say so
    (app/domain/contact_exemption.py). `verdict` is the gate's for that moment, `noted_at`
    when somebody wrote it down (None: when it was made). An engine unit has to have the lender's
    keys at hand.
    """
    row_id, kept = new_id(), said if len(said) <= LONGEST_SAID else said[: LONGEST_SAID - 1] + "…"
    await unit.conn.execute(
        insert(contacts).values(
            id=row_id,
            said_enc=unit.seal(SAID_PLACE, row_id, kept, lender_id) if kept else None,
            lender_id=lender_id,
            borrower_id=borrower_id,
            channel=channel.value,
            direction="outbound" if outbound else "inbound",
            conversation=conversation,
            made_at=made_at,
            case_ids=list(case_ids),
            version_ids=followed_by(case_ids),
            task_id=task_id,
            user_id=user_id,
            placement_id=placement_id,
            source=source,
            outcome=outcome,
            note=note,
            counts=counts,
            asked_for=asked_for,
            verdict=null() if verdict is None else dict(verdict),
            noted_at=noted_at,
        )
    )
    return row_id


async def known_contact(
    unit: Unit, *, borrower_id: UUID, channel: Channel, made_at: datetime
) -> bool:
    """Is a contact on this channel at this very minute written down?"""
    minute = made_at.replace(second=0, microsecond=0)
    found = await unit.conn.scalar(
        select(contacts.c.id)
        .where(
            contacts.c.borrower_id == borrower_id,
            contacts.c.channel == channel.value,
            contacts.c.made_at >= minute,
            contacts.c.made_at < minute + timedelta(minutes=1),
        )
        .limit(1)
    )
    return found is not None
