"""The breaker of each bank, shared by all workers and shown on the desk. Real time throughout.

A bank that fails again and again is left alone for a while, because each failing read costs an
account one of its few reads of the day, and says nothing about the borrower.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from app.store import driver
from app.store.unit import Unit

BankKey: TypeAlias = tuple[str, str]
"""Connector name and bank id."""

# Ours: so many failures in a row, of whichever accounts, mean that it is the bank.
FAILURES_TO_OPEN: Final = 5
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Answers:
    """How a bank answered in one batch."""

    fine: int
    failed: int
    reason: str = ""


def pause_after(failures: int) -> timedelta | None:
    """How long to leave a bank alone after so many failures in a row; None: not yet."""
    beyond = failures - FAILURES_TO_OPEN
    if beyond < 0:
        return None
    return min(FIRST_PAUSE * (1 << min(beyond, 10)), LONGEST_PAUSE)


async def record(unit: Unit, answers: Mapping[BankKey, Answers], real_now: datetime) -> None:
    """Count a batch's answers. One fine answer closes the breaker; failures add up.

    Banks are written in one order, so that two batches cannot wait for each other.
    """
    for connector, bank_id in sorted(answers):
        await _record_one(unit, connector, bank_id, answers[connector, bank_id], real_now)


async def _record_one(
    unit: Unit, connector: str, bank_id: str, answered: Answers, real_now: datetime
) -> None:
    found = await driver.rows(
        unit,
        """
        INSERT INTO bank_health AS h (connector, bank_id, failures, last_ok_at,
            last_failure_at, last_reason)
        VALUES (%(connector)b, %(bank)b, %(failed)b,
            CASE WHEN %(fine)b > 0 THEN %(now)b::timestamptz END,
            CASE WHEN %(failed)b > 0 THEN %(now)b::timestamptz END, %(reason)b)
        ON CONFLICT (connector, bank_id) DO UPDATE SET
            failures = CASE WHEN %(fine)b > 0 THEN 0 ELSE h.failures + %(failed)b END,
            open_until = CASE WHEN %(fine)b > 0 THEN NULL ELSE h.open_until END,
            last_ok_at = coalesce(excluded.last_ok_at, h.last_ok_at),
            last_failure_at = coalesce(excluded.last_failure_at, h.last_failure_at),
            last_reason = CASE WHEN %(failed)b > 0 THEN %(reason)b ELSE h.last_reason END
        RETURNING failures
        """,
        {
            "connector": connector,
            "bank": bank_id,
            "fine": answered.fine,
            "failed": answered.failed,
            "reason": answered.reason[:200],
            "now": real_now,
        },
    )
    pause = pause_after(int(found[0][0])) if answered.fine == 0 else None
    if pause is not None:
        await driver.run(
            unit,
            "UPDATE bank_health SET open_until = %(until)b "
            "WHERE connector = %(connector)b AND bank_id = %(bank)b",
            {"connector": connector, "bank": bank_id, "until": real_now + pause},
        )
