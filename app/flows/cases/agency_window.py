"""May the agency that has a case contact the borrower now? The same gate as for everybody."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from app.domain.errors import Conflict
from app.domain.ids import LenderId
from app.domain.message import Channel
from app.domain.placement import PlacementState
from app.domain.stage_plan import Skip
from app.flows.house import House
from app.flows.messages.ask_gate import ask_gate
from app.flows.work.call_window import CallWindow, window_of
from app.reference.packs import PackBook
from app.store.blocked_contacts import Blocked, hourly_key, note_blocked
from app.store.locks import lock_borrower
from app.store.placements import lock_placement
from app.store.unit import Unit


async def ask_for_agency(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    placement_id: UUID,
    channel: Channel,
    actor: str,
) -> CallWindow:
    """The gate's answer for the agency of a running placement. A no is kept as an attempt.

    Our contacts count for it and its contacts for us. Raises `NotFound`, and `Conflict` when the
    placement is over: then the agency has no reason to be in touch at all.
    """
    async with house.store.unit(lender_id) as unit:
        row = await lock_placement(unit, placement_id)
        if row.state != PlacementState.PLACED.value:
            raise Conflict("This placement is over: the agency has no case.", code="PlacementOver")
        window = await agency_window(
            unit,
            house.packs,
            now,
            borrower_id=row.borrower_id,
            case_id=row.case_id,
            channel=channel,
        )
        if not window.allowed:
            blocked = Blocked(
                hourly_key(placement_id, f"agency|{channel.value}", now),
                row.borrower_id,
                channel,
                "placement",
                Skip.GATE_REFUSED,
                source="agency",
                actor=actor,
                case_ids=(row.case_id,),
                placement_id=placement_id,
                verdict=window.notes,
            )
            await note_blocked(unit, now, blocked)
        return window


async def agency_window(
    unit: Unit,
    packs: PackBook,
    at: datetime,
    *,
    borrower_id: UUID,
    case_id: UUID,
    channel: Channel,
    asked_for: bool = False,
    at_work: bool = False,
) -> CallWindow:
    """The gate's answer for an agency at `at`, business time."""
    person = await lock_borrower(unit, borrower_id)
    asked = await ask_gate(
        unit,
        packs,
        at,
        person,
        case_ids=(case_id,),
        channel=channel,
        asked_for=asked_for,
        at_work=at_work,
        for_agency=True,
    )
    return window_of(asked)
