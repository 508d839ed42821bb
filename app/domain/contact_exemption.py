"""Which attempts to reach somebody count in which caps (12 CFR 1006.14(b)(3))."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

# His wish to be called is good for so long after he said it.
WISH_LASTS: Final = timedelta(days=7)


def asked_for(at: datetime, *, said_at: datetime | None) -> bool:
    """Whether a contact at `at` is his own wish: said to us directly at most seven days before.

    Rules with `but_asked_for` neither forbid nor count it; every other rule does.
    """
    return said_at is not None and said_at <= at <= said_at + WISH_LASTS


def counts_in_caps(*, connected: bool = True, to_representative: bool = False) -> bool:
    """Whether an attempt counts in any cap at all.

    It does not when it was not connected to the number that was dialled (engaged, out of service;
    ringing out and voicemail are connected), or when it went to somebody who speaks for him (his
    lawyer, a court). Written for calls in the United States, kept everywhere: neither is a contact
    with him.
    """
    return connected and not to_representative
