"""What cases had come to by a moment of their own each, set-based.

The rules are those of `case_result` in app/domain/flag_results.py; tests/flows/test_flag_results.py
holds one against the other. A case that was closed and opened again since stands as it stood then:
its row knows the last end alone, its timeline all of them.
"""

from __future__ import annotations

from typing import Final

_CLOSED_AS: Final = """CASE WHEN c.closed_at <= {until} THEN c.close_reason
        ELSE (SELECT CASE WHEN t.kind = 'case_closed' THEN t.details->>'why' END
            FROM timeline t
            WHERE t.case_id = c.id AND t.kind IN ('case_closed', 'case_reopened')
                AND t.at <= {until}
            ORDER BY t.at DESC, t.id DESC LIMIT 1) END"""

_RESULT: Final = """CASE
        WHEN EXISTS (SELECT FROM adjustments a WHERE a.loan_id = c.loan_id
            AND a.kind = 'forgiveness' AND a.made_at > {since} AND a.made_at <= {until}
            AND NOT EXISTS (SELECT FROM adjustments b
                WHERE b.reverses_id = a.id AND b.made_at <= {until})) THEN 'given_up'
        WHEN {why} IS NULL THEN 'unpaid'
        WHEN {why} IN ('failed', 'written_off') THEN 'given_up'
        WHEN {why} = 'loan_closed' THEN 'unclear'
        WHEN {why} = 'not_due' AND EXISTS (SELECT FROM past_schedules s
            WHERE s.loan_id = c.loan_id AND s.recorded_at > {since} AND s.recorded_at <= {until})
            THEN 'unclear'
        ELSE 'paid' END"""


# Closed by then, and not opened again since, as far as was known at `edge`: money that counts as
# come must still be there.
_CLOSED_FOR_GOOD: Final = """CASE WHEN c.closed_at <= {until} THEN c.close_reason
        ELSE (SELECT CASE WHEN t.kind = 'case_closed' AND t.at <= {until}
                THEN t.details->>'why' END
            FROM timeline t
            WHERE t.case_id = c.id AND t.kind IN ('case_closed', 'case_reopened')
                AND t.at <= {edge}
            ORDER BY t.at DESC, t.id DESC LIMIT 1) END"""


def closed_as(until: str) -> str:
    """How the case `c` was closed at this moment (an expression); NULL: it was open."""
    return _CLOSED_AS.format(until=until)


def result_of(why: str, since: str, until: str) -> str:
    """What the case `c` had come to: expressions for `closed_as`, the look, and the end."""
    return _RESULT.format(why=why, since=since, until=until)


def closed_for_good(until: str, edge: str) -> str:
    """The same of a case that was not opened again until `edge` either."""
    return _CLOSED_FOR_GOOD.format(until=until, edge=edge)
