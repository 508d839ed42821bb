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

Money that is not his yet is not his now (ISO 20022, BalanceType: forward available is at the
owner's disposal on the date specified, expected adds pending items to what is booked):

    dated after the bank's today            not eligible, and bounds nothing
    interim, dated to the day whose books   of this moment: interim is what was worked out "in the
    the bank has open (Monday's on a        course of the business day", which on a Saturday is
    Saturday)                               Monday's
    expected; forward without a date        never more than the booked balance
    booked of this moment below zero        never more than that, whatever is said of a limit
    unsaid, nothing booked is eligible,     never more than that figure: what is above it is
    but an earlier or a projected figure    the overdraft, or came in since
    is below zero
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum

from app.domain.money import Money

# The word ISO 4217 has for "no currency"; banks use it for an account of several currencies.
SEVERAL = "XXX"

# First match wins. Opening balances, `nonInvoiced`, `authorised` and words we do not know are
# not in it on purpose: none of them says what could be spent now.
PRIORITY = (
    "interimAvailable",
    "forwardAvailable",
    "expected",
    "interimBooked",
    "closingAvailable",
    "closingBooked",
)
_BOOKED = ("interimBooked", "closingBooked")
_INTERIM = ("interimAvailable", "interimBooked")
CLOSING = ("closingAvailable", "closingBooked")
# Figures of other moments. They are no money, but one below zero shows that there is an overdraft.
_SHOW_OVERDRAFT = (
    "expected",
    "interimCleared",
    "closingCleared",
    "openingCleared",
    "openingBooked",
    "previouslyClosedBooked",
)
_NO_CURRENCY = (None, "", SEVERAL)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BalanceEntry:
    """One balance as the provider stated it, unchosen.

    `kind` is the ISO-style word (interimAvailable, closingBooked, ...). `limit_included` is
    None where the provider does not say. `amount` is None where it could not be read; `problem`
    then says why, and `unusable` is set where that is not the amount's fault: the account is none
    that can be paid from, or the whole answer has another form. `as_of` is the provider's own
    instant, None where it gave none.
    """

    kind: str
    amount: Money | None
    limit_included: bool | None = None
    as_of: datetime | None = None
    problem: str = ""
    unusable: Unusable | None = None


_Stated = tuple[BalanceEntry, Money]


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
    NOT_MONEY = "not_money"
    """The account is none that can be paid from: a card, a loan, or of a type nobody knows."""
    ACCOUNT_CLOSED = "account_closed"
    """The bank has closed or blocked the account."""
    UNREADABLE_ANSWER = "unreadable_answer"
    """The answer is not what the provider documents; of the amounts nothing can be said."""
    UNREADABLE_AMOUNT = "unreadable_amount"
    """Balances of a known kind are stated, but their amounts cannot be read."""
    NOT_YET = "not_yet"
    """Every balance that could be used is dated after the bank's today."""
    UNKNOWN_KIND = "unknown_kind"
    """Balances are stated, none of a kind that says what can be spent now."""


@dataclass(frozen=True, slots=True)
class Spendable:
    """What of an account could be spent, or why that cannot be said.

    `amount` may be zero or negative; it is None exactly when `unusable` is set: missing is never
    zero. `kind` and `as_of` are those of the chosen entry. `credit_excluded` is the only word
    on whether the amount may trigger something. Where a smaller booked balance set the amount,
    `bounded_by` is its kind and `bounded_as_of` its instant. `problem` says in words what is wrong
    where there is no amount and the answer does not show it by itself.
    """

    amount: Money | None
    kind: str | None = None
    as_of: datetime | None = None
    credit_excluded: bool = False
    unusable: Unusable | None = None
    bounded_by: str | None = None
    bounded_as_of: datetime | None = None
    problem: str = ""

    @property
    def stated_at(self) -> datetime | None:
        """Until when the amount was surely true: the instant of the balance whose figure it is.

        A closing balance holds at the end of its day. Banks state that day, or an instant in
        it, so it is counted from 24 hours after; `is_fresh` keeps that out of the future.
        """
        bounded = self.bounded_by is not None
        kind, stated = (self.bounded_by, self.bounded_as_of) if bounded else (self.kind, self.as_of)
        return stated + _DAY if stated is not None and kind in CLOSING else stated


def choose_spendable(
    entries: Iterable[BalanceEntry],
    account_currency: str | None,
    *,
    limits_excluded: bool,
    tomorrow: datetime,
    books_end: datetime | None = None,
) -> Spendable:
    """The spendable amount of one account, by the rules at the top of this module.

    `account_currency` None or "XXX" means unknown: then the balances' own currency is taken
    when it is one, and `several_currencies` is the answer when they are more (see
    `spendable_per_currency`). `limits_excluded` is the bank's profile. `tomorrow` is the instant
    at which the bank's day of the reading is over (`tomorrow_at`), `books_end` the same of the day
    whose books it has open (`books_end_at`); None: the same instant. Never raises on what a bank
    may state.
    """
    stated = tuple(entries)
    if account_currency in _NO_CURRENCY:
        found = _currencies(stated)
        if len(found) > 1:
            return Spendable(None, unusable=Unusable.SEVERAL_CURRENCIES)
        account_currency = found[0] if found else None
    readable = [(entry, entry.amount) for entry in stated if entry.amount is not None]
    ours = [pair for pair in readable if pair[1].currency == account_currency]
    by_now = [pair for pair in ours if not _is_later(pair[0], tomorrow, books_end or tomorrow)]
    eligible = [pair for pair in by_now if pair[0].limit_included is not True]
    chosen = _first_by_kind(eligible, PRIORITY)
    if chosen is None:
        return _nothing(stated, readable, ours, by_now)
    return _bounded(chosen, eligible, limits_excluded=limits_excluded)


def tomorrow_at(now: datetime, zone: tzinfo) -> datetime:
    """The instant at which the day of `now` is over in the bank's zone."""
    day = now.astimezone(zone).date() + _DAY
    return datetime.combine(day, time(0), zone).astimezone(UTC)


def spendable_per_currency(
    entries: Iterable[BalanceEntry],
    account_currency: str | None,
    *,
    limits_excluded: bool,
    tomorrow: datetime,
    books_end: datetime | None = None,
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
        choose_spendable(
            stated,
            currency,
            limits_excluded=limits_excluded,
            tomorrow=tomorrow,
            books_end=books_end,
        )
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


def _is_later(entry: BalanceEntry, tomorrow: datetime, books_end: datetime) -> bool:
    end = books_end if entry.kind in _INTERIM else tomorrow
    return entry.as_of is not None and _aware(entry.as_of) >= end


def _bounded(chosen: _Stated, eligible: Sequence[_Stated], *, limits_excluded: bool) -> Spendable:
    """The chosen entry, or the smaller figure beside it that says how much of it is his."""
    entry, amount = chosen
    bound = _bound_of(entry, eligible)
    free = bound is not None or entry.limit_included is False or entry.kind in _BOOKED
    if not free and not limits_excluded:
        bound = _overdraft_shown(eligible)
        free = bound is not None and bound[1] < amount
    if bound is None or bound[1] >= amount:
        return Spendable(amount, entry.kind, entry.as_of, credit_excluded=free or limits_excluded)
    return Spendable(
        bound[1],
        entry.kind,
        entry.as_of,
        credit_excluded=True,
        bounded_by=bound[0].kind,
        bounded_as_of=bound[0].as_of,
    )


def _bound_of(entry: BalanceEntry, eligible: Sequence[_Stated]) -> _Stated | None:
    """The booked balance that this entry may not exceed; None where it counts by itself."""
    if entry.kind in _BOOKED:
        return None
    is_ahead = entry.kind == "expected" or (entry.kind == "forwardAvailable" and not entry.as_of)
    if entry.limit_included is None or is_ahead:
        return _first_by_kind(eligible, _BOOKED)
    # The bank says that no limit is in it. Yesterday's minus may have been paid off since; one of
    # the same moment shows that it is wrong.
    same = "closingBooked" if entry.kind == "closingAvailable" else "interimBooked"
    booked = _first_by_kind(eligible, (same,))
    return booked if booked is not None and booked[1].minor < 0 else None


def _overdraft_shown(eligible: Sequence[_Stated]) -> _Stated | None:
    """The lowest figure below zero among those that are no money by themselves."""
    below = [pair for pair in eligible if pair[0].kind in _SHOW_OVERDRAFT and pair[1].minor < 0]
    return min(below, key=lambda pair: (pair[1].minor, pair[0].kind), default=None)


def _first_by_kind(pairs: Sequence[_Stated], order: Sequence[str]) -> _Stated | None:
    """The pair of the first kind in `order` that is there.

    Of several of one kind: rather those the bank calls free of credit; then the latest, and with
    it those without a date, which are of now as well as anybody knows; of these the smallest, so
    that doubt never makes the amount larger.
    """
    for kind in order:
        same = [pair for pair in pairs if pair[0].kind == kind]
        if same:
            free = [pair for pair in same if pair[0].limit_included is False]
            return min(_latest(free or same), key=_doubt)
    return None


def _latest(pairs: Sequence[_Stated]) -> list[_Stated]:
    dates = [_aware(entry.as_of) for entry, _ in pairs if entry.as_of is not None]
    last = max(dates, default=None)
    return [pair for pair in pairs if pair[0].as_of is None or _aware(pair[0].as_of) == last]


def _doubt(pair: _Stated) -> tuple[int, bool]:
    """The smallest first; of the same figure the dated one, since a date can make it stale."""
    return pair[1].minor, pair[0].as_of is None


def _aware(moment: datetime) -> datetime:
    """A bank's instant without a zone is read as UTC rather than refused."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _nothing(
    stated: Sequence[BalanceEntry],
    readable: Sequence[_Stated],
    ours: Sequence[_Stated],
    by_now: Sequence[_Stated],
) -> Spendable:
    """The last hurdle that any entry of a known kind reached: the reason names what to look at."""
    for reached, why in (
        (by_now, Unusable.CREDIT_INCLUDED),
        (ours, Unusable.NOT_YET),
        (readable, Unusable.OTHER_CURRENCY),
    ):
        if _of_known_kind(reached):
            return Spendable(None, unusable=why)
    broken = [entry for entry in stated if entry.amount is None]
    # What is wrong with the whole account, before what is wrong with one of its balances.
    first = min(broken, key=lambda one: (not one.unusable, one.kind not in PRIORITY), default=None)
    if first is None:
        return Spendable(None, unusable=Unusable.UNKNOWN_KIND if stated else Unusable.NO_BALANCES)
    of_kind = Unusable.UNREADABLE_AMOUNT if first.kind in PRIORITY else Unusable.UNKNOWN_KIND
    return Spendable(None, unusable=first.unusable or of_kind, problem=first.problem)


def _of_known_kind(pairs: Sequence[_Stated]) -> bool:
    return any(entry.kind in PRIORITY for entry, _ in pairs)
