"""SMS through Vonage's SMS API (formerly Nexmo).

Documentation: https://developer.vonage.com/en/messaging/sms/overview and
https://developer.vonage.com/en/api-errors/sms. Limits: a text lives 20 seconds to 7 days, which
Saldo ends with the contact window; the address for receipts has at most 100 characters.

What it cannot do: recognise a repeated send (`client-ref` is only echoed), be searched, or be
asked where a text stands. So a text whose answer was lost is left to a person, and everything
after the sending is learnt from signed receipts alone: who has opted out, too, since such a text
is taken and fails later with `err-code` 9. The signature is therefore not optional.

Unverified: the parameters of an incoming text (`msisdn`, `text`, `messageId`), and what the error
codes of receipts other than 9 mean; none of them is taken for lasting.
"""

from __future__ import annotations

from app.ports import Connector
from connectors.vonage.messages import NAME, VonageMessages
from connectors.vonage.settings import Settings

CONNECTOR = Connector(name=NAME, settings=Settings, messages=VonageMessages)
