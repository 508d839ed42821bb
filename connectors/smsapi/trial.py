"""Whether SMSAPI takes our token: the state of a text that never was is asked for."""

from __future__ import annotations

import httpx

from app.ports import Wire
from connectors._exchange import Call
from connectors._trial import knock
from connectors.smsapi.messages import NAME
from connectors.smsapi.refusals import ACCOUNT_BROKEN, stated_error
from connectors.smsapi.settings import Settings


async def try_out(settings: Settings, wire: Wire) -> None:
    """Raises Declined when the token is refused, or the account out of order."""
    headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
    url = f"{settings.base_url}/sms.do?status={'0' * 24}&format=json"
    call = Call(NAME, "try_out", "GET", url, headers, setup=settings.http_setup())
    await knock(wire.http, call, _word)


def _word(answer: httpx.Response) -> str:
    code = stated_error(answer)[1]
    return f"error {code}" if code in ACCOUNT_BROKEN else ""
