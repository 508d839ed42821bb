"""The table of docs/backtest.md: the learned plan on recorded accounts, as shipped and out of fold.

    python -m benchmarks.judged_folds --transactions FILE --loans FILE --currency CZK

Every row is judged twice. *shipped* is what `saldo backtest` prints: the rates by day of the month
that Saldo ships (`app.domain.income_pool`). *out of fold*: accounts are dealt to five folds by a
hash of their id, and each is judged with rates made from the four other folds alone. Rates are
made as the shipped ones were: of all rows, smoothed over three days of the month, moved half of
the way to one. Intervals draw accounts anew, as the command does.

With `--drift` the rows are judged on histories whose credits are moved by up to two days either
way, evenly, and then off weekends (`drifted`, seeded by account).
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path

from app.backtest.compare import Figures, FixedCurve, Interval, Outcome, bootstrap
from app.backtest.files import MINUTES, Entry, History, read_instalments, read_transactions
from app.backtest.fixed import Tally
from app.backtest.run import VISIBLE, Request, tallies_of, tracks_of
from app.backtest.windows import Threshold, Track
from app.domain.income import TUNING, IncomeProfile, minute_of
from app.domain.income_learning import learn, look_ahead
from app.domain.income_seen import Row, between_rows
from app.domain.rhythm import RHYTHMS, Rhythm
from benchmarks import bench

FOLDS = 5
THRESHOLDS = ("q75", "q90", "instalment*5", "instalment*2", "instalment*1")
# History days, and what a read shows: from a cold start to all that can be known.
KNOWN = ((0, "balances"), (0, "transactions"), (90, "balances"), (90, "transactions"))
DRIFT_DAYS = 2
_SATURDAY = 5
_MONTH_DAY = RHYTHMS.index(Rhythm.MONTH_DAY)


@dataclass(frozen=True, slots=True)
class Judged:
    """One way of judging one row. `by_fold` is the saving in each fold; None: outside its curve."""

    windows: int
    figures: Figures
    coverage_fixed: float | None
    saved: float | None
    between: Interval | None
    by_fold: tuple[float | None, ...]


def fold_of(account_id: str) -> int:
    """The fold of an account, the same in every run."""
    return blake2b(account_id.encode(), digest_size=4).digest()[-1] % FOLDS


def counts(history: History) -> tuple[Sequence[float], Sequence[float]]:
    """Per day of the month, of one account: the incomes that came, and the days it was seen."""
    origin = minute_of(history.begins_on)
    rows = [Row(origin + entry.minute, entry.minor) for entry in history.entries]
    told = between_rows(rows, origin, origin + history.days * MINUTES, timed=history.timed)
    profile = learn(look_ahead(IncomeProfile(), history.begins_on), told)
    return profile.mass[_MONTH_DAY], profile.seen[_MONTH_DAY]


def month_days(counted: Sequence[tuple[Sequence[float], Sequence[float]]]) -> tuple[float, ...]:
    """How much likelier than on an average day income is, by day of the month: as it is shipped."""
    came = [sum(mass[day] for mass, _ in counted) for day in range(31)]
    seen = [sum(visits[day] for _, visits in counted) for day in range(31)]
    rates = [mass / visits for mass, visits in zip(came, seen, strict=True)]
    smooth = [(rates[day - 1] + rates[day] + rates[(day + 1) % 31]) / 3 for day in range(31)]
    mean = sum(smooth) / len(smooth)
    return tuple(round((1 + rate / mean) / 2, 2) for rate in smooth)


def drifted(history: History, days: int = DRIFT_DAYS) -> History:
    """The same account with each credit up to so many days off, evenly, and then off weekends.

    A credit that falls on Saturday or Sunday comes on Monday. Rows of the first and the last day
    stay, so that the account keeps its days.
    """
    chance = random.Random(f"drift {history.account_id}")
    last, moved = history.days - 1, []
    for entry in history.entries:
        day, minute = divmod(entry.minute, MINUTES)
        if entry.minor > 0 and 0 < day < last:
            day += chance.randint(-days, days)
            weekday = (history.begins_on + timedelta(days=day)).weekday()
            day += 7 - weekday if weekday >= _SATURDAY else 0
        moved.append((min(max(day, 0), last) * MINUTES + minute, entry.minor))
    moved.sort(key=lambda one: one[0])
    balance, entries = history.opening_minor, []
    for at, minor in moved:
        balance += minor
        entries.append(Entry(at, minor, balance))
    return replace(history, entries=tuple(entries))


@dataclass(frozen=True, slots=True)
class Book:
    """What is judged: all accounts, their instalments, and the rates that each fold is given."""

    histories: Sequence[History]
    instalments: Mapping[str, int]
    rates: Sequence[tuple[float, ...]]

    @classmethod
    def of(cls, histories: Sequence[History], instalments: Mapping[str, int]) -> Book:
        """Work out the rates that each fold is judged with: those of the four others."""
        counted = [(fold_of(one.account_id), counts(one)) for one in histories]
        rates = [
            month_days([told for mine, told in counted if mine != fold]) for fold in range(FOLDS)
        ]
        return cls(histories, instalments, rates)


def judge(book: Book, request: Request) -> tuple[Judged, Judged]:
    """One row, with the rates that are shipped and out of fold."""
    tracks = tracks_of(request, book.histories, book.instalments)
    shipped = tallies_of(request, tracks)
    held_out: dict[str, Tally] = {}
    for fold, rates in enumerate(book.rates):
        tuning = replace(TUNING, month_days=rates)
        asked = replace(request, learned=replace(request.learned, tuning=tuning))
        mine = [one for one in tracks if fold_of(one.history.account_id) == fold]
        for track, tally in zip(mine, tallies_of(asked, mine), strict=True):
            held_out[track.history.account_id] = tally
    out = [held_out[track.history.account_id] for track in tracks]
    return _judged(request, tracks, shipped), _judged(request, tracks, out)


def _judged(request: Request, tracks: Sequence[Track], tallies: Sequence[Tally]) -> Judged:
    outcome = Outcome([track.counted for track in tracks], [tallies])
    fixed, figures = FixedCurve(tracks), outcome.figures()
    if figures is None:
        raise ValueError(f"no window was seen at {request.threshold}")
    folds = [fold_of(track.history.account_id) for track in tracks]
    by_fold = []
    for fold in range(FOLDS):
        weights = [int(one == fold) for one in folds]
        mine = outcome.figures(weights)
        by_fold.append(None if mine is None else fixed.against(mine, weights).reads_saved)
    versus = fixed.against(figures)
    drawn = bootstrap(outcome, fixed, resamples=request.resamples, seed=request.seed)
    return Judged(
        sum(outcome.windows),
        figures,
        versus.coverage_fixed,
        versus.reads_saved,
        drawn["reads_saved"],
        tuple(by_fold),
    )


def line(name: str, one: Judged) -> str:
    """A row for people, in the columns of docs/backtest.md."""
    figures, between = one.figures, one.between
    covers = "-" if one.coverage_fixed is None else f"{one.coverage_fixed:.3f}"
    saved = "-" if one.saved is None else f"{one.saved:.1%}"
    span = "" if between is None else f" ({between.low:.1%} to {between.high:.1%})"
    folds = " ".join("-" if each is None else f"{each:.2f}" for each in one.by_fold)
    return (
        f"{name} | {one.windows} windows | {figures.reads:.2f}, {figures.delay:.2f} d, "
        f"{figures.coverage:.3f} | {covers} | {saved}{span} | {folds}"
    )


def main(argv: list[str]) -> int:
    """Judge, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--transactions", type=Path, required=True)
    parser.add_argument("--loans", type=Path)
    parser.add_argument("--currency", default="EUR")
    parser.add_argument("--threshold", action="append", help="only this one; may be repeated")
    parser.add_argument("--history-days", type=int, help="only with so many days known")
    parser.add_argument("--visible", choices=VISIBLE, help="only where this is shown")
    parser.add_argument("--drift", action="store_true", help="credits moved, see above")
    parser.add_argument("--resamples", type=int, default=300)
    given = parser.parse_args(argv)
    loans = {} if given.loans is None else read_instalments(given.loans, given.currency)
    histories = read_transactions(given.transactions, given.currency)
    book = Book.of([drifted(one) for one in histories] if given.drift else histories, loans)
    figures: dict[str, float] = {}
    for text in given.threshold or THRESHOLDS:
        threshold = Threshold.parse(text, given.currency)
        if threshold.instalments is not None and not loans:
            continue
        for days, visible in KNOWN:
            if given.history_days not in (None, days) or given.visible not in (None, visible):
                continue
            request = Request(
                "learned",
                threshold,
                history_days=days,
                transactions=visible == "transactions",
                currency=given.currency,
                resamples=given.resamples,
            )
            name = f"{text}, {visible}, {days} days{', drift' if given.drift else ''}"
            for kind, one in zip(("shipped", "out of fold"), judge(book, request), strict=True):
                sys.stdout.write(f"{line(f'{name}, {kind}', one)}\n")
                sys.stdout.flush()
                figures[f"{name}, {kind}"] = -1.0 if one.saved is None else one.saved
    bench.record("judged_folds", figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
