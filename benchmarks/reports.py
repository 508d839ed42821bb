"""What the reports about flags and performance cost on a book of 100 000 cases.

`flags_100k_s`: how well the rules flag, all editions together, and one page of the cases behind a
number, as role saldo_app under row security. Beside it stands the processor time of the server's
process, which other work on the machine does not stretch.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from sqlalchemy import text

from app.domain.ids import LenderId
from app.domain.performance import LONGEST_PERIOD
from app.reports.case_list import AT_MOST, page_of
from app.reports.flag_results import Which, cases_behind, flag_results
from app.reports.performers import Kind, performers
from app.reports.recovery import Period, cohorts, days_overdue
from app.reports.recovery import Which as Short
from app.reports.recovery import cases_behind as cohort_cases
from app.store.unit import Store, Unit
from benchmarks import bench, book

CASES = 100_000
ROUNDS = 5
AIM_S = 2.0

# A year and more of cases; two in three were closed, mostly as paid; one in fifty opened again.
# Three payments on each loan, early or late. Twenty rules of two editions each flag every second
# case, some twice.
_BOOK = (
    """UPDATE cases SET opened_at = %(now)s::timestamptz
           - interval '1 hour' * (abs(hashtext(id::text)) %% (24 * 450)), segmented_at = %(now)s,
           entered_minor = 10000 + abs(hashtext(id::text || 'e')) %% 100000,
           entered_days = abs(hashtext(id::text || 'd')) %% 120""",
    """INSERT INTO repayments (id, lender_id, loan_id, external_ref, source, amount_minor,
           applied_minor, currency, paid_at, recorded_at)
       SELECT gen_random_uuid(), c.lender_id, c.loan_id, 'R' || n, 'lender', 5000, 5000, 'EUR',
           c.opened_at + interval '1 hour' * (abs(hashtext(c.id::text || 'm' || n)) %% 4000),
           c.opened_at + interval '1 hour' * (abs(hashtext(c.id::text || 'm' || n)) %% 4000)
       FROM cases c, generate_series(1, 3) n""",
    """UPDATE cases SET state = 'closed', closed_at = least(opened_at
               + interval '1 hour' * (abs(hashtext(id::text || 'c')) %% (24 * 120)), %(now)s),
           close_reason = (ARRAY['paid_elsewhere', 'paid_through_saldo', 'not_due', 'failed'])
               [1 + abs(hashtext(id::text || 'r')) %% 4]
       WHERE abs(hashtext(id::text || 's')) %% 3 > 0""",
    """INSERT INTO timeline (id, lender_id, borrower_id, case_id, at, kind, actor, details)
       SELECT gen_random_uuid(), lender_id, borrower_id, id, closed_at, 'case_closed', 'saldo',
           jsonb_build_object('why', close_reason) FROM cases WHERE state = 'closed'""",
    """INSERT INTO timeline (id, lender_id, borrower_id, case_id, at, kind, actor, details)
       SELECT gen_random_uuid(), lender_id, borrower_id, id, opened_at + interval '1 hour' * n,
           'owed_confirmed', 'lender', '{}' FROM cases, generate_series(1, 10) n""",
    """INSERT INTO timeline (id, lender_id, borrower_id, case_id, at, kind, actor, details)
       SELECT gen_random_uuid(), lender_id, borrower_id, id,
           opened_at + interval '5 days' * n, (ARRAY['case_closed', 'case_reopened'])[n], 'saldo',
           '{"why": "paid_elsewhere"}'
       FROM cases, generate_series(1, 2) n WHERE abs(hashtext(id::text || 'o')) %% 50 = 0""",
    """INSERT INTO users (id, lender_id, email, name, role, password_hash, created_at)
       SELECT ('0199eeee-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, c.lender_id,
           'u' || n || '@bench.example', 'User ' || n, 'collector', '', %(now)s
       FROM (SELECT lender_id FROM cases LIMIT 1) c, generate_series(0, 39) n""",
    """INSERT INTO contacts (id, lender_id, borrower_id, channel, direction, conversation, made_at,
           case_ids, user_id)
       SELECT gen_random_uuid(), lender_id, borrower_id, 'call', 'outbound', n %% 3 = 0,
           opened_at + interval '1 hour' * (abs(hashtext(id::text || 'k' || n)) %% 1000),
           ARRAY[id], ('0199eeee-0000-7000-8000-' || lpad(to_hex(abs(hashtext(id::text || 'u' || n))
               %% 40), 12, '0'))::uuid
       FROM cases, generate_series(1, 5) n""",
    """INSERT INTO promises (id, lender_id, borrower_id, case_id, loan_id, state, currency, source,
           made_by, made_at, ended_at)
       SELECT gen_random_uuid(), lender_id, borrower_id, id, loan_id,
           (ARRAY['kept', 'broken', 'part'])[1 + abs(hashtext(id::text || 'p')) %% 3], 'EUR',
           'desk',
           'u' || abs(hashtext(id::text)) %% 40 || '@bench.example', opened_at,
           opened_at + interval '8 days' FROM cases""",
    """INSERT INTO promise_parts (lender_id, promise_id, number, due_on, amount_minor)
       SELECT lender_id, id, 1, (made_at + interval '7 days')::date, 100 FROM promises""",
    """INSERT INTO agencies (id, lender_id, name, contact, made_by, made_at)
       SELECT ('0199dddd-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, c.lender_id,
           'Agency ' || n, 'x', 'x', %(now)s
       FROM (SELECT lender_id FROM cases LIMIT 1) c, generate_series(0, 4) n""",
    """INSERT INTO placements (id, lender_id, agency_id, borrower_id, loan_id, case_id, approval_id,
           hold_id, state, amount_minor, currency, placed_by, placed_at)
       SELECT gen_random_uuid(), lender_id, ('0199dddd-0000-7000-8000-'
               || lpad(to_hex(abs(hashtext(id::text || 'a')) %% 5), 12, '0'))::uuid,
           borrower_id, loan_id, id, gen_random_uuid(), gen_random_uuid(), 'placed', 10000, 'EUR',
           'x', opened_at + interval '20 days'
       FROM cases WHERE abs(hashtext(id::text || 'l')) %% 10 = 0""",
    """INSERT INTO segments (id, lender_id, name, number, state, rank, conditions, action, made_by,
           made_at, published_at, retired_at)
       SELECT ('0199ffff-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, c.lender_id,
           'rule' || n / 2, 1 + n %% 2, (ARRAY['retired', 'published'])[1 + n %% 2], n,
           '{}', '{}', 'x', %(now)s, %(now)s::timestamptz - interval '200 days' * (2 - n %% 2),
           CASE WHEN n %% 2 = 0 THEN %(now)s::timestamptz - interval '200 days' END
       FROM (SELECT lender_id FROM cases LIMIT 1) c, generate_series(0, 39) n""",
    """INSERT INTO case_flags (id, lender_id, case_id, borrower_id, segment_id, flag, reasons,
           raised_at, ended_at, ended_by)
       SELECT gen_random_uuid(), lender_id, id, borrower_id, ('0199ffff-0000-7000-8000-'
               || lpad(to_hex(abs(hashtext(id::text || 'f' || n)) %% 40), 12, '0'))::uuid,
           'f' || n, '{}', opened_at + interval '1 day' * (abs(hashtext(id::text)) %% 40),
           %(now)s, 'saldo'
       FROM cases, generate_series(1, 2) n WHERE abs(hashtext(id::text || 'g')) %% 2 = 0""",
)


async def _timed(
    store: Store, rounds: int, ask: Callable[[Unit], Awaitable[Any]]
) -> tuple[float, float]:
    """Median seconds of one question, and of the server's processor time for it."""
    took, cpu = [], []
    for _ in range(rounds):
        async with store.unit(LenderId(book.row_id("lender", 1))) as unit:
            pid = int((await unit.conn.execute(text("SELECT pg_backend_pid()"))).scalar_one())
            before, began = bench.backend_cpu(pid), time.perf_counter()
            if not await ask(unit):
                raise RuntimeError("the book was empty")
            took.append(time.perf_counter() - began)
            cpu.append(bench.backend_cpu(pid) - before)
    return statistics.median(took), statistics.median(cpu)


async def _flags(unit: Unit) -> bool:
    found = await flag_results(unit, bench.NOW, 60)
    return found.together.precision.of > 0 and len(found.rules) == 40


async def _missed(unit: Unit) -> bool:
    # Names are placeholders here and cannot be opened: the ids of the page alone.
    ids = cases_behind(Which.MISSED, None, bench.NOW, 60)
    return len((await unit.conn.scalars(page_of(ids))).all()) > AT_MOST


async def _recovery(unit: Unit) -> bool:
    found = await cohorts(unit, _period())
    return len(found.lines) > 3 and found.lines[-1].after[90].recovered > 0


async def _days_overdue(unit: Unit) -> bool:
    return bool(await days_overdue(unit, bench.NOW.date()))


async def _people(unit: Unit) -> bool:
    found = await performers(unit, _period(), Kind.COLLECTOR)
    return len(found) == 40 and all(one.brought.as_is.count > 0 for one in found)


async def _agencies(unit: Unit) -> bool:
    return len(await performers(unit, _period(), Kind.AGENCY)) == 5


async def _short(unit: Unit) -> bool:
    ids = cohort_cases(Short.SHORT, _period(), currency="EUR", month=None, days=30)
    return len((await unit.conn.scalars(page_of(ids))).all()) > AT_MOST


def _period() -> Period:
    today = bench.NOW.date()
    return Period(today - LONGEST_PERIOD, today, today, ZoneInfo("Europe/Madrid"), bench.NOW)


QUESTIONS: dict[str, Callable[[Unit], Awaitable[Any]]] = {
    "flags": _flags,
    "flags_missed_cases": _missed,
    "recovery": _recovery,
    "recovery_short_cases": _short,
    "days_overdue": _days_overdue,
    "people": _people,
    "agencies": _agencies,
}


async def measure(cases: int, rounds: int) -> dict[str, Any]:
    """Every question on one book."""
    figures: dict[str, Any] = {"cases": cases, "rounds": rounds}
    with bench.server() as running:
        urls = bench.database(running, "reports")
        book.build(urls.superuser, accounts=cases, lenders=1, due=0, now=bench.NOW, bank_id="bench")
        with psycopg.connect(urls.superuser, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            for statement in _BOOK:
                connection.execute(statement.encode(), {"now": bench.NOW})
            connection.execute("VACUUM ANALYZE")
        store = bench.store(urls)
        try:
            async with store.engine_unit() as unit:
                await store.vault.make_key(unit.conn, book.row_id("lender", 1), bench.NOW)
            for name, ask in QUESTIONS.items():
                figures[f"{name}_s"], figures[f"{name}_cpu_s"] = await _timed(store, rounds, ask)
        finally:
            await store.close()
    figures["flags_100k_s"] = figures["flags_s"]
    return figures


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    figures = asyncio.run(measure(chosen.cases, chosen.rounds))
    bench.record("flags_100k_s", figures)
    sys.stdout.write(f"flags_100k_s = {figures['flags_100k_s']:.2f} (aim {AIM_S:.0f})\n")
    sys.stdout.write(f"{figures}\n")


if __name__ == "__main__":
    main()
