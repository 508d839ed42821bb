"""Accounts and payments through Enable Banking, an aggregator of European banks (Finland).

Sessions of the borrower as consents, accounts, balances; single payments. Documentation:
https://enablebanking.com/docs/api/reference/ (OpenAPI, version 1.0.0-3030f99c). Every call carries
a token that we sign ourselves (RS256) for an application registered in the vendor's control panel.

Limits: the vendor publishes no numbers of its own; it passes on that of the banks, four unattended
reads in 24 hours, as 429 ASPSP_RATE_LIMIT_EXCEEDED. No answer states what is left of it.

What it cannot do: take an open payment back, so that payments have to be accepted as they are
(docs/providers/enable_banking.md); believe the vendor's calls about them; learn of an authorisation
whose borrower never came back, since the code that opens the session travels with his browser
alone; ask for a number of reads a day.

Unverified: how long a payment page can be authorised, so that a setting has to say so; which HTTP
status goes with which error code, so that only the code is read; how a refusal in the browser is
worded, so that any error there counts as one; whether the contract with the vendor covers a lender
without an authorisation of his own, so that SALDO_TPP_BASIS has to name it.
"""

from __future__ import annotations

from app.ports import Connector
from connectors.enable_banking.aggregation import Aggregation
from connectors.enable_banking.balances import parse_balances
from connectors.enable_banking.payments import Payments
from connectors.enable_banking.settings import NAME, Settings, bank_readers
from connectors.enable_banking.trial import try_out

CONNECTOR = Connector(
    name=NAME,
    settings=Settings,
    aggregation=Aggregation,
    payments=Payments,
    parse_balances=parse_balances,
    bank_readers=bank_readers,
    try_out=try_out,
    needs_licence=True,
)
