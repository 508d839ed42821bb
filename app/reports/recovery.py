"""The recovery rate: of the money that entered collections in a period, what came back so soon.

Read-only. A cohort are the cases that opened in a period. The arithmetic stands in
app/domain/performance.py, the words in docs/monitoring.md. Everything is told as of a day: what
became known later changes nothing of it, but for the days overdue: see there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, TextualSelect, text

from app.domain.delinquency import end_of
from app.domain.money import Money
from app.domain.performance import AFTER, Overdue, Recovery
from app.store import driver
from app.store.case_results import closed_for_good, result_of
from app.store.lateness import on_a_day, parameters
from app.store.tables import cases
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class Period:
    """Calendar days of the lender, the last one included, as known at the end of `as_of`."""

    since: date
    until: date
    as_of: date
    zone: ZoneInfo
    now: datetime

    @property
    def begins(self) -> datetime:
        """Its first instant."""
        return datetime.combine(self.since, time(), self.zone)

    @property
    def ends(self) -> datetime:
        """The first instant after it."""
        return end_of(self.until, self.zone)

    @property
    def edge(self) -> datetime:
        """Until when things are known: the end of the day, or now while it lasts."""
        return min(end_of(self.as_of, self.zone), self.now)


@dataclass(frozen=True, slots=True)
class Cohort:
    """Cases that opened in one month of the period, or in all of it (`month` None), in a currency.

    `entered` is what was due when they opened. `after`: what had come so many days later, of the
    cases that have lived those days.
    """

    currency: str
    month: date | None
    cases: int
    entered: Money
    after: Mapping[int, Recovery]


@dataclass(frozen=True, slots=True)
class Cohorts:
    """`lines` by currency and month, the whole period last. `unknown`: cases of which nobody wrote
    down what was due when they opened.
    """

    lines: tuple[Cohort, ...]
    unknown: int


class Which(StrEnum):
    """Cases behind a number of the cohort."""

    ENTERED = "entered"
    WHOLE = "whole"
    SHORT = "short"


# What came on a case is all of what entered where it was closed as paid, whether or not anybody
# told us of each payment; else the money that is known, and never more than what entered. What was
# known when it opened had lowered what entered; what was paid before and told later had not. So
# money belongs to the last case that had opened when it became known, and to no other.
COHORT: Final = f"""
    WITH opened AS (
        SELECT c.id, c.loan_id, l.currency, c.entered_minor AS entered, c.opened_at AS since,
            c.closed_at, c.close_reason,
            (SELECT min(n.opened_at) FROM cases n
                WHERE n.loan_id = c.loan_id AND n.opened_at > c.opened_at) AS next_at,
            date_trunc('month', c.opened_at AT TIME ZONE CAST(:zone AS text))::date AS month
        FROM cases c JOIN loans l ON l.id = c.loan_id
        WHERE c.opened_at >= :begins AND c.opened_at < :ends AND c.opened_at < :edge
            AND c.entered_minor > 0
    ), grown AS (
        SELECT c.*, days, c.since + make_interval(days => days) AS until
        FROM opened c CROSS JOIN unnest(CAST(:after AS int[])) AS days
        WHERE c.since + make_interval(days => days) <= :edge
    ), came AS MATERIALIZED (
        SELECT c.id, c.days, sum(r.amount_minor)::bigint AS minor
        FROM grown c JOIN repayments r ON r.loan_id = c.loan_id
        WHERE r.recorded_at >= c.since AND r.recorded_at <= :edge AND r.paid_at <= c.until
            AND (c.next_at IS NULL OR r.recorded_at < c.next_at)
            AND r.counted AND r.source <> 'forgiven'
            AND (r.reversed_at IS NULL OR r.reversed_at > :edge)
        GROUP BY c.id, c.days
    ), recovered AS MATERIALIZED (
        SELECT c.id, c.currency, c.month, c.days, c.entered,
            CASE WHEN {result_of("w.why", "c.since", "c.until")} = 'paid' THEN c.entered
                ELSE least(c.entered, coalesce(m.minor, 0)) END AS minor
        FROM grown c
        LEFT JOIN came m ON m.id = c.id AND m.days = c.days
        CROSS JOIN LATERAL (SELECT {closed_for_good("c.until", ":edge")} AS why OFFSET 0) AS w
    )"""  # noqa: S608 - our own constants

_SUMS: Final = f"""{COHORT}
    SELECT currency, month, NULL::int AS days, count(*) AS cases, sum(entered) AS entered,
        NULL::numeric AS came, NULL::numeric AS entered2, NULL::numeric AS came2,
        NULL::numeric AS product
    FROM opened GROUP BY GROUPING SETS ((currency), (currency, month))
    UNION ALL
    SELECT currency, month, days, count(*), sum(entered), sum(minor),
        sum(entered::numeric * entered), sum(minor::numeric * minor),
        sum(entered::numeric * minor)
    FROM recovered GROUP BY GROUPING SETS ((currency, days), (currency, month, days))
    ORDER BY currency, month NULLS LAST, days NULLS FIRST
"""  # noqa: S608 - our own constants

_UNKNOWN: Final = text(
    "SELECT count(*) FROM cases c WHERE c.opened_at >= :begins AND c.opened_at < :ends"
    " AND c.opened_at < :edge AND coalesce(c.entered_minor, 0) = 0"
)

_MONTH: Final = "(CAST(:month AS date) IS NULL OR month = :month)"
_BEHIND: Final[Mapping[Which, str]] = {
    Which.ENTERED: f"""{COHORT}
        SELECT id FROM opened WHERE currency = :currency AND {_MONTH}""",  # noqa: S608
    Which.WHOLE: f"""{COHORT}
        SELECT id FROM recovered
        WHERE currency = :currency AND {_MONTH} AND minor = entered""",  # noqa: S608
    Which.SHORT: f"""{COHORT}
        SELECT id FROM recovered
        WHERE currency = :currency AND {_MONTH} AND minor < entered""",  # noqa: S608
}


async def cohorts(unit: Unit, period: Period) -> Cohorts:
    """Of the unit's lender, by currency and month of opening."""
    values = _values(period)
    found: dict[tuple[str, date | None], list[Row[Any]]] = {}
    for row in await unit.conn.execute(text(_SUMS), {**values, "after": list(AFTER)}):
        found.setdefault((row.currency, row.month), []).append(row)
    lines = tuple(
        Cohort(
            currency,
            month,
            rows[0].cases,
            Money(int(rows[0].entered), currency),
            {days: Recovery() for days in AFTER}
            | {
                row.days: Recovery(
                    row.cases,
                    int(row.entered),
                    int(row.came),
                    int(row.entered2),
                    int(row.came2),
                    int(row.product),
                )
                for row in rows[1:]
            },
        )
        for (currency, month), rows in found.items()
    )
    unknown = await unit.conn.scalar(_UNKNOWN, {name: values[name] for name in _MOMENTS})
    return Cohorts(lines, int(unknown or 0))


def cases_behind(
    which: Which, period: Period, *, currency: str, month: date | None, days: int
) -> TextualSelect:
    """The ids of the cases behind one of the numbers, to be put into another query."""
    values = {**_values(period), "after": [days], "currency": currency, "month": month}
    return text(_BEHIND[which]).bindparams(**values).columns(cases.c.id)


_MOMENTS: Final = ("begins", "ends", "edge")


def _values(period: Period) -> dict[str, Any]:
    return {
        "begins": period.begins,
        "ends": period.ends,
        "edge": period.edge,
        "zone": period.zone.key,
    }


async def days_overdue(unit: Unit, on: date) -> Mapping[str, Overdue]:
    """How late what is overdue at the end of a day is, by currency: loans that are worked.

    Money counts from the day on which it was paid, whenever it was told, as in the portfolio.
    """
    rows = await driver.rows(
        unit,
        f"""
        SELECT currency, count(*), sum(overdue)::bigint, sum(since - frozen)::bigint,
            sum(overdue::numeric * (since - frozen))
        FROM ({on_a_day("day")}) AS book
        WHERE overdue > 0 AND cell >= 0 GROUP BY currency ORDER BY currency
        """,  # noqa: S608 - our own constants
        parameters(unit.lender_id, (1,), day=on),
    )
    return {
        currency: Overdue(loans, minor, days, int(minor_days))
        for currency, loans, minor, days, minor_days in rows
    }


async def days_overdue_with_agencies(
    unit: Unit, on: date, edge: datetime
) -> Mapping[UUID, Mapping[str, Overdue]]:
    """The same of the loans that each agency has at the end of the day, by agency and currency."""
    rows = await driver.rows(
        unit,
        f"""
        SELECT p.agency_id, book.currency, count(*), sum(overdue)::bigint,
            sum(since - frozen)::bigint, sum(overdue::numeric * (since - frozen))
        FROM ({on_a_day("day")}) AS book
        JOIN placements p ON p.loan_id = book.id AND p.placed_at <= %(edge)b
            AND (p.ended_at IS NULL OR p.ended_at > %(edge)b)
        WHERE overdue > 0 AND cell >= 0
        GROUP BY p.agency_id, book.currency ORDER BY book.currency
        """,  # noqa: S608 - our own constants
        {**parameters(unit.lender_id, (1,), day=on), "edge": edge},
    )
    found: dict[UUID, dict[str, Overdue]] = {}
    for agency, currency, loans, minor, days, minor_days in rows:
        found.setdefault(agency, {})[currency] = Overdue(loans, minor, days, int(minor_days))
    return found
