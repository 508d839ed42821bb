"""What a provider tells its customer about a payment, before it has that provider's form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sandbox.records import Payment


@dataclass(frozen=True, slots=True)
class Told:
    """One call that is due: about which payment, with which word, how well signed."""

    payment: Payment
    word: str
    event_id: str
    signature: str
    signed_at: datetime
