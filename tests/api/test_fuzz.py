"""Made-up calls from the API's own description: nothing breaks, every answer is a described one.

A real server on this machine, because the generator is not asynchronous. Seeded and bounded.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
import pytest
import schemathesis
import uvicorn
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import (
    allow_header_conformance,
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.result import Ok

from app.flows.house import House
from app.main import Server
from tests.api.conftest import System
from tests.api.planting import plant

pytestmark = pytest.mark.anyio

FEW, MANY = 2, 9
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    allow_header_conformance,
    ignored_auth,
]


class TellingServer(Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@dataclass(frozen=True, slots=True)
class Running:
    """A server on this machine."""

    url: str
    description: dict[str, Any]


@pytest.fixture
async def running(app: FastAPI) -> AsyncIterator[Running]:
    """The API on a port of its own, in this event loop."""
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, ws="none")
    server = TellingServer(config)
    serving = asyncio.create_task(server.serve())
    await server.ready.wait()
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Running(f"http://127.0.0.1:{port}", app.openapi())
    server.should_exit = True
    await serving


@pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
async def test_made_up_calls_break_nothing(
    running: Running, sol: System, house: House, examples: int
) -> None:
    await plant(sol, house)
    described = {**running.description, "servers": [{"url": running.url}]}
    called = await anyio.to_thread.run_sync(_try_everything, described, sol.token, examples)
    assert called >= examples * 20


def _try_everything(description: dict[str, Any], token: str, examples: int) -> int:
    """Call every operation with made-up values; returns how many calls were made."""
    schema = schemathesis.openapi.from_dict(description)
    called = 0
    schema.config.update(base_url=description["servers"][0]["url"])
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        given_wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        given_right = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)

        @seed(20260302)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=given_right | given_wrong)
        def try_it(case: Any) -> None:
            nonlocal called
            called += 1
            case.call_and_validate(
                headers={"Authorization": f"Bearer {token}"}, checks=CHECKS, timeout=20
            )

        try_it()
    return called
