"""Whether Twilio takes our account and key: a message that never was is asked for."""

from __future__ import annotations

from app.domain.errors import Declined, Unreadable
from app.ports import Wire
from connectors.twilio.messages import NAME, Settings, TwilioMessages

_NO_MESSAGE = "SM" + "0" * 32
_NOT_THERE = "20404"


async def try_out(settings: Settings, wire: Wire) -> None:
    """Raises TryLater, with the status, when it does not."""
    try:
        await TwilioMessages(settings, wire).message_now(_NO_MESSAGE)
    except Declined as no:
        # Let in, and told in Twilio's own words that there is no such message.
        if no.reason == _NOT_THERE:
            return
        raise
    raise Unreadable("it knows a message that never was", connector=NAME, operation="try_out")
