"""How to talk to Tink: which bank, for which user, with which token."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import httpx
import orjson

from app.domain.errors import Declined, TryLater
from app.ports import Bank, Wire
from connectors._bank_list import listed
from connectors._exchange import FORM, Call, exchange, read_json, unreadable
from connectors._tokens import REFUSED_WAIT, renewed_once, unauthorised
from connectors.tink.refusals import other_refusal
from connectors.tink.settings import NAME, Provider, Settings
from connectors.tink.tokens import APP_SCOPE, READ_SCOPE, Tokens


class Desk:
    """The banks of the settings and the ways to ask Tink about them."""

    def __init__(self, settings: Settings, wire: Wire, *, scope: str = APP_SCOPE) -> None:
        """`scope` is what our own application asks for.

        Raises Misconfigured when credentials or the list of banks are missing.
        """
        self._providers = settings.providers()
        self._base = settings.base_url
        self._setup = settings.http_setup()
        self._http: httpx.AsyncClient = wire.http
        self.tokens = Tokens(settings, wire, scope)
        self.now = wire.now

    def banks(self) -> tuple[Bank, ...]:
        """The banks of the list; no network."""
        return tuple(one.bank(attended_reads_count=True) for one in self._providers.values())

    def provider(self, bank_id: str, operation: str) -> Provider:
        """The bank by our own name for it. Declined when it is no longer on the list."""
        return listed(self._providers, bank_id, NAME, operation)

    async def made(
        self,
        operation: str,
        path: str,
        *,
        fields: dict[str, str] | None = None,
        content: dict[str, Any] | None = None,
    ) -> tuple[dict[str, Any], Call]:
        """The answer to a POST of our own application, as a form or as JSON."""
        body = orjson.dumps(content) if content is not None else urlencode(fields or {}).encode()
        kind = {"Content-Type": "application/json"} if content is not None else FORM
        answer, call = await self.by_app(operation, "POST", path, body, kind, writes=True)
        if not answer.is_success:
            raise other_refusal(answer, call, self.now())
        return object_in(answer, call), call

    async def by_app(
        self,
        operation: str,
        method: str,
        path: str,
        body: bytes | None = None,
        kind: dict[str, str] | None = None,
        *,
        writes: bool = False,
    ) -> tuple[httpx.Response, Call]:
        """The answer to our own application, whatever its status, and the call it answers.

        A token that is refused is renewed once: what was refused at the door was not done.
        """
        return await renewed_once(
            lambda refused: self.tokens.app(operation, refused=refused),
            lambda token: self._send(
                operation, method, path, token, body, kind or {}, writes=writes
            ),
        )

    async def ask(
        self,
        user_id: str,
        operation: str,
        method: str,
        path: str,
        *,
        content: dict[str, Any] | None = None,
        scope: str = READ_SCOPE,
    ) -> tuple[httpx.Response, Call]:
        """The answer to one request for a user, whatever its status, and the call it answers.

        A token that is refused is renewed once; that refusal never reached a bank. None of these
        requests does something twice when it is repeated, so a lost answer is no reason for care.
        """
        body = None if content is None else orjson.dumps(content)
        kind = {} if content is None else {"Content-Type": "application/json"}
        answer, call = await renewed_once(
            lambda refused: self.tokens.user(user_id, operation, scope=scope, refused=refused),
            lambda token: self._send(operation, method, path, token, body, kind),
        )
        if unauthorised(answer):
            raise TryLater("new tokens are refused", after=REFUSED_WAIT, **call.where)
        return answer, call

    async def _send(
        self,
        operation: str,
        method: str,
        path: str,
        token: str,
        body: bytes | None,
        kind: dict[str, str],
        *,
        writes: bool = False,
    ) -> tuple[httpx.Response, Call]:
        headers = {**kind, "Authorization": f"Bearer {token}"}
        url = f"{self._base}{path}"
        call = Call(NAME, operation, method, url, headers, body, writes, setup=self._setup)
        return await exchange(self._http, call), call


def object_in(answer: httpx.Response, call: Call) -> dict[str, Any]:
    """The answer as an object. Raises Unreadable, or OutcomeUnknown for a write."""
    made = read_json(answer, call)
    if not isinstance(made, dict):
        raise unreadable("the answer is not an object", call, answer.content)
    return made


def declined(detail: str, reason: str, operation: str) -> Declined:
    """Our own no, before anything is sent."""
    return Declined(detail, reason=reason, connector=NAME, operation=operation)
