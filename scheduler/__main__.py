"""The two processes without a face: `saldo scheduler` (the beat) and `saldo worker` (the hands).

Each owns its signals: INT and TERM ask it to finish what it is doing and go; so does the end of
the lifeline, when the supervisor was killed. As many of each as wanted may run on one database.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from procrastinate.exceptions import ProcrastinateException

from app import lifeline, wiring
from app.settings import Settings
from app.store.jobs import job_app
from app.wiring import Parts
from scheduler.ticker import Ticker
from scheduler.worker import HEARTBEAT_S, STALLED_S, bind, calm_collector, keep_rescuing

log = structlog.get_logger("scheduler")

# Real seconds that running jobs may still take after a stop was asked for.
STOP_GRACE_S = 8.0
RECONNECT_S = 1.0


def run_scheduler(settings: Settings) -> None:
    """Beat until told to stop. Blocks."""
    asyncio.run(_until_stopped(settings, _beat, "scheduler"))


def run_worker(settings: Settings) -> None:
    """Work off jobs until told to stop. Blocks."""
    asyncio.run(_until_stopped(settings, _work, "worker"))


async def _until_stopped(
    settings: Settings, body: Callable[[Parts, asyncio.Event], Awaitable[None]], name: str
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    lifeline.watch(lambda: _stop_from_thread(loop, stop))
    parts = await wiring.build(settings, name=name)
    try:
        await body(parts, stop)
    finally:
        await parts.close()
    log.info("stopped", process=name)


def _stop_from_thread(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    loop.call_soon_threadsafe(stop.set)


async def _beat(parts: Parts, stop: asyncio.Event) -> None:
    ticker = Ticker(parts.house, parts.clock)
    ticker.start()
    await stop.wait()
    await ticker.stop()


async def _work(parts: Parts, stop: asyncio.Event) -> None:
    """Run the job engine; when the database went away, wait for it and start again."""
    calm_collector()
    while not stop.is_set():
        try:
            await _work_once(parts, stop)
        except (ProcrastinateException, OSError) as error:
            log.warning("worker_reconnects", error=type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RECONNECT_S)


async def _work_once(parts: Parts, stop: asyncio.Event) -> None:
    app = job_app(parts.engine_url, min_size=1, max_size=4)
    bind(app, parts.house, parts.clock)
    async with app.open_async():
        rescue = asyncio.create_task(keep_rescuing(app, stop))
        worker = asyncio.create_task(
            app.run_worker_async(
                queues=["saldo"],
                concurrency=parts.house.settings.worker_concurrency,
                install_signal_handlers=False,
                shutdown_graceful_timeout=STOP_GRACE_S,
                delete_jobs="successful",
                update_heartbeat_interval=HEARTBEAT_S,
                stalled_worker_timeout=STALLED_S,
                fetch_job_polling_interval=1.0,
            )
        )
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({worker, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        rescue.cancel()
        if not worker.done():
            worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker


if __name__ == "__main__":
    from app.__main__ import cli

    cli()
