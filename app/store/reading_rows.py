"""What a batch of reads leaves behind, one statement per table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from app.domain.consent import Purpose
from app.store import driver
from app.store.timeline import Kind
from app.store.unit import Unit


class AccountNow(NamedTuple):
    """An account as it stands when its answer is recorded, and its live signal, if any."""

    id: UUID
    consent_id: UUID
    consent_active: bool
    currency: str
    failures: int
    last_read_at: datetime | None
    armed: bool
    last_signal_at: datetime | None
    last_signal_kind: str | None
    live_signal_id: UUID | None


async def lock_for_recording(
    unit: Unit, borrower_ids: Iterable[UUID], account_ids: Sequence[UUID]
) -> dict[UUID, AccountNow]:
    """Lock the borrowers, then the accounts, each in the order of their ids; then look.

    The borrowers come first because a signal may have to be ended or raised, and whoever
    decides about a person queues behind his row.
    """
    await driver.rows(
        unit,
        "SELECT id FROM borrowers WHERE id = ANY(%(ids)b::uuid[]) ORDER BY id FOR NO KEY UPDATE",
        {"ids": list(set(borrower_ids))},
    )
    await driver.rows(
        unit,
        "SELECT id FROM accounts WHERE id = ANY(%(ids)b::uuid[]) ORDER BY id FOR NO KEY UPDATE",
        {"ids": list(account_ids)},
    )
    found = await driver.rows(
        unit,
        """
        SELECT a.id, a.consent_id,
            c.state = 'active' AND %(purpose)b = ANY(c.purposes), a.currency, a.failures,
            a.last_read_at, a.armed, a.last_signal_at, a.last_signal_kind, s.id
        FROM accounts a
        JOIN consents c ON c.id = a.consent_id
        LEFT JOIN funds_signals s ON s.account_id = a.id AND s.ended_at IS NULL
        WHERE a.id = ANY(%(ids)b::uuid[])
        """,
        {"ids": list(account_ids), "purpose": Purpose.REPAYMENT_MONITORING.value},
    )
    return {row[0]: AccountNow(*row) for row in found}


READ = "read"


class Outcome(NamedTuple):
    """What came of an attempt without a reading: a word, and a detail that is safe to show."""

    attempt_id: UUID
    word: str
    detail: str


async def write_outcomes(unit: Unit, outcomes: Sequence[Outcome]) -> None:
    """Note what came of these attempts."""
    if not outcomes:
        return
    await driver.run(
        unit,
        """
        UPDATE read_attempts AS t SET outcome = n.word, detail = n.detail
        FROM unnest(%(ids)b::uuid[], %(words)b::text[], %(details)b::text[])
            AS n (id, word, detail)
        WHERE t.id = n.id
        """,
        {
            "ids": [one.attempt_id for one in outcomes],
            "words": [one.word for one in outcomes],
            "details": [one.detail for one in outcomes],
        },
    )


class NewReading(NamedTuple):
    """One reading as it is stored, and what the detector remembers of its account.

    `id` is the attempt's. `figure_enc` is None where the bank stated no usable amount. `aside_enc`
    is what of it is expected to leave by `aside_by`; None where nothing is, or nobody knows.
    """

    id: UUID
    as_of: datetime | None
    kind: str
    figure_enc: bytes | None
    aside_enc: bytes | None
    aside_by: date | None
    credit_excluded: bool
    verdict: str
    margin_band: str
    unusable: str
    armed: bool
    last_signal_at: datetime | None
    last_signal_kind: str | None


_COLUMNS = ("uuid", "timestamptz", "text", "bytea", "bytea", "date", "bool", "text", "text", "text",
            "bool", "timestamptz", "text")  # fmt: skip
_ARRAYS = ", ".join(
    f"%({name})b::{kind}[]" for name, kind in zip(NewReading._fields, _COLUMNS, strict=True)
)
_WRITE_READINGS = f"""
    WITH n AS (
        SELECT * FROM unnest({_ARRAYS}) AS n ({", ".join(NewReading._fields)})
    ), asked AS (
        UPDATE read_attempts AS t SET outcome = %(outcome)b FROM n WHERE t.id = n.id
        RETURNING t.id, t.lender_id, t.account_id
    ), stored AS (
        INSERT INTO readings (id, lender_id, account_id, purpose, read_at, as_of, kind,
            figure_enc, aside_enc, aside_by, credit_excluded, verdict, margin_band, erase_at)
        SELECT n.id, asked.lender_id, asked.account_id, %(purpose)b, %(now)b, n.as_of, n.kind,
            n.figure_enc, n.aside_enc, n.aside_by, n.credit_excluded, n.verdict, n.margin_band,
            %(erase_at)b
        FROM n JOIN asked USING (id)
    ), remembered AS (
        UPDATE accounts AS a SET failures = 0, blocked_until = NULL, last_read_at = %(now)b,
            armed = n.armed, last_signal_at = n.last_signal_at,
            last_signal_kind = n.last_signal_kind
        FROM n JOIN asked USING (id)
        WHERE a.id = asked.account_id
        RETURNING a.id, a.borrower_id
    )
    INSERT INTO timeline (id, lender_id, borrower_id, at, kind, actor, details)
    SELECT n.id, asked.lender_id, remembered.borrower_id, %(now)b, %(line)b, 'saldo',
        jsonb_strip_nulls(jsonb_build_object('reading_id', n.id, 'account_id', asked.account_id,
            'verdict', n.verdict, 'margin_band', nullif(n.margin_band, ''),
            'kind', nullif(n.kind, ''), 'as_of', n.as_of, 'unusable', nullif(n.unusable, ''),
            'aside_by', n.aside_by))
    FROM n JOIN asked USING (id) JOIN remembered ON remembered.id = asked.account_id
"""  # noqa: S608 - made of the names above, nothing from outside


async def write_readings(
    unit: Unit, readings: Sequence[NewReading], now: datetime, erase_at: datetime
) -> None:
    """Store readings, outcomes, the detector's memory and the timeline's lines in one go.

    One statement over one set of arrays: each value travels once. A reading's line has the
    reading's id. No indexed column of `accounts` is written, so its rows stay in place.
    """
    if not readings:
        return
    arrays = dict(zip(NewReading._fields, map(list, zip(*readings, strict=True)), strict=True))
    await driver.run(
        unit,
        _WRITE_READINGS,
        {
            **arrays,
            "outcome": READ,
            "purpose": Purpose.REPAYMENT_MONITORING.value,
            "line": Kind.READING.value,
            "now": now,
            "erase_at": erase_at,
        },
    )


class Setback(NamedTuple):
    """What a failed read changes on its account. `next_read_at` None: not to be read."""

    account_id: UUID
    failures: int
    next_read_at: datetime | None
    blocked_until: datetime | None
    unusable_because: str


async def write_setbacks(unit: Unit, setbacks: Sequence[Setback]) -> None:
    """Note failures, refusals and accounts that cannot be read any more."""
    if not setbacks:
        return
    await driver.run(
        unit,
        """
        UPDATE accounts AS a SET failures = n.failures,
            next_read_at = CASE WHEN a.next_read_at IS NULL THEN NULL ELSE n.at END,
            blocked_until = coalesce(n.blocked, a.blocked_until),
            usable = a.usable AND n.unusable = '',
            why_unusable = CASE WHEN n.unusable = '' THEN a.why_unusable ELSE n.unusable END
        FROM unnest(%(ids)b::uuid[], %(failures)b::bigint[], %(ats)b::timestamptz[],
            %(blocked)b::timestamptz[], %(unusable)b::text[])
            AS n (id, failures, at, blocked, unusable)
        WHERE a.id = n.id
        """,
        {
            "ids": [one.account_id for one in setbacks],
            "failures": [one.failures for one in setbacks],
            "ats": [one.next_read_at for one in setbacks],
            "blocked": [one.blocked_until for one in setbacks],
            "unusable": [one.unusable_because for one in setbacks],
        },
    )
