"""How well the rules flag, as rows of a table with the cases behind every number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from starlette.requests import Request

from app.domain.edition import EditionState
from app.domain.flag_results import HORIZONS, USUAL_HORIZON, CaseResult, RuleResults
from app.reports.flag_results import FlagResults, Which
from app.reports.segments import SegmentLine
from app.web.shares import ShareShown, share_shown

TOGETHER: Final = "all"

# Of the cases behind a number, as the page of them says it; `{days}` are the horizon.
BEHIND: Final[Mapping[Which, str]] = {
    Which.BAD: "Flagged, and not paid {days} days later",
    Which.PAID: "Flagged, and paid within {days} days",
    Which.UNCLEAR: "Flagged, and nobody knows whether it was paid within {days} days",
    Which.WAITING: "Flagged less than {days} days ago",
    Which.CAUGHT: "Not paid {days} days after opening, and flagged by then",
    Which.MISSED: "Not paid {days} days after opening, and not flagged by then",
}


@dataclass(frozen=True, slots=True)
class RuleShown:
    """One edition of a rule, or all rules together (`id` is then "all")."""

    id: str
    title: str
    number: int
    since: date | None
    until: date | None
    results: RuleResults
    precision: ShareShown
    recall: ShareShown
    base: ShareShown

    @property
    def bad(self) -> int:
        """Flagged and not paid."""
        return self.results.flagged.bad

    @property
    def paid(self) -> int:
        """Flagged and paid."""
        return self.results.flagged.number(CaseResult.PAID)

    @property
    def unclear(self) -> int:
        """Flagged, and nobody knows."""
        return self.results.flagged.number(CaseResult.UNCLEAR)

    @property
    def missed(self) -> int:
        """Went bad without its flag."""
        return self.results.recall.of - self.results.recall.hits


def read_horizon(request: Request) -> int:
    """The days that were asked for; the usual ones for whatever else stands there."""
    asked = request.query_params.get("horizon", "")
    return int(asked) if asked in map(str, HORIZONS) else USUAL_HORIZON


def rules_shown(
    found: FlagResults, lines: Iterable[SegmentLine], zone: ZoneInfo
) -> list[RuleShown]:
    """Editions in force, and those out of force of which something is known; then all together."""
    shown = [
        _shown(
            found.rules[line.id],
            str(line.id),
            line.segment.title,
            line.number,
            line.published_at.astimezone(zone).date() if line.published_at else None,
            line.retired_at.astimezone(zone).date() if line.retired_at else None,
        )
        for line in lines
        if line.id in found.rules
        and (line.state is EditionState.PUBLISHED or _something(found.rules[line.id]))
    ]
    return [*shown, _shown(found.together, TOGETHER, "All rules together", 0, None, None)]


def _something(one: RuleResults) -> bool:
    return bool(one.flagged.results or one.waiting or one.opened.bad)


def _shown(
    one: RuleResults, rule_id: str, title: str, number: int, since: date | None, until: date | None
) -> RuleShown:
    return RuleShown(
        rule_id,
        title,
        number,
        since,
        until,
        one,
        share_shown(one.precision),
        share_shown(one.recall),
        share_shown(one.base),
    )
