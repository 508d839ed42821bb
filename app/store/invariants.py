"""What must never be: queries that return no rows as long as the house stands upright.

They run after every flow and scenario test, in `saldo doctor` and `saldo status`, and on the
timetable. What a constraint already forbids is not asked again here. `:now` is business time;
the database's own `now()` is real time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text

from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class Invariant:
    """One rule. `query` yields one row per violation; `why` says what it would mean."""

    name: str
    why: str
    query: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that does not hold, and how many rows say so."""

    name: str
    why: str
    count: int


async def broken(unit: Unit, now: datetime) -> list[Broken]:
    """The invariants that do not hold at `now`, in the order below. Needs an engine unit."""
    found = []
    for one in INVARIANTS:
        query = text(f"SELECT count(*) FROM ({one.query}) AS violations")  # noqa: S608 - our own
        count = await unit.conn.scalar(query, {"now": now} if ":now" in one.query else {})
        if count:
            found.append(Broken(one.name, one.why, int(count)))
    return found


INVARIANTS: Final = (
    Invariant(
        "read_allowance",
        "a bank account was asked unattended more than four times within 24 hours",
        """
        SELECT 1 FROM (
            SELECT attempted_at, lag(attempted_at, 4)
                OVER (PARTITION BY iban_hash ORDER BY attempted_at) AS fifth_last
            FROM read_attempts WHERE NOT attended
                AND attempted_at > cast(:now AS timestamptz) - interval '7 days') AS spaced
        WHERE fifth_last > attempted_at - interval '24 hours'
        """,
    ),
    Invariant(
        "read_without_consent",
        "an unattended read left after its consent had ended, or without its purpose",
        """
        SELECT 1 FROM read_attempts a JOIN consents c ON c.id = a.consent_id
        WHERE NOT a.attended AND (a.attempted_at > c.ended_at
            OR NOT a.purpose = ANY(c.purposes))
        """,
    ),
    Invariant(
        "figure_kept_too_long",
        "a balance figure outlived its expiry or its consent",
        """
        SELECT 1 FROM readings r JOIN read_attempts a ON a.id = r.id
            JOIN consents c ON c.id = a.consent_id
        WHERE r.figure_enc IS NOT NULL
            AND (r.erase_at < cast(:now AS timestamptz) - interval '1 day'
                OR c.state IN ('withdrawn', 'revoked_at_bank'))
        """,
    ),
    Invariant(
        "bills_without_consent",
        "what transactions said is kept of an account whose consent does not cover it",
        """
        SELECT 1 FROM income_profiles p JOIN accounts a ON a.id = p.account_id
            JOIN consents c ON c.id = a.consent_id
        WHERE p.bills_enc IS NOT NULL
            AND NOT (c.state = 'active' AND 'bills' = ANY(c.purposes))
        UNION ALL SELECT 1 FROM readings WHERE aside_enc IS NOT NULL AND figure_enc IS NULL
        """,
    ),
    Invariant(
        "consent_without_token",
        "a consent is active and nothing could be read with it",
        "SELECT 1 FROM consents WHERE state = 'active' AND token_enc IS NULL",
    ),
    Invariant(
        "two_payments_at_once",
        "two payments of one case were authorised while the other was still on its way",
        """
        SELECT 1 FROM payment_cases x JOIN payments p ON p.id = x.payment_id
            JOIN payment_cases y ON y.case_id = x.case_id AND y.payment_id > x.payment_id
            JOIN payments q ON q.id = y.payment_id
        WHERE p.authorised_at < coalesce(q.settled_at, q.ended_at, 'infinity')
            AND q.authorised_at < coalesce(p.settled_at, p.ended_at, 'infinity')
            AND p.left_at IS NULL AND q.left_at IS NULL
        """,
    ),
    Invariant(
        "settled_and_not_booked",
        "a payment settled and reduced nobody's dues",
        """
        SELECT 1 FROM payments p WHERE p.state = 'settled'
            AND NOT EXISTS (SELECT FROM repayments r WHERE r.payment_id = p.id)
        """,
    ),
    Invariant(
        "booked_more_than_paid",
        "a Saldo payment reduced dues by more than its own amount",
        """
        SELECT p.id FROM payments p JOIN repayments r ON r.payment_id = p.id
        WHERE r.counted AND r.reversed_at IS NULL AND r.source = 'saldo'
        GROUP BY p.id, p.amount_minor HAVING sum(r.amount_minor) > p.amount_minor
        """,
    ),
    Invariant(
        "paid_more_than_asked",
        "an instalment counts more paid than it asks",
        "SELECT 1 FROM instalments WHERE paid_minor > amount_minor OR paid_minor < 0",
    ),
    Invariant(
        "link_spent_for_nothing",
        "a payment link was used up and no payment was ever accepted for it",
        """
        SELECT 1 FROM payment_links l WHERE l.state = 'spent' AND NOT EXISTS (
            SELECT FROM payments p WHERE p.link_id = l.id AND p.authorised_at IS NOT NULL)
        """,
    ),
    Invariant(
        "two_messages_for_one_link",
        "one payment link left in two messages",
        """
        SELECT link_id FROM messages WHERE sent_at IS NOT NULL AND link_id IS NOT NULL
        GROUP BY link_id HAVING count(*) > 1
        """,
    ),
    Invariant(
        "message_after_opt_out",
        "a message left for somebody who had stopped them",
        """
        SELECT 1 FROM messages m JOIN opt_outs o
            ON o.borrower_id = m.borrower_id AND o.channel = m.channel
        WHERE m.sent_at - interval '1 hour' > o.stopped_at
            AND m.purpose <> 'required_notice' -- what the law demands leaves all the same
        """,
    ),
    Invariant(
        "message_without_verdict",
        "a message left and the contact gate's verdict is not beside it",
        "SELECT 1 FROM messages WHERE sent_at IS NOT NULL AND verdict IS NULL",
    ),
    Invariant(
        "message_left_hanging",
        "a message has been on its way to the provider for a quarter of an hour",
        """
        SELECT 1 FROM messages
        WHERE state = 'sending' AND claimed_at < now() - interval '15 minutes'
        """,
    ),
    Invariant(
        "signal_for_closed_cases",
        "a funds signal is live although every case it concerns is closed",
        """
        SELECT 1 FROM funds_signals s WHERE s.ended_at IS NULL
            AND EXISTS (SELECT FROM signal_cases x WHERE x.signal_id = s.id)
            AND NOT EXISTS (SELECT FROM signal_cases x JOIN cases c ON c.id = x.case_id
                WHERE x.signal_id = s.id AND c.state <> 'closed')
        """,
    ),
    Invariant(
        "loan_and_case_disagree",
        "a loan points at a case that is not its open one",
        """
        SELECT 1 FROM loans l LEFT JOIN cases c ON c.loan_id = l.id AND c.state <> 'closed'
        WHERE l.case_id IS DISTINCT FROM c.id
        """,
    ),
    Invariant(
        "case_with_nothing_due",
        "a case is open, nothing is due any more, and no payment is on its way",
        """
        SELECT 1 FROM cases c JOIN lenders o ON o.id = c.lender_id
        WHERE c.state <> 'closed' AND NOT EXISTS (
                SELECT FROM instalments i WHERE i.loan_id = c.loan_id
                AND i.paid_minor < i.amount_minor AND i.due_on + o.case_after_days
                    <= (cast(:now AS timestamptz) AT TIME ZONE o.time_zone)::date)
            AND NOT EXISTS (SELECT FROM payment_cases p WHERE p.case_id = c.id AND p.live)
        """,
    ),
    Invariant(
        "promise_never_judged",
        "a promise is open although its last day and its grace have passed for two days",
        """
        SELECT 1 FROM promises p WHERE p.state = 'open' AND NOT EXISTS (
            SELECT FROM promise_parts x WHERE x.promise_id = p.id
                AND x.due_on + p.grace_days + 2 >= cast(:now AS timestamptz)::date)
        """,
    ),
    Invariant(
        "promise_of_a_closed_case",
        "a promise is open although its case is closed",
        """
        SELECT 1 FROM promises p JOIN cases c ON c.id = p.case_id
        WHERE p.state = 'open' AND c.state = 'closed'
        """,
    ),
    Invariant(
        "step_without_effect",
        "a strategy took a step, and neither a message, a task nor a result stands behind it",
        """
        SELECT 1 FROM strategy_steps
        WHERE message_id IS NULL AND task_id IS NULL AND result IS NULL
        """,
    ),
    Invariant(
        "called_after_the_end",
        "a collector is asked to call about a case that is closed",
        """
        SELECT 1 FROM tasks t JOIN cases c ON c.id = t.case_id
        WHERE t.reason = 'call_borrower' AND t.state IN ('open', 'taken') AND c.state = 'closed'
        """,
    ),
    Invariant(
        "case_stuck",
        "a case has been open for two days with nothing planned: no step of its strategy, read, "
        "task, message, link, promise, proposal, hold or payment",
        """
        SELECT 1 FROM cases c
        WHERE c.state <> 'closed'
            AND c.opened_at < cast(:now AS timestamptz) - interval '2 days'
            AND NOT EXISTS (SELECT FROM accounts a WHERE a.borrower_id = c.borrower_id
                AND a.next_read_at IS NOT NULL)
            AND NOT EXISTS (SELECT FROM tasks t WHERE t.borrower_id = c.borrower_id
                AND (t.case_id IS NULL OR t.case_id = c.id OR t.reason = 'overpaid')
                AND t.state IN ('open', 'taken'))
            AND NOT EXISTS (SELECT FROM messages m WHERE m.borrower_id = c.borrower_id
                AND m.state IN ('queued', 'sending', 'unknown'))
            AND NOT EXISTS (SELECT FROM approvals p WHERE p.case_id = c.id
                AND p.state = 'proposed')
            AND NOT EXISTS (SELECT FROM payment_links l WHERE l.borrower_id = c.borrower_id
                AND l.state = 'live')
            AND (c.strategy_version_id IS NULL OR c.next_step_at IS NULL
                OR c.next_step_at < cast(:now AS timestamptz) - interval '2 days')
            AND NOT EXISTS (SELECT FROM approvals a WHERE a.loan_id = c.loan_id
                AND a.state = 'proposed')
            AND NOT EXISTS (SELECT FROM payment_cases p WHERE p.case_id = c.id AND p.live)
            AND NOT EXISTS (SELECT FROM promises p WHERE p.case_id = c.id AND p.state = 'open')
            AND NOT EXISTS (SELECT FROM case_arms a JOIN experiments e ON e.id = a.experiment_id
                WHERE a.case_id = c.id AND a.arm = 'control' AND e.kind = 'holdout'
                AND e.ended_at IS NULL
                AND a.drawn_at + make_interval(days => e.horizon_days)
                    > cast(:now AS timestamptz))
            AND NOT EXISTS (SELECT FROM holds h WHERE h.borrower_id = c.borrower_id
                AND (h.case_id IS NULL OR h.case_id = c.id) AND h.lifted_at IS NULL
                AND (h.ends_at IS NULL OR h.ends_at > cast(:now AS timestamptz)))
            AND NOT EXISTS (SELECT FROM tasks t WHERE t.borrower_id = c.borrower_id
                AND t.state = 'done' AND t.ended_at
                    > cast(:now AS timestamptz) - interval '14 days')
        """,
    ),
    Invariant(
        "task_of_two",
        "one person works on a task that the lender's rules keep for another",
        """
        SELECT 1 FROM tasks WHERE state = 'taken' AND assigned_at IS NOT NULL
            AND taken_by <> given_to
        """,
    ),
    Invariant(
        "given_up_alone",
        "a debt was given up, or taken back, without two different people behind it",
        """
        SELECT 1 FROM adjustments a JOIN approvals p ON p.id = a.approval_id
        WHERE p.state <> 'approved' OR p.decider_id IS NULL
            OR coalesce(p.proposer_id, p.endorser_id) IS NULL
            OR p.decider_id IN (p.proposer_id, p.endorser_id, p.first_decider_id)
        """,
    ),
    Invariant(
        "written_off_and_worked",
        "a loan is written off and its case is open, or no entry says who wrote it off",
        """
        SELECT 1 FROM loans l WHERE l.state = 'written_off' AND (l.case_id IS NOT NULL
            OR NOT EXISTS (SELECT FROM adjustments a WHERE a.loan_id = l.id
                AND a.kind = 'write_off'
                AND NOT EXISTS (SELECT FROM adjustments r WHERE r.reverses_id = a.id)))
        """,
    ),
)
