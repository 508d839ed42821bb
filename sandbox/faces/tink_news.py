"""Tink's webhooks, signed: `payment:updated`, and `refresh:finished` about connections.

Of connections only what Tink's background look at the bank finds is told here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from datetime import datetime

import orjson

from sandbox.faces.gateway_calls import Prepared
from sandbox.faces.tink_pay import PaymentRequest, transfer, word_of
from sandbox.faces.tink_reads import TinkReads, TinkUser
from sandbox.faces.told import Told
from sandbox.records import Payment
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


def word(payment: Payment, now: datetime) -> str:
    """What is told of a transfer: only its ends."""
    stands = word_of(payment, now)
    return "" if stands == "AWAITING_CREDENTIALS" else stands


def prepare(world: World, told: Told) -> Prepared:
    """One call about a transfer: signed, signed by somebody else, or not at all."""
    found = world.store.all_of("tink_request", PaymentRequest)
    request = next(one for one in found if told.payment.id in one.payments)
    about = transfer(request, told.payment, world.now())
    body = orjson.dumps(
        {
            "context": {"userId": "", "externalUserId": ""},
            "event": "payment:updated",
            "content": {**about, "status": told.word},
        }
    )
    secret = HOOK_SECRET if told.signature == "good" else "guessed"
    headers = signed(body, int(told.signed_at.timestamp()), secret)
    if told.signature == "none":
        del headers["X-Tink-Signature"]
    return Prepared(world.hooks.urls["tink"], headers, body)


def signed(body: bytes, seconds: int, secret: str = HOOK_SECRET) -> dict[str, str]:
    """The headers of a call signed at this moment."""
    text = f"{seconds}.".encode() + body
    digest = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Tink-Signature": f"t={seconds},v1={digest}"}
