"""Whether GoCardless takes our token: a request that never was is asked for."""

from __future__ import annotations

from typing import Any

from app.ports import Wire
from connectors._exchange import Call
from connectors._trial import knock
from connectors.gocardless_pay.desk import VERSION
from connectors.gocardless_pay.settings import NAME, Settings

_NO_REQUEST = "BRQ0000000000000"


async def try_out(settings: Settings, wire: Wire) -> None:
    """Raises Declined when the token is refused."""
    token = settings.access_token.get_secret_value()
    headers = {"Authorization": f"Bearer {token}", "GoCardless-Version": VERSION}
    url = f"{settings.base_url}/billing_requests/{_NO_REQUEST}"
    call = Call(NAME, "try_out", "GET", url, headers, setup=settings.http_setup())
    await knock(wire.http, call, _not_there)


def _not_there(status: int, refusal: Any) -> bool:
    error = refusal.get("error") if isinstance(refusal, dict) else None
    return status == 404 and isinstance(error, dict) and error.get("type") == "invalid_api_usage"
