"""The two processes of the demo that are its own: the supervisor's plan and the director."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog
import typer
from sqlalchemy.exc import DBAPIError

from app import lifeline, wiring
from app.demo import providers, stage
from app.demo.cast import Cast, ensure_cast, read_cast
from app.demo.director import LOOK_EVERY_S, Director
from app.demo.folder import open_folder
from app.logs import configure_logs
from app.reports.progress import Progress, progress
from app.settings import Settings, load_settings
from app.store.migrate import upgrade
from app.supervisor.serve import Plan, Supervisor

log = structlog.get_logger("demo")


def run_demo(*, fresh: bool, through: Sequence[str] = ()) -> int:
    """Set the stage and run it until told to stop. Returns the exit status.

    `through` names other providers than the usual one; see `providers.choose`.
    """
    folder = open_folder(load_settings().demo_dir, fresh=fresh)
    chosen = providers.choose(folder, through)
    os.environ.update(stage.environment(load_settings(), folder, chosen))
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format, "demo")
    first = stage.set_clock(folder)
    typer.echo("A new demo begins." if first else "The demo goes on where it was.")
    sandbox = stage.sandbox_url(settings)

    def prepare() -> None:
        providers.write_files(chosen, sandbox, folder)
        ensure_cast(settings, folder, f"{sandbox}/lender/webhooks")

    plan = Plan(
        settings=settings,
        children=stage.children(settings, folder),
        urls={"web": settings.public_url, "phones": f"{sandbox}/phones"},
        migrate=upgrade,
        prepare=prepare,
        # Only a power cut could tell the difference, and nobody misses a demo's database then.
        tuning={"fsync": "off"},
    )
    return Supervisor(plan).run()


def run_director() -> None:
    """Steer the clock and tell the story until told to stop. Blocks."""
    asyncio.run(_direct(load_settings()))


async def _direct(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    lifeline.watch(end)
    cast = read_cast(settings.data_dir)
    parts = await wiring.build(settings, name="director")

    async def counts() -> Progress:
        async with parts.house.store.engine_unit() as unit:
            return await progress(unit.conn)

    director = Director(
        settings.clock_path,
        stage.presence_file(settings.data_dir),
        wanted=settings.demo_people,
        counts=counts,
        tell=typer.echo,
        announce=_announcer(settings, cast),
    )
    try:
        while not stop.is_set():
            try:
                await director.look()
            except (DBAPIError, OSError) as error:
                log.info("look_postponed", error=type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
    finally:
        await parts.close()


def _announcer(settings: Settings, cast: Cast | None) -> Callable[[], None]:
    def announce() -> None:
        lines = [
            "",
            f"  The lender's desk   {settings.public_url}",
            f"  Borrowers' phones   {stage.sandbox_url(settings)}/phones",
            f"  The outside world   {stage.sandbox_url(settings)}/_sandbox",
            "",
        ]
        if cast is not None:
            lines += [f"  Sign in as {email:24} ({role})" for role, email in cast.sign_ins]
            lines += [f"  Password   {cast.password}", ""]
            lines += [f"  API key    {cast.api_key}", ""]
        lines += [f"  Faster: {_saldo()} demo speed 720. Ctrl-C stops everything.", ""]
        typer.echo("\n".join(lines))

    return announce


def _saldo() -> str:
    """How the command is called from this folder, by somebody who has it on no path."""
    command = Path(sys.executable).with_name("saldo")
    if not command.exists():
        return "saldo"
    here = Path.cwd()
    return str(command.relative_to(here) if command.is_relative_to(here) else command)
