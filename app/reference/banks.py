"""The banks behind account numbers."""

from __future__ import annotations

import schwifty
from schwifty.exceptions import SchwiftyException

from app.domain.ids import Iban


def bank_name(iban: Iban) -> str | None:
    """The name of the bank that an IBAN belongs to; None where the registry does not know it.

    Nothing is remembered between calls: account numbers are personal.
    """
    try:
        return schwifty.IBAN(iban.reveal(), allow_invalid=True).bank_name
    except SchwiftyException:
        return None
