"""The figures of performance as CSV. No cell can be taken for a formula by a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from app.domain.money import Money
from app.reports.book_files import safe_cell
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
