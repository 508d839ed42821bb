"""How far a book has come since it was registered: a handful of counts over all lenders."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_QUERY = text(
    """
    SELECT
      (SELECT count(*) FROM consent_requests) AS asked,
      (SELECT count(*) FROM consent_requests
         WHERE state IN ('completed', 'rejected', 'expired')) AS answered,
      (SELECT count(*) FROM funds_signals) AS signals,
      (SELECT count(*) FROM messages WHERE state IN ('sent', 'delivered')) AS messages,
      (SELECT count(*) FROM payments WHERE state = 'settled') AS settled,
      (SELECT count(*) FROM cases WHERE close_reason = 'paid_through_saldo') AS recovered,
      (SELECT count(*) FROM tasks WHERE state IN ('open', 'taken')) AS tasks
    """
)


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts so far. `recovered` are cases closed by money that came through Saldo."""

    asked: int
    answered: int
    signals: int
    messages: int
    settled: int
    recovered: int
    tasks: int


async def progress(conn: AsyncConnection) -> Progress:
    """Count on a connection of the engine role."""
    row = (await conn.execute(_QUERY)).one()
    return Progress(*row)
