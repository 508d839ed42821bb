"""What people can see of the town at one moment, read in a few statements for everybody."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.scenarios.town import Town

_LOANS = """
    SELECT l.borrower_id, l.id, l.external_ref, l.case_id, l.state, l.currency,
        c.state AS case_state,
        coalesce(sum(i.amount_minor - i.paid_minor), 0)::bigint AS unpaid,
        coalesce(sum(i.amount_minor - i.paid_minor) FILTER (WHERE i.due_on + d.case_after_days
            <= (cast(:now AS timestamptz) AT TIME ZONE d.time_zone)::date), 0)::bigint AS due
    FROM loans l JOIN lenders d ON d.id = l.lender_id JOIN instalments i ON i.loan_id = l.id
    LEFT JOIN cases c ON c.id = l.case_id
    GROUP BY l.id, c.state, l.external_ref ORDER BY l.external_ref
"""
_TASKS = """
    SELECT borrower_id, id, case_id, reason, created_at FROM tasks
    WHERE state = 'open' AND coalesce(not_before, :now) <= :now
    ORDER BY priority, created_at, reason, id
"""
_HOLDS = """
    SELECT borrower_id, id, kind FROM holds WHERE lifted_at IS NULL AND starts_at <= :now
        AND (ends_at IS NULL OR ends_at > :now) ORDER BY recorded_at, kind
"""
_PROMISES = "SELECT borrower_id, id, case_id FROM promises WHERE state = 'open' ORDER BY made_at"
_APPROVALS = """
    SELECT borrower_id, id, proposer_id, endorser_id, kind FROM approvals
    WHERE state = 'proposed' AND borrower_id IS NOT NULL ORDER BY proposed_at
"""
_ENTRIES = """
    SELECT a.borrower_id, a.id, a.kind FROM adjustments a WHERE a.kind <> 'reversal'
        AND NOT EXISTS (SELECT FROM adjustments r WHERE r.reverses_id = a.id) ORDER BY a.made_at
"""
_SETTLED = """
    SELECT borrower_id, id FROM payments WHERE state = 'settled' ORDER BY settled_at
"""
_WHAT = {
    "loans": _LOANS,
    "tasks": _TASKS,
    "holds": _HOLDS,
    "promises": _PROMISES,
    "approvals": _APPROVALS,
    "entries": _ENTRIES,
    "settled": _SETTLED,
}


@dataclass(slots=True)
class View:
    """What there is about one person. Rows as the statements above give them."""

    loans: list[Any] = field(default_factory=list)
    tasks: list[Any] = field(default_factory=list)
    holds: list[Any] = field(default_factory=list)
    promises: list[Any] = field(default_factory=list)
    approvals: list[Any] = field(default_factory=list)
    entries: list[Any] = field(default_factory=list)
    settled: list[Any] = field(default_factory=list)

    @property
    def cases(self) -> list[Any]:
        """Loans with an open case on which something is due."""
        return [one for one in self.loans if one.case_state == "open" and one.due > 0]


async def look_round(town: Town) -> dict[UUID, View]:
    """The view of everybody at this moment."""
    scene: defaultdict[UUID, View] = defaultdict(View)
    for name, query in _WHAT.items():
        for row in await town.rows(query, **({"now": town.now} if ":now" in query else {})):
            getattr(scene[row.borrower_id], name).append(row)
    return scene
