"""Whether Infobip takes our key: the log of a text that never was is asked for."""

from __future__ import annotations

from typing import Any

from app.ports import Wire
from connectors._exchange import Call
from connectors._trial import knock
from connectors.infobip.messages import NAME
from connectors.infobip.settings import Settings


async def try_out(settings: Settings, wire: Wire) -> None:
    """Raises Declined when the key is refused."""
    headers = {"Authorization": f"App {settings.api_key.get_secret_value()}"}
    url = f"{settings.base_url}/sms/3/logs?messageId={'0' * 32}"
    call = Call(NAME, "try_out", "GET", url, headers, setup=settings.http_setup())
    await knock(wire.http, call, _is_log)


def _is_log(status: int, body: Any) -> bool:
    return status == 200 and isinstance(body, dict) and isinstance(body.get("results"), list)
