"""How to ask Unnax: with the header of older accounts, or with a token that a longer one gives."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson

from app.domain.errors import ProviderError, TryLater
from app.ports import Wire
from connectors._exchange import Call, exchange, read_json, status_error, unreadable
from connectors._json import try_json
from connectors.unnax.sealing import merchant_signature
from connectors.unnax.settings import NAME, Settings

REFRESH = "/api/v3/auth/jwt_token/refresh"
# Access tokens were seen to last 24 hours. Nobody says so, so half of it is believed.
_LIFETIME = timedelta(hours=12)


class Desk:
    """One account at Unnax."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        self._settings = settings
        self._setup = settings.http_setup()
        self._http: httpx.AsyncClient = wire.http
        self._real_now = wire.real_now
        self._access = ""
        self._access_until = datetime.min.replace(tzinfo=UTC)
        self._one_at_a_time = asyncio.Lock()

    def __repr__(self) -> str:
        return "Desk(…)"

    def signed(self, code: str) -> dict[str, str]:
        """The merchant, and his signature of a request."""
        mine, secret = self._settings.api_id, self._settings.api_code.get_secret_value()
        return {
            "merchant_id": mine,
            "merchant_signature": merchant_signature(mine, code, secret),
            "request_code": code,
        }

    async def ask(
        self, operation: str, method: str, path: str, body: dict[str, Any], *, writes: bool = False
    ) -> tuple[httpx.Response, Call]:
        """The answer to one request, whatever its status, and the call it answers.

        A token that is refused is forgotten; the request is not made again.
        """
        authorization = await self._authorization(operation)
        call = self._call(operation, method, path, body, authorization, writes=writes)
        answer = await exchange(self._http, call)
        if answer.status_code == 401:
            self._access = ""
        return answer, call

    async def _authorization(self, operation: str) -> str:
        refresh = self._settings.refresh_token.get_secret_value()
        if not refresh:
            secret = self._settings.api_code.get_secret_value()
            pair = f"{self._settings.api_id}:{secret}".encode()
            return f"Unnax {b64encode(pair).decode('ascii')}"
        async with self._one_at_a_time:
            if not self._access or self._real_now() >= self._access_until:
                self._access = await self._fresh(refresh, operation)
                self._access_until = self._real_now() + _LIFETIME
            return f"Bearer {self._access}"

    async def _fresh(self, refresh: str, operation: str) -> str:
        call = self._call(operation, "POST", REFRESH, {"refresh": refresh}, "")
        answer = await exchange(self._http, call)
        if not answer.is_success:
            raise TryLater(f"no access token: HTTP {answer.status_code}", after=None, **call.where)
        made = read_json(answer, call)
        token = made.get("access") if isinstance(made, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise unreadable("the answer gives no access token", call, b"")
        return token

    def _call(
        self,
        operation: str,
        method: str,
        path: str,
        body: dict[str, Any],
        authorization: str,
        *,
        writes: bool = False,
    ) -> Call:
        headers = {"Content-Type": "application/json"}
        if authorization:
            headers["Authorization"] = authorization
        url, sent = f"{self._settings.base_url}{path}", orjson.dumps(body)
        return Call(NAME, operation, method, url, headers, sent, writes, setup=self._setup)


def refusal(answer: httpx.Response, call: Call) -> ProviderError:
    """By its status alone: which code means what is not published."""
    said = try_json(answer.content)
    code = said.get("code") if isinstance(said, dict) else None
    reason = code if isinstance(code, str) and code.isalnum() and len(code) <= 20 else ""
    return status_error(answer, call, reason=reason)
