"""The ways a text may be read by somebody who looks for hidden words, each with its places.

`squeezed` takes away what the eye passes over: case, accents, invisible letters, letters of other
alphabets that look like ours. `unveiled` goes on: figures and signs that stand for letters, signs
inside a word, words spelled letter by letter. Both keep where each letter stood in the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

Letters = tuple[str, list[int]]
"""A text as it is read, and where each of its letters stood in the one that was written."""

# Fillers that print as nothing (or a blank) though Unicode counts them as letters or signs.
_UNSEEN: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")
# Letters of one word in two alphabets: those that no decomposition takes apart.
_PAIRS: Final = {"ß": "s", "æ": "a", "œ": "o"}
# Cyrillic and Greek letters that are drawn like Latin ones (confusables of Unicode TS 39, in part).
_LOOK_ALIKES: Final = dict(
    zip(
        "авеёзкмнорстухіїјѕԁԛԝһӏьгпαβεηικμνορτυχωγϲϳ",
        "abeeekmhopctyxiijsdqwhlbrnabenikuvoptuxwycj",
        strict=True,
    )
)
_NAMED: Final = re.compile(
    r"(?:REGIONAL INDICATOR SYMBOL|(?:[A-Z]+ )*LATIN(?: CAPITAL| SMALL)?) LETTER "
    r"(?:SMALL CAPITAL )?(?:DOTLESS )?([A-Z])(?: WITH .*)?"
)
_SIGNS: Final = {
    "0": "o",
    "3": "e",
    "4": "a",
    "5": "s",
    "7": "t",
    "8": "b",
    "9": "g",
    "@": "a",
    "$": "s",
    "€": "e",
    "£": "l",
}
_STROKES: Final = "1!|¡"
_ONLY_BETWEEN: Final = frozenset("!|¡€£")
_DRAWN_OUT: Final = 3
_INSIDE: Final = re.compile(r"(?<=[^\W\d_])(?:[^\w\s]|_){1,3}(?=[^\W\d_])")
_SPELLED: Final = re.compile(
    r"(?<![^\W_])[^\W\d_](?:[\W_]{1,5}[^\W\d_](?![^\W_])){2,}"  # three letters, each alone
)


@lru_cache(maxsize=4096)
def _plain(letter: str) -> str:
    """One letter without case and accents: nothing, itself, or several."""
    if letter in _UNSEEN or unicodedata.category(letter) == "Cf":
        return ""
    parts = []
    for part in unicodedata.normalize("NFKD", letter).casefold():
        if unicodedata.combining(part) or unicodedata.category(part) == "Mn":
            continue
        named = None if part.isascii() else _NAMED.fullmatch(unicodedata.name(part, ""))
        alike = _LOOK_ALIKES.get(part) or _PAIRS.get(part, part)
        parts.append(named.group(1).lower() if named else alike)
    return "".join(parts)


def squeezed(text: str) -> Letters:
    """The text without case, accents, invisible letters and foreign look-alikes."""
    letters: list[str] = []
    places: list[int] = []
    for position, letter in enumerate(text):
        for plain in _plain(letter):
            letters.append(plain)
            places.append(position)
    return "".join(letters), places


def unveiled(read: Letters) -> Iterator[Letters]:
    """Further readings of a squeezed text, only those that differ from it. A stroke is i or l."""
    seen = {read[0]}
    for stroke in "il":
        found = _spelled_out(_closed_up(_signs_read(read, stroke)))
        if found[0] not in seen:
            seen.add(found[0])
            yield found


def _signs_read(read: Letters, stroke: str) -> Letters:
    """Signs that touch a letter become the letter they are drawn like: p0l1ce, $hame, sh@me."""
    text, places = read
    signs = _SIGNS | dict.fromkeys(_STROKES, stroke)
    letters = list(text)
    for at, sign in enumerate(text):
        if sign not in signs:
            continue
        before = at > 0 and letters[at - 1].isalpha()
        after = at + 1 < len(text) and (text[at + 1].isalpha() or text[at + 1] in signs)
        # Outside of a word these are what they are: "Hello!", "€120", "$ 5".
        if (before and after) if sign in _ONLY_BETWEEN else (before or after):
            letters[at] = signs[sign]
    return "".join(letters), places


def _closed_up(read: Letters) -> Letters:
    """Signs inside a word go (pol-ice), and of a letter that is drawn out one stays (poooolice)."""
    text, places = read
    gone = {at for hit in _INSIDE.finditer(text) for at in range(*hit.span())}
    for hit in re.finditer(rf"([^\W\d_])\1{{{_DRAWN_OUT - 1},}}", text):
        gone.update(range(hit.start() + 1, hit.end()))
    kept = [at for at in range(len(text)) if at not in gone]
    return "".join(text[at] for at in kept), [places[at] for at in kept]


def _spelled_out(read: Letters) -> Letters:
    """Letters that stand alone in a row are a word: "p o l i c e".

    A wider gap than the others parts two words. The first letter may be a word itself ("a", "w"),
    so the row is read with it, and once more without it.
    """
    text, places = read
    order: list[int | None] = []
    at = 0
    for hit in _SPELLED.finditer(text):
        order += range(at, hit.start())
        row = _row(text, hit.start(), hit.end())
        order += [*row, None, *row[1:]]
        at = hit.end()
    order += range(at, len(text))
    letters = [" " if one is None else text[one] for one in order]
    # A blank that was put in stands nowhere; no finding begins or ends with it.
    return "".join(letters), [0 if one is None else places[one] for one in order]


def _row(text: str, start: int, end: int) -> list[int | None]:
    gaps = [len(gap) for gap in re.findall(r"[\W_]+", text[start:end])]
    narrow = min(gaps)
    row: list[int | None] = []
    for hit in re.finditer(r"[^\W_]+|[\W_]+", text[start:end]):
        if hit.group()[0].isalpha():
            row.append(start + hit.start())
        elif len(hit.group()) > narrow and " " in hit.group():
            row.append(None)
    return row
