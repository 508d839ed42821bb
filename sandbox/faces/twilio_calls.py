"""The calls the SMS exchange makes to its customer, signed as Twilio signs them.

Signature: HMAC-SHA1 with the account's token over the full URL followed by every form parameter,
names in byte order, each name and value joined without separators; base64. A name with several
values contributes its distinct values in order.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from urllib.parse import urlencode

import httpx

from sandbox.faces.pages import ROBOT
from sandbox.records import Callback
from sandbox.world import World

# A customer's webhook that does not answer in this many real seconds counts as unreachable.
_PATIENCE_S = 5.0


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
    body = urlencode(callback.params)
    try:
        answer = await http.post(callback.url, content=body, headers=headers, timeout=_PATIENCE_S)
    except httpx.HTTPError:
        return None
    return answer.status_code


async def make_due_calls(world: World, http: httpx.AsyncClient) -> int:
    """Make every call that is due now, in order; how many reached somebody."""
    reached = 0
    for callback in world.texts.due_callbacks(world.now()):
        status = await make_call(world, http, callback)
        world.texts.called(callback, reached=status is not None and status < 500)
        reached += status is not None
    return reached
