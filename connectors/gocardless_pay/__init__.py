"""Instant bank payments through GoCardless: billing requests that payers authorise on its page.

A connector of its own, and not a part of `gocardless`: Bank Account Data is another product of the
same company, with its own contract, which nobody gets any more, its own credentials and address. A
lender who only pays through GoCardless has none of that.

Documentation: https://developer.gocardless.com/billing-requests/taking-an-instant-bank-payment,
https://developer.gocardless.com/billing-requests/responding-to-billing-request-events,
https://developer.gocardless.com/api-reference (errors, idempotency, webhooks).

The money goes to the lender's account at GoCardless, which pays it out; it is not the order that
says to whom. So the settings name the one IBAN that is paid out to, and an order for another
creditor is refused.

Limits: the API states its own in ratelimit headers. GBP in the UK, EUR in some countries of the
euro; Spain and Poland are not on the published list.

What it cannot do: put our reference on the lender's statement (it stands in the payment's
metadata); end a page by itself before seven days, so that payments nobody wants are taken back.

Unverified: no live account has been reached from this project. Whether a metadata of the request
travels to its payment; the fields by which an institution is chosen beforehand (leave `institution`
empty, and the borrower chooses on GoCardless's page); what `failed` means after a payout.
"""

from __future__ import annotations

from app.ports import Connector
from connectors.gocardless_pay.hooks import Hooks
from connectors.gocardless_pay.payments import Payments
from connectors.gocardless_pay.settings import NAME, Settings
from connectors.gocardless_pay.trial import try_out

CONNECTOR = Connector(
    name=NAME,
    settings=Settings,
    payments=Payments,
    hooks=Hooks,
    try_out=try_out,
    needs_licence=True,
)
