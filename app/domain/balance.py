"""Which of a bank's balances is spendable money, and how fresh it is.

A bank states several balances of one account, and some of them contain credit. The rule is
one table for every ISO-style source:

    limit_included   the entry is
    false            eligible as it is
    true             never spendable: credit is not money
    unsaid           eligible as the smaller of itself and the booked balance of the same
                     currency; with no booked balance beside it, it is stated with
                     `credit_excluded` false and cannot trigger anything, unless the bank's
                     profile says that its balances never contain a limit

Among the eligible entries the kind decides, in the order of `PRIORITY`. A booked balance that
says nothing about a limit is eligible as it is and counts as free of credit: booked means the
sum of entries posted to the account, and a limit is not an entry. (Where a bank flags a booked
balance as containing a limit all the same, it is not believed for anything.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from app.domain.money import Money

# The word ISO 4217 has for "no currency"; banks use it for an account of several currencies.
SEVERAL = "XXX"

# First match wins. Opening balances, `nonInvoiced`, `authorised` and words we do not know are
# not in it on purpose: none of them says what could be spent now.
PRIORITY = ("interimAvailable", "forwardAvailable", "expected", "interimBooked", "closingBooked")
_BOOKED = ("interimBooked", "closingBooked")
_NO_CURRENCY = (None, "", SEVERAL)
_DAY = timedelta(days=1)
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BalanceEntry:
    """One balance as the provider stated it, unchosen.

    `kind` is the ISO-style word (interimAvailable, closingBooked, ...). `limit_included` is
    None where the provider does not say. `amount` is None where the string could not be read;
    `problem` then says why. `as_of` is the provider's own instant, None where it gave none.
    """

    kind: str
    amount: Money | None
    limit_included: bool | None = None
    as_of: datetime | None = None
    problem: str = ""


class Unusable(StrEnum):
    """Why an answer holds no spendable amount."""

    NO_BALANCES = "no_balances"
    """The answer lists no balance at all."""
    CREDIT_INCLUDED = "credit_included"
    """Every balance that could be used contains a credit limit."""
    OTHER_CURRENCY = "other_currency"
    """Balances are stated, none in the account's currency."""
    SEVERAL_CURRENCIES = "several_currencies"
    """The account's currency is not known and the balances are in more than one."""
    UNREADABLE_AMOUNT = "unreadable_amount"
    """Balances of a known kind are stated, but their amounts cannot be read."""
    UNKNOWN_KIND = "unknown_kind"
    """Balances are stated, none of a kind that says what can be spent now."""


@dataclass(frozen=True, slots=True)
class Spendable:
    """What of an account could be spent, or why that cannot be said.

    `amount` may be zero or negative; it is None exactly when `unusable` is set: missing is never
    zero. `kind` and `as_of` are those of the chosen entry. `credit_excluded` is the only word
    on whether the amount may trigger something. Where a smaller booked balance set the amount,
    `bounded_by` is its kind and `bounded_as_of` its instant.
    """

    amount: Money | None
    kind: str | None = None
    as_of: datetime | None = None
    credit_excluded: bool = False
    unusable: Unusable | None = None
    bounded_by: str | None = None
    bounded_as_of: datetime | None = None

    @property
    def stated_at(self) -> datetime | None:
        """Until when the amount was surely true: the instant of the balance whose figure it is.

        A closing balance holds at the end of its day. Banks state that day, or an instant in
        it, so it is counted from 24 hours after; `is_fresh` keeps that out of the future.
        """
        bounded = self.bounded_by is not None
        kind, stated = (self.bounded_by, self.bounded_as_of) if bounded else (self.kind, self.as_of)
        return stated + _DAY if stated is not None and kind == "closingBooked" else stated


def choose_spendable(
    entries: Iterable[BalanceEntry], account_currency: str | None, *, limits_excluded: bool
) -> Spendable:
    """The spendable amount of one account, by the table at the top of this module.

    `account_currency` None or "XXX" means unknown: then the balances' own currency is taken
    when it is one, and `several_currencies` is the answer when they are more (see
    `spendable_per_currency`). `limits_excluded` is the bank's profile. Never raises on what a
    bank may state.
    """
    stated = tuple(entries)
    if account_currency in _NO_CURRENCY:
        found = _currencies(stated)
        if len(found) > 1:
            return Spendable(None, unusable=Unusable.SEVERAL_CURRENCIES)
        account_currency = found[0] if found else None
    known = [entry for entry in stated if entry.kind in PRIORITY]
    readable = [(entry, entry.amount) for entry in known if entry.amount is not None]
    ours = [pair for pair in readable if pair[1].currency == account_currency]
    eligible = [pair for pair in ours if pair[0].limit_included is not True]
    chosen = _first_by_kind(eligible, PRIORITY)
    if chosen is None:
        return Spendable(None, unusable=_why_nothing(stated, known, readable, ours))
    entry, amount = chosen
    if entry.limit_included is False or entry.kind in _BOOKED:
        return Spendable(amount, entry.kind, entry.as_of, credit_excluded=True)
    booked = _first_by_kind(eligible, _BOOKED)
    if booked is None:
        return Spendable(amount, entry.kind, entry.as_of, credit_excluded=limits_excluded)
    if amount <= booked[1]:
        return Spendable(amount, entry.kind, entry.as_of, credit_excluded=True)
    return Spendable(
        booked[1],
        entry.kind,
        entry.as_of,
        credit_excluded=True,
        bounded_by=booked[0].kind,
        bounded_as_of=booked[0].as_of,
    )


def spendable_per_currency(
    entries: Iterable[BalanceEntry], account_currency: str | None, *, limits_excluded: bool
) -> tuple[Spendable, ...]:
    """One result for an account of a known currency, one per stated currency otherwise.

    Never empty: an answer without a usable balance gives one result that says why. The order is
    that in which the currencies first appear.
    """
    stated = tuple(entries)
    currencies: Sequence[str | None] = (account_currency,)
    if account_currency in _NO_CURRENCY:
        currencies = _currencies(stated) or (None,)
    return tuple(
        choose_spendable(stated, currency, limits_excluded=limits_excluded)
        for currency in currencies
    )


def is_fresh(
    as_of: datetime | None, read_at: datetime, *, now: datetime, max_age: timedelta
) -> bool:
    """Whether a balance is young enough at `now` to act on.

    The bank's own instant counts, because a bank that is behind answers today with yesterday's
    figure. Where it gives none, the moment of reading counts. A date in the future (a bank that
    states a day, or a clock that is ahead) makes a balance no younger than its reading.
    """
    true_at = read_at if as_of is None else min(_aware(as_of), read_at)
    return now - true_at <= max_age


def _currencies(entries: Sequence[BalanceEntry]) -> tuple[str, ...]:
    """The currencies of the entries of a known kind, in the order of their first mention."""
    choosable = [
        entry.amount.currency
        for entry in entries
        if entry.amount is not None and entry.kind in PRIORITY
    ]
    return tuple(dict.fromkeys(choosable))


def _first_by_kind(
    pairs: Sequence[tuple[BalanceEntry, Money]], order: Sequence[str]
) -> tuple[BalanceEntry, Money] | None:
    """The pair of the first kind in `order` that is there.

    Of several of one kind: rather the one the bank calls free of credit, then the latest, then
    the smallest, so that doubt never makes the amount larger.
    """
    for kind in order:
        same = [pair for pair in pairs if pair[0].kind == kind]
        if same:
            return max(same, key=_trust)
    return None


def _trust(pair: tuple[BalanceEntry, Money]) -> tuple[bool, datetime, int]:
    entry, amount = pair
    as_of = _LONG_AGO if entry.as_of is None else _aware(entry.as_of)
    return entry.limit_included is False, as_of, -amount.minor


def _aware(moment: datetime) -> datetime:
    """A bank's instant without a zone is read as UTC rather than refused."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _why_nothing(
    stated: Sequence[BalanceEntry],
    known: Sequence[BalanceEntry],
    readable: Sequence[tuple[BalanceEntry, Money]],
    ours: Sequence[tuple[BalanceEntry, Money]],
) -> Unusable:
    """The last hurdle that any entry reached, so that the reason names what to look at."""
    if ours:
        return Unusable.CREDIT_INCLUDED
    if readable:
        return Unusable.OTHER_CURRENCY
    if known:
        return Unusable.UNREADABLE_AMOUNT
    return Unusable.UNKNOWN_KIND if stated else Unusable.NO_BALANCES
