"""Moves of running cases to a version: what became of them, and who could not be moved back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, func, select

from app.domain.errors import NotFound
from app.store.tables import borrowers, case_moves, cases, loans, moved_cases
from app.store.unit import Unit

AT_MOST: Final = 200
_MOVES: Final = 10


@dataclass(frozen=True, slots=True)
class Move:
    """One move. `back` of its `cases` are moved back; `stayed` were refused when it was tried."""

    id: UUID
    version_id: UUID
    reason: str
    made_by: str
    made_at: datetime
    cases: int
    back: int
    stayed: int


@dataclass(frozen=True, slots=True)
class StayedCase:
    """A case that could not be moved back, and why."""

    case_id: UUID
    borrower_name: str
    loan_ref: str
    why: str


async def moves_to(unit: Unit, version_id: UUID) -> tuple[Move, ...]:
    """The latest moves to a version, the newest first."""
    latest = (
        select(case_moves)
        .where(case_moves.c.version_id == version_id)
        .order_by(case_moves.c.made_at.desc(), case_moves.c.id.desc())
        .limit(_MOVES)
    )
    return await _moves(unit, latest)


async def move_of(unit: Unit, move_id: UUID) -> Move:
    """One move. Raises `NotFound`."""
    found = await _moves(unit, select(case_moves).where(case_moves.c.id == move_id))
    if not found:
        raise NotFound("There is no such move.")
    return found[0]


async def _moves(unit: Unit, chosen: Select[Any]) -> tuple[Move, ...]:
    move = chosen.subquery("move")
    rows = await unit.conn.execute(
        select(
            move,
            func.count().label("cases"),
            func.count(moved_cases.c.back_at).label("back"),
            func.count().filter(moved_cases.c.stayed != "").label("stayed"),
        )
        .join(moved_cases, moved_cases.c.move_id == move.c.id)
        .group_by(*move.c)
        .order_by(move.c.made_at.desc(), move.c.id.desc())
    )
    return tuple(
        Move(
            row.id,
            row.version_id,
            row.reason,
            row.made_by,
            row.made_at,
            row.cases,
            row.back,
            row.stayed,
        )
        for row in rows
    )


async def stayed_cases(unit: Unit, move_id: UUID) -> tuple[StayedCase, ...]:
    """Those of a move that could not be moved back, at most `AT_MOST`."""
    rows = await unit.conn.execute(
        select(
            moved_cases.c.case_id,
            moved_cases.c.stayed,
            cases.c.borrower_id,
            borrowers.c.name_enc,
            loans.c.external_ref,
        )
        .join(cases, cases.c.id == moved_cases.c.case_id)
        .join(loans, loans.c.id == cases.c.loan_id)
        .join(borrowers, borrowers.c.id == cases.c.borrower_id)
        .where(moved_cases.c.move_id == move_id, moved_cases.c.stayed != "")
        .order_by(moved_cases.c.stayed, loans.c.external_ref)
        .limit(AT_MOST)
    )
    return tuple(
        StayedCase(
            row.case_id,
            unit.open("borrowers.name_enc", row.borrower_id, row.name_enc),
            row.external_ref,
            row.stayed,
        )
        for row in rows
    )
