"""Providers that call their customer when a connection to a bank is no longer in order.

Each change is told once; a call that reaches nobody is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import httpx

from sandbox.clock import Now, real_now
from sandbox.faces.gateway_calls import Prepared
from sandbox.faces.plaid_news import PlaidItems
from sandbox.faces.tink_news import TinkUsers
from sandbox.world import World

_KIND = "connection_told"
_PATIENCE_S = 5.0


class Teller(Protocol):
    """One provider: its connections that are out of order, each with a word for its trouble."""

    def troubled(self) -> Iterator[tuple[str, str]]: ...

    def call(self, connection_id: str, word: str, at: datetime) -> Prepared: ...


@dataclass(slots=True)
class _Told:
    """The word on a connection that was told last."""

    id: str
    word: str


class ConnectionNews:
    """What the providers tell their customer."""

    def __init__(self, world: World, http: httpx.AsyncClient, real: Now = real_now) -> None:
        self._store = world.store
        self._http = http
        self._real = real
        self._tellers: tuple[Teller, ...] = (PlaidItems(world), TinkUsers(world))
        self._told = {one.id: one.word for one in world.store.all_of(_KIND, _Told)}

    def calls(self) -> list[Prepared]:
        """The calls to make now, each change once."""
        made = []
        for teller in self._tellers:
            for connection_id, word in teller.troubled():
                if self._told.get(connection_id) == word:
                    continue
                self._told[connection_id] = word
                self._store.put(_KIND, connection_id, _Told(connection_id, word))
                made.append(teller.call(connection_id, word, self._real()))
        return made

    async def make_due_calls(self) -> None:
        """Make every call that is due, once."""
        for made in self.calls():
            try:
                await self._http.post(
                    made.url, content=made.content, headers=made.headers, timeout=_PATIENCE_S
                )
            except httpx.HTTPError:
                continue
