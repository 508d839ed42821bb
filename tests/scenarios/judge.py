"""An independent judge over the town: it reads rows with statements of its own after every moment.

Nothing of the house is asked whether something was right, except its own invariants, beside
everything else. Contacts are judged by what the providers really took, against the slow gate
(tests/domain/gate_world.py) and against what was known before that instant.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.store import invariants
from tests.scenarios.judged_contacts import Contacts
from tests.scenarios.judged_promises import misjudged
from tests.scenarios.town import Town
from tests.scenarios.watchman import Watchman

# A case may have one thing done about it in a month, and nothing at all for no longer than this:
# the longest pause of a strategy are the 30 days between two reviews.
LONGEST_SILENCE: Final = timedelta(days=33)

_OPEN_CASES: Final = """
    SELECT c.id, c.borrower_id, c.state, c.opened_at, c.next_step_at,
        EXISTS (SELECT FROM payment_cases p WHERE p.case_id = c.id AND p.live) AS paying,
        EXISTS (SELECT FROM tasks t WHERE t.borrower_id = c.borrower_id
            AND coalesce(t.case_id, c.id) = c.id AND t.state IN ('open', 'taken')) AS task,
        -- Whoever calls him about one of his debts speaks about all of them.
        EXISTS (SELECT FROM tasks t WHERE t.borrower_id = c.borrower_id AND t.state
            IN ('open', 'taken') AND t.reason IN ('call_borrower', 'call_back',
            'promise_broken', 'no_way_to_reach')) AS called,
        EXISTS (SELECT FROM approvals a WHERE a.loan_id = c.loan_id
            AND a.state = 'proposed') AS proposal,
        (SELECT p.next_look_at FROM promises p WHERE p.case_id = c.id
            AND p.state = 'open') AS promise_look_at,
        EXISTS (SELECT FROM promises p WHERE p.case_id = c.id AND p.state = 'open') AS promised,
        EXISTS (SELECT FROM holds h WHERE h.borrower_id = c.borrower_id
            AND coalesce(h.case_id, c.id) = c.id AND h.lifted_at IS NULL
            AND h.starts_at <= :now AND (h.ends_at IS NULL OR h.ends_at > :now)) AS held,
        greatest(c.opened_at,
            (SELECT max(greatest(t.created_at, t.ended_at)) FROM tasks t
                WHERE t.borrower_id = c.borrower_id AND (coalesce(t.case_id, c.id) = c.id
                OR t.reason IN ('call_borrower', 'call_back', 'promise_broken',
                'no_way_to_reach'))),
            (SELECT max(s.made_at) FROM strategy_steps s WHERE s.loan_id = c.loan_id),
            (SELECT max(greatest(p.made_at, p.ended_at)) FROM promises p WHERE p.case_id = c.id),
            (SELECT max(a.decided_at) FROM approvals a WHERE a.loan_id = c.loan_id),
            (SELECT max(least(h.ends_at, h.lifted_at)) FROM holds h
                WHERE h.borrower_id = c.borrower_id AND least(h.ends_at, h.lifted_at) <= :now),
            (SELECT max(r.recorded_at) FROM repayments r WHERE r.loan_id = c.loan_id)
        ) AS last_done_at
    FROM cases c WHERE c.state <> 'closed'
"""
_ENDED_BADLY: Final = """
    SELECT c.borrower_id, c.id, 'closed without a reason or a moment' AS wrong FROM cases c
    WHERE c.state = 'closed' AND (c.close_reason IS NULL OR c.closed_at IS NULL)
    UNION ALL
    SELECT c.borrower_id, c.id, 'open with an end' FROM cases c
    WHERE c.state <> 'closed' AND (c.close_reason IS NOT NULL OR c.closed_at IS NOT NULL)
    UNION ALL
    SELECT c.borrower_id, c.id, 'closed as written off by fewer than two people' FROM cases c
    WHERE c.close_reason = 'written_off' AND NOT EXISTS (SELECT FROM approvals a
        WHERE a.loan_id = c.loan_id AND a.kind = 'write_off' AND a.state = 'approved'
        AND coalesce(a.proposer_id, a.endorser_id) <> a.decider_id)
    UNION ALL
    SELECT c.borrower_id, c.id, 'closed as failed where the lender never said so'
    FROM cases c JOIN lenders l ON l.id = c.lender_id
    WHERE c.close_reason = 'failed' AND NOT l.closes_failed
    UNION ALL
    SELECT c.borrower_id, c.id, 'closed as paid at ' || c.closed_at || ' with something due'
    FROM cases c JOIN lenders l ON l.id = c.lender_id
    WHERE c.close_reason IN ('paid_through_saldo', 'paid_elsewhere') AND c.closed_at > :since
        AND (SELECT sum(i.amount_minor) FROM instalments i WHERE i.loan_id = c.loan_id
            AND i.due_on + l.case_after_days <= (c.closed_at AT TIME ZONE l.time_zone)::date)
        > (SELECT coalesce(sum(r.amount_minor), 0) FROM repayments r WHERE r.loan_id = c.loan_id
            AND r.counted AND r.recorded_at <= c.closed_at
            AND coalesce(r.reversed_at, 'infinity') > c.closed_at)
"""
# What asks a collector to press somebody for money, made while a hold was known. Not among them
# `collector_acts`: that is also what somebody wrote himself, and waits for an answer.
PRESSING: Final = [
    "call_borrower", "promise_broken", "link_unpaid", "sms_undelivered", "sms_blocked",
    "sms_outcome_unknown", "no_consent", "consent_ended", "opted_out", "payment_rejected",
    "no_way_to_reach",
]  # fmt: skip
_PRESSED: Final = """
    SELECT t.borrower_id, t.id, t.reason FROM tasks t JOIN holds h
        ON h.borrower_id = t.borrower_id AND (h.case_id IS NULL OR h.case_id = t.case_id)
    WHERE t.state IN ('open', 'taken') AND t.reason = ANY(:pressing)
        AND t.created_at > h.recorded_at
        AND h.lifted_at IS NULL AND h.starts_at <= :now
        AND (h.ends_at IS NULL OR h.ends_at > :now)
        AND (h.blocks = '{}' OR h.blocks && ARRAY['contact', 'payment_ask'])
"""
_TWO_CALLS: Final = """
    SELECT borrower_id FROM tasks WHERE state IN ('open', 'taken') AND reason = 'call_borrower'
    GROUP BY borrower_id HAVING count(*) > 1
"""
_LEFT_HANGING: Final = """
    SELECT borrower_id, id, state FROM messages
    WHERE state = 'sending' OR (state IN ('queued', 'unknown') AND next_look_at IS NULL)
"""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that must not be, with whose it is and when it was seen."""

    at: datetime
    who: UUID | None
    rule: str
    words: str


@dataclass(slots=True)
class Judge:
    """Looks after every moment, and keeps every complaint."""

    town: Town
    watchman: Watchman
    complaints: list[Complaint] = field(default_factory=list)
    judged: Counter[str] = field(default_factory=Counter)
    contacts: Contacts = field(init=False)

    def __post_init__(self) -> None:
        """It listens to the same town."""
        self.contacts = Contacts(self.town)

    def cry(self, rule: str, words: str, who: UUID | None = None) -> None:
        """Complain."""
        self.complaints.append(Complaint(self.town.now, who, rule, words))

    async def look(self) -> None:
        """After a moment: what moved, and what left."""
        for row_id, words in self.watchman.illegal():
            self.cry("illegal move", f"{words} ({row_id})")
        for wrong in await self.contacts.wrong():
            self.cry(wrong.rule, wrong.words, wrong.who)
        for failure in self.town.failed:
            self.cry("an item failed", failure)
        self.town.failed.clear()
        self.judged["moves"] = self.watchman.moves
        self.judged["contacts"] = self.contacts.judged

    async def end_of_day(self, *, awake: bool) -> None:
        """After a day. `awake`: the timetable ran in the end, so nothing may be overdue."""
        await self._next_actions(awake=awake)
        since = self.town.now - timedelta(days=1, hours=2)
        for row in await self.town.rows(_ENDED_BADLY, since=since):
            self.cry("bad end", f"case {row.id}: {row.wrong}", row.borrower_id)
        promises, wrong = await misjudged(self.town, awake=awake)
        self.judged["promises"] += promises
        for who, words in wrong:
            self.cry("promise misjudged", words, who)
        for row in await self.town.rows(_PRESSED, now=self.town.now, pressing=PRESSING):
            self.cry("pressed during a hold", f"task {row.id} {row.reason}", row.borrower_id)
        for row in await self.town.rows(_TWO_CALLS):
            self.cry("two calls wait", "for one person", row.borrower_id)
        if awake:
            for row in await self.town.rows(_LEFT_HANGING):
                self.cry("message hangs", f"{row.id} is {row.state}", row.borrower_id)
            async with self.town.store.engine_unit() as unit:
                for broken in await invariants.broken(unit, self.town.now):
                    self.cry("invariant", f"{broken.name}: {broken.count}")

    async def _next_actions(self, *, awake: bool) -> None:
        now = self.town.now
        for case in await self.town.rows(_OPEN_CASES, now=now):
            self.judged["open cases"] += 1
            planned = case.next_step_at is not None and case.state == "open"
            if planned and awake and case.next_step_at < now - timedelta(hours=12):
                self.cry("no next action", f"case {case.id}: its step is overdue", case.borrower_id)
            if case.state == "open" and case.next_step_at is None:
                self.cry("no next action", f"case {case.id}: no step planned", case.borrower_id)
            if case.promised and case.promise_look_at is None:
                self.cry("no next action", f"case {case.id}: promise unwatched", case.borrower_id)
            if case.state == "in_flight" and not case.paying:
                self.cry("no next action", f"case {case.id}: nothing in flight", case.borrower_id)
            busy = case.paying or case.task or case.proposal or case.promised or case.held
            if not (planned or busy):
                self.cry("no next action", f"case {case.id}: nothing at all", case.borrower_id)
            silent = case.last_done_at < now - LONGEST_SILENCE
            if awake and silent and not (busy or case.called):
                words = f"case {case.id}: nothing done since {case.last_done_at:%d.%m. %H:%M}"
                self.cry("silence", words, case.borrower_id)
