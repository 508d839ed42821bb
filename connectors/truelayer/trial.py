"""Whether TrueLayer takes our client.

A client is checked before what it asks for (RFC 6749, 5.2): a code that never was is refused with
another word than a client that is unknown. A token for payments is asked for only where payments
are meant, since not every client may have one.
"""

from __future__ import annotations

from app.domain.errors import Declined
from app.ports import Wire
from connectors.truelayer.settings import NAME, Settings
from connectors.truelayer.tokens import TokenDesk

_OPERATION = "try_out"


async def try_out(settings: Settings, wire: Wire) -> None:
    """Raises Declined or TryLater, with the vendor's word, when it does not."""
    desk = TokenDesk(settings, wire)
    if settings.key_id:
        await desk.of_client(_OPERATION)
        return
    word = await desk.refuses_client(_OPERATION)
    if word:
        raise Declined(word, reason=word.upper(), connector=NAME, operation=_OPERATION)
