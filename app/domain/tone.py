"""Is a text fit to be sent to somebody who owes money? Frames of words, and the shape of shouting.

Blocked are threats, shame, and telling third parties, in English, Spanish and Polish whatever
language the text says it is in; and shouting. A text is read as it stands and once more with its
disguises taken off (app/domain/tone_fold.py). The lists are phrases that no fair letter needs:
what the law lets a lender announce goes into a letter that counsel has seen, not into a text.
The notice before a report to a credit bureau is no threat and passes when it is said plainly
(Germany § 31(2) BDSG; Spain art. 20.1.c LOPDGDD; Poland art. 14 of the act on sharing economic
information of 9 April 2010); that of a lawsuit, a bailiff or a repossession does not.
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

from app.domain.tone_fold import Letters, squeezed, unveiled
from app.domain.tone_words import LANGUAGES, Phrases


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


_WORD = re.compile(r"[^\W\d_]{2,}")
_ANSWERS: Final = frozenset({"STOP", "BAJA", "START", "ALTA"})
# The bureaus are named by law where a notice says that a debt may be reported to one.
_BUREAUS: Final = frozenset(
    {"SCHUFA", "ASNEF", "CRIF", "BADEXCUG", "CIRBE", "ERIF", "BIG", "BIK", "SA"}
)
_ABBREVIATIONS: Final = _BUREAUS | {"IBAN", "SEPA", "BLIK", "BIZUM", "HTTP", "HTTPS"}
_PLACE = re.compile(r"\{\{[a-z_]*\}\}")
_SENTENCE_ENDS: Final = ".!?;"
# How far before a phrase the words that turn it round may begin, in letters.
_NEAR: Final = 60


def tone_findings(text: str) -> tuple[Finding, ...]:
    """Every blocked phrase, in order. Places such as {{name}} are not read as words."""
    bare = _PLACE.sub(lambda place: " " * len(place.group()), text)
    found = sorted(
        {*_phrases(text, bare), *_shouting(text, bare), *_disguised(text, bare)},
        key=lambda one: (one.start, one.end, one.fault),
    )
    return tuple(found)


def _phrases(text: str, bare: str) -> Iterator[Finding]:
    """What is found as the text stands; and in its other readings, what was not found there."""
    plain = squeezed(bare)
    found = list(_read(text, plain))
    for other in unveiled(plain):
        for finding in _read(text, other):
            if not any(one.start < finding.end and finding.start < one.end for one in found):
                found.append(finding)
    yield from found


def _read(text: str, read: Letters) -> Iterator[Finding]:
    plain, places = read
    for words in LANGUAGES:
        for fault, pattern in (
            (Fault.THREAT, words.threats),
            (Fault.SHAME, words.shames),
            (Fault.THIRD_PARTY, words.tells_others),
        ):
            for hit in pattern.finditer(plain):
                if not _turned_round(plain, hit.start(), hit.end(), words):
                    start, end = places[hit.start()], places[hit.end() - 1] + 1
                    yield Finding(fault, start, end, text[start:end])


def _turned_round(plain: str, start: int, end: int, words: Phrases) -> bool:
    """Do the words right before it say that it will not happen, or that it did to the borrower?"""
    before = plain[max(0, start - _NEAR) : start]
    if words.supposed.search(before):
        return True
    if not words.not_so.search(before):
        return False
    begins = max(plain.rfind(sign, 0, start) for sign in _SENTENCE_ENDS) + 1
    ends = min((at for sign in _SENTENCE_ENDS if (at := plain.find(sign, end)) >= 0), default=None)
    return not words.conditions.search(plain[begins:ends])


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
