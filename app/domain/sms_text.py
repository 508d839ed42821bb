"""How long an SMS is, in the units that networks count and bill.

GSM 03.38: a text of its alphabet is counted in septets, a letter of the extension table as two;
160 fit into one message, 153 into each of several. One letter outside of it turns the whole
text into UCS-2: 70 units of 16 bits, 67 in each of several (a letter beyond the basic plane
takes two, and is never cut in half).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MOST_SEGMENTS: Final = 6
"""Parts that one text may have when it is filled in: 918 septets, or 402 units of UCS-2.

Twilio refuses a body of more than 1,600 characters (error 21617) and advises against more than
320; other gateways end at six parts. Each part is billed, and each may arrive without the others.
"""

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")


class SmsEncoding(StrEnum):
    """The alphabet a network sends a text in."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


# Units in a message alone, and in each part of several.
_ROOM = {SmsEncoding.GSM7: (160, 153), SmsEncoding.UCS2: (70, 67)}


@dataclass(frozen=True, slots=True)
class SmsSize:
    """A text as the network counts it. `outside` lists the letters that forced UCS-2."""

    encoding: SmsEncoding
    units: int
    segments: int
    outside: tuple[str, ...]


def measure(text: str) -> SmsSize:
    """Encoding, units and number of messages of a text. An empty text is one empty message."""
    outside = tuple(dict.fromkeys(c for c in text if c not in _BASIC and c not in _EXTENDED))
    encoding = SmsEncoding.UCS2 if outside else SmsEncoding.GSM7
    if outside:
        widths = [2 if ord(letter) > 0xFFFF else 1 for letter in text]
    else:
        widths = [2 if letter in _EXTENDED else 1 for letter in text]
    alone, in_several = _ROOM[encoding]
    units = sum(widths)
    segments = 1 if units <= alone else _parts(widths, in_several)
    return SmsSize(encoding, units, segments, outside)


def _parts(widths: Sequence[int], room: int) -> int:
    """How many parts the letters fill when none may be cut in half."""
    parts, used = 1, 0
    for width in widths:
        if used + width > room:
            parts, used = parts + 1, 0
        used += width
    return parts
