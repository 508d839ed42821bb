"""What a whole read costs the client, against a bare loop of the same HTTP client.

`read_cycle_vs_bare_client` = CPU seconds per read of a bare loop / of the whole cycle: planning
tick, job, attempt row, HTTP, decryption, storing, detector, timeline, next due time, with row
security on. Both run in this process against the same face, in turn; the figure is the median of
the pairs. The face runs in its own process and is shown to serve at least three times what the
bare client asks of it.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import io
import pstats
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import procrastinate
from sqlalchemy import text

from app.flows.house import House
from app.flows.reads.plan_reads import plan_reads
from app.flows.reads.read_balances import read_balances
from app.store.embedded_setup import DatabaseUrls
from app.store.jobs import READ_BALANCES, job_app
from benchmarks import bench, book
from connectors import _http
from scheduler.worker import calm_collector

CHUNK = 1000
LENDERS = 20


@contextmanager
def face() -> Iterator[tuple[str, int]]:
    """The bank in a process of its own: its address and process id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bank_face"], stdout=subprocess.PIPE, text=True
    )
    if process.stdout is None:
        raise RuntimeError("the face has no output")
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}", process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


class _Asker(asyncio.Protocol):
    """Asks again as soon as it is answered: what the face can serve, without a client's cost."""

    def __init__(self, request: bytes, times: int, done: asyncio.Future[None]) -> None:
        self._request, self._left, self._done = request, times, done
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._ask()

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - any answer will do
        self._left -= 1
        if self._left > 0:
            self._ask()
        elif not self._done.done():
            self._done.set_result(None)

    def _ask(self) -> None:
        if self._transport is not None:
            self._transport.write(self._request)


async def face_rate(url: str, *, connections: int = 50, times: int = 600) -> float:
    """Requests a second that the face serves to raw sockets."""
    host, port = url.removeprefix("http://").split(":")
    request = b"GET /v1/accounts/a/balances HTTP/1.1\r\nHost: bank\r\n\r\n"
    loop = asyncio.get_running_loop()
    ends = [loop.create_future() for _ in range(connections)]
    began = time.perf_counter()
    opened = [
        await loop.create_connection(partial(_Asker, request, times, end), host, int(port))
        for end in ends
    ]
    await asyncio.gather(*ends)
    took = time.perf_counter() - began
    for transport, _ in opened:
        transport.close()
    return connections * times / took


async def bare(
    client: httpx.AsyncClient, url: str, reads: int, at_once: int
) -> tuple[float, float]:
    """CPU and wall seconds of `reads` plain GETs with the headers of a real read."""
    left = iter(range(reads))

    async def ask() -> None:
        for number in left:
            answer = await client.get(
                f"{url}/v1/accounts/account-{number:08d}-f6c0-4a31/balances",
                headers={"X-Request-ID": str(uuid4()), "Consent-ID": f"consent-{number:08d}"},
            )
            if answer.status_code != 200:
                raise RuntimeError(f"the face answered {answer.status_code}")

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(at_once)))
    return time.process_time() - cpu, time.perf_counter() - wall


async def cycle(house: House, jobs: procrastinate.App, reads: int) -> tuple[float, float]:
    """CPU and wall seconds of reading `reads` due accounts, from the tick to the last commit."""
    cpu, wall = time.process_time(), time.perf_counter()
    planned = await plan_reads(house, bench.NOW, limit=reads)
    if planned.handed != reads:
        raise RuntimeError(f"expected {reads} accounts, the tick handed out {planned.handed}")
    await jobs.run_worker_async(
        queues=["saldo"],
        wait=False,
        concurrency=1,
        listen_notify=False,
        install_signal_handlers=False,
        delete_jobs="successful",
    )
    return time.process_time() - cpu, time.perf_counter() - wall


@asynccontextmanager
async def worker(house: House, urls: DatabaseUrls) -> AsyncIterator[procrastinate.App]:
    """The job engine, connected as a worker stays connected."""
    app = job_app(urls.engine, min_size=1, max_size=4)

    @app.task(name=READ_BALANCES, queue="saldo")
    async def read(ids: list[str]) -> None:
        await read_balances(house, bench.NOW, [UUID(one) for one in ids])

    async with app.open_async():
        yield app


async def _reads_stored(house: House) -> int:
    async with house.store.engine_unit() as unit:
        return int(await unit.conn.scalar(text("SELECT count(*) FROM readings")) or 0)


async def measure(pairs: int, *, profile: bool) -> dict[str, object]:
    """Pairs of bare and whole, in turn."""
    accounts = (pairs + 2) * CHUNK
    with bench.server() as running, face() as (url, _), tempfile.TemporaryDirectory() as folder:
        urls = bench.database(running, "reads")
        book.build(
            urls.superuser, accounts=accounts, lenders=LENDERS, due=accounts,
            now=bench.NOW, bank_id="bench", spread=timedelta(hours=1),
        )  # fmt: skip
        async with bench.house(urls, Path(folder), url) as house, worker(house, urls) as jobs:
            store = house.store
            await book.seal_tokens(
                store, store.vault, accounts=accounts, lenders=LENDERS, now=bench.NOW
            )
            at_once = house.settings.read_concurrency
            serves = await face_rate(url)
            client = _http.client()
            calm_collector()  # as in a worker; it serves the bare loop as well
            await bare(client, url, CHUNK, at_once)
            await cycle(house, jobs, CHUNK)
            bares, wholes = [], []
            for _ in range(pairs):
                bares.append(await bare(client, url, CHUNK, at_once))
                wholes.append(await cycle(house, jobs, CHUNK))
            told = await _profiled(house, jobs) if profile else ""
            stored = await _reads_stored(house)
            await client.aclose()
    asks = CHUNK / statistics.median(wall for _, wall in bares)
    return {
        "read_cycle_vs_bare_client": statistics.median(
            one[0] / other[0] for one, other in zip(bares, wholes, strict=True)
        ),
        "bare_cpu_ms_per_read": statistics.median(cpu for cpu, _ in bares) / CHUNK * 1000,
        "cycle_cpu_ms_per_read": statistics.median(cpu for cpu, _ in wholes) / CHUNK * 1000,
        "cycle_reads_per_second": CHUNK / statistics.median(wall for _, wall in wholes),
        "bare_reads_per_second": asks,
        "face_serves_per_second": serves,
        "face_over_bare": serves / asks,
        "readings_stored": stored,
        "pairs": pairs,
        "profile": told.splitlines(),
    }


async def _profiled(house: House, jobs: procrastinate.App) -> str:
    """Where the time of one chunk goes, by own time."""
    watch = cProfile.Profile()
    watch.enable()
    await cycle(house, jobs, CHUNK)
    watch.disable()
    sheet = io.StringIO()
    pstats.Stats(watch, stream=sheet).sort_stats("tottime").print_stats(18)
    lines = [line for line in sheet.getvalue().splitlines() if line.strip()]
    return "\n".join(line.replace(f"{Path.cwd()}/", "") for line in lines[:26])


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--no-profile", action="store_true")
    chosen = parser.parse_args()
    figures = asyncio.run(measure(chosen.pairs, profile=not chosen.no_profile))
    bench.record("read_cycle_vs_bare_client", figures)
    for name, value in figures.items():
        shown = "\n".join(value) if isinstance(value, list) else value
        sys.stdout.write(f"{name} = {shown}\n")


if __name__ == "__main__":
    main()
