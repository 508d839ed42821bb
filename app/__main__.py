"""The command line `saldo`.

    saldo serve       everything on one machine, under one supervisor

    saldo web         the web process alone
    saldo scheduler   the metronome alone
    saldo worker      one worker alone: as many of each as wanted, on one database

More commands come from app/commands/. Exit status: 0 done, 1 refused, 2 wrong usage,
78 (EX_CONFIG) when Saldo cannot work with these settings.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from app import commands
from app.domain.errors import Misconfigured, Refused
from app.logs import configure_logs
from app.settings import Settings, load_settings, read_env_file

cli = typer.Typer(
    help="Saldo gets overdue loans paid at the moment the borrower has money.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # it would print local variables: tokens, persons
    add_completion=False,
)


@cli.callback()
def _start(
    env_file: Annotated[
        Path | None,
        typer.Option(help="File of SALDO_* settings; else SALDO_ENV_FILE, else ./.env."),
    ] = None,
) -> None:
    read_env_file(os.environ, env_file)


@cli.command()
def serve() -> None:
    """Run everything on this machine: database (if you set none), web, scheduler, workers."""
    from app.store.migrate import upgrade
    from app.supervisor.serve import Plan, Supervisor, standard_children

    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format, "supervisor")
    plan = Plan(
        settings=settings,
        children=standard_children(settings),
        urls={"web": settings.public_url},
        migrate=upgrade,
        on_ready=lambda: typer.echo(f"Saldo runs at {settings.public_url} (Ctrl-C stops it)."),
    )
    raise typer.Exit(Supervisor(plan).run())


def _process(name: str, module: str, function: str, about: str) -> None:
    """Add the command that runs one process, if its module is part of this installation."""
    if importlib.util.find_spec(module) is None:
        return

    def run() -> None:
        settings = load_settings()
        configure_logs(settings.log_level, settings.log_format, name)
        start: Callable[[Settings], Any] = getattr(importlib.import_module(module), function)
        start(settings)

    cli.command(name, help=about)(run)


_process("web", "app.main", "run_web", "Run the web process alone: pages, API, webhooks.")
_process("scheduler", "scheduler.__main__", "run_scheduler", "Run the metronome alone.")
_process("worker", "scheduler.__main__", "run_worker", "Run one worker alone.")

for _name, _group in commands.discover():
    cli.add_typer(_group, name=_name)


def main() -> None:
    """Run the command line; our own errors become one clear line and an exit status."""
    try:
        cli()
    except Misconfigured as error:
        line = f"Saldo cannot work like this.\n  {error.setting}: {error.problem}.\n  {error.mend}"
        typer.echo(line, err=True)
        _leave(os.EX_CONFIG)
    except Refused as error:
        typer.echo(error.message, err=True)
        _leave(1)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            raise
        _leave(ended.code or 0)


def _leave(status: int) -> NoReturn:
    """End at once. A command has closed what it opened by now, and the interpreter's own way out
    takes a second of computing (large tables of banks and holidays) that a stop need not wait for.
    """
    with suppress(OSError):  # the reader of a pipe may be gone
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
