"""How old a provider's signed call may be. Real time: calls are transport.

A call that is caught and sent again later is refused by its age; before that, its event is known.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from app.domain.errors import NotAllowed

# Clocks differ by so much at the very most.
_AHEAD = timedelta(minutes=5)


def check_age(signed_at: datetime, real_now: datetime, oldest: timedelta) -> None:
    """Raises NotAllowed for a call that was signed too long ago, or has yet to be signed."""
    age = real_now - signed_at
    if age > oldest:
        raise NotAllowed("The call is too old.")
    if age < -_AHEAD:
        raise NotAllowed("The call is from the future.")
