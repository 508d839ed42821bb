"""SMS through SMSAPI (smsapi.pl in Poland, smsapi.com elsewhere), the `sms.do` interface.

Documentation: https://www.smsapi.pl/docs and https://www.smsapi.com/docs; the wire format here is
that of the vendor's own clients for Python, Java and PHP. Limits: a text's `expiration_date` lies
1 to 12 hours after its sending and is kept to five minutes, so nothing is sent in the last 65
minutes of a contact window: it could arrive at night.

What it does better than others: every text carries its row's own key as `idx` with `check_idx=1`,
and a repeated one is refused with error 53, which means "accepted before".

What it cannot do: be searched for a text whose id was lost. How long an `idx` is remembered is
published nowhere we could read; until SALDO_SMSAPI_IDX_MEMORY_HOURS says it, a text whose answer
was lost is left to a person, as with a provider that knows no `idx` at all.

Unverified: the status words beyond QUEUE and SENT, which alone the vendor's client names as not
final; the parameters of its calls to us, which is why their names are settings; whether texts to
numbers on its blacklist are refused, which is why the blacklist is asked before each text.
"""

from __future__ import annotations

from app.ports import Connector
from connectors.smsapi.messages import NAME, SmsapiMessages
from connectors.smsapi.settings import Settings
from connectors.smsapi.trial import try_out

CONNECTOR = Connector(
    name=NAME,
    settings=Settings,
    messages=SmsapiMessages,
    try_out=try_out,
)
