"""Whether what a caller gave is what it should be, in a time that tells nothing about how near."""

from __future__ import annotations

import hmac


def same(given: str, right: str) -> bool:
    """Takes whatever a caller can send: half a surrogate pair is only another wrong word."""
    return hmac.compare_digest(as_sent(given), as_sent(right))


def as_sent(text: str) -> bytes:
    """The bytes of a text of a call, which need not be Unicode that can be written down."""
    return text.encode("utf-8", "surrogatepass")
