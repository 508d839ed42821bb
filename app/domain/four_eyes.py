"""Who may propose, and who may decide: nobody alone, and no machine in the end.

Behind every act that is carried out stand two different people. Where a machine proposed (the
strategy, or the lender's own system by its key), a person first puts his name to the proposal,
and that person does not decide. Above a bound two people have to agree, besides whoever
proposed. The database repeats the most of it in its checks (app/store/tables/collections.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from app.domain.approval import AFTER_FORBEARANCE, ApprovalKind
from app.domain.errors import Invalid, NotAllowed
from app.domain.money import Money, currency_digits
from app.domain.roles import Act, Role, check_right, may

_PROPOSES: Final[Mapping[ApprovalKind, Act]] = {
    ApprovalKind.WRITE_OFF: Act.PROPOSE_WRITE_OFF,
    ApprovalKind.FORGIVENESS: Act.PROPOSE_RELIEF,
    # Undoing a write-off is part of it: whoever may not propose the one may not propose the other.
    ApprovalKind.REVERSAL: Act.PROPOSE_WRITE_OFF,
    ApprovalKind.STRATEGY: Act.WRITE_STRATEGY,
    ApprovalKind.SEGMENT: Act.WRITE_STRATEGY,
    ApprovalKind.TEMPLATE: Act.WRITE_TEMPLATE,
    ApprovalKind.PACK: Act.WRITE_RULES,
    ApprovalKind.PLACEMENT: Act.PROPOSE_RELIEF,
    ApprovalKind.IMPORT: Act.LOAD_BOOK,
    ApprovalKind.PROVIDER: Act.SET_UP_PROVIDER,
    ApprovalKind.PAYEE: Act.SET_PAYEE,
}
_DECIDES: Final[Mapping[ApprovalKind, Act]] = {
    ApprovalKind.WRITE_OFF: Act.DECIDE_MONEY,
    ApprovalKind.FORGIVENESS: Act.DECIDE_MONEY,
    ApprovalKind.REVERSAL: Act.DECIDE_MONEY,
    ApprovalKind.STRATEGY: Act.PUBLISH,
    ApprovalKind.SEGMENT: Act.PUBLISH,
    ApprovalKind.TEMPLATE: Act.PUBLISH,
    ApprovalKind.PACK: Act.PUBLISH_RULES,
    ApprovalKind.PLACEMENT: Act.DECIDE_MONEY,
    ApprovalKind.IMPORT: Act.RELEASE_BOOK,
    ApprovalKind.PROVIDER: Act.APPROVE_PROVIDER,
    ApprovalKind.PAYEE: Act.APPROVE_PAYEE,
}


def proposing_act(kind: ApprovalKind, *, whole: bool = False) -> Act:
    """The right that a person needs to propose it.

    `whole`: a forgiveness that gives the debt up (`gives_up`). That is a write-off under another
    name.
    """
    if kind is ApprovalKind.FORGIVENESS and whole:
        return Act.PROPOSE_WRITE_OFF
    return _PROPOSES[kind]


# Ours. A debt of which less than this share is left, in basis points, was given up.
_LEAST_LEFT: Final = 1_000


def gives_up(amount: Money, *, owed: Money, forgiven: Money) -> bool:
    """Whether forgiving this much of what is `owed` leaves nothing, or next to nothing.

    `forgiven` is what was forgiven on the loan before: slices add up.
    """
    left = owed - amount
    return not left or left < (owed + forgiven).share(_LEAST_LEFT)


def deciding_act(kind: ApprovalKind) -> Act:
    """The right that a person needs to approve or refuse it; the amount may ask for more."""
    return _DECIDES[kind]


# ------------------------------------------------------------------ tiers by amount


@dataclass(frozen=True, slots=True)
class Bounds:
    """Amounts in minor units of one currency.

    Up to `small_minor` a supervisor may decide, up to `single_minor` one approver does, above it
    two approvers have to agree. `monthly_minor` is the most that one person may approve of
    forgiveness in a calendar month of the lender; None: no such cap.
    """

    small_minor: int
    single_minor: int
    monthly_minor: int | None = None


# Sums of much the same weight in each currency. No public source fixes them: they are a start,
# and compliance states the lender's own. A currency without bounds always needs two approvers.
DEFAULT_BOUNDS: Final[Mapping[str, Bounds]] = {
    "EUR": Bounds(50_000, 1_000_000),
    "GBP": Bounds(50_000, 1_000_000),
    "USD": Bounds(50_000, 1_000_000),
    "AUD": Bounds(80_000, 1_600_000),
    "PLN": Bounds(200_000, 4_000_000),
    "MXN": Bounds(1_000_000, 20_000_000),
    "COP": Bounds(200_000_000, 4_000_000_000),
    "INR": Bounds(4_000_000, 80_000_000),
}
_STRICTEST: Final = Bounds(0, 0)
_LARGEST_BOUND: Final = 10**13


class Tier(StrEnum):
    """How much weight an amount has."""

    SMALL = "small"
    SINGLE = "single"
    DOUBLE = "double"


def tier_of(weight: Money, bounds: Mapping[str, Bounds]) -> Tier:
    """The tier of an amount under a lender's bounds."""
    found = bounds.get(weight.currency, _STRICTEST)
    if weight.minor <= found.small_minor:
        return Tier.SMALL
    return Tier.SINGLE if weight.minor <= found.single_minor else Tier.DOUBLE


def read_bounds(notes: Mapping[str, Any]) -> dict[str, Bounds]:
    """A lender's bounds over the defaults. Raises `Invalid` for a form nobody can have meant."""
    bounds = dict(DEFAULT_BOUNDS)
    for currency, stated in notes.items():
        currency_digits(currency)
        if not isinstance(stated, Mapping):
            raise Invalid(
                "tiers", f"has nothing readable for {currency}.", mend="Write amounts in digits."
            )
        monthly = stated.get("monthly_minor")
        made = Bounds(
            _read_minor(stated.get("small_minor"), currency),
            _read_minor(stated.get("single_minor"), currency),
            None if monthly is None else _read_minor(monthly, currency),
        )
        if made.small_minor > made.single_minor:
            raise Invalid(
                "tiers",
                f"for {currency} are the wrong way round.",
                mend="What one approver decides is at least what a supervisor decides.",
            )
        bounds[currency] = made
    return bounds


def _read_minor(amount: Any, currency: str) -> int:
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise Invalid(
            "tiers", f"has no whole amounts for {currency}.", mend="Write amounts without cents."
        )
    if not 0 <= amount <= _LARGEST_BOUND:
        raise Invalid(
            "tiers", f"has an amount out of reach for {currency}.", mend="Write a smaller one."
        )
    return amount


# ------------------------------------------------------------------ the decision


@dataclass(frozen=True, slots=True)
class Hand:
    """A person of the desk with the role he has at this moment.

    `confirmed` is False from the moment an admin gave him this role, or a password, until somebody
    of compliance has confirmed that it is really another person.
    """

    user_id: UUID
    role: Role
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a decision about a proposal depends on.

    `proposer` is None when a machine proposed; `endorser` is the person who put his name to it.
    `weight` is the amount with what was forgiven on the loan before, so that nobody gets below a
    bound by slicing, nor with a write-off as the last slice; None where no amount is at stake.
    `considered` says whether forbearance is on record. `forgives` is the amount of a forgiveness by
    itself; None for everything else.
    """

    kind: ApprovalKind
    proposer: UUID | None
    endorser: UUID | None
    first_decider: UUID | None
    weight: Money | None
    considered: bool
    forgives: Money | None = None

    @property
    def has_a_person(self) -> bool:
        """Somebody, not something, wants this."""
        return self.proposer is not None or self.endorser is not None


def check_withdrawer(proposal: Proposal, hand: Hand) -> None:
    """Raises `NotAllowed` when this person may not take it back: what a person proposed is that
    person's, what a machine proposed is anybody's who might have.
    """
    check_proposer(proposal.kind, hand)
    if proposal.proposer not in (None, hand.user_id):
        raise NotAllowed("Only who proposed this withdraws it. You may refuse it.", code="NotYours")


class Outcome(StrEnum):
    """What an approval by this person leads to."""

    CARRY_OUT = "carry_out"
    ONE_MORE = "one_more"


def check_proposer(kind: ApprovalKind, hand: Hand, *, whole: bool = False) -> None:
    """Raises `NotAllowed` when this person may not propose it."""
    if not may(hand.role, proposing_act(kind, whole=whole)):
        if may(hand.role, proposing_act(kind)):
            raise NotAllowed(
                "This leaves less than a tenth of the debt: it is a write-off, and your role "
                "proposes none.",
                code="RoleMissing",
            )
        raise NotAllowed("Your role does not include proposing this.", code="RoleMissing")


def check_refuser(proposal: Proposal, hand: Hand) -> None:
    """Raises `NotAllowed` when this person may not say no. His own proposal he withdraws."""
    check_decider(proposal.kind, hand)
    if hand.user_id == proposal.proposer:
        raise NotAllowed("You proposed this yourself. Withdraw it instead.", code="OwnProposal")


def judge(
    proposal: Proposal, hand: Hand, bounds: Mapping[str, Bounds], approved: Money | None = None
) -> Outcome:
    """What this person's yes leads to.

    `approved` is what he has approved of forgiveness this month, in the proposal's currency.

    Raises `NotAllowed` when it must not count: no right, not confirmed, his own proposal, a second
    yes of the same person, an amount above his tier or above what is left of his month, or a
    machine's proposal that nobody stands behind. Raises `Invalid` for a write-off or a placement
    without a recorded consideration of forbearance.
    """
    check_decider(proposal.kind, hand)
    if hand.user_id in (proposal.proposer, proposal.endorser):
        raise NotAllowed(
            "You proposed this yourself, or put your name to it. Somebody else decides.",
            code="OwnProposal",
        )
    if hand.user_id == proposal.first_decider:
        raise NotAllowed("You have approved this already. Somebody else is needed.", code="SaidYes")
    if proposal.kind in AFTER_FORBEARANCE and not proposal.considered:
        raise Invalid(
            "considered",
            "is empty.",
            mend="Somebody records first which forbearance was considered, and why it is not used.",
        )
    if not proposal.has_a_person:
        raise NotAllowed(
            "A machine proposed this. A person has to put his name to it first.",
            code="NobodyBehindIt",
        )
    if proposal.weight is None:
        return Outcome.CARRY_OUT
    tier = tier_of(proposal.weight, bounds)
    if tier is not Tier.SMALL and hand.role is not Role.APPROVER:
        raise NotAllowed("This amount needs an approver.", code="AmountTooLarge")
    if proposal.forgives is not None:
        _check_month(proposal.forgives, approved, bounds.get(proposal.forgives.currency))
    if tier is Tier.DOUBLE and proposal.first_decider is None:
        return Outcome.ONE_MORE
    return Outcome.CARRY_OUT


def _check_month(amount: Money, approved: Money | None, bounds: Bounds | None) -> None:
    if bounds is None or bounds.monthly_minor is None:
        return
    so_far, most = approved or Money.zero(amount.currency), bounds.monthly_minor
    if (so_far + amount).minor > most:
        raise NotAllowed(
            f"You have approved {so_far} of forgiveness this month. With {amount} more it would be "
            f"above the {Money(most, amount.currency)} that one person may approve in a month. "
            "Somebody else decides.",
            code="MonthUsedUp",
        )


def check_decider(kind: ApprovalKind, hand: Hand) -> None:
    """Raises `NotAllowed` when this person's word counts for nothing of this kind."""
    check_right(hand.role, deciding_act(kind), confirmed=hand.confirmed)
