"""How late every loan of a lender was on a day, set-based: the rules of app/domain/delinquency.py.

One statement for a book of any size. Loans on which nothing moved since that day, nearly all of
them, need a sum only; the others' instalments are undone in order, from the schedule that was in
force then. A test holds it against the
pure rules (tests/flows/test_lateness.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

# The cells of a loan that is in no bucket; 0 is current, from 1 on the buckets count.
PAID: Final = -1
WRITTEN_OFF: Final = -2
CLOSED: Final = -3

_ON_A_DAY: Final = """
    WITH d AS (
        SELECT id, time_zone AS tz, (({day}::date + 1)::timestamp AT TIME ZONE time_zone) AS edge
        FROM lenders WHERE id = %(lender)b
    ), past AS MATERIALIZED (
        SELECT DISTINCT ON (p.loan_id) p.*
        FROM past_schedules p JOIN d ON p.lender_id = d.id
        WHERE p.until >= d.edge ORDER BY p.loan_id, p.until
    ), moves AS (
        SELECT r.loan_id, CASE WHEN r.paid_at >= d.edge THEN r.applied_minor
            ELSE -r.applied_minor END AS back
        FROM repayments r JOIN d ON r.lender_id = d.id
        WHERE r.counted AND r.applied_minor > 0
            AND ((r.paid_at >= d.edge AND r.reversed_at IS NULL)
                OR (r.paid_at < d.edge AND r.reversed_at >= d.edge))
            AND NOT EXISTS (SELECT FROM past p WHERE p.loan_id = r.loan_id)
        UNION ALL
        SELECT p.loan_id, CASE WHEN f.kept AND NOT f.had THEN r.applied_minor
            WHEN f.had AND NOT f.kept THEN -r.applied_minor ELSE 0 END
        FROM past p CROSS JOIN d
        LEFT JOIN repayments r ON r.loan_id = p.loan_id AND r.counted AND r.applied_minor > 0
        CROSS JOIN LATERAL (SELECT r.recorded_at <= p.recorded_at
                AND (r.reversed_at > p.recorded_at) IS NOT FALSE AS kept,
            r.paid_at < d.edge AND (r.reversed_at >= d.edge) IS NOT FALSE AS had) AS f
    ), moved AS MATERIALIZED (
        SELECT loan_id, sum(back)::bigint AS back FROM moves GROUP BY loan_id
    ), parts AS (
        SELECT i.loan_id, i.number, i.due_on, i.amount_minor, i.paid_minor
        FROM moved m JOIN instalments i ON i.loan_id = m.loan_id
        WHERE NOT EXISTS (SELECT FROM past p WHERE p.loan_id = m.loan_id)
        UNION ALL
        SELECT p.loan_id, one.* FROM past p
        CROSS JOIN unnest(p.numbers, p.due_on, p.amount_minor, p.paid_minor) AS one
    ), undone AS (
        SELECT i.loan_id, i.due_on, i.amount_minor, i.paid_minor, m.back,
            coalesce(sum(i.paid_minor) OVER (PARTITION BY i.loan_id
                ORDER BY i.due_on DESC, i.number DESC
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::bigint AS younger,
            coalesce(sum(i.amount_minor - i.paid_minor) OVER (PARTITION BY i.loan_id
                ORDER BY i.due_on, i.number
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::bigint AS older
        FROM moved m JOIN parts i ON i.loan_id = m.loan_id
    ), then_parts AS (
        SELECT loan_id, due_on, amount_minor - CASE WHEN back > 0
            THEN paid_minor - least(paid_minor, greatest(0, back - younger))
            ELSE paid_minor + least(amount_minor - paid_minor, greatest(0, -back - older)) END
            AS unpaid
        FROM undone
    ), owed AS MATERIALIZED (
        SELECT i.loan_id, sum(i.amount_minor - i.paid_minor)::bigint AS outstanding,
            coalesce(sum(i.amount_minor - i.paid_minor)
                FILTER (WHERE i.due_on < {day}::date), 0)::bigint AS overdue,
            min(i.due_on) FILTER (WHERE i.due_on < {day}::date) AS oldest
        FROM instalments i
        WHERE i.lender_id = %(lender)b AND i.paid_minor < i.amount_minor
            AND NOT EXISTS (SELECT FROM moved m WHERE m.loan_id = i.loan_id)
        GROUP BY i.loan_id
        UNION ALL
        SELECT loan_id, sum(unpaid)::bigint,
            coalesce(sum(unpaid) FILTER (WHERE due_on < {day}::date), 0)::bigint,
            min(due_on) FILTER (WHERE due_on < {day}::date)
        FROM then_parts WHERE unpaid > 0 GROUP BY loan_id
    ), freezing AS MATERIALIZED (
        SELECT l.id AS loan_id, (h.starts_at AT TIME ZONE d.tz)::date AS first,
            least(((least(h.ends_at, h.lifted_at) - interval '1 microsecond')
                AT TIME ZONE d.tz)::date, {day}::date) AS last
        FROM d JOIN holds h ON h.lender_id = d.id
        JOIN loans l ON l.borrower_id = h.borrower_id
        LEFT JOIN cases k ON k.id = h.case_id
        WHERE (h.case_id IS NULL OR k.loan_id = l.id)
            AND (h.blocks = '{{}}' OR 'days' = ANY(h.blocks))
            AND h.starts_at < coalesce(least(h.ends_at, h.lifted_at), 'infinity')
    ), held AS (
        SELECT z.loan_id, greatest(z.first, o.oldest + 1) AS first, z.last
        FROM freezing z JOIN owed o ON o.loan_id = z.loan_id WHERE o.oldest IS NOT NULL
    ), frozen AS (
        SELECT loan_id, sum(upper(one) - lower(one))::int AS days
        FROM (SELECT loan_id, unnest(range_agg(daterange(first, last, '[]'))) AS one
            FROM held WHERE first <= last GROUP BY loan_id) AS spans
        GROUP BY loan_id
    ), gone AS (
        SELECT DISTINCT a.loan_id FROM adjustments a JOIN d ON a.lender_id = d.id
        WHERE a.kind = 'write_off' AND a.made_at < d.edge
            AND NOT EXISTS (SELECT FROM adjustments b
                WHERE b.reverses_id = a.id AND b.made_at < d.edge)
    )
    SELECT l.id, l.borrower_id, l.external_ref, l.product, l.currency,
        coalesce(o.outstanding, 0)::bigint AS outstanding,
        coalesce(o.overdue, 0)::bigint AS overdue, o.oldest,
        coalesce({day}::date - o.oldest, 0) AS since, coalesce(f.days, 0) AS frozen,
        CASE WHEN g.loan_id IS NOT NULL THEN -2
            WHEN l.state = 'closed' AND l.owed_as_of < d.edge THEN -3
            WHEN o.loan_id IS NULL THEN -1
            ELSE width_bucket(coalesce({day}::date - o.oldest, 0) - coalesce(f.days, 0),
                %(firsts)b::int[]) END AS cell
    FROM d JOIN loans l ON l.lender_id = d.id
    LEFT JOIN owed o ON o.loan_id = l.id
    LEFT JOIN frozen f ON f.loan_id = l.id
    LEFT JOIN gone g ON g.loan_id = l.id
"""


def on_a_day(parameter: str) -> str:
    """The statement for the day in this parameter, one row a loan, to be put in parentheses.

    Minor units and days; `since` counts from `oldest`, `frozen` are those that froze. It needs
    the parameters `lender` and `firsts` (the first days of the buckets) besides.
    """
    return _ON_A_DAY.format(day=f"%({parameter})b")


def parameters(lender_id: object, firsts: Sequence[int], **days: date) -> dict[str, object]:
    """What the statement needs, one date for each of its days."""
    return {"lender": lender_id, "firsts": list(firsts), **days}
