"""Unnax (Spain): consents and balances, as far as they are public. Experimental, unverified.

Unnax's reference is not public. What is written here follows its help centre
(https://unnaxsupport.freshdesk.com) and programs that others have published: the reader session
with tokenisation, how requests are authorised, the envelope of callbacks, and how `fitnance_read`
is encrypted. Everything else is a required entry of the operator's `reference` file, taken from
his own copy of Unnax's documentation; nothing is guessed, and nothing works while one is missing.

Reads are asynchronous: Saldo asks, and the figures come by a callback, for which one read waits
some seconds (docs/adr/0017). A result that comes later is not used.

What it cannot do: payments. No way is known to take a pay-in back or to ask for its state, so that
one whose link is still open could be paid when nothing is owed any more. Callbacks about pay-ins
are understood and verified, and change nothing. It cannot tell a consent that lapsed from one that
was revoked, nor a spent allowance from other trouble: no code for it is known. What is refused is
tried later; the consent ends on the day that the borrower was told.

Unverified: all of it, against the real Unnax. The sandbox's face knows no more than this.
"""

from __future__ import annotations

from app.ports import Connector
from connectors.unnax.aggregation import Aggregation
from connectors.unnax.balances import parse_balances
from connectors.unnax.hooks import Hooks
from connectors.unnax.settings import NAME, Settings

CONNECTOR = Connector(
    name=NAME,
    settings=Settings,
    aggregation=Aggregation,
    hooks=Hooks,
    parse_balances=parse_balances,
    needs_licence=True,
)
