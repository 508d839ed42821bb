"""The facts of cases that rules ask about, for a whole batch in one statement."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.case_facts import Care, RuleFacts, funds_band, reach_band
from app.domain.day_count import DayCount, frozen_days
from app.domain.money import Money
from app.store import driver
from app.store.brakes import freezing_holds
from app.store.unit import Unit

YEAR: Final = timedelta(days=365)

# Due is what app/store/dues.py says. A channel counts as a way to reach somebody when there is an
# address for it and he did not stop it. Holds are those in force over this case.
_FACTS: Final = """
    SELECT c.id, d.today, l.currency, l.product,
        dues.minor, dues.oldest, dues.first_due,
        his.open_loans, his.past_cases, his.times_late, his.broken,
        his.signals, his.ways, his.care, c.borrower_id, d.zone
    FROM cases c
    JOIN loans l ON l.id = c.loan_id
    JOIN borrowers b ON b.id = c.borrower_id
    JOIN LATERAL (
        SELECT timezone(n.time_zone, %(now)b::timestamptz)::date AS today,
            n.case_after_days AS grace, n.time_zone AS zone
        FROM lenders n WHERE n.id = c.lender_id
    ) d ON true
    JOIN LATERAL (
        SELECT coalesce(sum(i.amount_minor - i.paid_minor) FILTER (WHERE i.paid_minor
                < i.amount_minor AND i.due_on <= d.today - d.grace), 0)::bigint AS minor,
            min(i.due_on) FILTER (WHERE i.paid_minor < i.amount_minor
                AND i.due_on <= d.today - d.grace) AS oldest,
            min(i.due_on) AS first_due
        FROM instalments i WHERE i.loan_id = l.id AND i.amount_minor > 0
    ) dues ON true
    JOIN LATERAL (
        SELECT
            (SELECT count(*) FROM loans o WHERE o.borrower_id = b.id AND o.state = 'active')
                AS open_loans,
            (SELECT count(*) FROM cases o WHERE o.borrower_id = b.id AND o.state = 'closed')
                AS past_cases,
            (SELECT count(*) FROM cases o WHERE o.borrower_id = b.id
                AND o.opened_at > %(year_ago)b) AS times_late,
            (SELECT count(*) FROM promises p WHERE p.borrower_id = b.id
                AND p.state = 'broken') AS broken,
            (SELECT count(*) FROM funds_signals s WHERE s.borrower_id = b.id
                AND s.raised_at > %(year_ago)b) AS signals,
            (SELECT count(*) FROM (VALUES ('sms', b.phone_enc IS NOT NULL),
                    ('call', b.phone_enc IS NOT NULL), ('email', b.email_enc IS NOT NULL),
                    ('push', b.has_app)) AS way (channel, has)
                WHERE way.has AND NOT EXISTS (SELECT 1 FROM opt_outs x
                    WHERE x.borrower_id = b.id AND x.channel = way.channel
                        AND x.stopped_at IS NOT NULL)) AS ways,
            (SELECT coalesce(array_agg(DISTINCT h.kind), '{}') FROM holds h
                WHERE h.borrower_id = b.id AND (h.case_id IS NULL OR h.case_id = c.id)
                    AND h.starts_at <= %(now)b AND h.lifted_at IS NULL
                    AND (h.ends_at IS NULL OR h.ends_at > %(now)b)) AS care
    ) his ON true
    WHERE c.id = ANY(%(cases)b::uuid[])
"""

_CARES: Final = frozenset(one.value for one in Care)


async def facts_of(unit: Unit, case_ids: Iterable[UUID], now: datetime) -> dict[UUID, RuleFacts]:
    """What rules may know about each of the cases at `now` (business time).

    Days past due leave out those on which a hold froze the count, as everywhere
    (docs/monitoring.md).
    """
    params = {"cases": list(case_ids), "now": now, "year_ago": now - YEAR}
    found: dict[UUID, RuleFacts] = {}
    rows = await driver.rows(unit, _FACTS, params)
    freezing = await freezing_holds(unit, {row[0]: row[-2] for row in rows}) if rows else {}
    for row in rows:
        case_id, today, currency, product, minor, oldest, first_due, *his = row
        open_loans, past_cases, times_late, broken, signals, ways, holds, _, zone = his
        frozen = frozen_days(freezing.get(case_id, ()), ZoneInfo(zone), upto=today)
        found[case_id] = RuleFacts(
            days_past_due=0 if oldest is None else max(DayCount(oldest, frozen).number(today), 0),
            owed=Money(minor, currency),
            product=product,
            open_loans=open_loans,
            past_cases=past_cases,
            broken_promises=broken,
            times_late=times_late,
            loan_age_days=0 if first_due is None else max((today - first_due).days, 0),
            funds_seen=funds_band(signals),
            reach=reach_band(ways),
            care=frozenset(Care(kind) for kind in holds if kind in _CARES),
        )
    return found
