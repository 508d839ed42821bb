"""Banks directly, over the Berlin Group's NextGenPSD2 XS2A interface, version 1.3.x.

Consents by redirect, balances, and SEPA payments (plain and instant). Specification:
https://www.berlin-group.org/nextgenpsd2-downloads (OpenAPI 1.3.11; the part used stands in
tests/specs). Live use needs the operator's own authorisation as account information and payment
initiation service, and a QWAC certificate; a bank list that names this machine only is a
sandbox.

Limits: unattended reads four times in 24 hours by default (RTS SCA art. 36(5)); banks count per
account or endpoint, rolling or per calendar day. No answer states what is left of it.

Messages are signed (Digest, Signature, TPP-Signature-Certificate) for banks whose entry says so.

What it cannot do: the embedded and decoupled approaches, banks that want OAuth2 tokens, other
signatures than RSA (PKCS#1 v1.5), and pain.001 bodies; notifications of banks (status is asked
for).

Unverified: the table of message codes follows a certified bank's published implementation, since
the implementation guidelines are not open; each bank's quirks are the operator's to enter in
the list of banks (see profile.py).
"""

from __future__ import annotations

from app.ports import Connector
from connectors.berlin_group.aggregation import Aggregation
from connectors.berlin_group.balances import parse_balances
from connectors.berlin_group.desk import NAME
from connectors.berlin_group.payments import Payments
from connectors.berlin_group.profile import Settings, bank_readers

CONNECTOR = Connector(
    name=NAME,
    settings=Settings,
    aggregation=Aggregation,
    payments=Payments,
    parse_balances=parse_balances,
    bank_readers=bank_readers,
    # Its list of banks names certificates and keys of this machine, bank by bank.
    by_lender=False,
    needs_licence=True,
)
