"""`saldo backtest`: what reading these accounts would have come to, before anything goes live."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.at_work import AsJson, as_json, print_table
from app.domain.errors import Invalid
from app.domain.learned_plan import LearnedRules
from app.domain.money import Money, currency_digits
from app.domain.read_price import STANDARD_COSTS, STANDARD_DAILY_BP, ReadPrices

if TYPE_CHECKING:
    from app.backtest.run import Progress, Result

NAME = "backtest"
app = typer.Typer(
    help="Replay recorded accounts through the rules of production: reads, delay, what is missed."
)

Transactions = Annotated[
    Path,
    typer.Option(help="CSV or .csv.gz: account_id,date[,time],amount,balance (after the row)."),
]
Loans = Annotated[
    Path | None, typer.Option(help="CSV: account_id,instalment. For thresholds of instalments.")
]
ThresholdText = Annotated[
    str, typer.Option("--threshold", help="q75 (of the balance), instalment*1.5, or an amount.")
]
PolicyName = Annotated[
    str, typer.Option("--policy", help="learned, every:7d, every:6h, daily, payday or oracle.")
]
HistoryDays = Annotated[
    int, typer.Option(min=0, help="First days of each account that are known, and not judged.")
]
Visible = Annotated[str, typer.Option(help="What a read shows: balances or transactions.")]
Currency = Annotated[str, typer.Option(help="ISO 4217 code of the amounts.")]
Floor = Annotated[str, typer.Option(help="Protected amount on top of an amount or instalments.")]
Price = Annotated[
    float | None,
    typer.Option(
        "--price-days",
        min=0,
        max=30,
        help="learned: days of delay that a read is worth, the same for all. [default: by what is "
        "due, as in production; on histories without hours 1]",
    ),
]
ReadCosts = Annotated[
    str | None,
    typer.Option(help=f"learned: what a read costs, like SALDO_READ_COSTS ({STANDARD_COSTS!r})."),
]
DelayBp = Annotated[
    int,
    typer.Option(min=1, max=10_000, help="learned: what a day of delay costs, of what is due."),
]
BlindDays = Annotated[int, typer.Option(min=1, help="learned: no account is unread for longer.")]
ReadsPerDay = Annotated[int, typer.Option(min=1, max=4, help="learned: the allowance.")]
Reserve = Annotated[
    int, typer.Option(min=0, max=3, help="learned: reads of the allowance kept for the last look.")
]
ReportFile = Annotated[
    Path | None, typer.Option("--report", help="Write a page with the chart here.")
]
Resamples = Annotated[int, typer.Option(min=20, help="Draws for the 95 % intervals.")]
Seed = Annotated[int, typer.Option(help="Of the draws: the same seed, the same intervals.")]
Processes = Annotated[int, typer.Option(min=1, help="How many work at once.")]


@app.callback(invoke_without_command=True)
def backtest(
    transactions: Transactions,
    loans: Loans = None,
    threshold: ThresholdText = "q75",
    policy: PolicyName = "learned",
    history_days: HistoryDays = 0,
    visible: Visible = "balances",
    currency: Currency = "EUR",
    floor: Floor = "0",
    price_days: Price = None,
    read_costs: ReadCosts = None,
    delay_bp: DelayBp = STANDARD_DAILY_BP,
    blind_days: BlindDays = 14,
    reads_per_day: ReadsPerDay = 4,
    reserve: Reserve = 1,
    report: ReportFile = None,
    resamples: Resamples = 1000,
    seed: Seed = 1,
    processes: Processes = 1,
    json_wanted: AsJson = False,
) -> None:
    """Replay the accounts of a file. No database and no settings are needed.

    docs/backtest.md says what the figures mean and how they compare.
    """
    from app.backtest import files, run
    from app.backtest.learned import LearnedSettings
    from app.backtest.windows import Threshold

    if reserve >= reads_per_day:
        raise Invalid("--reserve", "leaves no read to plan.", mend="Less than --reads-per-day.")
    if visible not in run.VISIBLE:
        raise Invalid("--visible", f"{visible!r} is none.", mend="balances or transactions.")
    currency_digits(currency, field="--currency")
    protected = Money.parse(floor, currency, field="--floor").minor
    if protected < 0:
        raise Invalid("--floor", "is below zero.", mend="Give 0 or more.")
    prices = None
    if read_costs is not None:
        prices = ReadPrices.parse(read_costs, delay_bp, field="--read-costs")
    rules = LearnedRules(blind_days, reserve)
    request = run.Request(
        policy=policy,
        threshold=Threshold.parse(threshold, currency),
        history_days=history_days,
        transactions=visible == "transactions",
        floor_minor=protected,
        currency=currency,
        resamples=resamples,
        seed=seed,
        processes=min(processes, os.cpu_count() or 1),
        learned=LearnedSettings(price_days, prices, rules, reads_per_day),
    )
    if request.threshold.instalments is not None and loans is None:
        raise Invalid(
            "--loans",
            "is needed for a threshold of instalments.",
            mend="Name the file of loans, or give a fixed threshold.",
        )
    instalments = {} if loans is None else files.read_instalments(loans, currency)
    histories = files.read_transactions(transactions, currency)
    result = run.run(request, histories, instalments, _progress())
    if report is not None:
        from app.backtest.report import page

        try:
            report.write_text(page(result), encoding="utf-8")
        except OSError as error:
            raise Invalid(
                "--report",
                f"cannot be written: {error.strerror}.",
                mend="Name a folder that you may write to.",
            ) from None
    if json_wanted:
        typer.echo(as_json(run.as_json(result)))
    else:
        _print(result)


def _progress() -> Progress:
    """One line on a terminal, rewritten; silence where nobody looks."""
    console = typer.get_text_stream("stderr")
    last = ""

    def tell(what: str, done: int, of: int) -> None:
        nonlocal last
        line = f"{what}: {100 * done // of} %"
        if console.isatty() and line != last:
            console.write(f"\r{line:<30}" if done < of else f"\r{'':<30}\r")
            console.flush()
            last = line

    return tell


def _print(result: Result) -> None:
    from app.backtest.words import rows

    print_table(("", result.request.policy, "95 % interval"), rows(result))
