"""A person says stop, or start again. Effective at once, whoever passed it on."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert

from app.domain.message import CancelReason, Channel, MessageState
from app.domain.task import TaskReason
from app.flows.actors import ROBOT
from app.flows.messages.cancel_messages import cancel_messages
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.flows.work.open_task import open_task
from app.flows.work.stop_pressure import stop_pressure
from app.store import timeline
from app.store.brakes import may_be_asked, opted_out, silenced
from app.store.keys import new_id
from app.store.locks import lock_borrower
from app.store.tables import messages, opt_outs
from app.store.timeline import Kind, Line
from app.store.unit import Unit

# Ways beside the texts: without them the texts go on, and nobody has to take over.
_BESIDES: Final = (Channel.EMAIL, Channel.PUSH, Channel.CALL)


async def opt_out(
    unit: Unit,
    now: datetime,
    *,
    borrower_id: UUID,
    channel: Channel | str,
    source: str,
    actor: str = ROBOT,
) -> bool:
    """Stop all automatic messages on `channel`; False when they were stopped already.

    `source` says who passed it on: sms, page, api, provider, desk. What is queued is cancelled;
    a person takes over when something is due. The law asks for ten business days (47 CFR
    64.1200(a)(10)); here it is the transaction that hears of it.
    """
    stopped = Channel(channel)
    person = await lock_borrower(unit, borrower_id)
    if borrower_id in await opted_out(unit, (borrower_id,), stopped):
        return False
    await _write(unit, now, person.lender_id, borrower_id, stopped, source, stopped_at=now)
    if stopped in _BESIDES:
        await _cancel_queued(unit, now, borrower_id, stopped)
    else:
        # The money that was seen is still there: a collector may act on the alert.
        await stop_pressure(
            unit,
            now,
            borrower_id=borrower_id,
            case_ids=None,
            why=CancelReason.OPTED_OUT,
            end_signals=False,
        )
    change_id = new_id()
    details = {"channel": stopped.value, "source": source, "stopped": True}
    await timeline.write(
        unit,
        now,
        [Line(borrower_id, Kind.OPT_OUT, actor, details, lender_id=person.lender_id)],
    )
    await tell_lender(
        unit,
        now,
        event=LenderEvent.OPTED_OUT,
        subject_id=change_id,
        payload={
            "borrower_id": str(borrower_id),
            "external_ref": person.external_ref,
            **details,
            "at": now.isoformat(),
        },
        lender_id=person.lender_id,
    )
    reached = stopped in _BESIDES and await _can_be_texted(unit, person)
    if not reached and await may_be_asked(unit, now, borrower_id):
        await open_task(
            unit,
            now,
            borrower_id=borrower_id,
            reason=TaskReason.OPTED_OUT,
            cause=change_id,
            situation={"channel": stopped.value, "source": source},
            lender_id=person.lender_id,
        )
    return True


async def note_opt_out(
    unit: Unit,
    now: datetime,
    *,
    borrower_id: UUID,
    channel: Channel,
    source: str,
    since: datetime,
) -> bool:
    """Stop `channel` as the lender's own records say; False when it was stopped already.

    It counts since `since`. The lender knows it, so he is not told, and no task is opened.
    """
    person = await lock_borrower(unit, borrower_id)
    if borrower_id in await opted_out(unit, (borrower_id,), channel):
        return False
    await _write(unit, now, person.lender_id, borrower_id, channel, source, stopped_at=since)
    await stop_pressure(
        unit,
        now,
        borrower_id=borrower_id,
        case_ids=None,
        why=CancelReason.OPTED_OUT,
        end_signals=False,
    )
    details = {"channel": channel.value, "source": source, "stopped": True}
    await timeline.write(
        unit,
        now,
        [Line(borrower_id, Kind.OPT_OUT, ROBOT, details, lender_id=person.lender_id)],
    )
    return True


async def opt_in(
    unit: Unit,
    now: datetime,
    *,
    borrower_id: UUID,
    channel: Channel | str,
    source: str,
    actor: str = ROBOT,
) -> bool:
    """Allow messages on `channel` again; False when they were never stopped.

    `actor` is who says that he wants them: a key that passes it on is named in the timeline.
    """
    started = Channel(channel)
    person = await lock_borrower(unit, borrower_id)
    if borrower_id not in await opted_out(unit, (borrower_id,), started):
        return False
    await _write(unit, now, person.lender_id, borrower_id, started, source, stopped_at=None)
    details = {"channel": started.value, "source": source, "stopped": False}
    await timeline.write(
        unit,
        now,
        [Line(borrower_id, Kind.OPT_OUT, actor, details, lender_id=person.lender_id)],
    )
    return True


async def _write(
    unit: Unit,
    now: datetime,
    lender_id: UUID,
    borrower_id: UUID,
    channel: Channel,
    source: str,
    *,
    stopped_at: datetime | None,
) -> None:
    row = insert(opt_outs).values(
        lender_id=lender_id,
        borrower_id=borrower_id,
        channel=channel.value,
        stopped_at=stopped_at,
        source=source,
        changed_at=now,
    )
    await unit.conn.execute(
        row.on_conflict_do_update(
            index_elements=["borrower_id", "channel"],
            set_={
                "stopped_at": row.excluded.stopped_at,
                "source": row.excluded.source,
                "changed_at": row.excluded.changed_at,
            },
        )
    )


async def _cancel_queued(unit: Unit, now: datetime, borrower_id: UUID, channel: Channel) -> None:
    queued = await unit.conn.scalars(
        select(messages.c.id).where(
            messages.c.borrower_id == borrower_id,
            messages.c.channel == channel.value,
            messages.c.state == MessageState.QUEUED.value,
        )
    )
    await cancel_messages(unit, now, list(queued), CancelReason.OPTED_OUT)


async def _can_be_texted(unit: Unit, person: Row[Any]) -> bool:
    refused = await silenced(unit, (person.id,), Channel.SMS)
    return person.phone_enc is not None and not refused
