"""What it costs to stamp history and to check it: a timeline of a million lines of one lender.

`stamp_1m_s`: everything that was never stamped, as after the upgrade of a large book; afterwards a
minute's lines are a share of it. `verify_1m_s`: `saldo audit verify` over it. `tick_idle_s` is the
tick that finds nothing new. Both work in one process beside the server's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import time
from types import SimpleNamespace
from typing import Any, cast

import psycopg

from app.domain.stamp import History
from app.flows.house import House
from app.flows.stamp_history import stamp_history
from app.reports.history_check import check_history
from app.store.unit import Store
from benchmarks import bench, book

LINES = 1_000_000

_HISTORY = """
    INSERT INTO timeline (id, lender_id, borrower_id, case_id, at, kind, actor, details)
    SELECT gen_random_uuid(), %(lender)s, b.id, b.id,
        %(now)s::timestamptz - interval '1 second' * (%(lines)s - n), 'reading', 'saldo',
        jsonb_build_object('reading_id', gen_random_uuid(), 'verdict', 'funds', 'n', n,
            'margin_band', 'low', 'account_id', b.id, 'kind', 'interimAvailable')
    FROM generate_series(1, %(lines)s) n
    JOIN (SELECT id, row_number() OVER () - 1 AS k, count(*) OVER () AS people FROM borrowers) b
        ON b.k = n %% b.people
"""


async def _stamp_all(store: Store) -> tuple[float, float]:
    """Seconds until nothing is left, and of the tick after it."""
    house = cast(House, SimpleNamespace(store=store))
    began = time.perf_counter()
    while await stamp_history(house, bench.NOW):
        pass
    idle = time.perf_counter()
    await stamp_history(house, bench.NOW)
    return idle - began, time.perf_counter() - idle


async def _verify(store: Store) -> tuple[float, int]:
    began, lines = time.perf_counter(), 0
    async for checked in check_history(store, book.row_id("lender", 1), History.TIMELINE):
        lines = checked.lines
        if checked.faults or checked.backdated:
            message = f"found {checked.faults} {checked.backdated}"
            raise RuntimeError(message)
    return time.perf_counter() - began, lines


async def measure(lines: int) -> dict[str, Any]:
    """Stamp, look in vain, check."""
    figures: dict[str, Any] = {"lines": lines, "load": os.getloadavg()[0]}
    with bench.server() as running:
        urls = bench.database(running, "stamps")
        book.build(urls.superuser, accounts=1_000, lenders=1, due=0, now=bench.NOW, bank_id="bench")
        with psycopg.connect(urls.superuser, autocommit=True) as connection:
            connection.execute("DELETE FROM timeline")
            wanted = {"lender": book.row_id("lender", 1), "now": bench.NOW, "lines": lines}
            connection.execute(_HISTORY.encode(), wanted)
            connection.execute("VACUUM ANALYZE timeline")
        store = bench.store(urls)
        try:
            took, idle = await _stamp_all(store)
            figures |= {"stamp_1m_s": took, "tick_idle_s": idle}
            figures["verify_1m_s"], figures["checked"] = await _verify(store)
        finally:
            await store.close()
        with psycopg.connect(urls.superuser) as connection:
            sizes = connection.execute(
                "SELECT pg_total_relation_size('timeline'), pg_total_relation_size('stamps')"
            ).fetchone()
    figures["timeline_mb"], figures["stamps_mb"] = (round(size / 1e6) for size in (sizes or (0, 0)))
    figures["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    figures["load_after"] = os.getloadavg()[0]
    return figures


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=LINES)
    figures = asyncio.run(measure(parser.parse_args().lines))
    bench.record("verify_1m_s", figures)
    sys.stdout.write(f"{figures}\n")


if __name__ == "__main__":
    main()
