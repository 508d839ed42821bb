"""The words of our SMS. Said once here, versioned, so that what a person read can be shown later.

A lock screen is read by others: the text names the lender, the link and the way to stop. It has no
amount, no word for debt or payment, and no hint that an account was read. It keeps to letters that
networks send in one message of 160, which is why Polish is written without its accents, as people
write texts there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.domain.errors import Invalid

FALLBACK_LANGUAGE: Final = "en"
_LONGEST_NAME: Final = 40


@dataclass(frozen=True, slots=True)
class Wording:
    """One text in its languages. `version` goes up with every change of any of them."""

    name: str
    version: int
    texts: Mapping[str, str]

    @property
    def id(self) -> str:
        """Name and version, as stored beside every message."""
        return f"{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text ready to send, and which wording and language it is."""

    wording: str
    language: str
    body: str


CLICK_AND_PAY: Final = Wording(
    "click_and_pay",
    1,
    {
        "en": "{lender}: there is a message for you: {link} To stop these texts, reply STOP or "
        "use the link.",
        "es": "{lender}: tiene un mensaje: {link} Para no recibir estos SMS, responda BAJA o use "
        "el enlace.",
        "pl": "{lender}: masz wiadomosc: {link} Aby nie dostawac tych SMS, odpisz STOP lub uzyj "
        "linku.",
    },
)

LANGUAGES: Final = tuple(CLICK_AND_PAY.texts)


def render(wording: Wording, language: str, *, lender: str, link: str) -> Rendered:
    """The text for one person; English where his language is not among ours.

    A long lender's name is cut, the link never. Raises `Invalid` for a name or a link that would
    break the text: empty, or with a line break in it.
    """
    name = " ".join(lender.split())[:_LONGEST_NAME].rstrip()
    if not name or not name.isprintable():
        raise Invalid("lender", "has no name that can be shown.")
    if not link.isprintable() or " " in link or not link:
        raise Invalid("link", "is not one word.")
    chosen = language if language in wording.texts else FALLBACK_LANGUAGE
    body = wording.texts[chosen].format(lender=name, link=link)
    return Rendered(wording.id, chosen, body)
