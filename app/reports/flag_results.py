"""How well the rules flag: what became of flagged cases, and of those no rule had flagged.

Read-only. One look at the book of the last year for all editions together; the words and the
arithmetic stand in app/domain/flag_results.py. Nothing from after a case's own days counts, and no
case before its days are over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, TextualSelect, literal_column, select, text

from app.domain.edition import EditionState
from app.domain.flag_results import CaseResult, Judged, RuleResults
from app.store.case_results import closed_as, result_of
from app.store.tables import cases, segments
from app.store.unit import Unit

# Of rules that were in force longer ago nothing is learnt for today's borrowers.
LOOK_BACK: Final = timedelta(days=365)


class Which(StrEnum):
    """Cases behind a number: of the flagged ones, or of those that had been open long enough."""

    BAD = "bad"
    PAID = "paid"
    UNCLEAR = "unclear"
    WAITING = "waiting"
    CAUGHT = "caught"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class FlagResults:
    """Results by edition; `together`: a case counts once, with the first flag any rule gave it."""

    horizon_days: int
    together: RuleResults
    rules: Mapping[UUID, RuleResults]


# A case that a rule flagged again, or that several flagged, counts with its first flag. `rule`
# NULL: all together. The history of an imported book was never asked about. OFFSET 0 keeps what a
# case was closed as from being looked up anew wherever it is named.
_BOOK: Final = f"""
    WITH flags AS (
        SELECT * FROM (
            SELECT DISTINCT ON (f.segment_id, f.case_id) f.segment_id AS rule, f.case_id,
                f.raised_at, f.ended_at, f.ended_by
            FROM case_flags f WHERE f.segment_id IS NOT NULL
            ORDER BY f.segment_id, f.case_id, f.raised_at
        ) AS each_rule
        UNION ALL
        SELECT * FROM (
            SELECT DISTINCT ON (f.case_id) NULL::uuid, f.case_id, f.raised_at, f.ended_at,
                f.ended_by
            FROM case_flags f WHERE f.segment_id IS NOT NULL
            ORDER BY f.case_id, f.raised_at
        ) AS any_rule
    ), flagged AS (
        SELECT f.rule, f.case_id, f.raised_at AS since, f.raised_at + :days AS until,
            f.ended_at IS NOT NULL AND f.ended_by <> 'saldo' AS removed
        FROM flags f WHERE f.raised_at > :since - CAST(:days AS interval) AND f.raised_at <= :now
    ), looked_at AS (
        SELECT f.*, c.loan_id, CASE WHEN f.until > :now THEN 'waiting' ELSE
            {result_of("w.why", "f.since", "f.until")} END AS result
        FROM flagged f JOIN cases c ON c.id = f.case_id
        CROSS JOIN LATERAL (SELECT CASE WHEN f.until <= :now
            THEN {closed_as("f.until")} END AS why OFFSET 0) AS w
    ), opened AS (
        SELECT c.id, c.opened_at AS since, c.opened_at + :days AS until, c.loan_id,
            c.closed_at, c.close_reason
        FROM cases c
        WHERE c.opened_at > :since - CAST(:days AS interval)
            AND c.opened_at <= :now - CAST(:days AS interval) AND c.segmented_at IS NOT NULL
    ), judged AS MATERIALIZED (
        SELECT c.id, c.since, c.until, {result_of("w.why", "c.since", "c.until")} AS result
        FROM opened c CROSS JOIN LATERAL (SELECT {closed_as("c.until")} AS why OFFSET 0) AS w
    ), rules AS (
        SELECT s.id AS rule, coalesce(s.published_at, s.made_at) AS begins, s.retired_at AS ends
        FROM segments s WHERE s.state IN ('published', 'retired')
        UNION ALL
        SELECT NULL, min(coalesce(s.published_at, s.made_at)), NULL
        FROM segments s WHERE s.state IN ('published', 'retired')
    ), caught AS (
        SELECT r.rule, j.id, min(f.raised_at) - j.since AS after
        FROM judged j
        JOIN case_flags f ON f.case_id = j.id AND f.raised_at >= j.since AND f.raised_at < j.until
        JOIN rules r ON (r.rule IS NULL AND f.segment_id IS NOT NULL) OR r.rule = f.segment_id
        WHERE j.result IN ('unpaid', 'given_up')
            AND j.since >= r.begins AND j.until <= coalesce(r.ends, 'infinity')
        GROUP BY r.rule, j.id, j.since
    )"""  # noqa: S608 - our own constants

_FLAGGED: Final = f"""{_BOOK}
    SELECT f.rule, f.result, count(*) AS cases,
        count(*) FILTER (WHERE f.removed) AS removed,
        count(*) FILTER (WHERE EXISTS (SELECT FROM placements p WHERE p.loan_id = f.loan_id
            AND p.case_id = f.case_id AND p.placed_at <= f.until
            AND (p.ended_at IS NULL OR p.ended_at > f.until))) AS placed,
        count(*) FILTER (WHERE EXISTS (SELECT FROM tasks t WHERE t.case_id = f.case_id
            AND t.reason = 'review_case' AND t.created_at = f.since AND t.state = 'done'))
            AS looked
    FROM looked_at f GROUP BY f.rule, f.result
"""  # noqa: S608 - our own constants

# Editions are told apart by when they were in force. Cases are counted between all their moments
# at once, instead of once for each edition.
_OPENED: Final = f"""{_BOOK}
    SELECT 'opened' AS what, NULL::uuid AS rule, result,
        width_bucket(since, CAST(:moments AS timestamptz[])) AS place, count(*) AS cases,
        NULL::float8 AS median
    FROM judged GROUP BY result, place
    UNION ALL
    SELECT 'caught', rule, NULL, NULL, count(*),
        percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM after)::float8) / 86400
    FROM caught GROUP BY rule
"""  # noqa: S608 - our own constants

_OF_FLAGGED: Final = f"""{_BOOK}
    SELECT case_id AS id FROM looked_at
    WHERE rule IS NOT DISTINCT FROM CAST(:rule AS uuid) AND result = ANY(:results)
"""  # noqa: S608 - our own constants
_BEHIND: Final[Mapping[Which, str]] = {
    Which.CAUGHT: f"""{_BOOK}
    SELECT id FROM caught WHERE rule IS NOT DISTINCT FROM CAST(:rule AS uuid)""",  # noqa: S608
    Which.MISSED: f"""{_BOOK}
    SELECT j.id FROM judged j JOIN rules r ON r.rule IS NOT DISTINCT FROM CAST(:rule AS uuid)
    WHERE j.result IN ('unpaid', 'given_up')
        AND j.since >= r.begins AND j.until <= coalesce(r.ends, 'infinity')
        AND NOT EXISTS (SELECT FROM caught k
            WHERE k.rule IS NOT DISTINCT FROM r.rule AND k.id = j.id)""",  # noqa: S608
}
_RESULTS: Final[Mapping[Which, list[str]]] = {
    Which.BAD: [CaseResult.UNPAID.value, CaseResult.GIVEN_UP.value],
    Which.PAID: [CaseResult.PAID.value],
    Which.UNCLEAR: [CaseResult.UNCLEAR.value],
    Which.WAITING: ["waiting"],
}


@dataclass(slots=True)
class _Tally:
    results: dict[CaseResult, int] = field(default_factory=dict)
    waiting: int = 0
    placed: int = 0
    looked: int = 0
    removed: int = 0

    def add(self, row: Row[Any]) -> None:
        if row.result == "waiting":
            self.waiting = row.cases
            return
        self.results[CaseResult(row.result)] = row.cases
        self.placed += row.placed
        self.looked += row.looked
        self.removed += row.removed


async def flag_results(unit: Unit, now: datetime, horizon_days: int) -> FlagResults:
    """Of the unit's lender, over flags and cases of the last year that are old enough."""
    windows = await _windows(unit, now, horizon_days)
    moments = sorted({moment for window in windows.values() for moment in window})
    values = _values(now, horizon_days)
    tallies: dict[UUID | None, _Tally] = defaultdict(_Tally)
    for row in await unit.conn.execute(text(_FLAGGED), values):
        tallies[row.rule].add(row)
    opened: dict[int, dict[CaseResult, int]] = defaultdict(dict)
    caught: dict[UUID | None, tuple[int, float]] = {}
    for row in await unit.conn.execute(text(_OPENED), {**values, "moments": moments}):
        if row.what == "opened":
            opened[row.place][CaseResult(row.result)] = row.cases
        else:
            caught[row.rule] = (row.cases, row.median)
    made = {
        rule: _results(tallies[rule], _between(opened, moments, window), caught.get(rule))
        for rule, window in windows.items()
    }
    together = made.pop(None)
    return FlagResults(horizon_days, together, {rule: one for rule, one in made.items() if rule})


def cases_behind(
    which: Which, rule: UUID | None, now: datetime, horizon_days: int
) -> TextualSelect:
    """The ids of the cases behind one of the numbers, to be put into another query."""
    values = {**_values(now, horizon_days), "rule": rule}
    if which in _RESULTS:
        values["results"] = _RESULTS[which]
    query = _BEHIND.get(which, _OF_FLAGGED)
    return text(query).bindparams(**values).columns(cases.c.id)


def _values(now: datetime, horizon_days: int) -> dict[str, Any]:
    return {"now": now, "days": timedelta(days=horizon_days), "since": now - LOOK_BACK}


async def _windows(
    unit: Unit, now: datetime, horizon_days: int
) -> dict[UUID | None, tuple[datetime, datetime]]:
    """When a case must have opened to have lived all its days under an edition: [begin, end)."""
    days = timedelta(days=horizon_days)
    # A moment after which nothing that counts was opened: `opened_at <= now - days` is in the SQL.
    latest = now + timedelta(days=1)
    rows = await unit.conn.execute(
        select(
            segments.c.id,
            segments.c.retired_at,
            literal_column("coalesce(published_at, made_at)").label("begins"),
        ).where(segments.c.state.in_((EditionState.PUBLISHED.value, EditionState.RETIRED.value)))
    )
    found: dict[UUID | None, tuple[datetime, datetime]] = {}
    for row in rows:
        # The last one counts that is over just when the edition is: `until <= ends`.
        ends = latest if row.retired_at is None else row.retired_at - days + _TICK
        found[row.id] = (row.begins, max(row.begins, ends))
    found[None] = (min((begin for begin, _ in found.values()), default=latest), latest)
    return found


_TICK: Final = timedelta(microseconds=1)


def _between(
    opened: Mapping[int, Mapping[CaseResult, int]],
    moments: list[datetime],
    window: tuple[datetime, datetime],
) -> Judged:
    """Those that opened within the window: place n begins at the n-th moment, counted from one."""
    first, last = (moments.index(moment) for moment in window)
    found: dict[CaseResult, int] = defaultdict(int)
    for place in range(first + 1, last + 1):
        for result, number in opened.get(place, {}).items():
            found[result] += number
    return Judged(found)


def _results(tally: _Tally, opened: Judged, caught: tuple[int, float] | None) -> RuleResults:
    number, median = caught or (0, None)
    return RuleResults(
        flagged=Judged(tally.results),
        opened=opened,
        caught=number,
        median_days=median,
        waiting=tally.waiting,
        placed=tally.placed,
        looked=tally.looked,
        removed=tally.removed,
    )
