"""How long a connection may take to say what it wants.

uvicorn waits for ever for the rest of a request, and counts every connection: from one machine, a
thousand of them that say nothing would shut everybody else out.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_S: Final = 20.0
"""Real seconds from the first byte of a request, or from the connection, to its last byte."""


class PatientHttp(HttpToolsProtocol):
    """uvicorn's own protocol, with an end to its patience.

    The time an answer takes is not bounded here: streams stay open, slow banks are waited for.
    """

    patience_s: float = REQUEST_S
    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is there; he may ask now."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """A piece of a request. The first one of each starts its time."""
        if self.cycle is None or self.cycle.response_complete:
            self._wait()
        super().data_received(data)

    def on_message_complete(self) -> None:
        """The request is here as a whole."""
        super().on_message_complete()
        self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """He is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._end is None:
            self._end = self.loop.call_later(self.patience_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def _give_up(self) -> None:
        self._end = None
        transport: Any = self.transport
        transport.abort()
