"""Whether Plaid takes our client: the key of a call that never was is asked for."""

from __future__ import annotations

from typing import Any

import httpx
import orjson

from app.ports import Wire
from connectors._exchange import Call
from connectors._trial import knock
from connectors.plaid.refusals import read_refusal, refusal_in
from connectors.plaid.settings import NAME, Settings

_OUR_STANDING = ("INVALID_API_KEYS", "UNAUTHORIZED_ENVIRONMENT")
_NO_KEY = "00000000-0000-0000-0000-000000000000"


async def try_out(settings: Settings, wire: Wire) -> None:
    """Raises Declined when the client or its secret is refused."""
    content = {
        "client_id": settings.client_id,
        "secret": settings.secret.get_secret_value(),
        "key_id": _NO_KEY,
    }
    url, headers = (
        f"{settings.base_url}/webhook_verification_key/get",
        {"Content-Type": "application/json"},
    )
    body, setup = orjson.dumps(content), settings.http_setup()
    call = Call(NAME, "try_out", "POST", url, headers, body, setup=setup)
    await knock(wire.http, call, _unknown_key, _word)


def _unknown_key(status: int, body: Any) -> bool:
    """Fields that are missing are complained of before anybody looks whose they are."""
    refusal = refusal_in(body)
    return status == 400 and refusal.type == "INVALID_INPUT" and bool(refusal.code)


def _word(answer: httpx.Response) -> str:
    code = read_refusal(answer.content).code
    return code if code in _OUR_STANDING else ""
