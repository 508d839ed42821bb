"""SMS through Infobip (SMS API, version 3).

Documentation: https://www.infobip.com/docs/api/channels/sms and
https://www.infobip.com/docs/developer-resources/api-fundamentals/message-status-codes. Every
account has an address of its own. Limits: a text lives at most 48 hours, and logs reach back as
far.

Nothing is delivered at night: a text's life ends with the contact window, and where the window
allows it a delivery window in UTC stands behind that.

What it cannot do, as far as is published: refuse a repeated `messageId`. So a text whose answer
was lost is never repeated. It carries an id of ours and is looked up in the logs; what they do not
show stays unclear, and a person is told.

Unverified: that logs show a text at once, the words for a rejected number and for a recipient who
has opted out (both are shown to a person), a delivery window that crosses midnight UTC (none is
sent then). Calls to us are not known to be signed: the address carries a secret, and the state is
always asked from Infobip.
"""

from __future__ import annotations

from app.ports import Connector
from connectors.infobip.messages import NAME, InfobipMessages
from connectors.infobip.settings import Settings
from connectors.infobip.trial import try_out

CONNECTOR = Connector(
    name=NAME,
    settings=Settings,
    messages=InfobipMessages,
    try_out=try_out,
)
