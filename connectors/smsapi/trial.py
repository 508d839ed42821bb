"""Whether SMSAPI takes our token: the state of a text that never was is asked for."""

from __future__ import annotations

from typing import Any

import httpx

from app.ports import Wire
from connectors._exchange import Call
from connectors._trial import knock
from connectors.smsapi.messages import NAME
from connectors.smsapi.refusals import ACCOUNT_BROKEN, NO_SUCH_TEXT, code_in, stated_error
from connectors.smsapi.settings import Settings


async def try_out(settings: Settings, wire: Wire) -> None:
    """Raises Declined when the token is refused, or the account out of order."""
    headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
    url = f"{settings.base_url}/sms.do?status={'0' * 24}&format=json"
    call = Call(NAME, "try_out", "GET", url, headers, setup=settings.http_setup())
    await knock(wire.http, call, _knows, _word)


def _knows(status: int, body: Any) -> bool:
    """Its error for a text that is not there, whatever the status; or an empty list."""
    listed = isinstance(body, dict) and isinstance(body.get("list"), list)
    return code_in(body, b"") == NO_SUCH_TEXT or (status == 200 and listed)


def _word(answer: httpx.Response) -> str:
    code = stated_error(answer)[1]
    return f"error {code}" if code in ACCOUNT_BROKEN else ""
