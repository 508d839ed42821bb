"""Tink's webhooks about connections that are no longer in order: `refresh:finished`, signed.

Only what Tink's background look at the bank finds is told here; a call that reaches nobody is
lost, as Tink's are.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

import httpx
import orjson

from sandbox.clock import Now, real_now
from sandbox.faces.gateway_calls import Prepared
from sandbox.faces.tink_reads import TinkReads, TinkUser
from sandbox.world import World

HOOK_SECRET = "sandbox-tink-hooks"  # noqa: S105 - opens nothing but this sandbox
_TOLD = ("AUTHENTICATION_ERROR", "SESSION_EXPIRED", "PERMANENT_ERROR")
_KIND = "tink_told"
_PATIENCE_S = 5.0


@dataclass(slots=True)
class _Told:
    """The word on a user's connection that was told last."""

    id: str
    word: str


class TinkNews:
    """What Tink tells its customer of the connections of his users."""

    def __init__(self, world: World, http: httpx.AsyncClient, real: Now = real_now) -> None:
        self._world = world
        self._http = http
        self._real = real
        self._reads = TinkReads(world)
        self._told = {one.id: one.word for one in world.store.all_of(_KIND, _Told)}

    def calls(self) -> list[Prepared]:
        """The calls to make now, each change once."""
        url = self._world.hooks.urls.get("tink")
        made = []
        for user in self._world.store.all_of("tink_user", TinkUser) if url else ():
            word = "" if user.deleted else self._word(user)
            if url and word in _TOLD and self._told.get(user.id) != word:
                self._told[user.id] = word
                self._world.store.put(_KIND, user.id, _Told(user.id, word))
                made.append(self._call(url, user, word))
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

    def _word(self, user: TinkUser) -> str:
        found = self._reads.connections(user)
        return str(found[0]["status"]) if found else ""

    def _call(self, url: str, user: TinkUser, word: str) -> Prepared:
        at = self._real()
        body = orjson.dumps(
            {
                "context": {"userId": user.id, "externalUserId": user.external_id},
                "event": "refresh:finished",
                "content": {
                    "credentialsId": user.credentials_id,
                    "credentialsStatus": word,
                    "finished": int(at.timestamp() * 1000),
                    "source": "OPERATION_SOURCE_BACKGROUND",
                    "status": "FAILED",
                },
            }
        )
        return Prepared(url, signed(body, int(at.timestamp())), body)


def signed(body: bytes, seconds: int, secret: str = HOOK_SECRET) -> dict[str, str]:
    """The headers of a call signed at this moment."""
    text = f"{seconds}.".encode() + body
    digest = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Tink-Signature": f"t={seconds},v1={digest}"}
