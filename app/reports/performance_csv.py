"""The figures of performance as CSV. No cell can be taken for a formula by a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from app.domain.money import Money
from app.domain.proportion import Proportion
from app.reports.book_files import safe_cell
from app.reports.performers import Kind, Performer
from app.reports.recovery import Cohorts, Period


def recovery_csv(found: Cohorts, period: Period) -> str:
    """A line for each currency, month of opening and number of days; month "all": the period."""
    lines = []
    for line in found.lines:
        month = line.month.strftime("%Y-%m") if line.month else "all"
        for days, one in line.after.items():
            low, high = one.interval
            lines.append(
                [
                    *_days(period),
                    line.currency,
                    month,
                    line.cases,
                    line.entered.plain(),
                    days,
                    one.cases,
                    Money(one.entered, line.currency).plain(),
                    Money(one.recovered, line.currency).plain(),
                    *told(one.rate, low, high, few=one.small),
                ]
            )
    return written(
        ["as_of", "since", "until", "currency", "opened_in", "cases_opened", "amount_entered",
         "days", "cases_old_enough", "their_amount", "recovered", "rate", "low_95", "high_95"],
        lines,
    )  # fmt: skip


def performers_csv(found: Mapping[Kind, Sequence[Performer]], period: Period) -> str:
    """A line for each person and agency. Sums of money stand in each currency by itself."""
    lines = []
    for kind, people in found.items():
        for one in people:
            as_is, like_others = one.brought.as_is, one.brought.like_others
            lines.append(
                [
                    *_days(period),
                    kind.value,
                    one.name,
                    as_is.count,
                    *told(as_is.mean, as_is.low, as_is.high, few=as_is.small),
                    *told(
                        like_others.mean,
                        like_others.low,
                        like_others.high,
                        few=not like_others.comparable,
                    ),
                    f"{like_others.covered:.4f}",
                    _sums(one.brought.owed),
                    _sums(one.brought.came),
                    *_proportion(one.reached),
                    *_proportion(one.kept),
                    *_proportion(one.followed),
                    _sums(one.money),
                    "; ".join(
                        f"{late.by_money:.1f} {currency}" for currency, late in one.overdue.items()
                    ),
                ]
            )
    return written(
        ["as_of", "since", "until", "kind", "name", "cases",
         "came", "came_low_95", "came_high_95",
         "like_with_like", "like_low_95", "like_high_95", "mix_covered", "left_to_collect",
         "recovered",
         "calls", "reached", "reached_rate", "reached_low_95", "reached_high_95",
         "promises_due", "kept", "kept_rate", "kept_low_95", "kept_high_95",
         "calls_reached_and_old", "followed_by_money", "followed_rate", "followed_low_95",
         "followed_high_95", "money_after_a_call", "days_overdue_now"],
        lines,
    )  # fmt: skip


def _sums(amounts: Sequence[Money]) -> str:
    return "; ".join(str(amount) for amount in amounts)


def _proportion(one: Proportion) -> list[object]:
    return [one.of, one.hits, *told(one.share, *one.interval, few=one.small)]


def _days(period: Period) -> list[str]:
    return [day.isoformat() for day in (period.as_of, period.since, period.until)]


def told(share: float, low: float, high: float, *, few: bool) -> list[str]:
    """A share with its interval; empty where there are too few cases to tell one."""
    return ["", "", ""] if few else [f"{one:.4f}" for one in (share, low, high)]


def written(heads: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """All of it, each text made safe, with the mark by which spreadsheets know UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(heads)
    for line in lines:
        writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in line])
    return "\ufeff" + out.getvalue()
