"""Which providers carry the texts to a country, in which order, and when the next one is tried.

A text goes to the next provider only after the one before said that it surely took nothing. Once
an attempt may have left, the text stays with that provider for good (docs/adr/0013).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.domain.errors import Invalid

ELSEWHERE: Final = "*"
TRIES_EACH: Final = 2
"""Attempts that surely left nothing before the next provider is asked: one may be a hiccup."""

_COUNTRY = re.compile(r"[A-Z]{2}|\*")
_PROVIDER = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Routes:
    """Providers by country (ISO 3166 alpha-2), the first choice first."""

    by_country: Mapping[str, tuple[str, ...]]

    @classmethod
    def parse(cls, text: str, *, usual: str) -> Routes:
        """Read "ES=smsapi,twilio; PL=smsapi; *=twilio". `usual` carries what is not named.

        Raises `Invalid` for a country named twice, no country, or no provider.
        """
        found: dict[str, tuple[str, ...]] = {}
        for part in filter(None, (one.strip() for one in text.split(";"))):
            country, _, names = (word.strip() for word in part.partition("="))
            providers = tuple(name.strip() for name in names.split(","))
            if not _COUNTRY.fullmatch(country) or not all(map(_PROVIDER.fullmatch, providers)):
                raise Invalid(
                    "routes",
                    f"{part!r} is not like ES=smsapi,twilio or *=twilio.",
                    mend="Name a country, =, and its providers in their order.",
                )
            if country in found:
                raise Invalid(
                    "routes", f"{country} is named twice.", mend="Put its providers into one entry."
                )
            if len(set(providers)) < len(providers):
                raise Invalid(
                    "routes", f"{part!r} names a provider twice.", mend="Name each one once."
                )
            found[country] = providers
        return cls({ELSEWHERE: (usual,), **found})

    @property
    def providers(self) -> tuple[str, ...]:
        """All that are named, each once."""
        return tuple(dict.fromkeys(name for names in self.by_country.values() for name in names))

    def to(self, country: str | None) -> tuple[str, ...]:
        """The providers for numbers of a country; None is a number that belongs to none."""
        return self.by_country.get(country or ELSEWHERE, self.by_country[ELSEWHERE])


def next_provider(route: tuple[str, ...], *, bound_to: str | None, missed: int) -> str:
    """Who gets the next attempt. `missed`: attempts so far that surely left nothing.

    `bound_to`: the provider of an attempt that may have left. Nobody else ever gets that text.
    """
    return bound_to or route[missed // TRIES_EACH % len(route)]
