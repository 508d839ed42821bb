"""The worker: every job of app/store/jobs.py bound to its flow, and the rescue of lost jobs.

Procrastinate does not take up a killed worker's jobs by itself. `rescue` asks for jobs whose
worker has stopped its heartbeat and puts them back; every job is therefore safe to run again.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import procrastinate
import structlog
from procrastinate.exceptions import ConnectorException

from app.clock import Clock
from app.flows.consents.follow_consents import follow_consents
from app.flows.house import House
from app.flows.messages.deliver_messages import deliver_messages
from app.flows.messages.deliver_outbox import deliver_outbox
from app.flows.messages.follow_messages import follow_messages
from app.flows.payments.follow_payments import follow_payments
from app.flows.providers.handle_inbox import handle_inbox
from app.flows.reads.read_balances import read_balances
from app.flows.signals.decide_signals import decide_signals
from app.flows.strategies.step_cases import step_cases
from app.store import jobs

log = structlog.get_logger("worker")

# Real seconds. A worker that has not shown itself for STALLED_S is taken for dead.
HEARTBEAT_S = 2.0
STALLED_S = 10.0
RESCUE_EVERY_S = 3.0
# Finished jobs are kept this long for looking back, then deleted.
KEEP_HOURS = 24

Flow = Callable[[House, Any, list[UUID]], Awaitable[Any]]

FLOWS: dict[str, Flow] = {
    jobs.READ_BALANCES: read_balances,
    jobs.DECIDE_SIGNALS: decide_signals,
    jobs.DELIVER_MESSAGES: deliver_messages,
    jobs.FOLLOW_MESSAGES: follow_messages,
    jobs.FOLLOW_PAYMENTS: follow_payments,
    jobs.FOLLOW_CONSENTS: follow_consents,
    jobs.DELIVER_OUTBOX: deliver_outbox,
    jobs.HANDLE_INBOX: handle_inbox,
    jobs.STEP_CASES: step_cases,
}


def calm_collector() -> None:
    """Keep the garbage collector from walking what lives as long as the process.

    Measured: 10 to 15 % of the CPU of a read went into it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def bind(app: procrastinate.App, house: House, clock: Clock) -> None:
    """Give every job name its flow. A job carries `ids` and nothing else."""
    for name, flow in FLOWS.items():
        app.task(name=name, queue="saldo")(_task(name, flow, house, clock))


def _task(name: str, flow: Flow, house: House, clock: Clock) -> Callable[..., Awaitable[None]]:
    async def run(ids: list[str]) -> None:
        try:
            await flow(house, clock.now(), [UUID(one) for one in ids])
        except Exception as error:
            # The rows keep their next look, so nothing is lost: the next tick finds them again.
            log.warning("job_failed", job=name, error=type(error).__name__, text=str(error))
            raise

    run.__name__ = name
    return run


async def rescue(app: procrastinate.App) -> int:
    """Put jobs of dead workers back into the queue. Returns how many."""
    found = 0
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_S):
        await app.job_manager.retry_job(job)
        found += 1
    await app.job_manager.prune_stalled_workers(seconds_since_heartbeat=STALLED_S)
    return found


async def tidy_jobs(app: procrastinate.App) -> None:
    """Delete jobs that ended long ago, the failed ones too: their rows carry the truth."""
    await app.job_manager.delete_old_jobs(
        nb_hours=KEEP_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
    )


async def keep_rescuing(app: procrastinate.App, stop: asyncio.Event) -> None:
    """Rescue every few seconds until `stop` is set; survives a restarting database."""
    rounds = 0
    while not stop.is_set():
        try:
            found = await rescue(app)
            if found:
                log.info("jobs_rescued", jobs=found)
            if rounds % 200 == 0:
                await tidy_jobs(app)
        except (ConnectorException, OSError) as error:
            log.info("rescue_postponed", error=type(error).__name__)
        rounds += 1
        try:
            await asyncio.wait_for(stop.wait(), RESCUE_EVERY_S)
        except TimeoutError:
            continue
