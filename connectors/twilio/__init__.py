"""SMS through Twilio's Programmable Messaging (REST API 2010-04-01).

Documentation: https://www.twilio.com/docs/messaging/api/message-resource. Limits: 1,600 characters
a message; a message waits at Twilio for at most its ValidityPeriod (1 to 36,000 seconds), which
Saldo sets to the end of the permitted contact window.

What it cannot do: recognise a repeated send. Twilio has no idempotency key, so a lost answer is
never repeated but looked up: the borrower's messages are listed and searched for the link's
token. Keep the bodies readable at Twilio (no redaction) for as long as such a look-up may take.

Unverified: whether the DateSent filter of the list finds messages that have not left yet. They
have no date then, so the filter is not used; the list is narrowed by number alone.
"""

from __future__ import annotations

from app.ports import Connector
from connectors.twilio.messages import NAME, Settings, TwilioMessages
from connectors.twilio.trial import try_out

CONNECTOR = Connector(
    name=NAME,
    settings=Settings,
    messages=TwilioMessages,
    try_out=try_out,
)
