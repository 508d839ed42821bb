"""Queue one text to one person about all of his cases with money in sight. It leaves later.

The gate is asked now, to know when; it is asked again in the moment before the text leaves
(last_look.py). In observe-only mode the text is kept as one that would have left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import insert, select

from app.domain.ids import derive_key
from app.domain.message import MESSAGE, Channel, MessageState
from app.domain.stage_plan import Skip
from app.domain.task import TaskReason
from app.domain.template import Cause, Rendered
from app.flows.actors import ROBOT
from app.flows.cases.look_at_person import Person
from app.flows.house import House
from app.flows.messages.ask_gate import Asked, ask_gate, verdict_notes
from app.flows.messages.fill_template import fill_template
from app.flows.messages.find_template import find_template
from app.flows.messages.note_gate import note_gate
from app.flows.messages.template_values import who_values
from app.flows.work.open_task import open_task
from app.store import timeline
from app.store.blocked_contacts import Blocked, note_blocked
from app.store.keys import new_id
from app.store.links import make_link
from app.store.moves import move
from app.store.strategies import followed_by
from app.store.tables import messages
from app.store.timeline import Kind, Line
from app.store.unit import Unit

CLICK_AND_PAY: Final = "click_and_pay"
# Stands in an observed text where the token would be: nobody could have opened it.
_NO_TOKEN: Final = "…"  # noqa: S105 - the absence of one


@dataclass(frozen=True, slots=True)
class Queued:
    """What was queued. `message_id=None`: the gate will not open by waiting."""

    message_id: UUID | None
    planned_at: datetime | None
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class _Made:
    """The new message, and which wording it has."""

    id: UUID
    wording: str


async def ask_to_pay(
    unit: Unit,
    house: House,
    now: datetime,
    person: Person,
    *,
    signal_id: UUID,
    case_ids: Sequence[UUID],
) -> Queued:
    """Queue the text, once for one signal, for the first moment that the gate allows.

    The caller holds the borrower's lock and has made sure that he has a telephone. Where the gate
    says that waiting does not help, a collector gets a task with its sentence.
    """
    observing = person.lender.observe_only
    asked = await ask_gate(
        unit,
        house.packs,
        now,
        person.row,
        case_ids=case_ids,
        channel=Channel.SMS,
        observing=observing,
    )
    planned_at = asked.look_again_at
    if planned_at is None:
        await note_gate(
            unit, now, person.id, asked, channel=Channel.SMS, case_ids=case_ids, message_id=None
        )
        await _note_blocked(unit, now, person, asked, signal_id, case_ids)
        await _leave_to_people(unit, now, person, asked, signal_id)
        return Queued(None, None)
    made = await _insert(unit, house, now, person, asked, signal_id, case_ids, planned_at)
    if made is None:
        return Queued(None, None)
    message_id = made.id
    if observing:
        await move(
            unit,
            messages,
            message_id,
            MESSAGE,
            "withhold",
            ended_at=planned_at,
            next_look_at=None,
        )
    await note_gate(
        unit, now, person.id, asked, channel=Channel.SMS, case_ids=case_ids, message_id=message_id
    )
    state = MessageState.WITHHELD if observing else MessageState.QUEUED
    details = {
        "message_id": str(message_id),
        "channel": Channel.SMS.value,
        "state": state.value,
        "wording": made.wording,
        "planned_at": planned_at.isoformat(),
        "signal_id": str(signal_id),
        "cases": [str(case_id) for case_id in case_ids],
    }
    await timeline.write(unit, now, [Line(person.id, Kind.MESSAGE_QUEUED, ROBOT, details)])
    return Queued(message_id, planned_at, withheld=observing)


async def _note_blocked(
    unit: Unit,
    now: datetime,
    person: Person,
    asked: Asked,
    signal_id: UUID,
    case_ids: Sequence[UUID],
) -> None:
    blocked = Blocked(
        derive_key(signal_id, "ask_to_pay"),
        person.id,
        Channel.SMS,
        Cause.FUNDS.value,
        Skip.GATE_REFUSED,
        case_ids=case_ids,
        template=CLICK_AND_PAY,
        verdict=verdict_notes(asked),
    )
    await note_blocked(unit, now, blocked)


async def _insert(
    unit: Unit,
    house: House,
    now: datetime,
    person: Person,
    asked: Asked,
    signal_id: UUID,
    case_ids: Sequence[UUID],
    planned_at: datetime,
) -> _Made | None:
    """The message with its link; None when this signal has had its message."""
    key = derive_key(signal_id, "ask_to_pay")
    if await unit.conn.scalar(select(messages.c.id).where(messages.c.key == key)):
        return None
    message_id = new_id()
    phone = unit.open("borrowers.phone_enc", person.id, person.row.phone_enc)
    link_id, token = await _link(unit, house, now, person, signal_id, planned_at)
    text = await render_text(unit, house, person, token)
    await unit.conn.execute(
        insert(messages).values(
            id=message_id,
            lender_id=person.row.lender_id,
            borrower_id=person.id,
            key=key,
            channel=Channel.SMS.value,
            wording=text.wording,
            language=text.language,
            signal_id=signal_id,
            link_id=link_id,
            case_ids=list(case_ids),
            version_ids=followed_by(case_ids),
            to_enc=unit.seal("messages.to_enc", message_id, phone),
            body_enc=unit.seal("messages.body_enc", message_id, text.body),
            marker_enc=unit.seal("messages.marker_enc", message_id, token),
            created_at=now,
            next_look_at=planned_at,
            verdict=verdict_notes(asked),
        )
    )
    return _Made(message_id, text.wording)


async def _link(
    unit: Unit,
    house: House,
    now: datetime,
    person: Person,
    signal_id: UUID,
    planned_at: datetime,
) -> tuple[UUID | None, str]:
    """A fresh link, good from the planned moment on; none when nothing will leave."""
    if person.lender.observe_only:
        return None, _NO_TOKEN
    link = await make_link(
        unit,
        now,
        lender_id=person.row.lender_id,
        borrower_id=person.id,
        signal_id=signal_id,
        expires_at=planned_at + timedelta(hours=house.settings.link_hours),
    )
    return link.id, link.token


async def render_text(unit: Unit, house: House, person: Person, token: str) -> Rendered:
    """The words that leave, in the borrower's language."""
    template = await find_template(
        unit, house, CLICK_AND_PAY, Channel.SMS, person.row.language, lender_id=person.row.lender_id
    )
    values = who_values(
        house,
        lender=person.lender.name,
        contact_phone=person.lender.contact_phone,
        name=unit.open("borrowers.name_enc", person.id, person.row.name_enc),
        token=token,
    )
    return fill_template(house, template, values)


async def _leave_to_people(
    unit: Unit, now: datetime, person: Person, asked: Asked, signal_id: UUID
) -> None:
    await open_task(
        unit,
        now,
        borrower_id=person.id,
        reason=TaskReason.SMS_BLOCKED,
        cause=signal_id,
        situation={"because": asked.verdict.because, "pack": asked.verdict.pack},
    )
