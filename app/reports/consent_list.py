"""The desk's list of permissions: who, which bank, for what, until when, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select

from app.domain.consent import ConsentState, Purpose
from app.store.tables import accounts, borrowers, cases, consent_choices, consents
from app.store.unit import Unit

AT_MOST: Final = 50


@dataclass(frozen=True, slots=True)
class ChoiceLine:
    """One purpose, and the words that were on the screen when it was chosen."""

    purpose: Purpose
    granted: bool
    wording_version: str
    language: str
    chosen_at: datetime
    withdrawn_at: datetime | None
    withdrawn_via: str


@dataclass(frozen=True, slots=True)
class ConsentLine:
    """One consent at one bank. Times are business time."""

    id: UUID
    state: ConsentState
    bank_id: str
    borrower_name: str
    borrower_ref: str
    case_id: UUID | None
    purposes: tuple[Purpose, ...]
    created_at: datetime
    ends_at: datetime | None
    ended_at: datetime | None
    ended_why: str
    last_read_at: datetime | None
    choices: tuple[ChoiceLine, ...]


@dataclass(frozen=True, slots=True)
class ConsentList:
    """At most `AT_MOST` lines, newest first; `after` is the key of what follows."""

    lines: tuple[ConsentLine, ...]
    after: UUID | None


async def consent_list(
    unit: Unit, *, state: ConsentState | None = None, after: UUID | None = None
) -> ConsentList:
    """Consents of the unit's lender, newest first, of one state if wanted."""
    last_read = (
        select(func.max(accounts.c.last_read_at))
        .where(accounts.c.consent_id == consents.c.id)
        .scalar_subquery()
    )
    open_case = (
        select(cases.c.id)
        .where(cases.c.borrower_id == consents.c.borrower_id, cases.c.state != "closed")
        .order_by(cases.c.opened_at)
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(
            consents.c.id,
            consents.c.request_id,
            consents.c.state,
            consents.c.bank_id,
            consents.c.purposes,
            consents.c.created_at,
            consents.c.ends_at,
            consents.c.ended_at,
            consents.c.ended_why,
            consents.c.borrower_id,
            borrowers.c.name_enc,
            borrowers.c.external_ref,
            last_read.label("last_read_at"),
            open_case.label("case_id"),
        )
        .join(borrowers, borrowers.c.id == consents.c.borrower_id)
        .order_by(consents.c.id.desc())
        .limit(AT_MOST + 1)
    )
    if state is not None:
        query = query.where(consents.c.state == state.value)
    if after is not None:
        query = query.where(consents.c.id < after)
    rows = (await unit.conn.execute(query)).all()
    shown = rows[:AT_MOST]
    choices = await _choices(unit, [row.request_id for row in shown])
    lines = tuple(_line(unit, row, choices.get(row.request_id, ())) for row in shown)
    return ConsentList(lines, shown[-1].id if len(rows) > AT_MOST else None)


async def _choices(unit: Unit, request_ids: list[UUID]) -> dict[UUID, tuple[ChoiceLine, ...]]:
    rows = await unit.conn.execute(
        select(consent_choices)
        .where(consent_choices.c.request_id.in_(request_ids))
        .order_by(consent_choices.c.chosen_at, consent_choices.c.id)
    )
    found: dict[UUID, tuple[ChoiceLine, ...]] = {}
    for row in rows:
        line = ChoiceLine(
            purpose=Purpose(row.purpose),
            granted=row.granted,
            wording_version=row.wording_version,
            language=row.language,
            chosen_at=row.chosen_at,
            withdrawn_at=row.withdrawn_at,
            withdrawn_via=row.withdrawn_via or "",
        )
        found[row.request_id] = (*found.get(row.request_id, ()), line)
    return found


def _line(unit: Unit, row: Any, choices: tuple[ChoiceLine, ...]) -> ConsentLine:
    return ConsentLine(
        id=row.id,
        state=ConsentState(row.state),
        bank_id=row.bank_id,
        borrower_name=unit.open("borrowers.name_enc", row.borrower_id, row.name_enc),
        borrower_ref=row.external_ref,
        case_id=row.case_id,
        purposes=tuple(Purpose(one) for one in row.purposes),
        created_at=row.created_at,
        ends_at=row.ends_at,
        ended_at=row.ended_at,
        ended_why=row.ended_why,
        last_read_at=row.last_read_at,
        choices=choices,
    )
