"""Whether Tink takes our client: a token of the application is made, and thrown away."""

from __future__ import annotations

from app.ports import Wire
from connectors.tink.settings import Settings
from connectors.tink.tokens import Tokens


async def try_out(settings: Settings, wire: Wire) -> None:
    """Raises TryLater, with the status, when it does not."""
    await Tokens(settings, wire).app("try_out")
