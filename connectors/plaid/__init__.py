"""Plaid (EU and UK), so far for saved answers alone: `saldo connectors parse plaid balances FILE`.

Documentation: https://plaid.com/docs/api/products/balance/ and the vendor's OpenAPI description
(2020-09-14, 1.697.4). No settings lead to live accounts.
"""

from __future__ import annotations

from app.ports import Connector
from connectors._settings import ConnectorSettings
from connectors.plaid.balances import parse_balances

CONNECTOR = Connector(name="plaid", settings=ConnectorSettings, parse_balances=parse_balances)
