"""The living book that a lender brings on his first day: kinds of rows, columns, and how to read.

Nothing is guessed. An amount that two people could read differently, a day in the order of some
country, a channel that nobody knows: each is refused, with the mend beside it. Columns that Saldo
does not know are kept with their row and reported; they decide nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from app.domain.errors import Invalid
from app.domain.message import Channel
from app.domain.money import Money

Cells = Mapping[str, str]
"""One row: normalised column name to the text of its cell, stripped. Empty cells are absent."""


class BookKind(StrEnum):
    """What the rows of one sheet or file are about. The value is the name of the sheet."""

    BORROWERS = "borrowers"
    LOANS = "loans"
    INSTALMENTS = "instalments"
    REPAYMENTS = "repayments"
    CONTACTS = "contacts"
    OPT_OUTS = "opt_outs"
    PROMISES = "promises"
    HOLDS = "holds"


# Other names that lenders give to the same things.
_ALSO: Final[Mapping[str, BookKind]] = {
    "customers": BookKind.BORROWERS,
    "arrears": BookKind.INSTALMENTS,
    "schedule": BookKind.INSTALMENTS,
    "payments": BookKind.REPAYMENTS,
    "optouts": BookKind.OPT_OUTS,
    "disputes": BookKind.HOLDS,
}


@dataclass(frozen=True, slots=True)
class Columns:
    """What a sheet must have, and may have."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def known(self) -> frozenset[str]:
        """Every name that is understood."""
        return frozenset(self.required + self.optional)


COLUMNS: Final[Mapping[BookKind, Columns]] = {
    BookKind.BORROWERS: Columns(
        ("external_ref", "name", "country"),
        (
            "language",
            "phone",
            "email",
            "birth_date",
            "document_last4",
            "region",
            "time_zone",
        ),
    ),
    BookKind.LOANS: Columns(("external_ref", "borrower_ref", "product", "currency", "as_of")),
    BookKind.INSTALMENTS: Columns(("loan_ref", "due_on", "amount"), ("number", "paid", "currency")),
    BookKind.REPAYMENTS: Columns(("loan_ref", "external_ref", "amount", "paid_at"), ("currency",)),
    BookKind.CONTACTS: Columns(
        ("borrower_ref", "channel", "made_at"), ("direction", "conversation", "outcome", "note")
    ),
    BookKind.OPT_OUTS: Columns(("borrower_ref", "channel"), ("since",)),
    BookKind.PROMISES: Columns(
        ("loan_ref", "due_on", "amount", "made_at"), ("state", "ended_at", "currency")
    ),
    BookKind.HOLDS: Columns(
        ("borrower_ref", "kind", "reason"), ("loan_ref", "starts_at", "ends_at")
    ),
}


def kind_named(name: str) -> BookKind | None:
    """The kind that a sheet or file of this name holds; None when the name says nothing.

    "Loans", "loans-2026-11.csv" and "LOANS (2)" all mean loans.
    """
    bare = re.sub(r"\.[a-z0-9]+\Z", "", name.strip().lower())
    bare = re.sub(r"[\s-]+", "_", bare)
    wanted = re.match(r"[a-z]+(?:_outs)?", bare)
    if wanted is None:
        return None
    word = wanted.group()
    return next((kind for kind in BookKind if kind.value == word), _ALSO.get(word))


def column_names(header: Sequence[str]) -> tuple[str, ...]:
    """The names of a header as they are looked up: lower case, words joined by "_".

    Raises `Invalid` for a name that stands there twice: nobody knows which column is meant.
    """
    names = tuple(re.sub(r"[\s-]+", "_", one.strip().lower()) for one in header)
    named = [one for one in names if one]
    twice = sorted({one for one in named if named.count(one) > 1})
    if twice:
        raise Invalid(
            "header", f"names a column twice: {', '.join(twice)}.", mend="Keep one of them."
        )
    return names


def check_header(kind: BookKind, names: Iterable[str]) -> tuple[str, ...]:
    """The columns that Saldo does not know. Raises `Invalid` when one that it needs is missing."""
    here = {one for one in names if one}
    missing = [one for one in COLUMNS[kind].required if one not in here]
    if missing:
        raise Invalid(
            f"{kind.value} header",
            f"lacks the column {', '.join(missing)}.",
            mend=f"There must be {', '.join(COLUMNS[kind].required)}.",
        )
    return tuple(sorted(here - COLUMNS[kind].known))


# ------------------------------------------------------------------ single cells

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII
)
_YES: Final = frozenset({"yes", "true", "1", "y"})
_NO: Final = frozenset({"no", "false", "0", "n"})

Choice = TypeVar("Choice", bound=StrEnum)


def needed(cells: Cells, name: str) -> str:
    """The text of a cell that must not be empty. Raises `Invalid`."""
    found = cells.get(name, "")
    if not found:
        raise Invalid(name, "is empty.", mend="Fill the cell.")
    return found


def read_amount(cells: Cells, name: str, currency: str, *, above_zero: bool = True) -> Money:
    """An amount with a decimal point and no separators, such as "1234.56".

    Raises `Invalid` for "1,234.56" and "1.234,56" alike: one of them is wrong by a factor of a
    thousand somewhere, and nobody can tell which.
    """
    stated = cells.get("currency", "").upper()
    if stated and stated != currency:
        raise Invalid(
            "currency", f"is {stated}, but the loan is in {currency}.", mend=f"Write {currency}."
        )
    text = needed(cells, name)
    try:
        amount = Money.parse(text, currency, field=name)
    except Invalid:
        raise Invalid(
            name,
            f"cannot be read as an amount: {text[:40]!r}.",
            mend="Write it like 1234.56: a decimal point, no separators, no sign of a currency.",
        ) from None
    if amount.minor < 0 or (above_zero and amount.minor == 0):
        raise Invalid(name, "must be above zero." if above_zero else "must not be below zero.")
    return amount


def read_day(cells: Cells, name: str) -> date:
    """A calendar day as ISO 8601 writes it. Raises `Invalid` for every other order."""
    text = needed(cells, name)
    if _DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise Invalid(name, f"is not a day: {text[:40]!r}.", mend='Write it like "2026-03-31".')


def read_moment(cells: Cells, name: str, zone: ZoneInfo, now: datetime) -> datetime:
    """A moment that has passed, in UTC.

    Without an offset it is read on the clock of `zone`, which the person who loads the file is
    shown; an hour that this clock skips or shows twice is refused. A day alone counts as its last
    minute: what is counted from it (a cap, a window) then ends as late as it can. Raises `Invalid`.
    """
    text = needed(cells, name)
    if _DAY.fullmatch(text):
        last = datetime.combine(read_day(cells, name), time(23, 59), zone).astimezone(UTC)
        if last - timedelta(days=1) > now:
            raise Invalid(
                name,
                f"lies in the future: {text}.",
                mend="Write a day or a moment that has passed.",
            )
        return min(last, now)
    if not _MOMENT.fullmatch(text):
        raise Invalid(
            name, f"is not a time: {text[:40]!r}.", mend='Write it like "2026-03-31T14:05:00Z".'
        )
    try:
        moment = datetime.fromisoformat(text.replace(" ", "T"))
    except ValueError:
        raise Invalid(
            name, f"is not a time: {text[:40]!r}.", mend='Write it like "2026-03-01T09:30:00Z".'
        ) from None
    if moment.tzinfo is None:
        moment = _on_the_clock(moment, zone, name)
    if moment > now:
        raise Invalid(
            name, f"lies in the future: {text}.", mend="Write a day or a moment that has passed."
        )
    return moment.astimezone(UTC)


def _on_the_clock(wall: datetime, zone: ZoneInfo, name: str) -> datetime:
    first, second = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        raise Invalid(
            name,
            f"is an hour that the clock of {zone.key} skips or shows twice.",
            mend="Write its offset behind it, such as +01:00.",
        )
    return first


def read_choice(cells: Cells, name: str, choices: type[Choice], default: Choice | None) -> Choice:
    """One of a list of words, in any case. Raises `Invalid` naming the list."""
    text = cells.get(name, "") if default is not None else needed(cells, name)
    if not text and default is not None:
        return default
    word = re.sub(r"[\s-]+", "_", text.strip().lower())
    try:
        return choices(word)
    except ValueError:
        known = ", ".join(one.value for one in choices)
        raise Invalid(name, f"is not known: {text[:40]!r}.", mend=f"Use: {known}.") from None


def read_flag(cells: Cells, name: str) -> bool:
    """Yes or no; empty means no. Raises `Invalid` for anything else."""
    text = cells.get(name, "").lower()
    if not text or text in _NO:
        return False
    if text in _YES:
        return True
    raise Invalid(name, f"is neither yes nor no: {text[:20]!r}.", mend="Write yes or no.")


def read_number(cells: Cells, name: str) -> int | None:
    """A whole number from 1 on; None when the cell is empty. Raises `Invalid`."""
    text = cells.get(name, "")
    if not text:
        return None
    if not re.fullmatch(r"[1-9]\d{0,5}", text, re.ASCII):
        raise Invalid(
            name, f"is not a whole number from 1 on: {text[:20]!r}.", mend="Write digits only."
        )
    return int(text)


# Names for channels that lenders' files use.
_CHANNELS: Final[Mapping[str, Channel]] = {
    "text": Channel.SMS,
    "phone": Channel.CALL,
    "telephone": Channel.CALL,
    "e_mail": Channel.EMAIL,
    "app": Channel.PUSH,
}


def read_channels(cells: Cells, *, several: bool = False) -> tuple[Channel, ...]:
    """The channel of a contact; of an opt-out "all" too, which is every channel."""
    word = re.sub(r"[\s-]+", "_", needed(cells, "channel").lower())
    if several and word == "all":
        return tuple(Channel)
    if word in _CHANNELS:
        return (_CHANNELS[word],)
    return (read_choice(cells, "channel", Channel, None),)
