"""Who stands behind a line of the timeline when it is not a person at the desk."""

from __future__ import annotations

from typing import Final

ROBOT: Final = "saldo"
BORROWER: Final = "borrower"
BANK: Final = "bank"
CARRIER: Final = "carrier"
LENDER: Final = "lender"
