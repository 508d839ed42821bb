"""The public keys that TrueLayer signs its calls with, fetched from one address and no other.

A call names an address of keys itself (`jku`). It has to be the one of the settings, and that one
is asked: an address out of a call that nobody has verified yet is never followed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from app.domain.errors import NotAllowed, ProviderError, TryLater
from app.ports import Wire
from connectors._exchange import Call, exchange, read_json, status_error
from connectors._jws import ES512, key_of
from connectors.truelayer.settings import NAME, Settings

# Real time. A key that the vendor has withdrawn is believed for no longer than this.
KEPT_FOR = timedelta(hours=1)
# Real time. Calls with made-up keys must not make us ask more often.
ASKED_EVERY = timedelta(minutes=1)

_MOST_KEYS = 50
_OPERATION = "read_webhooks"


class HookKeys:
    """The vendor's key set, kept in this process for an hour at most."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        self._url = settings.webhook_keys_url
        self._setup = settings.http_setup()
        self._http: httpx.AsyncClient = wire.http
        self._now = wire.real_now
        self._one_at_a_time = asyncio.Lock()
        self._keys: Mapping[str, EllipticCurvePublicKey] = {}
        self._fetched_at: datetime | None = None
        self._asked_at: datetime | None = None

    async def key(self, key_id: str, stated_url: object) -> EllipticCurvePublicKey:
        """The key of this id. `stated_url` is the `jku` of the call.

        Raises NotAllowed for another address or a key that is not in the set, and TryLater while
        the set cannot be had: the vendor then calls again.
        """
        if stated_url != self._url:
            raise NotAllowed("The call names other keys than the vendor's.")
        async with self._one_at_a_time:
            kept = self._fetched_at is not None and self._now() < self._fetched_at + KEPT_FOR
            if (not kept or key_id not in self._keys) and self._may_ask(kept=kept):
                await self._fetch()
            found = self._keys.get(key_id)
        if found is None:
            raise NotAllowed("The call is signed with a key that is not the vendor's.")
        return found

    def _may_ask(self, *, kept: bool) -> bool:
        """A set that is too old is not used in place of one that cannot be asked for yet."""
        if self._asked_at is None or self._now() >= self._asked_at + ASKED_EVERY:
            return True
        if kept:
            return False
        raise TryLater(
            "the keys could not be had", after=ASKED_EVERY, connector=NAME, operation=_OPERATION
        )

    async def _fetch(self) -> None:
        self._asked_at = self._now()
        call = Call(NAME, _OPERATION, "GET", self._url, setup=self._setup)
        try:
            answer = await exchange(self._http, call)
            if not answer.is_success:
                raise status_error(answer, call)
            document = read_json(answer, call)
        except ProviderError as error:
            raise TryLater(f"no keys: {error.detail}", after=ASKED_EVERY, **call.where) from None
        self._keys = keys_in(document)
        self._fetched_at = self._now()


def keys_in(document: Any) -> dict[str, EllipticCurvePublicKey]:
    """The keys of a JWK set that can have signed a call: curve P-521, by their ids."""
    listed = document.get("keys") if isinstance(document, dict) else None
    found: dict[str, EllipticCurvePublicKey] = {}
    for one in listed[:_MOST_KEYS] if isinstance(listed, list) else []:
        key_id = one.get("kid") if isinstance(one, dict) else None
        key = key_of(one, ES512)
        if isinstance(key_id, str) and key is not None:
            found[key_id] = key
    return found
