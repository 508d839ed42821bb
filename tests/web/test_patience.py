"""Connections that do not come to the point are ended; answers may take their time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from socket import socket

import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, Response

from app.main import Server
from app.web.patience import PatientHttp

pytestmark = pytest.mark.anyio

PATIENCE_S = 0.2
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Hasty(PatientHttp):
    """The same with less patience."""

    patience_s = PATIENCE_S


class Announced(Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        self.up.set()


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """A server on a port of its own; `/` reads the body, `/slow` answers late."""
    app = FastAPI()

    @app.api_route("/", methods=["GET", "POST"])
    async def read(request: Request) -> Response:
        return PlainTextResponse(f"{len(await request.body())} bytes")

    @app.get("/slow")
    async def slow() -> Response:
        await asyncio.sleep(PATIENCE_S * 3)
        return PlainTextResponse("late")

    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", http=Hasty)
    server = Announced(config)
    running = asyncio.create_task(server.serve())
    await server.up.wait()
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running


async def said(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """What the server says until it ends the connection, or for a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(pause_s)
        return await asyncio.wait_for(reader.read(), 2)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "pieces",
    [
        (),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ",),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",),
        (b"\r\n\r\n",),
    ],
)
async def test_half_a_request_is_not_waited_for(pieces: tuple[bytes, ...]) -> None:
    async with serving() as port:
        assert await said(port, *pieces) == b""


async def test_a_second_request_has_its_time_too() -> None:
    """After a whole one, a byte every now and then keeps no connection open."""
    async with serving() as port:
        answer = await said(port, GET, b"\r\n", b"G", pause_s=0.05)
        assert answer.endswith(b"0 bytes")


async def test_a_whole_request_may_come_in_pieces_and_be_answered_late() -> None:
    async with serving() as port:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 6\r\n\r\n"
        assert (await said(port, head, b"abc", b"def", pause_s=0.01)).endswith(b"6 bytes")
        late = b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert (await said(port, late)).endswith(b"late")
