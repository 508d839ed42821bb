"""The calls the SMS exchange makes to its customer, signed as Twilio signs them.

Signature: HMAC-SHA1 with the account's token over the full URL followed by every form parameter,
names in byte order, each name and value joined without separators; base64. A name with several
values contributes its distinct values in order.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import time
from collections.abc import Iterable
from urllib.parse import urlencode

import httpx

from sandbox.faces.gateway_calls import Prepared, prepare
from sandbox.faces.pages import ROBOT
from sandbox.records import Callback
from sandbox.world import World

# A customer's webhook that does not answer in this many real seconds counts as unreachable.
_PATIENCE_S = 5.0
_AT_ONCE = 16


def signature(token: str, url: str, params: Iterable[tuple[str, str]]) -> str:
    """The value of X-Twilio-Signature for a form post to `url`."""
    values: dict[str, set[str]] = {}
    for name, value in params:
        values.setdefault(name, set()).add(value)
    text = url + "".join(name + value for name in sorted(values) for value in sorted(values[name]))
    digest = hmac.new(token.encode(), text.encode(), "sha1").digest()
    return base64.b64encode(digest).decode()


async def make_call(world: World, http: httpx.AsyncClient, callback: Callback) -> int | None:
    """One call to the customer's webhook; its HTTP status, or None when nobody was reached."""
    made = _twilio(world, callback) if callback.gateway == "twilio" else prepare(world, callback)
    try:
        answer = await http.post(
            made.url, content=made.content, headers=made.headers, timeout=_PATIENCE_S
        )
    except httpx.HTTPError:
        return None
    return answer.status_code


def _twilio(world: World, callback: Callback) -> Prepared:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "User-Agent": f"TwilioProxy/1.1 ({ROBOT})",
        "I-Twilio-Idempotency-Token": callback.id,
    }
    if callback.signature == "good":
        signed = signature(world.texts.account.token, callback.url, callback.params)
        headers["X-Twilio-Signature"] = signed
    elif callback.signature == "bad":
        headers["X-Twilio-Signature"] = signature("another token", callback.url, callback.params)
    return Prepared(callback.url, headers, urlencode(callback.params).encode())


class Caller:
    """Makes the calls that are due. A customer who could not be reached is tried again after
    some real seconds, a few times.
    """

    def __init__(self, world: World, http: httpx.AsyncClient) -> None:
        self._world = world
        self._http = http
        self._not_before: dict[str, float] = {}

    async def make_due_calls(self) -> int:
        """Make every call that is due now; how many reached somebody."""
        real = time.monotonic()
        due = [
            callback
            for callback in self._world.texts.due_callbacks(self._world.now())
            if real >= self._not_before.get(callback.id, 0.0)
        ]
        results = await asyncio.gather(*(self._one(callback) for callback in due[:_AT_ONCE]))
        return sum(results)

    async def _one(self, callback: Callback) -> bool:
        status = await make_call(self._world, self._http, callback)
        reached = status is not None and status < 500
        self._world.texts.called(callback, reached=reached)
        if reached:
            self._not_before.pop(callback.id, None)
        else:
            self._not_before[callback.id] = time.monotonic() + 2.0**callback.tries
        return reached
