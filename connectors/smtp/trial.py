"""Whether the mail server lets us in: a connection, its security and the sign-in, and no e-mail."""

from __future__ import annotations

import asyncio

from app.domain.errors import TryLater
from app.ports import Wire
from connectors.smtp.messages import NAME, Settings, SmtpEmails


async def try_out(settings: Settings, wire: Wire) -> None:
    """Raises TryLater, with the server's code, when it does not."""
    try:
        async with asyncio.timeout(settings.timeout_seconds):
            await SmtpEmails(settings, wire).sign_in()
    except TimeoutError:
        raise TryLater("no answer in time", connector=NAME, operation="try_out") from None
