"""The token desk: a code or a refresh token goes in, the next pair of tokens comes out."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import structlog

from app.domain.errors import ConsentEnd, ProviderError, TryLater
from app.ports import Wire
from connectors._exchange import FORM, Call, exchange, read_json, status_error, unreadable
from connectors._tokens import is_token, life_in
from connectors.truelayer.grants import Pair
from connectors.truelayer.refusals import (
    CLIENT_REFUSED,
    CLIENT_WAIT,
    GRANT_OVER,
    read_refusal,
    token_refusal,
)
from connectors.truelayer.settings import NAME, Settings

log = structlog.get_logger(NAME)

_CODE_OVER = ("invalid_authorization_code", GRANT_OVER)
_LONGEST_LIFE = timedelta(days=1)
_CLIENT_MARGIN = timedelta(minutes=2)


class TokenDesk:
    """POST /connect/token under the client's own credentials. Holds no tokens."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        self._url = f"{settings.auth_url}/connect/token"
        self._client = {
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value(),
        }
        self._setup = settings.http_setup()
        self._http: httpx.AsyncClient = wire.http
        self._now = wire.now

    def __repr__(self) -> str:
        return "TokenDesk(…)"

    async def by_code(self, code: str, redirect: str) -> Pair:
        """The first pair, for a code that works once and for minutes.

        TryLater for a code that was used or has run out: another request of the borrower may have
        been quicker, and the vendor has one word for both.
        """
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect}
        answer, call = await self._ask("came_back", form)
        if not answer.is_success:
            if read_refusal(answer.content).code in _CODE_OVER:
                raise TryLater("the code is used or over", after=None, **call.where)
            raise self._refused(answer, call, ConsentEnd.UNKNOWN_AT_BANK)
        return self._read(answer, call, "")

    async def by_refresh(self, refresh: str, end: ConsentEnd) -> Pair:
        """The next pair; `refresh` is spent by it. Raises ConsentGone, with `end`, for a no."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        answer, call = await self._ask("renew", form)
        if not answer.is_success:
            raise self._refused(answer, call, end)
        return self._read(answer, call, refresh)

    async def of_client(self, operation: str) -> tuple[str, datetime]:
        """A token for payments, which belongs to no borrower, and until when to use it.

        Every failure is TryLater: without a token nothing was asked of anybody.
        """
        form = {"grant_type": "client_credentials", "scope": "payments"}
        answer, call = await self._ask(operation, form, writes=False)
        if not answer.is_success:
            raise self._refused(answer, call, ConsentEnd.UNKNOWN_AT_BANK)
        made = read_json(answer, call)
        token = made.get("access_token") if isinstance(made, dict) else None
        if not is_token(token):
            raise TryLater("the answer holds no token", after=CLIENT_WAIT, **call.where)
        return token, self._now() + _life(made) - _CLIENT_MARGIN

    async def refuses_client(self, operation: str) -> str:
        """The vendor's word for a client that it does not know; empty for one that it knows."""
        form = {
            "grant_type": "authorization_code",
            "code": "a-code-that-never-was",
            "redirect_uri": "https://saldo.invalid",
        }
        answer, call = await self._ask(operation, form, writes=False)
        code = read_refusal(answer.content).code
        if code in CLIENT_REFUSED:
            return code
        if not code or not 400 <= answer.status_code < 500 or answer.status_code == 429:
            raise status_error(answer, call)
        return ""

    async def _ask(
        self, operation: str, form: dict[str, str], *, writes: bool = True
    ) -> tuple[httpx.Response, Call]:
        call = Call(
            NAME,
            operation,
            "POST",
            self._url,
            FORM,
            urlencode({**self._client, **form}).encode(),
            writes=writes,
            setup=self._setup,
        )
        return await exchange(self._http, call), call

    def _refused(self, answer: httpx.Response, call: Call, end: ConsentEnd) -> ProviderError:
        code = read_refusal(answer.content).code
        if code in CLIENT_REFUSED:
            log.error("credentials_refused", status=answer.status_code, code=code)
        return token_refusal(answer, call, self._now(), end)

    def _read(self, answer: httpx.Response, call: Call, before: str) -> Pair:
        made = read_json(answer, call)
        made = made if isinstance(made, dict) else {}
        access, refresh = made.get("access_token"), made.get("refresh_token") or before
        if not is_token(access) or not is_token(refresh):
            raise unreadable("the answer holds no pair of tokens", call, b"")
        return Pair(access, refresh, self._now() + _life(made))


def _life(made: dict[str, Any]) -> timedelta:
    return min(life_in(made, "expires_in"), _LONGEST_LIFE)


class ClientToken:
    """Our own token for payments, kept until shortly before it ends, made by one at a time."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        self._desk = TokenDesk(settings, wire)
        self._now = wire.now
        self._one_at_a_time = asyncio.Lock()
        self._held: tuple[str, datetime] | None = None

    def __repr__(self) -> str:
        return "ClientToken(…)"

    async def header(self, operation: str) -> str:
        """The value of Authorization. TryLater without a token: nothing was asked."""
        async with self._one_at_a_time:
            if self._held is None or self._now() >= self._held[1]:
                self._held = await self._desk.of_client(operation)
            return f"Bearer {self._held[0]}"

    def forget(self) -> None:
        """It was refused: make a new one for the next call."""
        self._held = None
