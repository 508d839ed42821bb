"""The reading plan and the attempts: which account is due, who may be asked, who was asked.

All of it is set-based and touches each table once per batch. The allowance belongs to the bank
account, not to a row of ours: rows of one IBAN (of several lenders, in several currencies) are
locked together, always in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.domain.breaker import BreakerState, Service
from app.domain.consent import ConsentState, Purpose
from app.store import driver
from app.store.unit import Unit

# ------------------------------------------------------------------ planning


class DueAccount(NamedTuple):
    """An account whose time has come. `lapsed`: it was handed to a worker that never began."""

    id: UUID
    connector: str
    bank_id: str
    next_read_at: datetime
    lapsed: bool


async def take_due(unit: Unit, now: datetime, since: datetime, limit: int) -> list[DueAccount]:
    """Lock at most `limit` due accounts that nobody else is planning, the longest due first.

    Walks the partial index on `next_read_at` from `since` on, so the cost is that of the due
    rows, however large the book is and however many lenders it has.
    """
    found = await driver.rows(
        unit,
        """
        SELECT id, connector, bank_id, next_read_at, leased_until IS NOT NULL
        FROM accounts
        WHERE next_read_at <= %(now)b AND next_read_at >= %(since)b
            AND (leased_until IS NULL OR leased_until <= %(now)b)
        ORDER BY next_read_at
        LIMIT %(limit)b
        FOR NO KEY UPDATE SKIP LOCKED
        """,
        {"now": now, "since": since, "limit": limit},
    )
    return [DueAccount(*row) for row in found]


async def lease(unit: Unit, account_ids: Sequence[UUID], until: datetime) -> None:
    """Hand accounts to a job. `next_read_at` stays, so no index is written at all."""
    await driver.run(
        unit,
        "UPDATE accounts SET leased_until = %(until)b WHERE id = ANY(%(ids)b::uuid[])",
        {"until": until, "ids": list(account_ids)},
    )


async def set_next_reads(
    unit: Unit, account_ids: Sequence[UUID], next_read_ats: Sequence[datetime | None]
) -> None:
    """Give accounts their next read (None: not to be read) and take them back from the job."""
    await driver.run(
        unit,
        """
        UPDATE accounts AS a SET next_read_at = n.at, leased_until = NULL
        FROM unnest(%(ids)b::uuid[], %(ats)b::timestamptz[]) AS n (id, at)
        WHERE a.id = n.id
        """,
        {"ids": list(account_ids), "ats": list(next_read_ats)},
    )


# ------------------------------------------------------------------ before the call


class Standing(NamedTuple):
    """Everything that decides whether one account may be asked now, as of after its lock.

    `attempts` are the unattended ones of the allowance window, on any row of the same IBAN.
    `due`: a case is not closed. `askable`: one is open (no payment in flight) and not on hold.
    `halted`: the lender's stop switch. `paused_until` (real time) is set while the bank is down:
    the end of its pause, after which one account may be the probe.
    """

    id: UUID
    lender_id: UUID
    borrower_id: UUID
    consent_id: UUID
    connector: str
    bank_id: str
    iban_hash: bytes
    ref_enc: bytes
    failures: int
    blocked_until: datetime | None
    leased: bool
    usable: bool
    consent_active: bool
    ends_at: datetime | None
    token_enc: bytes | None
    attempts: list[datetime] | None
    due: bool
    askable: bool
    halted: bool
    paused_until: datetime | None


async def lock_and_look(
    unit: Unit,
    account_ids: Sequence[UUID],
    now: datetime,
    counted_since: datetime,
) -> list[Standing]:
    """Lock the accounts with all rows of the same IBANs, then look at how each stands.

    Two statements on purpose: the second one's snapshot begins after the locks are held, so it
    sees every attempt, withdrawal and re-linking that was committed before.
    """
    ids = list(account_ids)
    await driver.rows(
        unit,
        """
        SELECT id FROM accounts
        WHERE iban_hash = ANY(ARRAY(
            SELECT iban_hash FROM accounts WHERE id = ANY(%(ids)b::uuid[])))
        ORDER BY id
        FOR NO KEY UPDATE
        """,
        {"ids": ids},
    )
    found = await driver.rows(
        unit,
        """
        SELECT a.id, a.lender_id, a.borrower_id, a.consent_id, a.connector, a.bank_id,
            a.iban_hash, a.ref_enc, a.failures, a.blocked_until, a.leased_until IS NOT NULL,
            a.usable, c.state = %(active)b AND %(purpose)b = ANY(c.purposes), c.ends_at,
            c.token_enc,
            (SELECT array_agg(t.attempted_at) FROM read_attempts t
                WHERE t.iban_hash = a.iban_hash AND t.attempted_at > %(since)b
                AND NOT t.attended),
            EXISTS (SELECT FROM cases k WHERE k.borrower_id = a.borrower_id
                AND k.state <> 'closed'),
            EXISTS (SELECT FROM cases k WHERE k.borrower_id = a.borrower_id
                AND k.state = 'open'
                AND NOT EXISTS (SELECT FROM holds h WHERE h.borrower_id = k.borrower_id
                    AND (h.case_id IS NULL OR h.case_id = k.id) AND h.starts_at <= %(now)b
                    AND (h.blocks = '{}' OR 'reading' = ANY(h.blocks))
                    AND h.lifted_at IS NULL AND (h.ends_at IS NULL OR h.ends_at > %(now)b))),
            EXISTS (SELECT FROM stop_switches w WHERE w.lender_id = a.lender_id
                AND w.channel IN ('reading', 'all') AND w.halted),
            (SELECT h.until FROM provider_health h WHERE h.connector = a.connector
                AND h.bank_id = a.bank_id AND h.service = %(service)b AND h.state <> %(closed)b)
        FROM accounts a JOIN consents c ON c.id = a.consent_id
        WHERE a.id = ANY(%(ids)b::uuid[])
        """,
        {
            "ids": ids,
            "now": now,
            "since": counted_since,
            "service": Service.BALANCES.value,
            "closed": BreakerState.CLOSED.value,
            "active": ConsentState.ACTIVE.value,
            "purpose": Purpose.REPAYMENT_MONITORING.value,
        },
    )
    return [Standing(*row) for row in found]


async def write_attempts(
    unit: Unit,
    now: datetime,
    account_ids: Sequence[UUID],
    next_read_ats: Sequence[datetime | None],
    attempt_ids: Sequence[UUID | None],
) -> None:
    """Take the batch back from its job: every account's next read, and an attempt where asked.

    One attempt row per call that is about to leave (None: it is not asked now). No row, no call.
    """
    await driver.run(
        unit,
        """
        WITH n AS (
            SELECT * FROM unnest(%(ids)b::uuid[], %(ats)b::timestamptz[], %(attempts)b::uuid[])
                AS n (id, at, attempt)
        ), planned AS (
            UPDATE accounts AS a SET next_read_at = n.at, leased_until = NULL,
                last_attempt_at =
                    CASE WHEN n.attempt IS NULL THEN a.last_attempt_at ELSE %(now)b END
            FROM n WHERE a.id = n.id
            RETURNING a.id, a.lender_id, a.consent_id, a.iban_hash
        )
        INSERT INTO read_attempts
            (id, lender_id, account_id, consent_id, iban_hash, attended, purpose, attempted_at)
        SELECT n.attempt, p.lender_id, p.id, p.consent_id, p.iban_hash, false, %(purpose)b,
            %(now)b
        FROM n JOIN planned p USING (id)
        WHERE n.attempt IS NOT NULL
        """,
        {
            "ids": list(account_ids),
            "ats": list(next_read_ats),
            "attempts": list(attempt_ids),
            "purpose": Purpose.REPAYMENT_MONITORING.value,
            "now": now,
        },
    )
