"""Write down a contact made outside Saldo, by us or an agency: it counts as it would here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select

from app.domain.contact_exemption import counts_in_caps
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import LenderId, UserId
from app.domain.message import Channel
from app.domain.stage_plan import COUNTED
from app.domain.task import TaskOutcome, TaskReason
from app.flows.cases.agency_window import agency_window
from app.flows.house import House
from app.flows.work.call_window import CallWindow, call_window
from app.flows.work.cancel_tasks import cancel_tasks
from app.flows.work.follow_outcome import SPOKE, Contacted, Heard, follow_outcome
from app.store import timeline
from app.store.contacts import LOOK_BACK, known_contact, note_contact
from app.store.locks import lock_borrower
from app.store.placements import lock_placement
from app.store.tables import cases
from app.store.timeline import Kind, Line
from app.store.unit import Unit

_OF_NO_CONNECTION: Final = (None, TaskOutcome.NO_ANSWER, TaskOutcome.WRONG_NUMBER)
# Clocks of people and machines differ a little.
_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ContactMade:
    """What somebody says happened. `conversation`: the borrower himself was spoken with.

    `made_at` is business time, not ahead, and not so long ago that it counts nowhere. Of what we
    began: `asked_for`, he had asked for it himself in the seven days before; not `connected`, a
    call that never reached the number (engaged, out of service); `at_work`, it reached him there;
    `new_number`, it was made to the number that the desk entered and nobody has confirmed.
    """

    channel: Channel
    outbound: bool
    made_at: datetime
    conversation: bool
    note: str = ""
    outcome: TaskOutcome | None = None
    asked_for: bool = False
    connected: bool = True
    at_work: bool = False
    new_number: bool = False


async def record_contact(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    case_id: UUID,
    made: ContactMade,
    user_id: UserId | None,
    actor: str,
    placement_id: UUID | None = None,
) -> UUID:
    """Count it, with the verdict the gate would have given then, and draw its consequence.

    `placement_id`: the agency that has (or had, at that moment) the case made it. Returns the
    contact's id. Raises `NotFound`, `Invalid` naming the field, and `Conflict` for the same contact
    noted twice.
    """
    _check(made, now)
    async with house.store.unit(lender_id) as unit:
        case = await _case(unit, case_id)
        await lock_borrower(unit, case.borrower_id)
        if await known_contact(
            unit, borrower_id=case.borrower_id, channel=made.channel, made_at=made.made_at
        ):
            raise Conflict("This contact is written down already.", code="ContactKnown")
        placed = (
            None if placement_id is None else await _placed_then(unit, placement_id, case, made)
        )
        window = await _allowed_then(unit, house, case, made, by_agency=placed is not None)
        contact_id = await note_contact(
            unit,
            made.made_at,
            lender_id=case.lender_id,
            borrower_id=case.borrower_id,
            channel=made.channel,
            outbound=made.outbound,
            conversation=made.conversation,
            case_ids=(case_id,),
            user_id=user_id,
            placement_id=placement_id,
            source="outside" if placed is None else "agency",
            outcome="" if made.outcome is None else made.outcome.value,
            note=made.note.strip(),
            counts=counts_in_caps(connected=made.connected),
            asked_for=made.asked_for,
            verdict=None if window is None else window.notes,
            noted_at=now,
        )
        agency = "" if placed is None else placed.agency
        await _write_line(unit, now, case, made, window, actor, agency)
        if made.outcome is not None:
            about = Contacted(case.borrower_id, case_id, contact_id, actor, user_id)
            await follow_outcome(
                unit, house, now, about, Heard(made.outcome, made.note, new_number=made.new_number)
            )
        if placed is None and _was_a_try(made):
            # The strategy counts it: nobody is sent to make the same call once more today.
            await cancel_tasks(
                unit,
                now,
                borrower_id=case.borrower_id,
                reasons=(TaskReason.CALL_BORROWER, TaskReason.PROMISE_BROKEN),
                why="called_outside",
                free_since=made.made_at,
            )
        return contact_id


def _was_a_try(made: ContactMade) -> bool:
    return made.outbound and made.channel is Channel.CALL and made.outcome in COUNTED


def _check(made: ContactMade, now: datetime) -> None:
    if made.made_at > now + _SKEW:
        raise Invalid("made_at", "is in the future.", mend="Give the moment at which it was made.")
    if made.made_at <= now - LOOK_BACK:
        raise Invalid(
            "made_at", "is too long ago.", mend=f"The last {LOOK_BACK.days} days can be noted."
        )
    if made.outcome in (TaskOutcome.PROMISE, TaskOutcome.CALL_BACK):
        raise Invalid(
            "outcome", "needs more than this.", mend="Note the contact, then take it on the case."
        )
    if made.conversation != (made.outcome in SPOKE) and made.outcome not in (
        None,
        TaskOutcome.RESOLVED,
    ):
        raise Invalid(
            "conversation",
            "and the outcome contradict each other.",
            mend="Say what really came of it in both.",
        )
    _check_call(made)


def _check_call(made: ContactMade) -> None:
    """What can only be said of contacts that we began, or of calls."""
    if made.asked_for and not made.outbound:
        raise Invalid(
            "asked_for", "is for contacts that you began.", mend="Leave it out when he began."
        )
    dialled = made.outbound and made.channel is Channel.CALL
    if made.at_work and not dialled:
        raise Invalid("at_work", "is for calls that you made.", mend="Leave it out.")
    if made.new_number and not dialled:
        raise Invalid("new_number", "is for calls that you made.", mend="Leave it out.")
    if made.connected:
        return
    if not dialled:
        raise Invalid("connected", "is for calls that you made.", mend="Leave it out.")
    if made.conversation or made.outcome not in _OF_NO_CONNECTION:
        raise Invalid(
            "connected",
            "and what came of it contradict each other.",
            mend="A conversation needs a call that got through.",
        )


async def _case(unit: Unit, case_id: UUID) -> Row[Any]:
    case = (await unit.conn.execute(select(cases).where(cases.c.id == case_id))).one_or_none()
    if case is None:
        raise NotFound("There is no such case.")
    return case


async def _placed_then(
    unit: Unit, placement_id: UUID, case: Row[Any], made: ContactMade
) -> Row[Any]:
    """The placement, which held at the moment of the contact."""
    row = await lock_placement(unit, placement_id)
    if row.case_id != case.id:
        raise NotFound("There is no such placement.")
    over = row.ended_at is not None and made.made_at > row.ended_at
    if over or made.made_at < row.placed_at:
        raise Invalid(
            "made_at", "is not within the placement.", mend=f"{row.agency} had no case then."
        )
    return row


async def _allowed_then(
    unit: Unit, house: House, case: Row[Any], made: ContactMade, *, by_agency: bool
) -> CallWindow | None:
    if not made.outbound:
        return None
    if by_agency:
        return await agency_window(
            unit,
            house.packs,
            made.made_at,
            borrower_id=case.borrower_id,
            case_id=case.id,
            channel=made.channel,
            asked_for=made.asked_for,
            at_work=made.at_work,
        )
    if made.channel is not Channel.CALL:
        return None
    return await call_window(
        unit,
        house.packs,
        made.made_at,
        borrower_id=case.borrower_id,
        case_ids=(case.id,),
        asked_for=made.asked_for,
        at_work=made.at_work,
    )


async def _write_line(
    unit: Unit,
    now: datetime,
    case: Row[Any],
    made: ContactMade,
    window: CallWindow | None,
    actor: str,
    agency: str,
) -> None:
    details: dict[str, Any] = {
        "channel": made.channel.value,
        "direction": "outbound" if made.outbound else "inbound",
        "conversation": made.conversation,
        "made_at": made.made_at.isoformat(),
        "source": "agency" if agency else "outside",
        "outcome": "" if made.outcome is None else made.outcome.value,
        "note": made.note.strip(),
        "asked_for": made.asked_for,
        "connected": made.connected,
        "at_work": made.at_work,
    }
    if agency:
        details["agency"] = agency
    if window is not None:
        details |= {"allowed": window.allowed, "because": window.because}
    line = Line(case.borrower_id, Kind.CONTACT_NOTED, actor, details, case.id, case.lender_id)
    await timeline.write(unit, now, [line])
