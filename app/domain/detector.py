"""Readings and policy in, one funds signal or a stored reason for silence out.

A signal fires on a rising edge: the room above the protected floor reached the threshold, and it
was below before. The first reading of a case that is already above counts as a rising edge: the
money is there and nobody has asked for it yet. After a signal the account is disarmed until
the room has fallen clearly below the threshold (hysteresis), so that a balance that trembles
round the line is one event. Only a signal for a part may be followed by one for the whole
without falling first, because more can be paid now than was asked for.

What is known to leave before the next income (`app.domain.bills`) is no room. Where
it alone keeps the whole from being paid, the affordable part is signalled instead.

No balance figure leaves this module: a signal carries bands and covers, never the amount.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from app.domain.balance import Spendable, is_fresh
from app.domain.errors import Invalid
from app.domain.ids import CaseId
from app.domain.money import Money


class ThresholdKind(StrEnum):
    """From which room above the floor money counts as being there."""

    DUE = "due"
    """All that is due."""
    FIXED = "fixed"
    """A fixed amount, whatever is due."""
    SHARE = "share"
    """A share of what is due."""


@dataclass(frozen=True, slots=True)
class FundsPolicy:
    """A lender's rule for one signal. Shares are in basis points (10 000 = all).

    `floor` is kept back for the borrower to live on; None means that nobody has set it, and then
    nothing triggers: no floor is a decision (zero), not an omission. `hysteresis_bp` is how far
    below the threshold the room must fall before the account is armed again. `rest` is the
    least time between two signals of one account. `max_age` is how old the bank's own instant
    may be: three days, since banks book nothing over a weekend, and many state the last change.
    """

    floor: Money | None
    threshold: ThresholdKind = ThresholdKind.DUE
    fixed: Money | None = None
    share_bp: int = 10_000
    hysteresis_bp: int = 1_000
    max_age: timedelta = timedelta(hours=72)
    rest: timedelta = timedelta(hours=24)

    def __post_init__(self) -> None:
        if self.threshold is ThresholdKind.FIXED and (self.fixed is None or self.fixed.minor <= 0):
            raise Invalid(
                "fixed",
                "a fixed threshold needs an amount above zero.",
                mend="Give an amount, or choose another kind of threshold.",
            )
        if not 0 < self.share_bp <= 10_000:
            raise Invalid("share_bp", "lies between 1 and 10 000 basis points.")
        if not 0 <= self.hysteresis_bp <= 10_000:
            raise Invalid("hysteresis_bp", "lies between 0 and 10 000 basis points.")
        if self.floor is not None and self.floor.minor < 0:
            raise Invalid("floor", "cannot be below zero.", mend="Give 0 or more.")
        if self.max_age <= timedelta(0) or self.rest < timedelta(0):
            raise Invalid(
                "max_age",
                "and rest are lengths of time.",
                mend="Give more than no time for the age, and no less than none for the rest.",
            )


@dataclass(frozen=True, slots=True)
class CaseDue:
    """What one case has due and unpaid, and since when. `amount` is above zero."""

    case_id: CaseId
    amount: Money
    oldest_due_on: date


class SignalKind(StrEnum):
    """Enough for all that is due, or for a part of it."""

    ENOUGH = "enough"
    PART = "part"


class MarginBand(StrEnum):
    """The room above the floor beside what is due, in steps too coarse to give it away."""

    UNDER_HALF = "under_half"
    HALF_OR_MORE = "half_or_more"
    JUST_ENOUGH = "just_enough"
    """All of it, and less than a quarter on top."""
    AMPLE = "ample"
    """All of it and at least a quarter on top."""


class Cover(StrEnum):
    """What the money seen covers of one case."""

    WHOLE = "whole"
    PART = "part"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class CaseCover:
    """The share of the money seen that is reserved for one case."""

    case_id: CaseId
    cover: Cover


class QuietReason(StrEnum):
    """Why a reading led to nothing."""

    NOTHING_DUE = "nothing_due"
    UNUSABLE = "unusable"
    """The answer holds no spendable amount; `Spendable.unusable` says why."""
    OTHER_CURRENCY = "other_currency"
    """The account is in another currency than the debt."""
    CREDIT_NOT_EXCLUDED = "credit_not_excluded"
    """The amount may contain a credit limit."""
    STALE = "stale"
    FLOOR_NOT_SET = "floor_not_set"
    """No protected floor is known in the currency of the debt."""
    PROTECTED = "protected"
    """It would be there, but it belongs to the protected floor."""
    COMMITTED = "committed"
    """It would be there, but it is expected to leave before the next income."""
    BELOW_THRESHOLD = "below_threshold"
    ALREADY_SIGNALLED = "already_signalled"
    RESTING = "resting"


@dataclass(frozen=True, slots=True)
class FundsSignal:
    """Money for what is due is there. `because` is a sentence without figures."""

    kind: SignalKind
    because: str
    margin_band: MarginBand
    covers: tuple[CaseCover, ...]


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing to do about this reading, and why. `because` is a sentence without figures."""

    reason: QuietReason
    because: str


@dataclass(frozen=True, slots=True)
class DetectorState:
    """What the detector remembers of one account between readings.

    A new case on the account begins with `DetectorState(last_signal_at=...)`: armed, since what
    is due now has never been asked for; the rest after the last signal still holds.
    """

    armed: bool = True
    last_signal_at: datetime | None = None
    last_kind: SignalKind | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of one stated balance kind. `read_at` is the moment we asked the bank."""

    spendable: Spendable
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Detection:
    """The outcome of one reading and what to remember for the next.

    `part_there`: what was asked for as a part is still there, though the whole is not; a bill that
    was foreseen has left, or another one has come into view.
    """

    outcome: FundsSignal | Quiet
    state: DetectorState
    part_there: bool = False


_BECAUSE = {
    QuietReason.NOTHING_DUE: "Nothing is due.",
    QuietReason.UNUSABLE: "The bank's answer holds no balance that can be used.",
    QuietReason.OTHER_CURRENCY: "The account is in another currency than the debt.",
    QuietReason.CREDIT_NOT_EXCLUDED: "The balance may contain a credit limit, so it is not money.",
    QuietReason.STALE: "The balance is too old to act on.",
    QuietReason.FLOOR_NOT_SET: "No protected floor is set for this currency.",
    QuietReason.PROTECTED: "What is there belongs to the protected floor.",
    QuietReason.COMMITTED: "What is there is expected to leave before the next income.",
    QuietReason.BELOW_THRESHOLD: "There is not enough on the account.",
    QuietReason.ALREADY_SIGNALLED: "This money was already seen; it has been there since.",
    QuietReason.RESTING: "The last signal is too recent for another one.",
}
_ENOUGH = "The account can now pay all that is due and keep the protected floor."
_PART = "The account can now pay a part of what is due and keep the protected floor."
_BUT_BILLS = "The account can now pay a part of what is due; the rest is expected to leave."
# An affordable part of less than a tenth of what triggers is not worth a message.
_LEAST_PART_BP = 1_000


def detect(
    reading: Reading,
    dues: Iterable[CaseDue],
    policy: FundsPolicy,
    state: DetectorState,
    now: datetime,
    *,
    leaving_minor: int | None = None,
) -> Detection:
    """Judge one reading of an account against all that its owner has due with the lender.

    Only dues in the account's currency count. An unusable or stale reading proves nothing: it
    neither triggers nor arms. `leaving_minor`, in the account's currency, is what is expected to
    leave before the next income and has not left the balance yet; None: nobody knows.
    """
    waiting = [due for due in dues if due.amount.minor > 0]
    if not waiting:
        return _quiet(QuietReason.NOTHING_DUE, state)
    amount = reading.spendable.amount
    if amount is None:
        return _quiet(QuietReason.UNUSABLE, state)
    waiting = [due for due in waiting if due.amount.currency == amount.currency]
    if not waiting:
        return _quiet(QuietReason.OTHER_CURRENCY, state)
    if not reading.spendable.credit_excluded:
        return _quiet(QuietReason.CREDIT_NOT_EXCLUDED, state)
    stated_at = reading.spendable.stated_at
    if not is_fresh(stated_at, reading.read_at, now=now, max_age=policy.max_age):
        return _quiet(QuietReason.STALE, state)
    due = _total(waiting)
    threshold = threshold_of(policy, due)
    if threshold.currency != due.currency:
        return _quiet(QuietReason.OTHER_CURRENCY, state)
    if policy.floor is None or policy.floor.currency != due.currency:
        return _quiet(QuietReason.FLOOR_NOT_SET, state)
    bare = amount - policy.floor
    room = bare - Money(leaving_minor or 0, bare.currency)
    part = threshold.share(_LEAST_PART_BP)
    but_bills = bool(leaving_minor) and room < threshold <= bare
    if room < (part if but_bills else threshold):
        # Bills that come into view do not arm an account: its money is the same as before.
        rearmed = state.armed or bare < threshold - threshold.share(policy.hysteresis_bp)
        quiet = _quiet(_why_not(amount, bare, threshold), replace(state, armed=rearmed))
        asked = leaving_minor is not None and state.last_kind is SignalKind.PART
        return replace(quiet, part_there=asked and room >= part)
    return _above(room, waiting, due, policy, state, now, but_bills=but_bills)


def _why_not(amount: Money, bare: Money, threshold: Money) -> QuietReason:
    """What keeps the money from triggering: bills, the floor, or that there is too little."""
    if bare >= threshold:
        return QuietReason.COMMITTED
    return QuietReason.PROTECTED if amount >= threshold else QuietReason.BELOW_THRESHOLD


def threshold_of(policy: FundsPolicy, due: Money) -> Money:
    """The room above the floor from which money counts as being there; shares round up."""
    if policy.threshold is ThresholdKind.FIXED and policy.fixed is not None:
        return policy.fixed
    if policy.threshold is ThresholdKind.SHARE:
        return due.share(policy.share_bp)
    return due


def reserve(amount_above_floor: Money, dues: Iterable[CaseDue]) -> tuple[CaseCover, ...]:
    """Spread the money seen over the person's cases, oldest due first.

    The result is in that order and names a cover only: what is left for a partly covered case
    would give the balance away. Raises `Invalid` for dues in another currency.
    """
    left = amount_above_floor
    covers = []
    for due in sorted(dues, key=lambda due: due.oldest_due_on):
        if left >= due.amount:
            cover = Cover.WHOLE
            left -= due.amount
        elif left.minor > 0:
            cover = Cover.PART
            left = Money.zero(left.currency)
        else:
            cover = Cover.NONE
        covers.append(CaseCover(due.case_id, cover))
    return tuple(covers)


def margin_band(amount_above_floor: Money, due: Money) -> MarginBand:
    """How the room above the floor stands to what is due."""
    room = amount_above_floor
    if room >= due:
        return MarginBand.AMPLE if room - due >= due.share(2_500) else MarginBand.JUST_ENOUGH
    return MarginBand.HALF_OR_MORE if room + room >= due else MarginBand.UNDER_HALF


def _above(
    room: Money,
    waiting: Sequence[CaseDue],
    due: Money,
    policy: FundsPolicy,
    state: DetectorState,
    now: datetime,
    *,
    but_bills: bool,
) -> Detection:
    """The room reached the threshold: fire, unless this money is already known or it rests."""
    kind = SignalKind.ENOUGH if room >= due else SignalKind.PART
    part = _BUT_BILLS if but_bills else _PART
    grown = kind is SignalKind.ENOUGH and state.last_kind is SignalKind.PART
    if not state.armed and not grown:
        return _quiet(QuietReason.ALREADY_SIGNALLED, state)
    if state.last_signal_at is not None and now - state.last_signal_at < policy.rest:
        # The account stays armed: the edge is not lost, it is spoken of after the rest.
        return _quiet(QuietReason.RESTING, state)
    signal = FundsSignal(
        kind=kind,
        because=_ENOUGH if kind is SignalKind.ENOUGH else part,
        margin_band=margin_band(room, due),
        covers=reserve(room, waiting),
    )
    return Detection(signal, DetectorState(armed=False, last_signal_at=now, last_kind=kind))


def _total(dues: Sequence[CaseDue]) -> Money:
    return Money(sum(due.amount.minor for due in dues), dues[0].amount.currency)


def _quiet(reason: QuietReason, state: DetectorState) -> Detection:
    return Detection(Quiet(reason, _BECAUSE[reason]), state)
