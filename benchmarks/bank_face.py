"""A bank that does nothing but answer balances, as cheaply as Python can.

The benchmark's face must not be the bottleneck: it speaks just enough HTTP/1.1 for keep-alive
GETs and answers every request with the same Berlin Group balances. Run as its own process; it
prints its port, and its own CPU seconds when it ends.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time

import uvloop

ANSWER = json.dumps(
    {
        "account": {"iban": "ES9121000418450200051332"},
        "balances": [
            {
                "balanceAmount": {"currency": "EUR", "amount": "812.40"},
                "balanceType": "interimBooked",
                "creditLimitIncluded": False,
            },
            {
                "balanceAmount": {"currency": "EUR", "amount": "790.15"},
                "balanceType": "interimAvailable",
                "creditLimitIncluded": False,
            },
        ],
    },
    separators=(",", ":"),
).encode()
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"X-Request-ID: 99391c7e-ad88-49ec-a2ad-99ddcb1f7721\r\nContent-Length: "
    + str(len(ANSWER)).encode()
    + b"\r\n\r\n"
    + ANSWER
)
END = b"\r\n\r\n"


class Face(asyncio.Protocol):
    """One kept-alive connection. Requests may come in pieces or several at once."""

    def __init__(self) -> None:
        self._kept = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        whole = self._kept + data if self._kept else data
        requests = whole.count(END)
        self._kept = whole[whole.rfind(END) + 4 :] if requests else whole
        if requests and self._transport is not None:
            self._transport.write(RESPONSE * requests)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(Face, "127.0.0.1", 0, backlog=512)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()
    sys.stdout.write(f"{time.process_time():.6f}\n")


if __name__ == "__main__":
    uvloop.run(_serve())
