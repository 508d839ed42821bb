"""A telephone number or e-mail address of a borrower: who said so, and what is made of it.

The lender's record is the master, and what people at the desk hear is newer. A number that is
entered at the desk is called and not written to until it is known to be his.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.domain.errors import Invalid

SHORTEST_SOURCE: Final = 3
LONGEST_SOURCE: Final = 200
# So many last digits of a number tell whose it is.
_TAIL: Final = 6


class Detail(StrEnum):
    """By which of the two he is reached."""

    PHONE = "phone"
    EMAIL = "email"


class Statement(StrEnum):
    """What the lender's word on a number or address is, held against what is known here."""

    SAME = "same"  # nothing new
    NEWS = "news"  # taken at once: the lender's word wins
    CONFIRMS = "confirms"  # what the desk entered is his
    OLD = "old"  # what he had before the desk entered another: said again, it is no news
    GIVEN_UP = "given_up"  # somebody else's, or dead: it does not come back


@dataclass(frozen=True, slots=True)
class Standing:
    """How a stated number or address stands here.

    `current`: it is the one of the borrower's row; `reached`: that row has one in use, whichever.
    `waits`: entered at the desk and not confirmed. `replaced`: the desk put another in its place.
    """

    current: bool
    reached: bool
    waits: bool = False
    replaced: bool = False
    given_up: bool = False


def weigh(stated: Standing) -> Statement:
    """What a statement of the lender's does."""
    if stated.given_up or (stated.current and not stated.reached):
        return Statement.GIVEN_UP
    if stated.waits:
        return Statement.CONFIRMS
    if stated.current:
        return Statement.SAME
    # Where the newer one was wrong, too, what the lender says is the best there is.
    return Statement.OLD if stated.replaced and stated.reached else Statement.NEWS


def check_source(source: str, *entered: str) -> None:
    """Where somebody has it from: a few words on one line, without the number or address itself.

    They stand in the timeline, where no full number may. Raises `Invalid` naming the field.
    """
    if not SHORTEST_SOURCE <= len(source) <= LONGEST_SOURCE or not source.isprintable():
        raise Invalid(
            "source",
            f"has {SHORTEST_SOURCE} to {LONGEST_SOURCE} characters on one line.",
            mend='Say where it is from, such as "he called in from it".',
        )
    digits, small = re.sub(r"\D", "", source), source.casefold()
    for one in filter(None, entered):
        told = one.casefold() in small if "@" in one else re.sub(r"\D", "", one)[-_TAIL:] in digits
        if told:
            raise Invalid(
                "source", "repeats the number or address.", mend="Say only where it is from."
            )
