"""How to ask Plaid: everything is a POST with JSON, under our own keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import orjson

from app.ports import Wire
from connectors._exchange import Call, exchange
from connectors.plaid.settings import NAME, Settings


class Desk:
    """One way to ask. `seconds` bounds one answer, in real time."""

    def __init__(self, settings: Settings, wire: Wire, *, seconds: float | None = None) -> None:
        self._settings = settings
        setup = settings.http_setup()
        if seconds is not None:
            connect = min(setup.connect_seconds, seconds / 2)
            setup = replace(setup, total_seconds=seconds, connect_seconds=connect)
        self._setup = setup
        self._http: httpx.AsyncClient = wire.http
        self.now = wire.now

    def __repr__(self) -> str:
        return "Desk(…)"

    async def ask(
        self, operation: str, path: str, content: Mapping[str, Any], *, writes: bool = False
    ) -> tuple[httpx.Response, Call]:
        """The answer to one POST, whatever its status, and the call it answers."""
        headers = {
            "Content-Type": "application/json",
            "PLAID-CLIENT-ID": self._settings.client_id,
            "PLAID-SECRET": self._settings.secret.get_secret_value(),
            "Plaid-Version": "2020-09-14",
        }
        url, body = f"{self._settings.base_url}{path}", orjson.dumps(content)
        call = Call(NAME, operation, "POST", url, headers, body, writes, setup=self._setup)
        return await exchange(self._http, call), call
