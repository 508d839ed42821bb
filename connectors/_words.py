"""A provider's words: those we know, and the alarm about one that we do not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.pay_ports import PayStatus
from connectors._exchange import mask_text

_CODE_WORD = re.compile(r"[A-Za-z_]+")
_MOST_SHOWN = 40
_LONGEST_WORD = 60


def alarm(log: Any, what: str, word: object, **about: str) -> None:
    """A word we do not know: taken for the careful side, and reported. `log`: the connector's.

    A code word is shown, for whoever mends the list; of anything else only its shape.
    """
    log.warning("unknown_word", what=what, word=shown_word(word), **about)


def shown_word(word: object) -> str:
    """A provider's word as it may be shown: a code word as it is, anything else as its shape."""
    plain = word[:_MOST_SHOWN] if isinstance(word, str) else type(word).__name__
    return plain if _CODE_WORD.fullmatch(plain) else mask_text(plain)


def pay_status(
    words: Mapping[str, PayStatus], word: object, log: Any, **about: str
) -> tuple[PayStatus, str]:
    """What a word for a payment means, and the word. One we do not know is open, with an alarm."""
    raw = word[:_LONGEST_WORD] if isinstance(word, str) else ""
    if raw in words:
        return words[raw], raw
    alarm(log, "payment", word, **about)
    return PayStatus.OPEN, raw
