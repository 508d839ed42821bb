"""What changed between two texts, word by word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

_WORD = re.compile(r"\s+|\S+")


class Change(StrEnum):
    """What became of a piece."""

    KEPT = "kept"
    OLD = "old"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of words that share their fate. An old one stands before the new one in its place."""

    change: Change
    text: str


def word_diff(old: str, new: str) -> tuple[Piece, ...]:
    """The pieces of both texts in order. All kept and old ones make `old`, kept and new `new`."""
    before, after = _WORD.findall(old), _WORD.findall(new)
    pieces: list[Piece] = []
    # Without the junk heuristic: it would call frequent words junk in long texts.
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(Piece(Change.KEPT, "".join(before[i1:i2])))
            continue
        if i2 > i1:
            pieces.append(Piece(Change.OLD, "".join(before[i1:i2])))
        if j2 > j1:
            pieces.append(Piece(Change.NEW, "".join(after[j1:j2])))
    return tuple(pieces)
