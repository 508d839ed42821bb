"""GoCardless Bank Account Data (formerly Nordigen): consents and balances through an aggregator.

Documentation: https://developer.gocardless.com/bank-account-data/quick-start-guide (steps),
https://developer.gocardless.com/bank-account-data/statuses (states),
https://bankaccountdata.zendesk.com/hc/en-gb (limits, errors of accounts). GoCardless takes no new
customers for this product: it serves contracts that exist.

Limits: four successful reads in 24 hours per account and kind of data (the bank's limit), and per
company 100 account calls a minute and 100 new tokens an hour (the API's limit). Tokens are kept
for their day in each process. There is no word for a present payer: attended and unattended
reads count alike.

What it cannot do: payments, notifications (status is asked for), choosing the account by IBAN
before the borrower is at his bank.

Unverified: no live account has been reached from this project. GoCardless says "expired or
revoked" in one word; an access that ends before its agreed time is taken for revoked. In the UK
an agreement needs the borrower's reconfirmation after 90 days: Saldo asks for no more than 90
days there and renews. The requisition words ID, ER and SU are named without a meaning and leave
the consent pending, with an alarm.
"""

from __future__ import annotations

from app.ports import Connector
from connectors.berlin_group.balances import parse_balances
from connectors.gocardless.aggregation import Aggregation
from connectors.gocardless.settings import NAME, Settings, bank_readers
from connectors.gocardless.trial import try_out

CONNECTOR = Connector(
    name=NAME,
    settings=Settings,
    aggregation=Aggregation,
    # The aggregator hands the banks' balances on in the words of NextGenPSD2.
    parse_balances=parse_balances,
    bank_readers=bank_readers,
    try_out=try_out,
    needs_licence=True,
)
