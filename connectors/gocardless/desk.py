"""How to talk to the API: which bank, which token, which addresses may be followed."""

from __future__ import annotations

import re
from typing import Any

import httpx
import orjson

from app.domain.errors import Declined, TryLater
from app.ports import Bank, Wire
from connectors._bank_list import listed
from connectors._exchange import Call, exchange
from connectors._ids import Ids
from connectors._tokens import REFUSED_WAIT, renewed_once
from connectors.gocardless.refusals import token_refused
from connectors.gocardless.settings import NAME, Institution, Settings
from connectors.gocardless.tokens import Tokens

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
IDS = Ids(NAME, _UUID, unknown="RESOURCE_UNKNOWN")


class Desk:
    """The banks of the settings and one way to ask the API about them."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when credentials or the list of banks are missing."""
        self._institutions = settings.institutions()
        self._base = f"{settings.base_url}/api/v2"
        self._setup = settings.http_setup()
        self._tokens = Tokens(settings, wire)
        self._http: httpx.AsyncClient = wire.http
        self.now = wire.now

    def banks(self) -> tuple[Bank, ...]:
        """The banks of the list; no network."""
        # Four a day of each kind of data: transactions take nothing of the balances' four.
        quirks = {"attended_reads_count": True, "transactions_apart": True}
        return tuple(one.bank(**quirks) for one in self._institutions.values())

    def institution(self, bank_id: str, operation: str) -> Institution:
        """The bank by our own name for it. Declined when it is no longer on the list."""
        return listed(self._institutions, bank_id, NAME, operation)

    async def ask(
        self,
        operation: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        writes: bool = False,
    ) -> tuple[httpx.Response, Call]:
        """The answer to one request, whatever its status, and the call it answers.

        A token that is refused at the door is renewed once; that refusal never reached a bank.
        """
        answer, call = await renewed_once(
            lambda refused: self._tokens.access(operation, refused=refused),
            lambda access: self._send(operation, method, path, body, access, writes=writes),
            token_refused,
        )
        if token_refused(answer):
            raise TryLater("new tokens are refused", after=REFUSED_WAIT, **call.where)
        return answer, call

    async def _send(
        self,
        operation: str,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        access: str,
        *,
        writes: bool,
    ) -> tuple[httpx.Response, Call]:
        headers = {"Authorization": f"Bearer {access}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        sent = None if body is None else orjson.dumps(body)
        url = f"{self._base}{path}"
        call = Call(NAME, operation, method, url, headers, sent, writes, setup=self._setup)
        return await exchange(self._http, call), call


def declined(detail: str, reason: str, operation: str) -> Declined:
    """Our own no, before anything is sent."""
    return Declined(detail, reason=reason, connector=NAME, operation=operation)
