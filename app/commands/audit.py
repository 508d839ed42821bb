"""`saldo audit ...`: is history what it was? One command finds what was tampered with."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.at_work import AsJson, DataDir, LenderName, as_json, run
from app.domain.errors import NotFound
from app.domain.stamp import History, Kind

if TYPE_CHECKING:
    from app.reports.history_check import Checked, Fault, Head
    from app.wiring import Parts

NAME = "audit"
app = typer.Typer(
    help="Timeline and audit: find out whether anybody changed what was written.",
    no_args_is_help=True,
)

Heads = Annotated[
    list[str] | None,
    typer.Option(
        "--head",
        metavar="LENDER/HISTORY/NUMBER/HASH",
        help="What you wrote down of an earlier check; may be given several times.",
    ),
]

_LINE_WORDS = {
    Kind.CHANGED: "was changed after it was stamped",
    Kind.REMOVED: "was removed, or given to another lender",
    Kind.INSERTED: "was put in behind its stamp",
    Kind.REORDERED: "does not stand where it was written",
}
_STAMP_WORDS = {
    Kind.STAMP_CHANGED: "was changed, or was not made with this installation's key; nothing "
    "behind it can be judged",
    Kind.STAMP_REMOVED: "is gone; nothing behind it can be judged",
    Kind.CUT_OFF: "was written down and is not there: the newest stamps were cut off",
    Kind.STAMPED_ANEW: "is another one than was written down: history was stamped anew",
}


@app.command()
def verify(
    head: Heads = None,
    lender: LenderName = None,
    json_wanted: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Compute every stamp anew, name what is not as it was written; exit status 1 if anything is.

    The lines it prints at the end are worth keeping somewhere else: they alone show, given back as
    --head, that the newest lines were cut off together with their stamps.
    """
    found = run(lambda parts: _verify(parts, lender, head or []), data_dir, only_looks=True)
    faulty = sum(len(one.faults) for _, one in found)
    if json_wanted:
        typer.echo(as_json({"ok": not faulty, "histories": [_plain(*one) for one in found]}))
    else:
        for slug, one in found:
            _tell(slug, one)
        typer.echo(
            f"{faulty} things were tampered with." if faulty else "Nothing was tampered with."
        )
    raise typer.Exit(1 if faulty else 0)


async def _verify(
    parts: Parts, lender: str | None, written: list[str]
) -> list[tuple[str, Checked]]:
    from app.reports.history_check import check_history

    store = parts.house.store
    known = await _lenders(parts, lender)
    heads = _read_heads(written, known)
    found = []
    for slug, lender_id in known.items():
        for history in History:
            checked = None
            async for checked in check_history(
                store, lender_id, history, heads.get((slug, history), ())
            ):
                _progress(slug, checked)
            if checked is not None:
                found.append((slug, checked))
    _progress_over()
    return found


async def _lenders(parts: Parts, slug: str | None) -> dict[str, Any]:
    from sqlalchemy import select

    from app.store.tables import lenders

    async with parts.house.store.engine_unit() as unit:
        rows = await unit.conn.execute(
            select(lenders.c.slug, lenders.c.id).order_by(lenders.c.slug)
        )
        found = {row.slug: row.id for row in rows if slug in (None, row.slug)}
    if slug is not None and not found:
        raise NotFound("There is no such lender.")
    return found


def _read_heads(written: list[str], known: dict[str, Any]) -> dict[tuple[str, History], list[Head]]:
    from app.reports.history_check import Head

    heads: dict[tuple[str, History], list[Head]] = {}
    for text in written:
        slug, history, head = Head.read(text)
        if slug not in known:
            raise NotFound(f"There is no lender {slug} to compare --head with.")
        heads.setdefault((slug, history), []).append(head)
    return heads


def _tell(slug: str, one: Checked) -> None:
    place = f"{slug}/{one.history}"
    for fault in one.faults:
        typer.echo(f"{typer.style('TAMPERED', fg='red')}  {place}: {_words(fault)}.")
    if one.backdated is not None:
        typer.echo(
            f"look at  {place}: line {one.backdated.id} (place {one.backdated.place}) says that it "
            "is more than a day older than lines written before it."
        )
    if one.late is not None:
        typer.echo(
            f"look at  {place}: {one.late.stamps:,} stamps, the last of them number "
            f"{one.late.number} of {one.late.stamped_at:%Y-%m-%d %H:%M} UTC, were made more than a "
            "day after their lines were written. That is right after an upgrade, where the "
            "scheduler stood still, or on a fast clock; else stamps were taken away, and made "
            "anew over what stood there."
        )
    last = f", the last {one.stamped_at:%Y-%m-%d %H:%M} UTC" if one.stamped_at else ""
    waiting = f", {one.unstamped:,} lines not stamped yet" if one.unstamped else ""
    typer.echo(f"{place}: {one.lines:,} lines under {one.stamps:,} stamps{last}{waiting}.")
    if one.head is not None:
        typer.echo(f"  --head {place}/{one.head.number}/{one.head.hash}")


def _words(fault: Fault) -> str:
    if fault.kind in _STAMP_WORDS:
        return f"stamp {fault.number} {_STAMP_WORDS[fault.kind]}"
    return f"line {fault.id} (place {fault.place}, stamp {fault.number}) {_LINE_WORDS[fault.kind]}"


def _plain(slug: str, one: Checked) -> dict[str, Any]:
    head = None if one.head is None else f"{slug}/{one.history}/{one.head.number}/{one.head.hash}"
    return {
        "lender": slug,
        "history": one.history.value,
        "stamps": one.stamps,
        "lines": one.lines,
        "unstamped": one.unstamped,
        "stamped_at": one.stamped_at,
        "head": head,
        "faults": [asdict(fault) for fault in one.faults],
        "backdated": None if one.backdated is None else str(one.backdated.id),
        "late": None if one.late is None else asdict(one.late),
    }


def _progress(slug: str, checked: Checked) -> None:
    if sys.stderr.isatty():
        said = f"{slug}/{checked.history}: {checked.lines:,} lines"
        typer.echo(f"\r{said:70}", err=True, nl=False)


def _progress_over() -> None:
    if sys.stderr.isatty():
        typer.echo(f"\r{'':70}\r", err=True, nl=False)
