"""Procrastinate, the job engine, and deferring inside our own transactions.

Jobs are coarse (a batch each), carry ids only, and are safe to run again: a killed worker's
jobs are taken up by the rescue task (scheduler/worker.py).
"""

from __future__ import annotations

from typing import Any, Final

import procrastinate
from procrastinate import PsycopgConnector
from sqlalchemy.ext.asyncio import AsyncConnection

# Every job there is. A name that is not here cannot be deferred: typing errors fail in tests.
READ_BALANCES: Final = "read_balances"
DECIDE_SIGNALS: Final = "decide_signals"
DELIVER_MESSAGES: Final = "deliver_messages"
FOLLOW_MESSAGES: Final = "follow_messages"
FOLLOW_PAYMENTS: Final = "follow_payments"
FOLLOW_CONSENTS: Final = "follow_consents"
DELIVER_OUTBOX: Final = "deliver_outbox"
HANDLE_INBOX: Final = "handle_inbox"
STEP_CASES: Final = "step_cases"

JOB_NAMES: Final = frozenset(
    {
        READ_BALANCES,
        DECIDE_SIGNALS,
        DELIVER_MESSAGES,
        FOLLOW_MESSAGES,
        FOLLOW_PAYMENTS,
        FOLLOW_CONSENTS,
        DELIVER_OUTBOX,
        HANDLE_INBOX,
        STEP_CASES,
    }
)

# Where workers are behind, what stops or follows money goes before what asks for it, and both
# before what can wait. Jobs that are not named come last.
_FIRST: Final = (
    HANDLE_INBOX,
    FOLLOW_PAYMENTS,
    DELIVER_MESSAGES,
    DECIDE_SIGNALS,
    READ_BALANCES,
    FOLLOW_MESSAGES,
    DELIVER_OUTBOX,
)
_PRIORITY: Final = {job: len(_FIRST) - rank for rank, job in enumerate(_FIRST)}


def job_app(conninfo: str, **pool: Any) -> procrastinate.App:
    """A Procrastinate app on a plain `postgresql://` URL (the engine's role)."""
    return procrastinate.App(connector=PsycopgConnector(conninfo=conninfo, **pool))


class Jobs:
    """Defers by name through the caller's connection. Needs no pool of its own."""

    def __init__(self) -> None:
        self._app = procrastinate.App(connector=PsycopgConnector())

    async def defer(self, conn: AsyncConnection, job: str, **arguments: Any) -> None:
        """Queue `job` in the transaction of `conn`. Raises `ValueError` for an unknown name."""
        if job not in JOB_NAMES:
            raise ValueError(f"there is no job {job!r}")
        raw = await conn.get_raw_connection()
        await self._app.configure_task(
            job,
            queue="saldo",
            priority=_PRIORITY.get(job, 0),
            connection=raw.driver_connection,
        ).defer_async(**arguments)
