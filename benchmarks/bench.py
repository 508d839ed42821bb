"""What benchmarks share: a private server, databases, settings, and how results are written."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from app.clock import Clock
from app.flows.house import House
from app.logs import configure_logs
from app.reference.packs import load_packs
from app.settings import load_settings
from app.store import migrate
from app.store.embedded import EmbeddedServer
from app.store.embedded_setup import DatabaseUrls, read_access
from app.store.jobs import Jobs
from app.store.unit import Store, connect
from app.store.vault import Vault
from app.wiring import make_house
from connectors import _http

RESULTS = Path(__file__).parent / "results" / "latest.json"
# A weekday at ten in the morning in Madrid: within banks' booking hours.
NOW = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


@contextmanager
def server() -> Iterator[EmbeddedServer]:
    """A private server in a folder of its own, with the durability it has in production."""
    folder = Path(tempfile.mkdtemp(prefix="saldo-bench-"))
    folder.chmod(0o755)
    running = EmbeddedServer(folder)
    try:
        running.ensure_started()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def database(running: EmbeddedServer, name: str) -> DatabaseUrls:
    """A fresh, migrated database on the server."""
    with psycopg.connect(running.urls().superuser, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} OWNER saldo_owner".encode())
    access = read_access(running.data_dir)
    if access is None:
        raise RuntimeError("the server has no access file")
    urls = access.urls(name)
    migrate.upgrade(urls.owner)
    return urls


def store(urls: DatabaseUrls) -> Store:
    """Both pools on one database, with keys made for the benchmark."""
    return Store(
        connect(urls.app, name="bench app"),
        connect(urls.engine, name="bench engine"),
        Vault({"bench": b"b" * 32}, b"h" * 32),
        Jobs(),
    )


@asynccontextmanager
async def house(urls: DatabaseUrls, folder: Path, base_url: str) -> AsyncIterator[House]:
    """A House on one database whose one bank is at `base_url`."""
    banks = folder / "banks.toml"
    banks.write_text(
        f'[[bank]]\nid = "bench"\nname = "Bench"\ncountry = "ES"\nbase_url = "{base_url}"\n',
        encoding="utf-8",
    )
    os.environ["SALDO_BERLIN_GROUP_BANKS"] = str(banks)
    made, http = store(urls), _http.client()
    configure_logs("error", "text", "bench")
    try:
        yield make_house(load_settings(), made, Clock(None), load_packs(), http)
    finally:
        await http.aclose()
        await made.close()


def backend_cpu(pid: int) -> float:
    """Seconds of processor time that a process of this machine has used: what it costs when
    nobody else is at work. Linux.
    """
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def record(row: str, figures: dict[str, Any]) -> None:
    """Write one benchmark's figures into the results file, beside the others'."""
    found: dict[str, Any] = {}
    if RESULTS.exists():
        found = json.loads(RESULTS.read_text(encoding="utf-8"))
    found[row] = {
        **figures,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        # Others at work on the machine make every figure worse.
        "load_1m": round(os.getloadavg()[0], 1),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", encoding="utf-8")
