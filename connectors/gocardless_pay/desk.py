"""How to ask GoCardless's API, and what its refusals mean.

Bodies come in an envelope named after the resource, errors as `{"error": {type, code, errors}}`.
A creation that is repeated under its Idempotency-Key is refused with the id of what was made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import orjson
import structlog

from app.domain.errors import Declined, OutcomeUnknown, ProviderError, TryLater
from app.ports import Wire
from connectors._exchange import (
    Call,
    exchange,
    read_json,
    retry_after,
    sane_wait,
    status_error,
    unreadable,
)
from connectors._ids import Ids
from connectors._json import try_json
from connectors._tokens import REFUSED_WAIT
from connectors.gocardless_pay.settings import NAME, Settings

VERSION = "2015-07-06"
CONFLICT = "idempotent_creation_conflict"
# No limit of the API makes anybody wait longer.
_LONGEST_LIMIT = timedelta(hours=1)

_WORD = re.compile(r"[a-z_]{1,60}")
IDS = Ids(NAME, re.compile(r"[A-Z]{2,4}[A-Za-z0-9]{1,60}"))

log = structlog.get_logger(NAME)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error's type, the reasons in it, and what an earlier request under this key has made."""

    type: str = ""
    reasons: tuple[str, ...] = ()
    conflicting: str = ""


class AlreadyMade(Exception):
    """The creation was refused because its key had made this resource before."""

    def __init__(self, resource_id: str) -> None:
        super().__init__("made before")
        self.resource_id = resource_id


class Desk:
    """One way to ask, under the organisation's own token."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        self._base = settings.base_url
        self._token = settings.access_token.get_secret_value()
        self._setup = settings.http_setup()
        self._http: httpx.AsyncClient = wire.http
        self._now = wire.now

    def __repr__(self) -> str:
        return "Desk(…)"

    async def read(self, operation: str, path: str, name: str) -> dict[str, Any]:
        """The resource at this path. One that is not known (yet) is TryLater."""
        call = self._call(operation, "GET", path, {}, None, writes=False)
        return self._opened(await exchange(self._http, call), call, name)

    async def make(
        self, operation: str, path: str, name: str, content: Mapping[str, Any], key: str
    ) -> dict[str, Any]:
        """Make the resource. Raises AlreadyMade when this key has made one before."""
        return await self._write(operation, path, name, {name: content}, key)

    async def act(
        self, operation: str, path: str, name: str, content: Mapping[str, Any], key: str
    ) -> dict[str, Any]:
        """Have something done with a resource."""
        return await self._write(operation, path, name, {"data": content}, key)

    async def _write(
        self, operation: str, path: str, name: str, content: Mapping[str, Any], key: str
    ) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        body = orjson.dumps(content)
        call = self._call(operation, "POST", path, headers, body, writes=True, reference=key)
        return self._opened(await exchange(self._http, call), call, name)

    def _call(
        self,
        operation: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        writes: bool,
        reference: str = "",
    ) -> Call:
        ours = {"Authorization": f"Bearer {self._token}", "GoCardless-Version": VERSION, **headers}
        url = f"{self._base}{path}"
        return Call(NAME, operation, method, url, ours, body, writes, reference, self._setup)

    def _opened(self, answer: httpx.Response, call: Call, name: str) -> dict[str, Any]:
        if not answer.is_success:
            raise self._refused(answer, call)
        document = read_json(answer, call)
        inside = document.get(name) if isinstance(document, dict) else None
        if not isinstance(inside, dict):
            raise unreadable("the answer holds no such resource", call, answer.content)
        return inside

    def _refused(self, answer: httpx.Response, call: Call) -> Exception:
        found, status = read_refusal(answer.content), answer.status_code
        said = f"HTTP {status} {' '.join((found.type, *found.reasons))}".rstrip()
        if CONFLICT in found.reasons:
            return AlreadyMade(found.conflicting) if found.conflicting else _unclear(said, call)
        if status in (401, 403) and found.type:
            log.error("credentials_refused", operation=call.operation, status=status)
            return TryLater(said, after=REFUSED_WAIT, **call.where)
        if status == 429:
            return TryLater(said, after=limit_wait(answer, self._now()), **call.where)
        return status_error(answer, call, reason=found.type.upper(), now=self._now())


def read_refusal(body: bytes) -> Refusal:
    """Whatever comes as a refusal: never raises, empty where nothing can be read."""
    decoded = try_json(body)
    error = decoded.get("error") if isinstance(decoded, dict) else None
    if not isinstance(error, dict):
        return Refusal()
    listed = error.get("errors")
    inner = (
        [one for one in listed[:20] if isinstance(one, dict)] if isinstance(listed, list) else []
    )
    links = [one.get("links") for one in inner]
    ids = [one.get("conflicting_resource_id") for one in links if isinstance(one, dict)]
    return Refusal(
        _word(error.get("type")),
        tuple(filter(None, (_word(one.get("reason")) for one in inner))),
        next(filter(IDS.fits, ids), ""),
    )


def limit_wait(answer: httpx.Response, now: datetime) -> timedelta | None:
    """How long the API's own limit lasts, by ratelimit-reset or Retry-After; None where unsaid.

    Whether the reset is written as seconds or as a date was not published; both are read, and what
    makes no sense is no time.
    """
    stated = answer.headers.get("ratelimit-reset", "").strip()
    if re.fullmatch(r"-?\d{1,12}", stated, re.ASCII):
        wait = sane_wait(int(stated))
    else:
        headers = {"retry-after": stated, "date": answer.headers.get("date", "")}
        wait = retry_after(httpx.Response(429, headers=headers), now)
    wait = wait or retry_after(answer, now)
    return None if wait is None else min(wait, _LONGEST_LIMIT)


def declined(detail: str, reason: str, operation: str) -> Declined:
    """Our own no, before anything is sent."""
    return Declined(detail, reason=reason, connector=NAME, operation=operation)


def _word(value: Any) -> str:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def _unclear(said: str, call: Call) -> ProviderError:
    return OutcomeUnknown(said, **call.where)
