"""Tink's webhooks about connections that are no longer in order: `refresh:finished`, signed.

Only what Tink's background look at the bank finds is told here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from datetime import datetime

import orjson

from sandbox.faces.gateway_calls import Prepared
from sandbox.faces.tink_reads import TinkReads, TinkUser
from sandbox.world import World

HOOK_SECRET = "sandbox-tink-hooks"  # noqa: S105 - opens nothing but this sandbox
_TOLD = ("AUTHENTICATION_ERROR", "SESSION_EXPIRED", "PERMANENT_ERROR")


class TinkUsers:
    """The users of Tink's one customer, by their ids."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reads = TinkReads(world)

    def troubled(self) -> Iterator[tuple[str, str]]:
        """Users whose connection has ended, where the customer wants to be called."""
        if not self._world.hooks.urls.get("tink"):
            return
        for user in self._world.store.all_of("tink_user", TinkUser):
            found = [] if user.deleted else self._reads.connections(user)
            word = str(found[0]["status"]) if found else ""
            if word in _TOLD:
                yield user.id, word

    def call(self, connection_id: str, word: str, at: datetime) -> Prepared:
        """One call."""
        users = self._world.store.all_of("tink_user", TinkUser)
        user = next(one for one in users if one.id == connection_id)
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
        return Prepared(self._world.hooks.urls["tink"], signed(body, int(at.timestamp())), body)


def signed(body: bytes, seconds: int, secret: str = HOOK_SECRET) -> dict[str, str]:
    """The headers of a call signed at this moment."""
    text = f"{seconds}.".encode() + body
    digest = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Tink-Signature": f"t={seconds},v1={digest}"}
