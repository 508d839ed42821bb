"""Accounts of one list that share a provider's lasting word for them: then it names neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from app.ports import FoundAccount


def told_apart(found: Sequence[FoundAccount]) -> tuple[FoundAccount, ...]:
    """The same accounts; a lasting word that two of one currency have is none.

    Two accounts would be taken for one, and one of them never read.
    """
    words = Counter((one.lasting, one.currency) for one in found)
    return tuple(
        replace(one, lasting=None) if words[one.lasting, one.currency] > 1 else one for one in found
    )
