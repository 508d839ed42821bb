"""What may be promised, whether it was kept, and what to suggest. Days are the lender's own.

A promise is one or more parts, each with a day and an amount. Money counts by the day it was
paid, whoever reports it and however late: a verdict follows from facts, and the same facts give
the same verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from app.domain.errors import Invalid, NotAllowed
from app.domain.money import Money, currency_digits
from app.domain.promise import PromiseState
from app.domain.stages import PromiseTerms


class PromiseSource(StrEnum):
    """Where a promise was taken. Behind `desk` stands a person who spoke with the borrower."""

    DESK = "desk"
    PAGE = "page"
    API = "api"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Part:
    """One dated part of a promise. `amount` is above zero."""

    due_on: date
    amount: Money


@dataclass(frozen=True, slots=True)
class Paid:
    """Money that came after the promise was made, by the day it was paid."""

    on: date
    amount: Money


def check_parts(
    parts: Sequence[Part], *, due: Money, today: date, terms: PromiseTerms
) -> tuple[Part, ...]:
    """The parts in the order of their days. Raises `Invalid`, which names the part and the mend.

    Together they are at most `due`, what is due and unpaid now: nobody promises what nobody may
    ask him for. Each is at least one whole unit of the currency, or the share the terms want.
    """
    if not 1 <= len(parts) <= terms.max_parts:
        raise Invalid("parts", f"must be 1 to {terms.max_parts}.")
    last = today + timedelta(days=terms.max_days_ahead)
    unit = Money(10 ** currency_digits(due.currency), due.currency)
    least = min(max(unit, due.share(terms.min_share_basis_points)), due)
    for place, part in enumerate(parts):
        day, amount = f"parts[{place}].due_on", f"parts[{place}].amount"
        if part.amount.currency != due.currency:
            raise Invalid(
                amount,
                f"the debt is in {due.currency}.",
                mend=f"Promise an amount in {due.currency}.",
            )
        if part.amount < least:
            raise Invalid(amount, "is too little.", mend=f"Promise at least {least}.")
        if part.due_on < today:
            raise Invalid(day, "is in the past.", mend="Choose today or a later day.")
        if part.due_on > last:
            raise Invalid(day, "is too far ahead.", mend=f"The last possible day is {last}.")
    ordered = tuple(sorted(parts, key=lambda part: part.due_on))
    days = [part.due_on for part in ordered]
    if len(set(days)) != len(days):
        raise Invalid("parts", "have the same day twice.", mend="Put them together.")
    if total_of(ordered) > due:
        raise Invalid("parts", "are more than what is due.", mend=f"Promise at most {due}.")
    return ordered


def total_of(parts: Sequence[Part]) -> Money:
    """What is promised in all. Raises `ValueError` for no parts at all."""
    if not parts:
        raise ValueError("a promise has at least one part")
    return sum((part.amount for part in parts), Money.zero(parts[0].amount.currency))


def has_to_be_vouched_for(ended: Sequence[PromiseState]) -> bool:
    """Whether a person has to say why another promise will hold.

    `ended` is how the promises of the case ended, newest first, cancelled ones left out. After a
    broken one he has to; after one that was kept in part not yet, but after two in a row, else a
    cent before each deadline would put calls off for ever.
    """
    part = PromiseState.PART
    return list(ended[:1]) == [PromiseState.BROKEN] or list(ended[:2]) == [part, part]


def refuse_after_unkept(
    ended: Sequence[PromiseState], source: PromiseSource, note: str, *, field: str = "note"
) -> None:
    """A broken promise blocks an automatic second one; a collector may take one, and says why.

    `ended` as in `has_to_be_vouched_for`. Raises `NotAllowed` for a machine and `Invalid` for a
    collector without a note.
    """
    if source is PromiseSource.IMPORT or not has_to_be_vouched_for(ended):
        return
    if source is not PromiseSource.DESK:
        raise NotAllowed(
            "What was promised before did not come. A person has to agree to another promise.",
            code="PromiseBroken",
        )
    if not note.strip():
        raise Invalid(
            field,
            "is empty, and what was promised before did not come.",
            mend="Say why this one will hold.",
        )


# ------------------------------------------------------------------ the verdict


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the facts say about a promise.

    `event` is the move of its lifecycle, None while it may still be kept; then `wait_until` is
    the first day on which that can change. `paid` is what came in time so far, `missing` what
    the decisive deadline lacks (zero for a kept one).
    """

    event: str | None
    wait_until: date | None
    paid: Money
    missing: Money


def judge(
    parts: Sequence[Part],
    paid: Iterable[Paid],
    today: date,
    *,
    grace_days: int,
    tolerance: Money,
) -> Ruling:
    """Kept, kept in part, broken, or still open at `today`.

    Each part's deadline is its day plus the grace; what was paid until then, early money
    included, has to reach the sum of the parts so far, less the tolerance. The first deadline
    that was missed decides: `part_keep` when something had come by then, else `break`. Later
    payments mend nothing; payments that were only reported later do.
    """
    nothing = Money.zero(tolerance.currency)
    came = sorted(paid, key=lambda one: one.on)
    wanted = nothing
    in_time = nothing
    for part in sorted(parts, key=lambda one: one.due_on):
        deadline = part.due_on + timedelta(days=grace_days)
        wanted += part.amount
        in_time = sum((one.amount for one in came if one.on <= deadline), nothing)
        if in_time + tolerance >= wanted:
            continue
        missing = wanted - in_time
        if today <= deadline:
            return Ruling(None, deadline + timedelta(days=1), in_time, missing)
        return Ruling("part_keep" if in_time else "break", None, in_time, missing)
    return Ruling("keep", None, in_time, nothing)


def tolerance_for(parts: Sequence[Part], terms: PromiseTerms) -> Money:
    """How much may be missing: the larger of a share of the whole promise and a fixed amount.

    Always less than its smallest part: no part may go missing as a whole.
    """
    total = total_of(parts)
    smallest = min((part.amount for part in parts), key=lambda amount: amount.minor)
    share = total.minor * terms.tolerance_basis_points // 10_000
    wide = max(share, terms.tolerance_minor)
    return Money(min(wide, smallest.minor - 1), total.currency)


def reminder_days(
    parts: Sequence[Part], *, made_on: date, days_before: int
) -> tuple[tuple[int, date], ...]:
    """When to remind of each part: (number of the part, from 1; the day).

    A part that falls due before such a day, or on it, gets none: he has just spoken of it.
    """
    found = []
    for number, part in enumerate(sorted(parts, key=lambda one: one.due_on), start=1):
        on = part.due_on - timedelta(days=days_before)
        if on > made_on:
            found.append((number, on))
    return tuple(found)


# ------------------------------------------------------------------ the suggestion


@dataclass(frozen=True, slots=True)
class Known:
    """Facts that a suggestion may rest on. Balance figures are not among them.

    `money_came_on` are days on which money was seen on his accounts (the fact of a funds signal,
    never how much), `instalment` the regular one of his contract, `largest_paid` the most that
    he has paid at once in the last half-year. `income_on` is the day near which his next income is
    likeliest, by the profile of an account that he lets be read.
    """

    due: Money
    country: str
    money_came_on: tuple[date, ...] = ()
    instalment: Money | None = None
    largest_paid: Money | None = None
    income_on: date | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A day and an amount to begin from, and why, in words for the collector."""

    on: date
    amount: Money
    because: str
    reasons: tuple[str, ...] = field(default=())


# The day wages are there at the latest. Poland: Kodeks pracy art. 85 § 2, within the first ten
# days of the following month. Elsewhere monthly wages are taken to arrive by the last day of the
# month: an assumption of ours, which the money that was really seen replaces.
_PAID_BY_DAY = {"PL": 10}


def suggest(known: Known, today: date, terms: PromiseTerms) -> Suggestion:
    """The day after the next payday, and what he could pay then."""
    usual = recurring_day(known.money_came_on)
    if known.income_on is not None:
        payday = max(known.income_on, today)
        when = f"Income is likeliest about {payday:%-d %b}"
    elif usual is not None:
        payday = _next_day_of_month(today, usual)
        when = f"Money usually comes about day {usual} of the month"
    elif known.country in _PAID_BY_DAY:
        payday = _next_day_of_month(today, _PAID_BY_DAY[known.country])
        when = f"Wages are paid by day {_PAID_BY_DAY[known.country]} of the month"
    else:
        payday = _next_day_of_month(today, 31)
        when = "Wages are usually there at the end of the month"
    last = today + timedelta(days=terms.max_days_ahead)
    amount, what = _affordable(known)
    on = min(payday + timedelta(days=1), last)
    return Suggestion(on, amount, f"{when}. {what}.", (when, what))


def _affordable(known: Known) -> tuple[Money, str]:
    candidates = [
        (amount, why)
        for amount, why in (
            (known.instalment, "The amount is one instalment of his contract"),
            (known.largest_paid, "The amount is the most he has paid at once lately"),
        )
        if amount is not None and amount.minor > 0
    ]
    if not candidates:
        return known.due, "The amount is all that is due"
    best, why = max(candidates, key=lambda one: one[0].minor)
    return (known.due, "The amount is all that is due") if best >= known.due else (best, why)


def recurring_day(days: Iterable[date]) -> int | None:
    """The day of the month about which money comes: seen in two months at least, within two days.

    None when there is no such pattern. Of several the one seen in most months, then the earliest.
    """
    found = sorted(set(days))
    best: tuple[int, int] | None = None
    for candidate in sorted({day.day for day in found}):
        months = {(day.year, day.month) for day in found if abs(day.day - candidate) <= 2}
        if len(months) >= 2 and (best is None or len(months) > best[0]):
            best = (len(months), candidate)
    return None if best is None else best[1]


def _next_day_of_month(today: date, day: int) -> date:
    """The next date from today on with this day; the month's last one where it has none such."""
    here = _in_month(today.year, today.month, day)
    if here >= today:
        return here
    year, month = (today.year + 1, 1) if today.month == 12 else (today.year, today.month + 1)
    return _in_month(year, month, day)


def _in_month(year: int, month: int, day: int) -> date:
    first_of_next = date(year + month // 12, month % 12 + 1, 1)
    return min(first_of_next - timedelta(days=1), date(year, month, 1) + timedelta(days=day - 1))
