"""Accounts and payments through Tink (Visa): connections by Tink Link, balances fetched on demand.

Documentation: https://docs.tink.com/api (Connectivity v1, Data v2),
https://docs.tink.com/resources/transactions/managing-consents (states of a connection),
https://docs.tink.com/resources/payments/one-time-payments (payment requests). Every
consent has a user of its own at Tink, which is deleted when the consent ends.

Limits: a quota of balance refreshes of which no number is published; beyond it 429. Tokens live
for half an hour and are kept in each process. There is no word for a present payer: attended and
unattended reads count alike.

What it cannot do: take a payment request back. It has no state, never ends, and can be paid twice,
so that payments have to be accepted as they are (docs/providers/tink.md). Choosing the account by
IBAN before the borrower is at his bank; ask for a last day, so that it is kept here.

Unverified: no live account has been reached from this project. The quota of refreshes; which events
come when a connection is taken back (it is also asked for once a day); which word a bank connection
gets when the borrower takes it back at his bank (one that ends before its named day, and one that
is refused after it had accounts, count as revoked); the words of Tink Link's errors (any `error`
counts as a refusal, unless a bank is connected); whether Tink Link takes `input_provider`; the code
of the answer for a user who is gone (Tink's own 404 counts); how long a remittance text may be.
"""

from __future__ import annotations

from app.ports import Connector, Wire
from connectors.tink.aggregation import Aggregation
from connectors.tink.balances import parse_balances
from connectors.tink.hooks import Hooks
from connectors.tink.payments import Payments
from connectors.tink.settings import NAME, Settings
from connectors.tink.transactions import LookingAggregation
from connectors.tink.trial import try_out


def aggregation(settings: Settings, wire: Wire) -> Aggregation:
    """With a look at transactions where the contract has a flow for it."""
    looking = bool(settings.transactions_link_url)
    return LookingAggregation(settings, wire) if looking else Aggregation(settings, wire)


CONNECTOR = Connector(
    name=NAME,
    settings=Settings,
    aggregation=aggregation,
    payments=Payments,
    hooks=Hooks,
    parse_balances=parse_balances,
    try_out=try_out,
    needs_licence=True,
)
