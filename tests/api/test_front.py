"""API and pages as one application, as the web process serves them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app.clock import Clock
from app.flows.house import House
from app.main import Front, build_front, is_api
from app.store.embedded_setup import DatabaseUrls
from app.wiring import Parts
from tests.api.conftest import System, client_of

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def front(house: House, clock: Clock) -> AsyncIterator[Front]:
    """The whole application over the test's house."""
    async with httpx.AsyncClient() as http:
        yield build_front(Parts(house, clock, "", http))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1", True), ("/v1/loans", True), ("/hooks/twilio", True), ("/healthz", True),
        ("/", False), ("/v1x", False), ("/c/token", False), ("/healthzz", False),
    ],
)  # fmt: skip
async def test_addresses_are_shared_out(path: str, expected: bool) -> None:
    assert is_api(path) is expected


async def test_each_side_answers_in_its_own_way(front: Front, sol: System) -> None:
    async with client_of(front.app, sol.token) as http:
        assert (await http.get("/v1/status")).status_code == 200
        missing = await http.get("/v1/nothing")
        assert missing.headers["content-type"] == "application/problem+json"
        page = await http.get("/nothing")
        assert page.status_code == 404
        assert page.headers["content-type"].startswith("text/html")
        assert (await http.get("/sign-in")).status_code == 200
        for path in ("/nothing", "/v1/nothing"):
            assert (await http.get(path)).headers["x-request-id"]


async def test_a_key_opens_no_page(front: Front, sol: System) -> None:
    async with client_of(front.app, sol.token) as http:
        answer = await http.get("/cases")
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")


async def test_a_stop_reaches_both_sides(front: Front) -> None:
    async with client_of(front.app) as http:
        assert (await http.get("/readyz")).status_code == 200
        front.stop()
        assert (await http.get("/readyz")).status_code == 503
    assert front.pages.alerts.stopping.is_set()


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)]
)
async def test_the_process_starts_serves_and_stops(
    db: DatabaseUrls, tmp_path: Path, number: signal.Signals
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    key = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
    environment = {
        **os.environ,
        "SALDO_DATA_DIR": str(tmp_path),
        "SALDO_DATABASE_URL": db.app,
        "SALDO_DATABASE_ENGINE_URL": db.engine,
        "SALDO_MASTER_KEYS": f"k1:{key}",
        "SALDO_HASH_KEY": key,
        "SALDO_WEB_PORT": str(port),
        "SALDO_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "web", cwd=ROOT, env=environment,
        stdout=subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            await _until_ready(http, process)
            token_in_path = await http.get("/c/secret-token-in-the-path")
            assert token_in_path.status_code == 404
        process.send_signal(number)
        _, said = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, said.decode()
    assert "secret-token-in-the-path" not in said.decode()


async def _until_ready(http: httpx.AsyncClient, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(90):
        while process.returncode is None:
            try:
                if (await http.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise AssertionError("the process ended before it was ready")
