"""One row of each kind of a lender's book as a record. What cannot be read is refused by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from app.domain.book import (
    Cells,
    needed,
    read_amount,
    read_channels,
    read_choice,
    read_day,
    read_flag,
    read_moment,
    read_number,
)
from app.domain.errors import Invalid
from app.domain.hold import HoldKind, read_kind
from app.domain.ids import check_not_ours
from app.domain.message import Channel
from app.domain.money import Money, currency_digits
from app.domain.promise import PromiseState

_LONGEST_REF: Final = 128
_LONGEST_NOTE: Final = 500
# As far back as a hold can be set at the desk.
_FURTHEST_BACK: Final = timedelta(days=5 * 366)
_END_OF_TIME: Final = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LoanRow:
    """A loan. `as_of` is when the lender's ledger held what its instalments say."""

    ref: str
    borrower_ref: str
    product: str
    currency: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class InstalmentRow:
    """One dated part of a loan. `number` None: it is counted by its day."""

    loan_ref: str
    due_on: date
    amount: Money
    paid: Money
    number: int | None


@dataclass(frozen=True, slots=True)
class RepaymentRow:
    """Money that came in. What came by `as_of` of its loan stands in the instalments already."""

    loan_ref: str
    ref: str
    amount: Money
    paid_at: datetime


class Direction(StrEnum):
    """Who began a contact."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A contact of the past. It counts in the caps from its own time on."""

    borrower_ref: str
    channel: Channel
    made_at: datetime
    direction: Direction
    conversation: bool
    outcome: str
    note: str


@dataclass(frozen=True, slots=True)
class OptOutRow:
    """Somebody stopped messages. `since` None: nobody wrote down when."""

    borrower_ref: str
    channels: tuple[Channel, ...]
    since: datetime | None


@dataclass(frozen=True, slots=True)
class PromiseRow:
    """A promise to pay, open or ended, or one part of it."""

    loan_ref: str
    due_on: date
    amount: Money
    made_at: datetime
    state: PromiseState
    ended_at: datetime | None

    @property
    def promise(self) -> tuple[str, datetime, PromiseState, datetime | None]:
        """What the rows of one promise have in common."""
        return self.loan_ref, self.made_at, self.state, self.ended_at


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A reason to leave somebody in peace. `ends_at` None: until somebody lifts it."""

    borrower_ref: str
    loan_ref: str
    kind: HoldKind
    reason: str
    starts_at: datetime
    ends_at: datetime | None


def read_ref(cells: Cells, name: str) -> str:
    """The lender's own name for something. Raises `Invalid`."""
    text = needed(cells, name)
    if len(text) > _LONGEST_REF or not text.isprintable():
        raise Invalid(name, f"has 1 to {_LONGEST_REF} printable characters.")
    return text


def read_loan(cells: Cells, zone: ZoneInfo, now: datetime) -> LoanRow:
    """Raises `Invalid` naming the column."""
    currency = needed(cells, "currency").upper()
    currency_digits(currency)
    product = needed(cells, "product")
    if len(product) > 80 or not product.isprintable():
        raise Invalid("product", "has at most 80 printable characters.")
    return LoanRow(
        read_ref(cells, "external_ref"),
        read_ref(cells, "borrower_ref"),
        product,
        currency,
        read_moment(cells, "as_of", zone, now),
    )


def read_instalment(cells: Cells, currency: str) -> InstalmentRow:
    """Raises `Invalid` naming the column. Nothing paid is what an empty `paid` means."""
    amount = read_amount(cells, "amount", currency)
    paid = Money.zero(currency)
    if "paid" in cells:
        paid = read_amount(cells, "paid", currency, above_zero=False)
    if paid > amount:
        raise Invalid(
            "paid", "is more than the amount.", mend="Write at most the amount of the instalment."
        )
    return InstalmentRow(
        read_ref(cells, "loan_ref"),
        read_day(cells, "due_on"),
        amount,
        paid,
        read_number(cells, "number"),
    )


def read_repayment(cells: Cells, currency: str, zone: ZoneInfo, now: datetime) -> RepaymentRow:
    """Raises `Invalid` naming the column."""
    external_ref = read_ref(cells, "external_ref")
    check_not_ours(external_ref)
    return RepaymentRow(
        read_ref(cells, "loan_ref"),
        external_ref,
        read_amount(cells, "amount", currency),
        read_moment(cells, "paid_at", zone, now),
    )


def read_contact(cells: Cells, zone: ZoneInfo, now: datetime) -> ContactRow:
    """Raises `Invalid` naming the column. A contact that says nothing else was ours."""
    return ContactRow(
        read_ref(cells, "borrower_ref"),
        read_channels(cells)[0],
        read_moment(cells, "made_at", zone, now),
        read_choice(cells, "direction", Direction, Direction.OUTBOUND),
        read_flag(cells, "conversation"),
        _note(cells, "outcome"),
        _note(cells, "note"),
    )


def read_opt_out(cells: Cells, zone: ZoneInfo, now: datetime) -> OptOutRow:
    """Raises `Invalid` naming the column."""
    since = read_moment(cells, "since", zone, now) if "since" in cells else None
    return OptOutRow(read_ref(cells, "borrower_ref"), read_channels(cells, several=True), since)


def read_promise(cells: Cells, currency: str, zone: ZoneInfo, now: datetime) -> PromiseRow:
    """Raises `Invalid` naming the column, and for an open promise with an end or the reverse."""
    state = read_choice(cells, "state", PromiseState, PromiseState.OPEN)
    ended_at = read_moment(cells, "ended_at", zone, now) if "ended_at" in cells else None
    if (state is PromiseState.OPEN) == (ended_at is not None):
        raise Invalid(
            "ended_at",
            "belongs to a promise that has ended, and to no other.",
            mend="Fill it for kept, broken and cancelled promises alone.",
        )
    promise = PromiseRow(
        read_ref(cells, "loan_ref"),
        read_day(cells, "due_on"),
        read_amount(cells, "amount", currency),
        read_moment(cells, "made_at", zone, now),
        state,
        ended_at,
    )
    if ended_at is not None and ended_at < promise.made_at:
        raise Invalid(
            "ended_at", "lies before made_at.", mend="Write a moment after the promise was made."
        )
    return promise


def read_hold(cells: Cells, zone: ZoneInfo, now: datetime) -> HoldRow:
    """Raises `Invalid` naming the column. A hold without a beginning begins now."""
    starts_at = read_moment(cells, "starts_at", zone, now) if "starts_at" in cells else now
    if starts_at < now - _FURTHEST_BACK:
        raise Invalid(
            "starts_at",
            "is more than five years ago.",
            mend="Write a later day, or leave a hold out that is over.",
        )
    ends_at = _later(cells, zone) if "ends_at" in cells else None
    if ends_at is not None and ends_at <= starts_at:
        raise Invalid(
            "ends_at", "lies before starts_at.", mend="Write a later day, or leave it empty."
        )
    kind = read_choice(cells, "kind", HoldKind, None)
    return HoldRow(
        read_ref(cells, "borrower_ref"),
        read_ref(cells, "loan_ref") if "loan_ref" in cells else "",
        read_kind(kind),
        needed(cells, "reason")[:_LONGEST_NOTE],
        starts_at,
        ends_at,
    )


def _later(cells: Cells, zone: ZoneInfo) -> datetime:
    """An end may lie in the future."""
    return read_moment(cells, "ends_at", zone, _END_OF_TIME)


def _note(cells: Cells, name: str) -> str:
    text = cells.get(name, "")
    if len(text) > _LONGEST_NOTE:
        raise Invalid(name, f"is longer than {_LONGEST_NOTE} characters.", mend="Shorten it.")
    return re.sub(r"[^\S\n]+", " ", text)
