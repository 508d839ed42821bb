"""How people react: to an SMS with a pay link, and to the question for a consent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sandbox.chance import Chance


class Reaction(StrEnum):
    """What somebody does with one SMS."""

    PAYS_SOON = "pays_soon"
    PAYS_LATER = "pays_later"
    PAYS_PART = "pays_part"
    IGNORES = "ignores"
    SAYS_WRONG = "says_wrong"
    SAYS_CANNOT = "says_cannot"
    SAYS_PAID = "says_paid"
    STOPS_BY_LINK = "stops_by_link"
    STOPS_BY_TEXT = "stops_by_text"
    REFUSES_AT_BANK = "refuses_at_bank"
    ABANDONS_AT_BANK = "abandons_at_bank"
    WRONG_BIRTH_DATE = "wrong_birth_date"
    LOOKS_ONLY = "looks_only"


class ConsentMood(StrEnum):
    """What somebody does with the question for a consent."""

    GRANTS_BOTH = "grants_both"
    ONLY_SCORING = "only_scoring"
    REFUSES = "refuses"
    REFUSES_AT_BANK = "refuses_at_bank"
    ABANDONS = "abandons"
    REVOKES_LATER = "revokes_later"


@dataclass(frozen=True, slots=True)
class Mood:
    """Reactions to the first, second, ... SMS; the last one is repeated.

    `delay_minutes` is business time between the SMS on the phone and the first tap.
    `part_percent` is what PAYS_PART pays of the amount shown. `revokes_after_days` is for
    ConsentMood.REVOKES_LATER.
    """

    reactions: tuple[Reaction, ...] = (Reaction.PAYS_SOON,)
    delay_minutes: int = 20
    part_percent: int = 50
    consent: ConsentMood = ConsentMood.GRANTS_BOTH
    revokes_after_days: int = 3

    def reaction_to(self, number: int) -> Reaction:
        """The reaction to the SMS with this number (the first is 1)."""
        return self.reactions[min(number, len(self.reactions)) - 1]


_FIRST: tuple[tuple[tuple[Reaction, ...], int], ...] = (
    ((Reaction.PAYS_SOON,), 40),
    ((Reaction.PAYS_LATER,), 12),
    ((Reaction.IGNORES, Reaction.PAYS_SOON), 8),
    ((Reaction.LOOKS_ONLY, Reaction.PAYS_SOON), 4),
    ((Reaction.PAYS_PART, Reaction.PAYS_SOON), 8),
    ((Reaction.ABANDONS_AT_BANK, Reaction.PAYS_SOON), 4),
    ((Reaction.IGNORES,), 9),
    ((Reaction.SAYS_CANNOT, Reaction.PAYS_LATER), 4),
    ((Reaction.SAYS_WRONG,), 3),
    ((Reaction.SAYS_PAID,), 3),
    ((Reaction.STOPS_BY_TEXT,), 2),
    ((Reaction.STOPS_BY_LINK,), 2),
    ((Reaction.REFUSES_AT_BANK,), 2),
    ((Reaction.WRONG_BIRTH_DATE,), 1),
)

_CONSENT: tuple[tuple[ConsentMood, int], ...] = (
    (ConsentMood.GRANTS_BOTH, 86),
    (ConsentMood.ONLY_SCORING, 5),
    (ConsentMood.REFUSES, 2),
    (ConsentMood.REFUSES_AT_BANK, 2),
    (ConsentMood.ABANDONS, 2),
    (ConsentMood.REVOKES_LATER, 3),
)


def draw(chance: Chance) -> Mood:
    """A mood as common among people as its weight."""
    reactions = chance.weighted(_FIRST, "reactions")
    later = Reaction.PAYS_LATER in reactions
    return Mood(
        reactions=reactions,
        delay_minutes=chance.between(120, 540, "delay")
        if later
        else chance.between(2, 60, "delay"),
        part_percent=chance.pick((30, 40, 50, 60), "part"),
        consent=chance.weighted(_CONSENT, "consent"),
        revokes_after_days=chance.between(1, 4, "revokes"),
    )
