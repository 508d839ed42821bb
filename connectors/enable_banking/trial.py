"""Whether Enable Banking knows our application, by its own description of it."""

from __future__ import annotations

from typing import Any

from app.ports import Wire
from connectors._exchange import Call
from connectors._trial import knock
from connectors.enable_banking.settings import NAME, Settings
from connectors.enable_banking.signer import Signer


async def try_out(settings: Settings, wire: Wire) -> None:
    """Raises Declined when the token that we sign is refused."""
    signer = Signer(settings.app_id, settings.private_key, wire.real_now)
    url, headers = f"{settings.base_url}/application", {"Authorization": signer.header()}
    call = Call(NAME, "try_out", "GET", url, headers, setup=settings.http_setup())
    await knock(wire.http, call, lambda status, body: _is_ours(status, body, settings.app_id))


def _is_ours(status: int, described: Any, app_id: str) -> bool:
    kid = described.get("kid") if isinstance(described, dict) else None
    return status == 200 and isinstance(kid, str) and kid.lower() == app_id.lower()
