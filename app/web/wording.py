"""What borrowers read, in their language, each language one file of the same shape.

The version of a file is stored with every choice made on the consent page: years later it can be
said which words were on the screen.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from markupsafe import Markup, escape

LANGUAGES: Final = ("en", "es", "pl")
_FOLDER = Path(__file__).with_name("wordings")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Wording:
    """One language's words, by "section.name"."""

    language: str
    name: str
    version: str
    words: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """The words with every placeholder filled. A missing word or value is a `KeyError`."""
        return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), self.words[key])

    def html(self, key: str, **values: object) -> Markup:
        """The same, where a value may be markup of ours (a number that can be tapped)."""
        filled = {name: escape(value) for name, value in values.items()}
        return Markup(  # noqa: S704 - the words are escaped, and so is every value
            _PLACEHOLDER.sub(lambda match: filled[match[1]], str(escape(self.words[key])))
        )

    @property
    def consent_version(self) -> str:
        """What is stored with a choice: the page and the version of its words."""
        return f"consent/{self.version}"


@lru_cache(maxsize=len(LANGUAGES))
def wording_in(language: str) -> Wording:
    """The words of one of `LANGUAGES`."""
    content = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    words = {
        f"{section}.{name}": text
        for section, entries in content.items()
        if isinstance(entries, dict)
        for name, text in entries.items()
    }
    return Wording(language, content["language"], content["version"], words)


def best_language(*wishes: str | None) -> str:
    """The first wish that there are words for; English when there is none."""
    for wish in wishes:
        short = (wish or "").lower().partition("-")[0]
        if short in LANGUAGES:
            return short
    return "en"


def placeholders(text: str) -> frozenset[str]:
    """The names a text wants filled."""
    return frozenset(_PLACEHOLDER.findall(text))
