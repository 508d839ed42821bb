"""How to talk to the API: which bank, which token, which addresses may be followed."""

from __future__ import annotations

import re
from typing import Any

import httpx
import orjson
import structlog

from app.domain.errors import Declined, TryLater
from app.ports import Bank, Wire
from connectors._bank_list import listed
from connectors._exchange import Call, exchange, mask_text
from connectors._stated import page_address
from connectors.gocardless.refusals import token_refused
from connectors.gocardless.settings import NAME, Institution, Settings
from connectors.gocardless.tokens import REFUSED_WAIT, Tokens

log = structlog.get_logger(NAME)

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LINK = re.compile(r"[\x21-\x7e]{1,8000}")


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
        return tuple(
            one.bank(
                attended_reads_count=True,
            )
            for one in self._institutions.values()
        )

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
        access = await self._tokens.access(operation)
        call = self._call(operation, method, path, body, access, writes=writes)
        answer = await exchange(self._http, call)
        if not token_refused(answer):
            return answer, call
        access = await self._tokens.access(operation, refused=access)
        call = self._call(operation, method, path, body, access, writes=writes)
        answer = await exchange(self._http, call)
        if token_refused(answer):
            raise TryLater("new tokens are refused", after=REFUSED_WAIT, **call.where)
        return answer, call

    def _call(
        self,
        operation: str,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        access: str,
        *,
        writes: bool,
    ) -> Call:
        headers = {"Authorization": f"Bearer {access}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        sent = None if body is None else orjson.dumps(body)
        url = f"{self._base}{path}"
        return Call(NAME, operation, method, url, headers, sent, writes, setup=self._setup)


def uuid_in(value: Any) -> str | None:
    """An id of the API; all of them are UUIDs and fit in a path."""
    return value if isinstance(value, str) and _UUID.fullmatch(value) else None


def known_id(value: str, operation: str) -> str:
    """An id as part of a path. Declined for what the API cannot have given out."""
    if not _UUID.fullmatch(value):
        raise declined("the id cannot be asked for", "RESOURCE_UNKNOWN", operation)
    return value


def safe_page(value: Any) -> str | None:
    """An address a browser may be sent to, or None: https, or this machine's sandbox."""
    if not isinstance(value, str) or not _LINK.fullmatch(value):
        return None
    return page_address(value)


def declined(detail: str, reason: str, operation: str) -> Declined:
    """Our own no, before anything is sent."""
    return Declined(detail, reason=reason, connector=NAME, operation=operation)


def alarm(what: str, bank: Institution, word: object) -> None:
    """A word we do not know: mapped to the careful side, and reported."""
    shown = word[:40] if isinstance(word, str) else type(word).__name__
    plain = shown if re.fullmatch(r"[A-Za-z_]+", shown) else mask_text(shown)
    log.warning("unknown_word", what=what, bank=bank.id, word=plain)
