"""The access token: made seldom, kept for its day, never shown.

New tokens are limited to 100 an hour for the whole company, so a token is made only when there
is none left to use or to refresh, by one caller at a time, and after a refusal not for a while.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
import orjson
import structlog

from app.domain.errors import ProviderError, TryLater
from app.ports import Wire
from connectors._exchange import Call, exchange, read_json, status_error, unreadable
from connectors._tokens import REFUSED_WAIT, life_in, token_in
from connectors.gocardless.refusals import api_wait
from connectors.gocardless.settings import NAME, Settings

# A token that ends in the middle of a call is refused.
_MARGIN = timedelta(minutes=2)

log = structlog.get_logger(NAME)


@dataclass(frozen=True, slots=True)
class _Pair:
    access: str = field(repr=False)
    access_until: datetime
    refresh: str = field(default="", repr=False)
    refresh_until: datetime | None = None


class Tokens:
    """The one token of these settings in this process."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        self._settings = settings
        self._wire = wire
        self._setup = settings.http_setup()
        self._held: _Pair | None = None
        self._shut_until: datetime | None = None
        self._one_at_a_time = asyncio.Lock()

    async def access(self, operation: str, *, refused: str = "") -> str:
        """A token that should be good. `refused` is one the provider has just said no to.

        Raises TryLater: without a token nothing was asked, and nothing is said of a borrower.
        """
        async with self._one_at_a_time:
            now = self._wire.now()
            held = self._held
            if held and held.access != refused and now < held.access_until:
                return held.access
            if self._shut_until and now < self._shut_until:
                raise TryLater(
                    "no token for now", after=self._shut_until - now,
                    connector=NAME, operation=operation,
                )  # fmt: skip
            made = await self._refreshed(held, now, operation)
            if made is None or made.access == refused:
                made = await self._new(now, operation)
            self._held, self._shut_until = made, None
            return made.access

    async def _refreshed(self, held: _Pair | None, now: datetime, operation: str) -> _Pair | None:
        """A new access token for the refresh token; None where that is refused too."""
        if held is None or held.refresh_until is None or now >= held.refresh_until:
            return None
        call, answer = await self._ask("refresh", {"refresh": held.refresh}, operation)
        if 400 <= answer.status_code < 500 and answer.status_code != 429:
            return None
        made = self._read(answer, call, now)
        return _Pair(made.access, made.access_until, held.refresh, held.refresh_until)

    async def _new(self, now: datetime, operation: str) -> _Pair:
        secret = self._settings.secret_key.get_secret_value()
        sent = {"secret_id": self._settings.secret_id, "secret_key": secret}
        call, answer = await self._ask("new", sent, operation)
        return self._read(answer, call, now)

    async def _ask(
        self, what: str, body: dict[str, str], operation: str
    ) -> tuple[Call, httpx.Response]:
        url = f"{self._settings.base_url}/api/v2/token/{what}/"
        headers = {"Content-Type": "application/json"}
        call = Call(NAME, operation, "POST", url, headers, orjson.dumps(body), setup=self._setup)
        return call, await exchange(self._wire.http, call)

    def _read(self, answer: httpx.Response, call: Call, now: datetime) -> _Pair:
        if not answer.is_success:
            raise self._no_token(answer, call, now)
        made = read_json(answer, call)
        access = token_in(made, "access")
        if access is None:
            raise unreadable("the answer holds no token", call, b"")
        refresh = token_in(made, "refresh") or ""
        until = now + life_in(made, "refresh_expires") - _MARGIN if refresh else None
        serves = life_in(made, "access_expires") - _MARGIN
        return _Pair(access, now + serves, refresh, until)

    def _no_token(self, answer: httpx.Response, call: Call, now: datetime) -> ProviderError:
        status = answer.status_code
        if not 400 <= status < 500:
            return status_error(answer, call, now=now)
        wait = api_wait(answer, now) if status == 429 else None
        wait = wait or REFUSED_WAIT
        self._shut_until = now + wait
        if status != 429:
            log.error("credentials_refused", status=status)
        return TryLater(f"no token: HTTP {status}", after=wait, **call.where)
