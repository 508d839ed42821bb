"""The phrases that the tone check blocks, and how they are written.

Written without accents and case, as the check reads a text, one phrase on each line (an indented
line goes on with the one before). A space stands for any run of blanks and punctuation. {name} is
a part that its language names (whom one could tell, the verbs of telling, what one could lose);
{one}, {two} and {few} are up to one, two and four words more of the same sentence. So a phrase is
a frame, and a frame times its words covers the sentences that nobody wrote down.

Words that a fair text needs as well ("fraud", "visit", "lose your job") stand in the use that is
not fair. NOT_SO are words right in front of a phrase that turn it round ("nothing to be ashamed
of", "we never call your employer"), unless the sentence holds one of CONDITIONS ("... if you pay
today"). SUPPOSED are those that make it the borrower's own news ("if you may lose your job").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Final

from app.domain import tone_english, tone_polish, tone_spanish

# A blank within a sentence, not one between two paragraphs.
_WITHIN: Final = r"(?:(?!\n[^\S\n]*\n)[^\w.!?;]|_)+"
# Whom the borrower tells ("tell us if"), and where the next thought begins.
_OTHER_THOUGHT: Final = (
    r"(?:us|me|if|whether|when|unless|because|nos|si|cuando|nam|nas|jesli|czy|gdy|kiedy)"
)
_BLANK: Final = r"(?:[\W_]+)"
_WORD: Final = r"[^\W_]"
_START: Final = r"(?<![^\W_])"
_END: Final = r"(?![^\W_])"
_RIGHT_AFTER: Final = r"\s*(?<=\s)\Z"


@dataclass(frozen=True, slots=True)
class Phrases:
    """The phrases of one language; the last three look at what stands around one."""

    threats: re.Pattern[str]
    shames: re.Pattern[str]
    tells_others: re.Pattern[str]
    not_so: re.Pattern[str]
    supposed: re.Pattern[str]
    conditions: re.Pattern[str]


def _up_to(words: int) -> str:
    return rf"(?:{_WITHIN}(?!{_OTHER_THOUGHT}{_END}){_WORD}+){{0,{words}}}?{_WITHIN}"


_GAPS: Final = {"one": _up_to(1), "two": _up_to(2), "few": _up_to(4)}
_PIECE: Final = re.compile(r" ?\{(one|two|few)\} ?| |\\w")


def _spoken(lines: str, parts: Mapping[str, str]) -> str:
    """The lines as one alternation, parts put in and blanks opened."""
    text = "|".join(lines.replace("\n    ", "").split("\n")[1:-1])
    for _ in range(2):  # a part may name another one
        for name, words in parts.items():
            text = text.replace(f"{{{name}}}", words)

    def opened(piece: re.Match[str]) -> str:
        if piece.group(1):
            return _GAPS[piece.group(1)]
        return _BLANK if piece.group() == " " else _WORD

    return _PIECE.sub(opened, text)


def _pattern(lines: str, parts: Mapping[str, str], end: str = _END) -> re.Pattern[str]:
    return re.compile(f"{_START}(?:{_spoken(lines, parts)}){end}")


def _phrases(room: ModuleType) -> Phrases:
    """The lists of one language's module."""
    parts: Mapping[str, str] = room.PARTS
    return Phrases(
        threats=_pattern(room.THREATS, parts),
        shames=_pattern(room.SHAMES, parts),
        tells_others=_pattern(room.TELLS_OTHERS, parts),
        not_so=_pattern(room.NOT_SO, parts, _RIGHT_AFTER),
        supposed=_pattern(room.SUPPOSED, parts, _RIGHT_AFTER),
        conditions=_pattern(room.CONDITIONS, parts),
    )


LANGUAGES: Final = tuple(_phrases(room) for room in (tone_english, tone_spanish, tone_polish))
