"""What is known of accounts' income and bills, as rows: whose, keeping it, erasing it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.domain.case import CaseState
from app.domain.consent import Purpose
from app.domain.experiment import Arm, ExperimentKind
from app.domain.reading_way import ReadingWay, way_of
from app.store import driver
from app.store.tables import accounts, income_profiles
from app.store.unit import Unit

_PLANNED = (ReadingWay.LEARNED,)


class Learner(NamedTuple):
    """An account of which more is known than its balance, and what that is so far.

    `plans`: it is read when income is likely. `bills_enc` is there only where its owner allowed a
    look at his transactions and the lender still wants it used. The figure is that of the last
    reading that showed one and is not erased: `figure_enc` stands under `reading_id`.
    """

    account_id: UUID
    profile_enc: bytes | None
    bills_enc: bytes | None
    reading_id: UUID | None
    figure_enc: bytes | None
    read_at: datetime | None
    plans: bool


async def learners(unit: Unit, account_ids: Sequence[UUID], now: datetime) -> dict[UUID, Learner]:
    """Those of the accounts that are read by income or whose bills are known; mostly there are
    none.
    """
    choosing = await driver.rows(
        unit,
        """
        SELECT l.id FROM lenders l
        WHERE l.id IN (SELECT lender_id FROM accounts WHERE id = ANY(%(ids)b::uuid[])) AND (
            l.reading_way = %(learned)b OR l.reads_bills OR EXISTS (SELECT FROM experiments x
                WHERE x.lender_id = l.id AND x.kind = %(kind)b AND x.ended_at IS NULL))
        """,
        {
            "ids": list(account_ids),
            "learned": ReadingWay.LEARNED.value,
            "kind": ExperimentKind.READING.value,
        },
    )
    if not choosing:
        return {}
    found = await driver.rows(
        unit,
        """
        SELECT a.id, p.profile_enc,
            CASE WHEN l.reads_bills AND %(bills)b = ANY(c.purposes) THEN p.bills_enc END, r.id,
            r.figure_enc, r.read_at, l.reading_way, e.arm
        FROM accounts a
        JOIN lenders l ON l.id = a.lender_id
        JOIN consents c ON c.id = a.consent_id
        LEFT JOIN income_profiles p ON p.account_id = a.id
        LEFT JOIN LATERAL (
            SELECT ca.arm FROM cases k
            JOIN case_arms ca ON ca.case_id = k.id
            JOIN experiments x ON x.id = ca.experiment_id
            WHERE k.borrower_id = a.borrower_id AND k.state <> %(closed)b
                AND x.kind = %(kind)b AND x.ended_at IS NULL
                AND ca.drawn_at + make_interval(days => x.horizon_days) > %(now)b
            ORDER BY ca.drawn_at, ca.case_id LIMIT 1
        ) e ON true
        LEFT JOIN LATERAL (
            SELECT id, figure_enc, read_at FROM readings
            WHERE account_id = a.id AND figure_enc IS NOT NULL
            ORDER BY read_at DESC LIMIT 1
        ) r ON true
        WHERE a.id = ANY(%(ids)b::uuid[]) AND a.lender_id = ANY(%(lenders)b::uuid[])
        """,
        {
            "ids": list(account_ids),
            "lenders": [row[0] for row in choosing],
            "bills": Purpose.BILLS.value,
            "kind": ExperimentKind.READING.value,
            "closed": CaseState.CLOSED.value,
            "now": now,
        },
    )
    known = [
        Learner._make((*row[:6], way_of(ReadingWay(row[6]), row[7] and Arm(row[7])) in _PLANNED))
        for row in found
    ]
    return {one.account_id: one for one in known if one.plans or one.bills_enc is not None}


class Learned(NamedTuple):
    """One account after a reading. `planned_at` None: nothing is planned, its reading ends.

    `plans` False: its next read stays where it is. `bills_enc` None leaves what is kept as it is.

    `due_minor` is what is due on the account in its currency. `reason` is a word of `PlanReason`;
    `odds_basis_points`, that the money is there by then.
    """

    account_id: UUID
    lender_id: UUID
    profile_enc: bytes
    bills_enc: bytes | None
    plans: bool
    planned_at: datetime | None
    due_minor: int
    reason: str
    odds_basis_points: int


_COLUMNS = ("uuid", "uuid", "bytea", "bytea", "bool", "timestamptz", "bigint", "text", "smallint")
_ARRAYS = ", ".join(
    f"%({name})b::{kind}[]" for name, kind in zip(Learned._fields, _COLUMNS, strict=True)
)
_KEEP = f"""
    WITH n AS (
        SELECT * FROM unnest({_ARRAYS}) AS n ({", ".join(Learned._fields)})
    ), kept AS (
        INSERT INTO income_profiles AS p (account_id, lender_id, profile_enc, bills_enc, planned_at,
            due_minor, reason, odds_basis_points, learned_at)
        SELECT n.account_id, n.lender_id, n.profile_enc, n.bills_enc, n.planned_at, n.due_minor,
            n.reason, n.odds_basis_points, %(now)b
        FROM n
        ON CONFLICT (account_id) DO UPDATE SET profile_enc = excluded.profile_enc,
            bills_enc = coalesce(excluded.bills_enc, p.bills_enc),
            planned_at = excluded.planned_at, due_minor = excluded.due_minor,
            reason = excluded.reason, odds_basis_points = excluded.odds_basis_points,
            learned_at = excluded.learned_at
    )
    UPDATE accounts AS a SET next_read_at = n.planned_at
    FROM n WHERE a.id = n.account_id AND n.plans AND a.next_read_at IS NOT NULL
"""  # noqa: S608 - made of the names above, nothing from outside


async def keep(unit: Unit, now: datetime, learned: Sequence[Learned]) -> None:
    """Keep what was learned; give those that plan their next read, if they are to be read at all.

    The caller holds the accounts' locks.
    """
    if learned:
        arrays = dict(zip(Learned._fields, map(list, zip(*learned, strict=True)), strict=True))
        await driver.run(unit, _KEEP, {**arrays, "now": now})


async def keep_bills(
    unit: Unit, now: datetime, account: Row[Any], income: bytes, bills: bytes
) -> None:
    """Keep what an account's transactions said of its income and bills, in place of what was known.

    Its plan stays as it is. The caller holds the account's lock.
    """
    found = {"profile_enc": income, "bills_enc": bills, "learned_at": now}
    await unit.conn.execute(
        insert(income_profiles)
        .values(account_id=account.id, lender_id=account.lender_id, **found)
        .on_conflict_do_update(index_elements=[income_profiles.c.account_id], set_=found)
    )


async def kept_profile(unit: Unit, account_id: UUID) -> bytes | None:
    """What is kept of an account's income. The caller holds the account's lock."""
    return await unit.conn.scalar(
        select(income_profiles.c.profile_enc).where(income_profiles.c.account_id == account_id)
    )


class Planned(NamedTuple):
    """The next read of an account as it was planned by its income."""

    account_id: UUID
    borrower_id: UUID
    currency: str
    due_minor: int


async def planned(unit: Unit, borrower_ids: Iterable[UUID], now: datetime) -> list[Planned]:
    """The accounts of these borrowers whose next read, still to come, was planned by income."""
    found = await driver.rows(
        unit,
        """
        SELECT a.id, a.borrower_id, a.currency, p.due_minor
        FROM accounts a JOIN income_profiles p ON p.account_id = a.id
        WHERE a.borrower_id = ANY(%(borrowers)b::uuid[]) AND p.planned_at = a.next_read_at
            AND a.next_read_at > %(now)b AND a.leased_until IS NULL
        """,
        {"borrowers": list(borrower_ids), "now": now},
    )
    return [Planned(*row) for row in found]


async def forget(unit: Unit, which: ColumnElement[bool]) -> None:
    """Erase what is known of income and bills of the accounts for which `which` holds."""
    await unit.conn.execute(
        update(income_profiles)
        .where(
            income_profiles.c.profile_enc.is_not(None),
            income_profiles.c.account_id.in_(select(accounts.c.id).where(which)),
        )
        .values(profile_enc=None, bills_enc=None, planned_at=None, reason="", odds_basis_points=0)
    )


async def forget_bills(unit: Unit, which: ColumnElement[bool]) -> None:
    """Erase what transactions said of the accounts for which `which` holds: bills, and income."""
    told = select(income_profiles.c.account_id).where(income_profiles.c.bills_enc.is_not(None))
    await forget(unit, and_(which, accounts.c.id.in_(told)))


async def forget_old(unit: Unit, before: datetime, *, limit: int) -> int:
    """Erase at most `limit` profiles that nothing was added to since `before`. Returns how many."""
    old = (
        select(income_profiles.c.account_id)
        .where(income_profiles.c.profile_enc.is_not(None), income_profiles.c.learned_at <= before)
        .order_by(income_profiles.c.learned_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    result = await unit.conn.execute(
        update(income_profiles)
        .where(income_profiles.c.account_id.in_(old))
        .values(profile_enc=None, bills_enc=None, planned_at=None, reason="", odds_basis_points=0)
    )
    return result.rowcount
