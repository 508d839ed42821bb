"""Accounts (Data API v1) and payments (Payments API v3) through TrueLayer, in Europe and the UK.

Documentation: https://docs.truelayer.com/docs/create-a-connection (consents),
https://docs.truelayer.com/docs/account-data-requests (accounts, balances),
https://docs.truelayer.com/docs/data-api-errors (codes),
https://docs.truelayer.com/docs/single-payment-statuses, https://docs.truelayer.com/docs/cancel-a-payment
(payments), https://github.com/TrueLayer/truelayer-signing (signatures).

A connection is a pair of tokens. The access token lasts for about an hour; the refresh token is
exchanged for the next pair, after which it is spent, and has to be used within 30 days. So the
handle of a consent changes with every exchange (`RenewingPort`).

Limits: the vendor publishes no numbers of its own; it passes on that of the banks as 429
provider_too_many_requests. X-PSU-IP tells that the borrower is there.

What it cannot do: ask for a consent's end or for one account by its IBAN; be asked how a connection
stands (whether its refresh token is still taken is the only sign); tell a consent that ran out
from one that was taken back (its age tells). An exchange whose answer is lost loses the connection.

Unverified: no live bank has been reached from this project. Whether a spent refresh token is
refused at once; the codes of answers with 5xx; whether an overdraft is part of the available
balance differs from bank to bank. Payments are in
euro and to the lender's own IBAN alone. TrueLayer's webhooks only say when to ask for the status.
"""

from __future__ import annotations

from app.ports import Connector
from connectors.truelayer.aggregation import Aggregation
from connectors.truelayer.balances import parse_balances
from connectors.truelayer.hooks import Hooks
from connectors.truelayer.payments import Payments
from connectors.truelayer.settings import NAME, Settings
from connectors.truelayer.trial import try_out

CONNECTOR = Connector(
    name=NAME,
    settings=Settings,
    aggregation=Aggregation,
    payments=Payments,
    hooks=Hooks,
    parse_balances=parse_balances,
    try_out=try_out,
    needs_licence=True,
)
