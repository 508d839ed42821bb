"""What entered collections with a case: written down when it opens, and never changed.

The loan's schedule will be rewritten and paid; what was due on the day on which the case opened
would have to be guessed then, and where a ledger tells no days of payments could not be.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from app.store import driver
from app.store.unit import Unit

# Due is what app/store/dues.py says.
_NOTE: Final = """
    UPDATE cases c SET entered_minor = dues.minor, entered_days = dues.days
    FROM (
        SELECT c.id, sum(i.amount_minor - i.paid_minor)::bigint AS minor,
            d.today - min(i.due_on) AS days
        FROM cases c
        JOIN LATERAL (
            SELECT timezone(n.time_zone, %(now)b::timestamptz)::date AS today,
                n.case_after_days AS grace FROM lenders n WHERE n.id = c.lender_id
        ) d ON true
        JOIN instalments i ON i.loan_id = c.loan_id
        WHERE c.id = ANY(%(cases)b::uuid[]) AND i.paid_minor < i.amount_minor
            AND i.due_on <= d.today - d.grace
        GROUP BY c.id, d.today
    ) dues
    WHERE c.id = dues.id
"""


async def note_entries(unit: Unit, now: datetime, case_ids: Iterable[UUID]) -> None:
    """Write down of cases that open at `now` what is due, and days since the oldest due date."""
    await driver.run(unit, _NOTE, {"now": now, "cases": list(case_ids)})
