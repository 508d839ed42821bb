"""The balances endpoint alone, as fast as a single process of Python can answer it.

For benchmarks that must not measure the bank: `python -m sandbox.bench_face --port 8299`. Any
account id is known; its balance is a hash of the id, so a caller can tell what it should read.
Same wire format as the banks (Berlin Group 1.3.11), no counters, no consents, no store. A bare
protocol on the event loop, without a web framework: one GET per request, keep-alive, pipelining.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from hashlib import blake2b
from typing import cast

import uvloop

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: %s\r\n"
    b"content-length: %d\r\n\r\n%s"
)
_BODY = (
    b'{"account":{"iban":"%s","currency":"EUR"},"balances":[{"balanceAmount":{"currency":"EUR",'
    b'"amount":"%d.%02d"},"balanceType":"interimAvailable","creditLimitIncluded":false},'
    b'{"balanceAmount":{"currency":"EUR","amount":"%d.%02d"},"balanceType":"interimBooked"}]}'
)
_REFUSED = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
_MISSING = b'{"tppMessages":[{"category":"ERROR","code":"FORMAT_ERROR","text":"X-Request-ID"}]}'
_UNKNOWN = b'{"tppMessages":[{"category":"ERROR","code":"RESOURCE_UNKNOWN","text":"path"}]}'
_LONGEST = 65_536
_IBAN = b"ES2499120001480001234567"


def balance_of(resource_id: str) -> int:
    """Minor units that this face says for an account: 0.00 to 3999.99."""
    digest = blake2b(resource_id.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % 400_000


def answer_to(head: bytes) -> bytes:
    """The response to one request head (request line and headers without the blank line)."""
    line, _, headers = head.partition(b"\r\n")
    parts = line.split(b" ")
    path = parts[1] if len(parts) == 3 and parts[0] == b"GET" else b""
    if not path.endswith(b"/balances"):
        return _REFUSED % (b"404 Not Found", len(_UNKNOWN), _UNKNOWN)
    request_id = b""
    for header in headers.split(b"\r\n"):
        name, _, value = header.partition(b":")
        if len(name) == 12 and name.lower() == b"x-request-id":
            request_id = value.strip()
            break
    if not request_id:
        return _REFUSED % (b"400 Bad Request", len(_MISSING), _MISSING)
    minor = balance_of(path[:-9].rpartition(b"/")[2].decode("latin-1"))
    whole, part = divmod(minor, 100)
    body = _BODY % (_IBAN, whole, part, whole, part)
    return _HEAD % (request_id, len(body), body)


class Face(asyncio.Protocol):
    """One connection."""

    def __init__(self, open_ones: set[asyncio.Transport]) -> None:
        self._open_ones = open_ones
        self._transport: asyncio.Transport | None = None
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._open_ones.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._transport is not None:
            self._open_ones.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        """Answer every whole request head; what is not whole waits."""
        if self._transport is None:
            return
        *heads, self._rest = (self._rest + data).split(b"\r\n\r\n")
        if len(self._rest) > _LONGEST:
            self._transport.close()
            return
        self._transport.write(b"".join([answer_to(head) for head in heads]))


async def serve(host: str, port: int, stop: asyncio.Event) -> None:
    """Answer until told to stop."""
    open_ones: set[asyncio.Transport] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Face(open_ones), host, port, backlog=1024)
    await stop.wait()
    server.close()
    for transport in list(open_ones):
        transport.abort()


async def _main(host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await serve(host, port, stop)


def main() -> None:
    """Run as a process until INT or TERM."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.bench_face", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8299)
    given = parser.parse_args()
    uvloop.run(_main(given.host, given.port))


if __name__ == "__main__":
    main()
