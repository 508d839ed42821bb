"""How a command gets at the house: connect, do one thing, give everything back."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar
from uuid import UUID

import typer

from app.domain.errors import Invalid, Misconfigured, NotFound
from app.domain.ids import LenderId

if TYPE_CHECKING:
    from app.reports.findings import Finding
    from app.wiring import Parts

T = TypeVar("T")

ACTOR = "command line"
"""How the command line is named in the audit."""

DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the installation; else SALDO_DATA_DIR, else what runs here."),
]
LenderName = Annotated[
    str | None,
    typer.Option("--lender", help="Slug of the lender; may be left out where there is only one."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def run(
    work: Callable[[Parts], Awaitable[T]], data_dir: Path | None = None, *, only_looks: bool = False
) -> T:
    """Do `work` with the parts of the installation that is meant.

    Where several instances run, the one of the working folder is meant. Elsewhere a command that
    only looks takes the one started last; one that changes something has to be told which
    (`Invalid`). Raises `Misconfigured` when the database does not answer.
    """
    from app.logs import configure_logs
    from app.supervisor.find import settings_for_command
    from app.wiring import build

    # Commands speak for themselves; what the parts have to say goes to the log of the instance.
    configure_logs("error", "text", "command")
    if not only_looks:
        refuse_to_guess(data_dir)
    settings = settings_for_command(data_dir)

    async def connected() -> T:
        parts = await build(settings, name="saldo command")
        try:
            return await work(parts)
        finally:
            await parts.close()

    try:
        return asyncio.run(connected())
    except Exception as error:
        from app.store.trouble import database_away

        if database_away(error):
            mend = "Start Saldo with `saldo serve`" if settings.embedded else "Correct the address"
            raise Misconfigured(
                "SALDO_DATABASE_URL",
                "the database does not answer",
                f"{mend}; `saldo doctor` tells more.",
            ) from None
        raise


def refuse_to_guess(data_dir: Path | None) -> None:
    """Raises `Invalid` when several instances run here and nobody said which one is meant.

    Standing in the folder that one of them was started in says it.
    """
    from app.instance import find_running, usual_folders

    if data_dir or os.environ.get("SALDO_DATA_DIR") or os.environ.get("SALDO_DATABASE_URL"):
        return
    running = find_running()
    here = sum(Path(one.data_dir) in usual_folders() for one in running)
    if len(running) > 1 and here != 1:
        folders = ", ".join(one.data_dir for one in running)
        raise Invalid("--data-dir", "is needed: several run here.", mend=f"One of: {folders}.")


async def lender_named(parts: Parts, slug: str | None) -> tuple[LenderId, str]:
    """Id and slug of the lender that is meant. Raises `NotFound` and `Invalid`."""
    from sqlalchemy import select

    from app.store.tables import lenders

    query = select(lenders.c.id, lenders.c.slug).order_by(lenders.c.slug)
    async with parts.house.store.engine_unit() as unit:
        rows = (await unit.conn.execute(query)).all()
    found = [row for row in rows if slug in (None, row.slug)]
    known = ", ".join(row.slug for row in rows) or "none yet"
    if not found:
        raise NotFound(f"There is no such lender (known: {known}).")
    if len(found) > 1:
        raise Invalid("--lender", "is needed: there is more than one.", mend=f"Known: {known}.")
    return LenderId(found[0].id), str(found[0].slug)


def as_json(value: Any) -> str:
    """Records, ids and times as JSON."""

    def plain(one: Any) -> Any:
        if is_dataclass(one) and not isinstance(one, type):
            return asdict(one)
        if isinstance(one, datetime):
            return one.isoformat()
        if isinstance(one, UUID):
            return str(one)
        raise TypeError(type(one).__name__)

    return json.dumps(value, default=plain, indent=2)


_SIGNS = {"ok": "ok", "note": "note", "wrong": "WRONG"}
_COLOURS = {"ok": "green", "note": "yellow", "wrong": "red"}


def tell_findings(found: Sequence[Finding], *, json_wanted: bool) -> NoReturn:
    """Print what a check found and leave: with status 1 when anything is wrong."""
    sick = sum(one.verdict == "wrong" for one in found)
    if json_wanted:
        typer.echo(as_json({"ok": not sick, "findings": [asdict(one) for one in found]}))
        raise typer.Exit(1 if sick else 0)
    for one in found:
        sign = typer.style(f"{_SIGNS[one.verdict.value]:5}", fg=_COLOURS[one.verdict.value])
        typer.echo(f"{sign}  {one.check}: {one.what}")
        if one.mend:
            typer.echo(f"       -> {one.mend}")
    typer.echo(f"{sick} things are wrong." if sick else "Nothing is wrong.")
    raise typer.Exit(1 if sick else 0)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table that folds what is too wide and never cuts it."""
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=any(headers))
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    Console().print(table)
