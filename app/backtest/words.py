"""The figures of a backtest in words, for the terminal and the page alike."""

from __future__ import annotations

from app.backtest.compare import Interval
from app.backtest.run import Result
from app.domain.money import currency_digits


def rows(result: Result) -> list[tuple[str, str, str]]:
    """Label, figure and 95 % interval, most important first."""
    figures, versus, between = result.figures, result.versus, result.intervals

    def money(minor: int) -> str:
        digits = currency_digits(result.request.currency)
        whole, rest = divmod(minor, 10**digits)
        return f"{whole:,}" + (f".{rest:0{digits}d}" if digits else "")

    hours = [
        (
            "Windows seen within two hours",
            f"{figures.soon:.1%}",
            _span(between["soon"], "{:.1%}"),
        ),
        (
            "The same with even spacing, at equal reads",
            _maybe(versus.soon_fixed, "{:.1%}"),
            _span(between["soon_fixed"], "{:.1%}"),
        ),
    ]
    return [
        ("Accounts judged", f"{result.accounts:,}", ""),
        ("Accounts left out (too short, or no threshold above zero)", f"{result.left_out:,}", ""),
        ("Times that money was there (windows)", f"{result.windows:,}", ""),
        (
            "Reads per window seen",
            f"{figures.reads:.2f}",
            _span(between["reads"], "{:.2f}"),
        ),
        (
            "Windows seen before they closed",
            f"{figures.coverage:.1%}",
            _span(between["coverage"], "{:.1%}"),
        ),
        ("Days until seen, mean", f"{figures.delay:.2f}", _span(between["delay"], "{:.2f}")),
        (
            "Reads saved against even spacing, at equal delay",
            _maybe(versus.reads_saved, "{:.1%}"),
            _span(between["reads_saved"], "{:.1%}"),
        ),
        (
            "Days sooner (-) or later than even spacing, at equal reads",
            _maybe(versus.delay_change, "{:+.2f}"),
            _span(between["delay_change"], "{:+.2f}"),
        ),
        (
            "Windows that even spacing sees, at equal reads",
            _maybe(versus.coverage_fixed, "{:.1%}"),
            _span(between["coverage_fixed"], "{:.1%}"),
        ),
        *(hours if result.timed else ()),
        (f"Due in windows seen, {result.request.currency}", money(result.seen_minor), ""),
        (f"Due in windows missed, {result.request.currency}", money(result.missed_minor), ""),
    ]


def _maybe(value: float | None, form: str) -> str:
    return "outside the curve" if value is None else form.format(value)


def _span(found: Interval | None, form: str) -> str:
    return "" if found is None else f"{form.format(found.low)} to {form.format(found.high)}"
