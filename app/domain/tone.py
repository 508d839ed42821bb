"""Is a text fit to be sent to somebody who owes money? Word lists, and the shape of shouting.

Blocked are threats, shame, and telling third parties, in English, Spanish and Polish whatever
language the text says it is in; and shouting. The lists are phrases that no fair letter needs:
what the law lets a lender announce goes into a letter that counsel has seen, not into a text.
Sources of the kinds: 12 CFR 1006.14 and 1006.22 (harassment, false threats), 1006.6(d) (third
parties); FCA CONC 7.3 and 7.9; AEPD on disclosure to third parties.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.domain.tone_words import SHAMES, TELLS_OTHERS, THREATS


class Fault(StrEnum):
    """Why a phrase is blocked."""

    THREAT = "threat"
    SHAME = "shame"
    THIRD_PARTY = "third_party"
    SHOUTING = "shouting"
    DISGUISED = "disguised"


REASONS: Final = {
    Fault.THREAT: "threatens",
    Fault.SHAME: "shames or insults",
    Fault.THIRD_PARTY: "speaks of telling others",
    Fault.SHOUTING: "shouts",
    Fault.DISGUISED: "mixes alphabets within a word",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One blocked phrase: `text[start:end]` of the text that was checked."""

    fault: Fault
    start: int
    end: int
    words: str

    @property
    def reason(self) -> str:
        """For a person: what is wrong with it."""
        return f"“{self.words}” {REASONS[self.fault]}."


_BLANK = r"[\W_]+"
_PATTERNS: Final = tuple(
    (
        fault,
        re.compile(r"\b(?:" + "|".join(phrases.split("\n")[1:-1]).replace(" ", _BLANK) + r")\b"),
    )
    for fault, phrases in (
        (Fault.THREAT, THREATS),
        (Fault.SHAME, SHAMES),
        (Fault.THIRD_PARTY, TELLS_OTHERS),
    )
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_ANSWERS: Final = frozenset({"STOP", "BAJA", "START", "ALTA"})
_ABBREVIATIONS: Final = frozenset({"IBAN", "SEPA", "BLIK", "BIZUM", "HTTP", "HTTPS"})
_PLACE = re.compile(r"\{\{[a-z_]*\}\}")
# Letters that no decomposition takes apart.
_PLAIN: Final = str.maketrans({"ł": "l", "ß": "s", "ø": "o", "æ": "a", "đ": "d"})


def tone_findings(text: str) -> tuple[Finding, ...]:
    """Every blocked phrase, in order. Places such as {{name}} are not read as words."""
    bare = _PLACE.sub(lambda place: " " * len(place.group()), text)
    found = sorted(
        {*_phrases(text, bare), *_shouting(text, bare), *_disguised(text, bare)},
        key=lambda one: (one.start, one.end, one.fault),
    )
    return tuple(found)


def squeezed(text: str) -> tuple[str, list[int]]:
    """The text without case, accents and invisible letters, and where each letter stood."""
    letters: list[str] = []
    places: list[int] = []
    for position, letter in enumerate(text):
        if unicodedata.category(letter) == "Cf":
            continue
        for plain in unicodedata.normalize("NFKD", letter).casefold().translate(_PLAIN):
            if not unicodedata.combining(plain):
                letters.append(plain)
                places.append(position)
    return "".join(letters), places


def _phrases(text: str, bare: str) -> Iterator[Finding]:
    plain, places = squeezed(bare)
    for fault, pattern in _PATTERNS:
        for hit in pattern.finditer(plain):
            start, end = places[hit.start()], places[hit.end() - 1] + 1
            yield Finding(fault, start, end, text[start:end])


def _shouting(text: str, bare: str) -> Iterator[Finding]:
    """Words of capitals: one long one, or two in a row. A word to answer with may be large."""
    before = False
    for hit in _WORD.finditer(bare):
        word = hit.group()
        loud = word.isupper() and word not in _ANSWERS | _ABBREVIATIONS
        if loud and (before or len(word) > 3):
            yield Finding(Fault.SHOUTING, hit.start(), hit.end(), text[hit.start() : hit.end()])
        before = loud
    marks = [position for position, letter in enumerate(bare) if letter == "!"]
    if len(marks) > 1:
        yield Finding(Fault.SHOUTING, marks[0], marks[-1] + 1, "!" * len(marks))


def _disguised(text: str, bare: str) -> Iterator[Finding]:
    for hit in _WORD.finditer(bare):
        latin = {unicodedata.name(letter, "").startswith("LATIN") for letter in hit.group()}
        if len(latin) > 1:
            yield Finding(Fault.DISGUISED, hit.start(), hit.end(), text[hit.start() : hit.end()])
