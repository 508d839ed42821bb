"""What the planning tick costs in a book of a million accounts, against one of ten thousand.

`tick_cost_1m_vs_10k`: the planning transaction to its commit with 200 accounts due in both books,
with 1 and with 200 lenders, after ANALYZE; the ratio of the medians of 50 ticks each, taken in
turn in one run. The larger of the two ratios is the figure.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import text

from app.flows.house import House
from app.flows.reads.plan_reads import plan_reads
from benchmarks import bench, book

DUE = 200
ROUNDS = 50
# Planning asks no bank; the port of discard answers nobody.
NOWHERE = "http://127.0.0.1:9"


async def _tick(house: House) -> float:
    """Seconds of one tick; afterwards the same accounts are due again."""
    began = time.perf_counter()
    planned = await plan_reads(house, bench.NOW)
    took = time.perf_counter() - began
    if planned.handed != DUE:
        raise RuntimeError(f"expected {DUE} accounts, the tick handed out {planned.handed}")
    async with house.store.engine_unit() as unit:
        await unit.conn.execute(
            text("UPDATE accounts SET leased_until = NULL WHERE leased_until IS NOT NULL")
        )
        await unit.conn.execute(text("DELETE FROM procrastinate_jobs"))
    return took


async def _compare(small: House, large: House, rounds: int) -> dict[str, float]:
    for house in (small, large):
        for _ in range(3):
            await _tick(house)
    pairs = [(await _tick(small), await _tick(large)) for _ in range(rounds)]
    few = statistics.median(pair[0] for pair in pairs)
    many = statistics.median(pair[1] for pair in pairs)
    return {"small_ms": few * 1000, "large_ms": many * 1000, "ratio": many / few}


async def measure(small: int, large: int, rounds: int = ROUNDS) -> dict[str, object]:
    """Both comparisons on one server."""
    figures: dict[str, object] = {"due": DUE, "rounds": rounds, "small": small, "large": large}
    ratios = []
    with bench.server() as running, tempfile.TemporaryDirectory() as folder:
        for lenders in (1, 200):
            books = [bench.database(running, f"book_{size}_{lenders}") for size in (small, large)]
            for urls, accounts in zip(books, (small, large), strict=True):
                book.build(
                    urls.superuser,
                    accounts=accounts,
                    lenders=lenders,
                    due=DUE,
                    now=bench.NOW,
                    bank_id="bench",
                )
            async with (
                bench.house(books[0], Path(folder), NOWHERE) as few,
                bench.house(books[1], Path(folder), NOWHERE) as many,
            ):
                found = await _compare(few, many, rounds)
            figures[f"lenders_{lenders}"] = found
            ratios.append(found["ratio"])
    figures["tick_cost_1m_vs_10k"] = max(ratios)
    return figures


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    chosen = parser.parse_args()
    figures = asyncio.run(measure(chosen.small, chosen.large))
    bench.record("tick_cost_1m_vs_10k", figures)
    sys.stdout.write(f"tick_cost_1m_vs_10k = {figures['tick_cost_1m_vs_10k']:.2f} (at most 1.3)\n")
    sys.stdout.write(f"{figures}\n")


if __name__ == "__main__":
    main()
