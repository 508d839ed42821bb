"""Holds: why a person is left in peace, from when to when, and what stops meanwhile.

A hold is an interval, and may have begun before anybody here knew of it. Several holds at once
are the union of what they stop. His own payment is stopped by none: whoever wants to pay may.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from app.domain.errors import Invalid
from app.domain.intervals import Span
from app.domain.roles import RIGHTS, Act, Role


class HoldBlock(StrEnum):
    """One thing that a hold stops.

    contact: messages and calls about the debt. every_contact: also an answer to his own question;
    somebody else speaks for him. payment_ask: asking him for money, by machine or task. debit:
    taking money by a mandate. reading: looking at his balance unattended. agency: handing the
    debt over. bureau: reporting it. fees: interest, fees and charges on top. days: the counting of
    days past due. None stops a write-off: giving a debt up only takes pressure off, and two people
    decide about it.
    """

    CONTACT = "contact"
    EVERY_CONTACT = "every_contact"
    PAYMENT_ASK = "payment_ask"
    DEBIT = "debit"
    READING = "reading"
    AGENCY = "agency"
    BUREAU = "bureau"
    FEES = "fees"
    DAYS = "days"


class HoldKind(StrEnum):
    """Why. What each stops, who says so, and who may end it stands in `RULES`.

    crisis is the breathing space of a person in mental-health crisis treatment. represented: a
    lawyer or an adviser speaks for him. promise: he said when he will. placed: an agency has the
    case; set and ended by its placement alone. other: the reason says it.
    """

    DISPUTE = "dispute"
    HARDSHIP = "hardship"
    PROMISE = "promise"
    VULNERABLE = "vulnerable"
    BREATHING_SPACE = "breathing_space"
    CRISIS = "crisis"
    INSOLVENCY = "insolvency"
    DECEASED = "deceased"
    REPRESENTED = "represented"
    COMPLAINT = "complaint"
    PLACED = "placed"
    OTHER = "other"


# A placement is the decision of two people (place_case.py), and no hold that one sets.
# A promise that somebody gives has a row, days and a verdict of its own (app/domain/promise.py);
# holds of that kind are read, and set by nobody any more.
BY_HAND: Final = tuple(kind for kind in HoldKind if kind not in (HoldKind.PLACED, HoldKind.PROMISE))

EVERYTHING: Final = frozenset(HoldBlock)
# Any of these keeps a message that asks for money from being made.
PRESSURE: Final = frozenset({HoldBlock.CONTACT, HoldBlock.PAYMENT_ASK})

_LEADS: Final = RIGHTS[Act.LIFT_HOLD]
# What protects a borrower ends by a person's word. A key ends what itself set for a reason of its
# own (`key_may_lift`); of everything else it says that it is over, and a person looks.
_AND_SYSTEMS: Final = _LEADS | {Role.INTEGRATION}
_COMPLIANCE: Final = frozenset({Role.COMPLIANCE})
_QUIET: Final = PRESSURE | {HoldBlock.DEBIT, HoldBlock.READING}
_KEPT_HERE: Final = frozenset({HoldBlock.AGENCY, HoldBlock.BUREAU})
_FROZEN: Final = frozenset({HoldBlock.FEES, HoldBlock.DAYS})


@dataclass(frozen=True, slots=True)
class HoldRule:
    """What is usual for one kind.

    `blocks` is what it stops unless somebody chooses otherwise, `always` what cannot be chosen
    away. `lifted_by` may end it early. `lasts`: it ends by itself so long after its start, unless
    another end is given. `open_ended`: no end can be given, a person has to end it.
    """

    blocks: frozenset[HoldBlock]
    always: frozenset[HoldBlock]
    lifted_by: frozenset[Role]
    source: str
    lasts: timedelta | None = None
    open_ended: bool = False


RULES: Final[Mapping[HoldKind, HoldRule]] = {
    HoldKind.DISPUTE: HoldRule(
        _QUIET | _KEPT_HERE | _FROZEN,
        PRESSURE | {HoldBlock.DEBIT, HoldBlock.AGENCY, HoldBlock.BUREAU},
        _LEADS,
        "12 CFR 1006.38: stop until it is verified; FCA CONC 7.14. Freezing the days is ours.",
    ),
    HoldKind.HARDSHIP: HoldRule(
        _QUIET | _KEPT_HERE | {HoldBlock.DAYS},
        frozenset({HoldBlock.PAYMENT_ASK, HoldBlock.DEBIT, HoldBlock.AGENCY}),
        _LEADS,
        "FCA CONC 7.3.4 to 7.3.6: forbearance; Directive (EU) 2023/2225 art. 35. The extent is "
        "ours.",
    ),
    HoldKind.PROMISE: HoldRule(
        _QUIET | {HoldBlock.AGENCY},
        PRESSURE,
        _AND_SYSTEMS,
        "Ours: who said when he will pay is not asked before that day.",
    ),
    HoldKind.VULNERABLE: HoldRule(
        _QUIET | _KEPT_HERE,
        frozenset({HoldBlock.PAYMENT_ASK, HoldBlock.DEBIT, HoldBlock.AGENCY}),
        _LEADS,
        "FCA CONC 7.2 and FG21/1: treat with particular care. The extent is ours.",
    ),
    HoldKind.BREATHING_SPACE: HoldRule(
        _QUIET | _KEPT_HERE | _FROZEN,
        _QUIET | _KEPT_HERE | {HoldBlock.FEES},
        _COMPLIANCE,
        "Debt Respite Scheme Regulations 2020 (SI 2020/1311): 60 days without contact, interest, "
        "fees or enforcement. Freezing the days is ours.",
        lasts=timedelta(days=60),
    ),
    HoldKind.CRISIS: HoldRule(
        _QUIET | _KEPT_HERE | _FROZEN,
        _QUIET | _KEPT_HERE | {HoldBlock.FEES},
        _COMPLIANCE,
        "Debt Respite Scheme Regulations 2020 (SI 2020/1311): as long as the crisis treatment, and "
        "30 days after it. Freezing the days is ours.",
        open_ended=True,
    ),
    HoldKind.INSOLVENCY: HoldRule(
        _QUIET | _KEPT_HERE | {HoldBlock.EVERY_CONTACT, HoldBlock.FEES},
        _QUIET | _KEPT_HERE | {HoldBlock.EVERY_CONTACT},
        _COMPLIANCE,
        "11 U.S.C. 362 stays collection; elsewhere the trustee is asked. For specialists.",
        open_ended=True,
    ),
    HoldKind.DECEASED: HoldRule(
        _QUIET | _KEPT_HERE | {HoldBlock.EVERY_CONTACT, HoldBlock.FEES},
        _QUIET | _KEPT_HERE | {HoldBlock.EVERY_CONTACT},
        _COMPLIANCE,
        "12 CFR 1006.6(a)(4): only who acts for the estate is spoken with. Ours elsewhere.",
        open_ended=True,
    ),
    HoldKind.REPRESENTED: HoldRule(
        _QUIET | _KEPT_HERE | {HoldBlock.EVERY_CONTACT},
        PRESSURE | {HoldBlock.EVERY_CONTACT},
        _COMPLIANCE,
        "12 CFR 1006.6(b)(2): who is represented is not contacted himself. Ours elsewhere.",
    ),
    HoldKind.COMPLAINT: HoldRule(
        _QUIET | _KEPT_HERE,
        PRESSURE | {HoldBlock.AGENCY},
        _LEADS,
        "Ours: no rule pauses all contact for a complaint (FCA DISP 1); pressure waits for its "
        "answer.",
    ),
    HoldKind.PLACED: HoldRule(
        _QUIET | {HoldBlock.AGENCY},
        _QUIET | {HoldBlock.AGENCY},
        frozenset(),
        "Ours: who is asked by an agency is not asked by us as well.",
        open_ended=True,
    ),
    HoldKind.OTHER: HoldRule(
        EVERYTHING,
        # A hold under which everybody goes on asking would be none: a reason nobody has a name for
        # is no smaller reason. Interest alone is frozen in the lender's ledger.
        PRESSURE,
        _AND_SYSTEMS,
        "Ours: whoever set it gave the reason, and pressure waits until it is gone.",
    ),
}
# After the treatment of a mental-health crisis has ended (SI 2020/1311).
AFTER_CRISIS: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class HoldFact:
    """One hold as it stands in the book. `recorded_at` is when anybody here learnt of it."""

    kind: str
    starts_at: datetime
    ends_at: datetime | None
    lifted_at: datetime | None
    recorded_at: datetime
    blocks: frozenset[HoldBlock] = EVERYTHING

    @property
    def span(self) -> Span:
        """From its start to its end or its lifting, whichever came first. May be empty."""
        ends = [end for end in (self.ends_at, self.lifted_at) if end is not None]
        return Span(self.starts_at, min(ends, default=None))

    @property
    def unknown_span(self) -> Span:
        """The part of it during which nobody here knew. Empty when it was not backdated."""
        ended = self.span.end
        known = self.recorded_at if ended is None else min(self.recorded_at, ended)
        return Span(self.starts_at, known)


def read_kind(word: str) -> HoldKind:
    """The kind of this name that may be set by hand. Raises `Invalid` naming the known ones."""
    if word == HoldKind.PROMISE.value:
        raise Invalid("kind", "is not for promises.", mend="A promise is taken down as one.")
    if word not in BY_HAND:
        known = ", ".join(BY_HAND)
        raise Invalid("kind", f"{word!r} is not a kind of hold.", mend=f"Use: {known}.")
    return HoldKind(word)


def read_blocks(words: Iterable[str]) -> frozenset[HoldBlock]:
    """Blocks as they are stored; none stored means all of them."""
    return frozenset(HoldBlock(word) for word in words) or EVERYTHING


def blocks_in_force(kind: str, words: Iterable[str]) -> frozenset[HoldBlock]:
    """What a hold that counts now stops: what is stored, and whatever its kind always stops.

    A row may be older than the rule.
    """
    always = RULES[HoldKind(kind)].always if kind in set(HoldKind) else EVERYTHING
    return read_blocks(words) | always


def chosen_blocks(kind: HoldKind, words: Iterable[str] | None) -> frozenset[HoldBlock]:
    """What a hold of this kind stops: the usual, or what was chosen.

    Raises `Invalid` for an unknown word, for nothing at all, and for leaving out what the kind
    always stops.
    """
    rule = RULES[kind]
    wanted = list(words or ())
    if not wanted:
        return rule.blocks
    unknown = sorted(set(wanted) - set(HoldBlock))
    if unknown:
        known = ", ".join(HoldBlock)
        raise Invalid("blocks", f"{unknown[0]!r} is not known.", mend=f"Use: {known}.")
    chosen = frozenset(HoldBlock(word) for word in wanted)
    missing = sorted(rule.always - chosen)
    if missing:
        raise Invalid(
            "blocks", f"a hold of this kind always stops {', '.join(missing)}.", mend=rule.source
        )
    return chosen


def chosen_end(kind: HoldKind, starts_at: datetime, ends_at: datetime | None) -> datetime | None:
    """When a hold ends by itself; None: when somebody ends it.

    Raises `Invalid` for an end before the start, and for one of a kind that only people end.
    """
    rule = RULES[kind]
    if ends_at is None:
        return None if rule.lasts is None else starts_at + rule.lasts
    if rule.open_ended:
        raise Invalid(
            "ends_at", "a hold of this kind ends only by hand.", mend="Leave the end empty."
        )
    if ends_at <= starts_at:
        raise Invalid("ends_at", "is not after the start.", mend="Give a later moment, or none.")
    return ends_at


def crisis_ends(treatment_ended_on: date, zone: ZoneInfo) -> datetime:
    """The end of a crisis hold: the end of the thirtieth day after the treatment's last."""
    last = treatment_ended_on + AFTER_CRISIS
    return datetime.combine(last + timedelta(days=1), time(), zone)


def may_lift(role: Role, kind: str) -> bool:
    """Whether the role may end a hold of this kind early."""
    known = kind in set(HoldKind)
    return role in (RULES[HoldKind(kind)].lifted_by if known else _COMPLIANCE)


def lifters(kind: str) -> str:
    """Which people may end a hold of this kind early, in words."""
    people = [role for role in Role if role is not Role.INTEGRATION and may_lift(role, kind)]
    return ", ".join(sorted(role.value.replace("_", " ") for role in people))


def key_may_lift(kind: str, *, own: bool) -> bool:
    """Whether an API key may end a hold of this kind early; `own`: the same key set it."""
    return own and may_lift(Role.INTEGRATION, kind)
