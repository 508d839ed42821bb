"""`saldo status`: where things stand, in a handful of counts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from app.commands.at_work import AsJson, DataDir, as_json, print_table, run

if TYPE_CHECKING:
    from app.wiring import Parts

NAME = "status"
app = typer.Typer(help="Where things stand: loans, signals, messages, payments, tasks, reads.")

_WORDS = {
    "loans_open": "Loans being worked",
    "loans_recovered": "Loans recovered by Saldo payments",
    "signals": "Funds signals",
    "messages_sent": "Messages sent",
    "payments_settled": "Payments settled",
    "tasks_open": "Tasks for people",
    "owed_unconfirmed": "Cases whose amount is not confirmed",
    "reads": "Balance reads",
    "reads_refused": "Reads refused by banks",
    "invariants_broken": "Invariants broken",
}


@app.callback(invoke_without_command=True)
def status(json_wanted: AsJson = False, data_dir: DataDir = None) -> None:
    """Counts over all lenders of the running instance, which is found without settings."""
    counts = run(count_all, data_dir, only_looks=True)
    if json_wanted:
        typer.echo(as_json(counts))
        return
    print_table(("", ""), ((words, counts[name]) for name, words in _WORDS.items()))
    if counts["stages"]:
        rows = ((_stage(name), cases) for name, cases in counts["stages"].items())
        print_table(("Stage of the strategy", "Cases"), rows)
    if counts["not_answering"]:
        shown = ("connector", "bank_id", "service", "since")
        down = ([one[name] or "" for name in shown] for one in counts["not_answering"])
        print_table(("Does not answer", "Bank", "Service", "Since"), down)


def _stage(name: str) -> str:
    return name.replace("_", " ").capitalize() or "Before the first stage"


async def count_all(parts: Parts) -> dict[str, Any]:
    """The counts of `saldo status --json`, all lenders together."""
    from app.reports.health import down_now
    from app.reports.status import stages_of, status_of
    from app.store.invariants import broken

    async with parts.house.store.engine_unit() as unit:
        counts = await status_of(unit, parts.clock.now())
        stages = await stages_of(unit)
        found = await broken(unit, parts.clock.now())
        down = await down_now(unit)
    return {
        **asdict(counts),
        "stages": stages,
        "invariants_broken": len(found),
        "not_answering": down,
    }
