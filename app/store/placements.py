"""Agencies and placements as rows, and what keeps a case from being placed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select

from app.domain.case import CaseState
from app.domain.errors import NotFound
from app.domain.hold import PRESSURE, HoldBlock, HoldKind
from app.domain.placement import PlacementState
from app.domain.promise import PromiseState
from app.store.arrays import among
from app.store.brakes import HoldInForce, holds_of
from app.store.locks import lock_borrower
from app.store.tables import agencies, cases, placements, promises
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a case cannot be placed now: a code for machines, a sentence for people."""

    code: str
    words: str


_NO_CASE: Final = Obstacle("CaseMissing", "There is no such case.")
_CLOSED: Final = Obstacle("CaseClosed", "This case is closed.")
_IN_FLIGHT: Final = Obstacle("PaymentOnItsWay", "A payment is on its way. Wait for its end.")
_PROMISED: Final = Obstacle("PromiseOpen", "A promise to pay stands. Wait for its end.")


async def agency_of(unit: Unit, agency_id: UUID, *, lock: bool = False) -> Row[Any]:
    """One agency. Raises `NotFound`."""
    query = select(agencies).where(agencies.c.id == agency_id)
    row = (
        await unit.conn.execute(query.with_for_update(key_share=True) if lock else query)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such agency.")
    return row


async def active_agencies(unit: Unit) -> list[Row[Any]]:
    """Those of the unit's lender that get new cases, by name."""
    rows = await unit.conn.execute(
        select(agencies)
        .where(agencies.c.lender_id == unit.lender_id, agencies.c.active)
        .order_by(agencies.c.name)
    )
    return list(rows)


async def lock_placement(unit: Unit, placement_id: UUID) -> Row[Any]:
    """Lock the placement's borrower, and return it with the agency's name. Raises `NotFound`."""
    owner = await unit.conn.scalar(
        select(placements.c.borrower_id).where(placements.c.id == placement_id)
    )
    if owner is None:
        raise NotFound("There is no such placement.")
    await lock_borrower(unit, owner)
    return (
        await unit.conn.execute(
            select(placements, agencies.c.name.label("agency"))
            .join(agencies, agencies.c.id == placements.c.agency_id)
            .where(placements.c.id == placement_id)
        )
    ).one()


async def placed_now(unit: Unit, case_ids: Iterable[UUID]) -> Mapping[UUID, Row[Any]]:
    """The running placement of each case, with the agency's name; others are absent."""
    rows = await unit.conn.execute(
        select(placements, agencies.c.name.label("agency"))
        .join(agencies, agencies.c.id == placements.c.agency_id)
        .where(
            among(placements.c.case_id, case_ids),
            placements.c.state == PlacementState.PLACED.value,
        )
    )
    return {row.case_id: row for row in rows}


async def obstacles(unit: Unit, case_ids: Iterable[UUID], now: datetime) -> dict[UUID, Obstacle]:
    """What keeps each of the cases from being placed at `now`; those that can be are absent."""
    wanted = list(case_ids)
    found = {
        row.id: row
        for row in await unit.conn.execute(
            select(cases.c.id, cases.c.borrower_id, cases.c.state).where(among(cases.c.id, wanted))
        )
    }
    held = await holds_of(unit, {row.borrower_id for row in found.values()}, now)
    placed = await placed_now(unit, wanted)
    promised = set(
        await unit.conn.scalars(
            select(promises.c.case_id).where(
                among(promises.c.case_id, wanted), promises.c.state == PromiseState.OPEN.value
            )
        )
    )
    known: dict[UUID, Obstacle] = {}
    for case_id in wanted:
        row = found.get(case_id)
        obstacle = (
            _NO_CASE
            if row is None
            else _of_state(row.state)
            or _of_agency(placed.get(case_id))
            or _of_holds([one for one in held.get(row.borrower_id, ()) if one.covers(case_id)])
            or (_PROMISED if case_id in promised else None)
        )
        if obstacle is not None:
            known[case_id] = obstacle
    return known


def _of_state(state: str) -> Obstacle | None:
    if state == CaseState.CLOSED.value:
        return _CLOSED
    return _IN_FLIGHT if state == CaseState.IN_FLIGHT.value else None


def _of_agency(placed: Row[Any] | None) -> Obstacle | None:
    if placed is None:
        return None
    return Obstacle("PlacedAlready", f"{placed.agency} has this case already.")


def _of_holds(holds: list[HoldInForce]) -> Obstacle | None:
    """A hold that stops pressure, or forbids an agency: whoever is spared is spared by all."""
    named = [
        hold.kind.replace("_", " ")
        for hold in holds
        if hold.stops(HoldBlock.AGENCY, *PRESSURE) and hold.kind != HoldKind.PLACED.value
    ]
    if not named:
        return None
    return Obstacle("HoldForbids", f"A hold forbids it: {', '.join(dict.fromkeys(named))}.")
