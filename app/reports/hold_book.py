"""The holds over one case, past ones too, and the contacts made before anybody knew of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, any_, func, literal, or_, select, true

from app.domain.hold import RULES, HoldBlock, HoldFact, HoldKind, may_lift, read_blocks
from app.domain.message import Channel
from app.domain.roles import Role
from app.store.contacts import really_made
from app.store.tables import contacts, holds, messages
from app.store.unit import Unit

_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class EarlyContact:
    """One contact that would not have been made, had the hold been known."""

    at: datetime
    channel: Channel
    hold_id: UUID
    kind: str


@dataclass(frozen=True, slots=True)
class HoldLine:
    """One hold. `counts` while it stands, `source` says who demands it; instants, business time."""

    id: UUID
    kind: str
    reason: str
    everything: bool
    starts_at: datetime
    ends_at: datetime | None
    recorded_at: datetime
    set_by: str
    lifted_at: datetime | None
    lifted_by: str | None
    blocks: frozenset[HoldBlock]
    counts: bool
    source: str

    @property
    def backdated(self) -> bool:
        """Did it begin before anybody here knew?"""
        return self.starts_at < self.recorded_at

    def may_end(self, role: Role) -> bool:
        """For the page: whether to offer it."""
        return self.counts and may_lift(role, self.kind)


@dataclass(frozen=True, slots=True)
class HoldBook:
    """Those in force first, then the past ones, newest first. `early` are the contacts."""

    lines: tuple[HoldLine, ...]
    early: tuple[EarlyContact, ...]

    @property
    def in_force(self) -> tuple[HoldLine, ...]:
        return tuple(line for line in self.lines if line.counts)

    @property
    def over(self) -> tuple[HoldLine, ...]:
        return tuple(line for line in self.lines if not line.counts)


async def hold_book(unit: Unit, now: datetime, *, borrower_id: UUID, case_id: UUID) -> HoldBook:
    """Everything about holds that the page of a case shows."""
    rows = (
        await unit.conn.execute(
            select(holds)
            .where(
                holds.c.borrower_id == borrower_id,
                or_(holds.c.case_id.is_(None), holds.c.case_id == case_id),
            )
            .order_by(holds.c.starts_at.desc(), holds.c.id.desc())
            .limit(_MOST)
        )
    ).all()
    lines = [_line(row, now) for row in rows]
    return HoldBook(
        lines=tuple(sorted(lines, key=lambda line: not line.counts)),
        early=await early_contacts(unit, rows, borrower_id=borrower_id, case_id=case_id),
    )


def _fact(row: Row[Any]) -> HoldFact:
    blocks = read_blocks(row.blocks)
    return HoldFact(row.kind, row.starts_at, row.ends_at, row.lifted_at, row.recorded_at, blocks)


def _line(row: Row[Any], now: datetime) -> HoldLine:
    fact = _fact(row)
    known = row.kind in set(HoldKind)
    return HoldLine(
        id=row.id,
        kind=row.kind,
        reason=row.reason,
        everything=row.case_id is None,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        recorded_at=row.recorded_at,
        set_by=row.set_by,
        lifted_at=row.lifted_at,
        lifted_by=row.lifted_by,
        blocks=fact.blocks,
        counts=now in fact.span,
        source=RULES[HoldKind(row.kind)].source if known else "",
    )


async def early_contacts(
    unit: Unit, rows: Sequence[Row[Any]], *, borrower_id: UUID, case_id: UUID | None
) -> tuple[EarlyContact, ...]:
    """What was made under these rows of `holds` before anybody here knew of them, newest first.

    Each contact once, under the hold that was known first. `case_id` None: about any case of his.
    """
    backdated = sorted(
        (
            row
            for row in rows
            if row.starts_at < row.recorded_at and HoldBlock.CONTACT in read_blocks(row.blocks)
        ),
        key=lambda row: row.recorded_at,
    )
    if not backdated:
        return ()
    about = (
        true()
        if case_id is None
        else or_(
            func.cardinality(contacts.c.case_ids) == 0,
            literal(case_id) == any_(contacts.c.case_ids),
        )
    )
    made = await unit.conn.execute(
        select(contacts.c.made_at, contacts.c.channel)
        .outerjoin(messages, messages.c.id == contacts.c.message_id)
        .where(
            contacts.c.borrower_id == borrower_id,
            contacts.c.direction == "outbound",
            contacts.c.made_at >= min(row.starts_at for row in backdated),
            contacts.c.made_at < max(row.recorded_at for row in backdated),
            about,
            really_made(),
        )
        .order_by(contacts.c.made_at.desc())
        .limit(_MOST)
    )
    found: list[EarlyContact] = []
    for contact in made:
        held = next((row for row in backdated if contact.made_at in _fact(row).unknown_span), None)
        if held is not None:
            channel = Channel(contact.channel)
            found.append(EarlyContact(contact.made_at, channel, held.id, held.kind))
    return tuple(found)
