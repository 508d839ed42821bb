"""Accounts and payments in the EU and the UK through Plaid: hosted Link, items, live balances.

Documentation: https://plaid.com/docs/link/hosted-link/, https://plaid.com/docs/api/items/,
https://plaid.com/docs/api/products/balance/, https://plaid.com/docs/payment-initiation/,
https://plaid.com/docs/errors/; the vendor's OpenAPI
description (2020-09-14, 1.697.4).

Limits: of an item and of a client, told apart by their codes; the numbers are a matter of the
contract. A live read takes mostly under ten seconds, at times over thirty. There is no word for a
present payer: attended and unattended reads count alike.

What it cannot do: take an open payment back, so that payments have to be accepted as they are
(docs/providers/plaid.md); carry a reference of more than 18 letters and digits with a payment;
choosing the account by IBAN before the borrower is at his bank; ask for a last day, so that it is
kept here; an IBAN of accounts in the UK.

Unverified: no live account has been reached from this project. Whether Plaid wants the address of
return registered; the code for a consent that the borrower took back (before the day named for
its end a refused login counts as that); what is listed of a blocked account; the names in the
token of its webhooks, which are those in common use (the daily look does not need them).
"""

from __future__ import annotations

from app.ports import Connector, Wire
from connectors.plaid.aggregation import Aggregation
from connectors.plaid.balances import parse_balances
from connectors.plaid.hooks import Hooks
from connectors.plaid.payments import Payments
from connectors.plaid.settings import NAME, Settings
from connectors.plaid.transactions import LookingAggregation
from connectors.plaid.trial import try_out


def aggregation(settings: Settings, wire: Wire) -> Aggregation:
    """With a look at transactions where Plaid may go on fetching them."""
    return (LookingAggregation if settings.transactions else Aggregation)(settings, wire)


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
