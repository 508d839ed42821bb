"""What the contact gate costs with a long history: the whole question, and its pure part alone.

`gate_p99_ms`: one `ask_gate` inside an open transaction, from the borrower's row to the verdict,
with 300 contacts of the last month read from PostgreSQL; the 99th percentile over all people. The
borrowers live in Spain with a known clock; in the United States with none, where every rule must
hold in all of the country's zones; and in Australia, whose rules look back a whole month, so that
every contact is read. At most 5 ms. Other work on the machine stretches it;
`mean_cpu_ms`, which it does not stretch, holds the opening of the transaction as well.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy import select, text

from app.domain.contact_policy import Contact, ContactQuestion, may_contact
from app.domain.ids import CaseId, LenderId
from app.domain.message import Channel
from app.flows.messages.ask_gate import ask_gate
from app.reference.packs import PackBook, load_packs
from app.reference.places import holiday_dates
from app.store.tables import borrowers
from app.store.unit import Store
from benchmarks import bench, book

PEOPLE = 100
HISTORY = 300
ROUNDS = 20
BAR_MS = 5.0
# Both are awake: ten in Madrid is four in New York, seventeen is eleven.
NOW = datetime(2026, 3, 3, 16, 30, tzinfo=UTC)

_CONTACTS = """
    INSERT INTO contacts (id, lender_id, borrower_id, channel, direction, conversation, made_at,
        case_ids)
    SELECT gen_random_uuid(), b.lender_id, b.id, (ARRAY['sms', 'email', 'call'])[1 + n %% 3],
        CASE WHEN n %% 7 = 0 THEN 'inbound' ELSE 'outbound' END, n %% 5 = 0,
        %(now)s::timestamptz - n * interval '140 minutes', ARRAY[c.id]
    FROM borrowers b JOIN cases c ON c.borrower_id = b.id, generate_series(1, %(history)s) n
"""
# A third of them each over there, with nothing known about their clock.
_SETTLE = "UPDATE borrowers SET time_zone = 'Europe/Madrid', region = 'MD'"
_EMIGRATE = "UPDATE borrowers SET country = %s, time_zone = NULL, region = '' WHERE id = ANY(%s)"


def _percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    last = ordered[math.ceil(0.99 * len(ordered)) - 1]
    return {"p50_ms": statistics.median(ordered) * 1000, "p99_ms": last * 1000}


async def _whole(store: Store, packs: PackBook, people: list[int]) -> list[float]:
    took = []
    lender = LenderId(book.row_id("lender", 1))
    for number in people:
        async with store.unit(lender) as unit:
            query = select(borrowers).where(borrowers.c.id == book.row_id("borrower", number))
            person = (await unit.conn.execute(query)).one()
            began = time.perf_counter()
            asked = await ask_gate(
                unit,
                packs,
                NOW,
                person,
                case_ids=[book.row_id("case", number)],
                channel=Channel.CALL,
            )
            took.append(time.perf_counter() - began)
            if len(asked.verdict.checks) < 6:
                raise RuntimeError("the gate was not asked everything")
    return took


async def _country(
    store: Store, packs: PackBook, people: list[int], rounds: int
) -> dict[str, float]:
    """Percentiles of the whole, and the mean of what both processes computed for one question."""
    # Zones, holidays and statements are known after the first of each.
    await _whole(store, packs, people)
    pid = await _backend(store)
    before = time.process_time() + bench.backend_cpu(pid)
    took = [one for _ in range(rounds) for one in await _whole(store, packs, people)]
    spent = time.process_time() + bench.backend_cpu(pid) - before
    if pid != await _backend(store):
        raise RuntimeError("the connection changed: its processor time is not known")
    return {**_percentiles(took), "mean_cpu_ms": spent / len(took) * 1000}


async def _backend(store: Store) -> int:
    async with store.unit(LenderId(book.row_id("lender", 1))) as unit:
        return int((await unit.conn.execute(text("SELECT pg_backend_pid()"))).scalar_one())


def _pure(packs: PackBook, country: str, zones: frozenset[str], rounds: int) -> list[float]:
    history = tuple(
        Contact(
            NOW - n * timedelta(minutes=140),
            list(Channel)[n % 3],
            frozenset({CaseId(book.row_id("case", 1))}),
            outbound=n % 7 != 0,
            conversation=n % 5 == 0,
        )
        for n in range(HISTORY, 0, -1)
    )
    question = ContactQuestion(
        now=NOW,
        channel=Channel.CALL,
        zones=zones,
        case_ids=frozenset({CaseId(book.row_id("case", 1))}),
        history=history,
        holidays=holiday_dates(country, None, (2026, 2027)),
    )
    return [_timed(lambda: may_contact(question, packs.of(country))) for _ in range(rounds)]


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


async def measure(people: int, rounds: int) -> dict[str, Any]:
    """The whole in three countries, the pure part in two."""
    packs = load_packs()
    figures: dict[str, Any] = {"people": people, "history": HISTORY, "rounds": rounds}
    with bench.server() as running:
        urls = bench.database(running, "gate")
        book.build(urls.superuser, accounts=people, lenders=1, due=0, now=NOW, bank_id="bench")
        places = {
            name: [number for number in range(1, people + 1) if number % 3 == third]
            for third, name in enumerate(("spain", "united_states", "australia"))
        }
        with psycopg.connect(urls.superuser, autocommit=True) as connection:
            connection.execute(_SETTLE)
            for country, name in (("US", "united_states"), ("AU", "australia")):
                ids = [book.row_id("borrower", number) for number in places[name]]
                connection.execute(_EMIGRATE, [country, ids])
            connection.execute(_CONTACTS, {"now": NOW, "history": HISTORY})
            connection.execute("ANALYZE")
        store = bench.store(urls)
        try:
            async with store.engine_unit() as unit:
                await store.vault.make_key(unit.conn, book.row_id("lender", 1), NOW)
            for name, some in places.items():
                figures[name] = await _country(store, packs, some, rounds)
        finally:
            await store.close()
    for name, country, zones in (
        ("spain", "ES", frozenset({"Europe/Madrid"})),
        ("united_states", "US", frozenset[str]()),
    ):
        figures[f"{name}_pure"] = _percentiles(_pure(packs, country, zones, 2000))
    figures["gate_p99_ms"] = max(figures[name]["p99_ms"] for name in places)
    return figures


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    figures = asyncio.run(measure(chosen.people, chosen.rounds))
    bench.record("gate_p99_ms", figures)
    sys.stdout.write(f"gate_p99_ms = {figures['gate_p99_ms']:.2f} (at most {BAR_MS:.0f})\n")
    sys.stdout.write(f"{figures}\n")


if __name__ == "__main__":
    main()
