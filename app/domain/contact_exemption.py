"""Which attempts to reach somebody count in no cap (12 CFR 1006.14(b)(3))."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

# His wish to be called is good for so long after he said it.
WISH_LASTS: Final = timedelta(days=7)


def counts_in_caps(
    at: datetime,
    *,
    asked_for_at: datetime | None = None,
    connected: bool = True,
    to_representative: bool = False,
) -> bool:
    """Whether an attempt made at `at` counts.

    It does not when he himself asked for it at most seven days before (`asked_for_at`, given to
    us directly), when it was not connected to the number that was dialled, or when it went to
    somebody who speaks for him (his lawyer, a court). Written for calls in the United States,
    kept everywhere: each of them is either his own wish or no contact with him.
    """
    if not connected or to_representative:
        return False
    asked = asked_for_at is not None and asked_for_at <= at <= asked_for_at + WISH_LASTS
    return not asked
