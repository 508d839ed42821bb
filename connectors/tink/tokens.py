"""Tink's tokens: one for our own application, one for each user, kept in memory and never shown.

Both live for half an hour and have no refresh token. A user's token is made of a code that the
application's token asks for; a code works once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

import httpx
import structlog

from app.domain.errors import ConsentEnd, ConsentGone, ProviderError, TryLater
from app.ports import Wire
from connectors._exchange import (
    FORM,
    Call,
    exchange,
    read_json,
    retry_after,
    status_error,
    unreadable,
)
from connectors._tokens import REFUSED_WAIT, life_in, renewed_once, token_in
from connectors.tink.refusals import not_there, other_refusal
from connectors.tink.settings import NAME, Settings

APP_SCOPE = "user:create,authorization:grant"
READ_SCOPE = (
    "accounts:read,accounts.balances:readonly,balance-refresh,balance-refresh:readonly,"
    "provider-consents:read"
)
LOOK_SCOPE = "transactions:read"
DELETE_SCOPE = "user:delete"
PAY_SCOPE = "payment:write,payment:read"
# A token that ends in the middle of a read is refused.
_MARGIN = timedelta(minutes=1)
_LONGEST_LIFE = timedelta(days=1)
_MOST_USERS = 2000


log = structlog.get_logger(NAME)


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    until: datetime


class Tokens:
    """The tokens of these settings in this process."""

    def __init__(self, settings: Settings, wire: Wire, scope: str = APP_SCOPE) -> None:
        self._settings = settings
        self._scope = scope
        self._wire = wire
        self._setup = settings.http_setup()
        self._app: _Token | None = None
        self._users: OrderedDict[tuple[str, str], _Token] = OrderedDict()
        self._shut_until: datetime | None = None
        self._one_at_a_time = asyncio.Lock()

    async def app(self, operation: str, *, refused: str = "") -> str:
        """The application's token. `refused` is one that Tink has just said no to.

        Raises TryLater: without a token nothing was asked, and nothing is said of a borrower.
        """
        async with self._one_at_a_time:
            now, held = self._wire.now(), self._app
            if held and held.value != refused and now < held.until:
                return held.value
            if self._shut_until and now < self._shut_until:
                wait = self._shut_until - now
                raise TryLater("no token for now", after=wait, connector=NAME, operation=operation)
            fields = {"grant_type": "client_credentials", "scope": self._scope}
            self._app = await self._made(fields, operation, shuts=True)
            self._shut_until = None
            return self._app.value

    async def user(
        self, user_id: str, operation: str, *, scope: str = READ_SCOPE, refused: str = ""
    ) -> str:
        """The token to act for one user. Raises ConsentGone when Tink has no such user."""
        key, now = (user_id, scope), self._wire.now()
        held = self._users.get(key)
        if held and held.value != refused and now < held.until:
            return held.value
        code = await self._code(user_id, scope, operation)
        made = await self._made({"grant_type": "authorization_code", "code": code}, operation)
        self._users[key] = made
        self._users.move_to_end(key)
        while len(self._users) > _MOST_USERS:
            self._users.popitem(last=False)
        return made.value

    def forget(self, user_id: str) -> None:
        """Drop the tokens of a user who is deleted."""
        for scope in (READ_SCOPE, LOOK_SCOPE, DELETE_SCOPE):
            self._users.pop((user_id, scope), None)

    async def _code(self, user_id: str, scope: str, operation: str) -> str:
        path = "/api/v1/oauth/authorization-grant"
        fields = {"user_id": user_id, "scope": scope}
        answer, call = await renewed_once(
            lambda refused: self.app(operation, refused=refused),
            lambda token: self._ask(path, fields, operation, token),
        )
        if not_there(answer):
            raise ConsentGone("there is no such user", why=ConsentEnd.UNKNOWN_AT_BANK, **call.where)
        if not answer.is_success:
            raise other_refusal(answer, call, self._wire.now())
        code = token_in(read_json(answer, call), "code")
        if code is None:
            raise unreadable("the answer holds no code", call, b"")
        return code

    async def _made(self, fields: dict[str, str], operation: str, *, shuts: bool = False) -> _Token:
        ours = {
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
        }
        answer, call = await self._ask("/api/v1/oauth/token", {**ours, **fields}, operation)
        now = self._wire.now()
        if not answer.is_success:
            raise self._no_token(answer, call, now, shuts=shuts)
        made = read_json(answer, call)
        value = token_in(made, "access_token")
        if value is None:
            raise unreadable("the answer holds no token", call, b"")
        serves = min(life_in(made, "expires_in"), _LONGEST_LIFE) - _MARGIN
        return _Token(value, now + serves)

    def _no_token(
        self, answer: httpx.Response, call: Call, now: datetime, *, shuts: bool
    ) -> ProviderError:
        status = answer.status_code
        if not 400 <= status < 500:
            return status_error(answer, call, now=now)
        wait = (retry_after(answer, now) if status == 429 else None) or REFUSED_WAIT
        if shuts:
            self._shut_until = now + wait
        if status != 429:
            log.error("credentials_refused", status=status)
        return TryLater(f"no token: HTTP {status}", after=wait, **call.where)

    async def _ask(
        self, path: str, fields: dict[str, str], operation: str, token: str = ""
    ) -> tuple[httpx.Response, Call]:
        headers = {**FORM, "Authorization": f"Bearer {token}"} if token else FORM
        url, body = f"{self._settings.base_url}{path}", urlencode(fields).encode()
        call = Call(NAME, operation, "POST", url, headers, body, setup=self._setup)
        return await exchange(self._wire.http, call), call
