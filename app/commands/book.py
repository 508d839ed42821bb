"""`saldo book ...`: bring a lender's living book in from CSV or XLSX files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.domain.errors import Invalid

if TYPE_CHECKING:
    from app.flows.books.load_book import CheckedBook, GivenFile
    from app.wiring import Parts

from app.commands.at_work import (
    ACTOR,
    AsJson,
    DataDir,
    LenderName,
    as_json,
    lender_named,
    print_table,
    run,
)

NAME = "book"
app = typer.Typer(
    help="A lender's living book from CSV or XLSX: check it, load it, see what became of it.",
    no_args_is_help=True,
)

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="borrowers.csv, loans.csv, ..., or a .xlsx.")
]
Borrowers = Annotated[str, typer.Option("--borrowers", help="How many borrowers you expect.")]
Loans = Annotated[str, typer.Option("--loans", help="How many loans you expect.")]
Owed = Annotated[
    str, typer.Option("--owed", help='What you expect to be unpaid, such as "1234.56 EUR".')
]
_ROWS_SHOWN = 20


@app.command()
def check(
    files: Files,
    borrowers: Borrowers = "",
    loans: Loans = "",
    owed: Owed = "",
    lender: LenderName = None,
    json_wanted: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Say what loading these files would do. Nothing is kept."""
    _look(files, (borrowers, loans, owed), lender, json_wanted, data_dir, keep=False)


@app.command()
def load(
    files: Files,
    borrowers: Borrowers = "",
    loans: Loans = "",
    owed: Owed = "",
    lender: LenderName = None,
    json_wanted: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Check these files and keep them until somebody releases them at the desk."""
    _look(files, (borrowers, loans, owed), lender, json_wanted, data_dir, keep=True)


@app.command("list")
def list_files(
    lender: LenderName = None, json_wanted: AsJson = False, data_dir: DataDir = None
) -> None:
    """The files of a lender, newest first, and how far they are."""
    from app.reports.book_files import book_files

    async def work(parts: Parts) -> list[Any]:
        lender_id, _ = await lender_named(parts, lender)
        async with parts.house.store.unit(lender_id) as unit:
            return list(await book_files(unit))

    found = run(work, data_dir, only_looks=True)
    if json_wanted:
        typer.echo(as_json(found))
        return
    print_table(
        ("file", "state", "rows", "loaded", "id"),
        ([one.name, one.state, one.rows, one.done, one.id] for one in found),
    )


def _look(
    files: list[Path],
    expected: tuple[str, str, str],
    lender: str | None,
    json_wanted: bool,
    data_dir: Path | None,
    *,
    keep: bool,
) -> None:
    from app.domain.book_totals import read_expected
    from app.flows.books.load_book import load_book, try_book

    given = [_given(path) for path in files]
    wanted = read_expected(*expected)

    async def work(parts: Parts) -> CheckedBook:
        lender_id, _ = await lender_named(parts, lender)
        now = parts.clock.now()
        if keep:
            return await load_book(parts.house, now, lender_id, given, wanted, actor=ACTOR)
        return await try_book(parts.house, now, lender_id, given, wanted)

    checked = run(work, data_dir, only_looks=not keep)
    if json_wanted:
        typer.echo(as_json({"id": checked.file_id, **checked.totals}))
    else:
        _print(checked)
    if checked.totals["differences"] and not keep:
        raise typer.Exit(1)


def _given(path: Path) -> GivenFile:
    from app.flows.books.load_book import GivenFile
    from app.reference.sheets import LARGEST_FILE

    try:
        if path.stat().st_size > LARGEST_FILE:
            raise Invalid(
                path.name,
                f"is larger than {LARGEST_FILE // 1024 // 1024} MB.",
                mend="Split it into several files.",
            )
        return GivenFile(path.name, path.read_bytes())
    except OSError as error:
        raise Invalid(
            path.name,
            f"cannot be read: {error.strerror}.",
            mend="Check its name and your rights to it.",
        ) from None


def _print(checked: CheckedBook) -> None:
    totals = checked.totals
    print_table(
        ("rows of", "will be loaded", "repeats", "left out"),
        (
            [
                kind,
                found.get("will_do", 0),
                found.get("duplicate", 0),
                sum(found.values()) - found.get("will_do", 0) - found.get("duplicate", 0),
            ]
            for kind, found in totals["verdicts"].items()
        ),
    )
    for name, sums in totals["sums"].items():
        for currency, minor in sums.items():
            typer.echo(f"{name}: {_money(minor, currency)}")
    typer.echo(f"Times without an offset were read on the clock of {totals['time_zone']}.")
    for sheet, columns in totals["unknown_columns"].items():
        typer.echo(f"Kept, not understood, in {sheet}: {', '.join(columns)}.")
    for sheet in totals["sheets_left_out"]:
        typer.echo(f"Left out: sheet {sheet}.")
    troubled = [row for row in checked.rows if row.verdict.value not in ("will_do", "duplicate")]
    for row in troubled[:_ROWS_SHOWN]:
        typer.echo(f"{row.sheet}, row {row.number}: {row.verdict.value}. {row.message}")
    if len(troubled) > _ROWS_SHOWN:
        typer.echo(f"... and {len(troubled) - _ROWS_SHOWN} rows more.")
    for what, expected, found in totals["differences"]:
        typer.echo(f"DIFFERENT: {what}: {expected} expected, {found} in the file.")
    if checked.file_id is None:
        typer.echo("Nothing was kept. `saldo book load` keeps it until somebody releases it.")
    else:
        typer.echo(f"Kept as {checked.file_id}. Somebody else releases it at the desk, under Book.")


def _money(minor: int, currency: str) -> str:
    from app.domain.money import Money

    return str(Money(minor, currency))
