"""What holds Saldo back: the lender's stop switches, a borrower's holds and opt-outs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select

from app.domain.case import CaseState
from app.domain.hold import (
    EVERYTHING,
    PRESSURE,
    HoldBlock,
    HoldFact,
    blocks_in_force,
    read_blocks,
)
from app.domain.message import Channel
from app.store.arrays import among
from app.store.tables import borrowers, cases, holds, opt_outs, stop_switches
from app.store.unit import Unit


class Brake(StrEnum):
    """What one stop switch halts. `all` halts every other one with it."""

    SMS = "sms"
    EMAIL = "email"
    PUSH = "push"
    PAYMENT = "payment"
    READING = "reading"
    WEBHOOK = "webhook"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class HoldInForce:
    """One hold that counts at the moment asked about. `case_id=None`: every case of his."""

    id: UUID
    borrower_id: UUID
    case_id: UUID | None
    kind: str
    reason: str
    starts_at: datetime
    ends_at: datetime | None
    recorded_at: datetime
    blocks: frozenset[HoldBlock] = EVERYTHING

    def covers(self, case_id: UUID) -> bool:
        """Does it stand over this case?"""
        return self.case_id is None or self.case_id == case_id

    def stops(self, *wanted: HoldBlock) -> bool:
        """Does it stop any of these?"""
        return not self.blocks.isdisjoint(wanted)


async def halted(unit: Unit, lender_id: UUID, channel: str) -> bool:
    """Has the lender thrown the switch for `channel`, or the one for everything?"""
    found = await unit.conn.scalar(
        select(stop_switches.c.halted)
        .where(
            stop_switches.c.lender_id == lender_id,
            stop_switches.c.channel.in_((channel, Brake.ALL.value)),
            stop_switches.c.halted,
        )
        .limit(1)
    )
    return found is not None


async def halted_lenders(unit: Unit, channel: str) -> set[UUID]:
    """Every lender for whom `channel` is halted; for batches over lenders."""
    rows = await unit.conn.execute(
        select(stop_switches.c.lender_id)
        .distinct()
        .where(stop_switches.c.channel.in_((channel, Brake.ALL.value)), stop_switches.c.halted)
    )
    return {row.lender_id for row in rows}


def in_force(now: datetime) -> ColumnElement[bool]:
    """The condition on `holds` that count at `now` (business time), whatever each stops."""
    return and_(
        holds.c.starts_at <= now,
        holds.c.lifted_at.is_(None),
        or_(holds.c.ends_at.is_(None), holds.c.ends_at > now),
    )


async def holds_of(
    unit: Unit, borrower_ids: Iterable[UUID], now: datetime
) -> Mapping[UUID, tuple[HoldInForce, ...]]:
    """The holds in force at `now`, by borrower; borrowers without one are absent."""
    rows = await unit.conn.execute(
        select(holds)
        .where(holds.c.borrower_id.in_(list(borrower_ids)), in_force(now))
        .order_by(holds.c.starts_at, holds.c.id)
    )
    found: dict[UUID, tuple[HoldInForce, ...]] = {}
    for row in rows:
        hold = HoldInForce(
            row.id,
            row.borrower_id,
            row.case_id,
            row.kind,
            row.reason,
            row.starts_at,
            row.ends_at,
            row.recorded_at,
            blocks_in_force(row.kind, row.blocks),
        )
        found[row.borrower_id] = (*found.get(row.borrower_id, ()), hold)
    return found


async def in_peace(unit: Unit, now: datetime, borrower_id: UUID, case_id: UUID) -> bool:
    """Does a hold keep everybody from asking him for money on this case at `now`?"""
    holds_now = (await holds_of(unit, (borrower_id,), now)).get(borrower_id, ())
    return leaves_in_peace(holds_now, case_id)


def leaves_in_peace(holds_now: Iterable[HoldInForce], case_id: UUID) -> bool:
    """Does one of these holds keep everybody from asking for money on this case?"""
    return any(hold.covers(case_id) and hold.stops(*PRESSURE) for hold in holds_now)


async def may_be_asked(unit: Unit, now: datetime, borrower_id: UUID) -> bool:
    """Has he an open case on which a person may ask him for money at `now`?"""
    open_ones = await unit.conn.scalars(
        select(cases.c.id).where(
            cases.c.borrower_id == borrower_id, cases.c.state != CaseState.CLOSED.value
        )
    )
    held = (await holds_of(unit, (borrower_id,), now)).get(borrower_id, ())
    return any(not leaves_in_peace(held, case_id) for case_id in open_ones)


async def opted_out(unit: Unit, borrower_ids: Iterable[UUID], channel: Channel) -> set[UUID]:
    """Those of the borrowers who stopped `channel` and did not start it again."""
    rows = await unit.conn.execute(
        select(opt_outs.c.borrower_id).where(
            opt_outs.c.borrower_id.in_(list(borrower_ids)),
            opt_outs.c.channel == channel.value,
            opt_outs.c.stopped_at.is_not(None),
        )
    )
    return {row.borrower_id for row in rows}


async def stopped_channels(unit: Unit, borrower_id: UUID) -> frozenset[Channel]:
    """Every channel that he stopped and did not start again."""
    rows = await unit.conn.scalars(
        select(opt_outs.c.channel).where(
            opt_outs.c.borrower_id == borrower_id, opt_outs.c.stopped_at.is_not(None)
        )
    )
    return frozenset(Channel(channel) for channel in rows)


async def emails_stopped(unit: Unit, borrower_id: UUID) -> bool | None:
    """Has he stopped the e-mails? None: there is no address, and so nothing to stop."""
    address = await unit.conn.scalar(
        select(borrowers.c.email_enc).where(borrowers.c.id == borrower_id)
    )
    if address is None:
        return None
    return borrower_id in await opted_out(unit, (borrower_id,), Channel.EMAIL)


async def silenced(unit: Unit, borrower_ids: Iterable[UUID], channel: Channel) -> set[UUID]:
    """Those of the borrowers who may not be written to on `channel`.

    They stopped it themselves, or somebody did whom the same lender reaches at the same address:
    the phone in a person's hand does not know under how many names a lender keeps him (47 CFR
    64.1200(a)(10) revokes for the number). `opted_out` is each one's own word alone.
    """
    his, other = borrowers.alias("his"), borrowers.alias("other")
    reached_at = "email" if channel is Channel.EMAIL else "phone"
    same_address = and_(
        other.c.lender_id == his.c.lender_id,
        other.c[f"{reached_at}_hash"] == his.c[f"{reached_at}_hash"],
        other.c[f"{reached_at}_enc"].is_not(None),
    )
    meant = or_(other.c.id == his.c.id, same_address)
    rows = await unit.conn.execute(
        select(his.c.id).where(
            his.c.id.in_(list(borrower_ids)),
            exists(
                select(opt_outs.c.borrower_id)
                .join(other, other.c.id == opt_outs.c.borrower_id)
                .where(
                    opt_outs.c.channel == channel.value,
                    opt_outs.c.stopped_at.is_not(None),
                    meant,
                )
            ),
        )
    )
    return {row.id for row in rows}


async def freezing_holds(
    unit: Unit, owners: Mapping[UUID, UUID]
) -> Mapping[UUID, tuple[HoldFact, ...]]:
    """The holds, over or not, whose days do not count as past due, by case.

    `owners` are the borrowers of the cases that are asked about.
    """
    rows = await unit.conn.execute(
        select(holds).where(among(holds.c.borrower_id, set(owners.values())))
    )
    found: dict[UUID, tuple[HoldFact, ...]] = {}
    for row in rows:
        blocks = read_blocks(row.blocks)
        if HoldBlock.DAYS not in blocks:
            continue
        fact = HoldFact(
            row.kind, row.starts_at, row.ends_at, row.lifted_at, row.recorded_at, blocks
        )
        for case_id, borrower_id in owners.items():
            if borrower_id == row.borrower_id and row.case_id in (None, case_id):
                found[case_id] = (*found.get(case_id, ()), fact)
    return found
