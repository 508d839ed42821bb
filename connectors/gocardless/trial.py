"""Whether GoCardless takes our user secrets: a token is made, and thrown away."""

from __future__ import annotations

from app.ports import Wire
from connectors.gocardless.settings import Settings
from connectors.gocardless.tokens import Tokens


async def try_out(settings: Settings, wire: Wire) -> None:
    """Raises TryLater, with the status, when it does not."""
    await Tokens(settings, wire).access("try_out")
