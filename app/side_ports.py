"""Sockets that only some providers have, beside the usual ones of `app.ports`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from app.domain.ids import Secret
from app.domain.money import Money
from app.pay_ports import PaymentHandle, PaymentOrder
from app.ports import Grant, InboundEvent, InboundHttp, Presence


@runtime_checkable
class ComingBackPort(Protocol):
    """For aggregations to which the borrower's browser brings something back from his bank.

    Beside `AggregationPort`, by those whose consent is opened by a code in the return address.
    """

    async def came_back(self, grant: Grant, returned: Mapping[str, str]) -> Grant:
        """Take in the `code` or `error` of the return address, and give the grant to go on with.

        The same grant where there is nothing new; a new one has to be kept at once, because a
        code works once. Raises ConsentGone (rejected) when he said no or the code has run out;
        OutcomeUnknown when the answer was lost, which leaves a consent that nobody can use.
        """
        ...


@runtime_checkable
class RenewingPort(Protocol):
    """Beside `AggregationPort`, where a grant lasts for minutes and is exchanged for the next one.

    The exchange spends it: one makes it at a time, and keeps the next one before it is used.
    """

    def renewal_due(self, grant: Grant) -> bool: ...

    async def renew(self, grant: Grant) -> Grant:
        """Raises ConsentGone when it is over, OutcomeUnknown when the answer was lost."""
        ...


@dataclass(frozen=True, slots=True)
class Moved:
    """One transaction: its day at the bank and its amount, below zero for what left.

    Nothing else of it leaves the connector: no name, no purpose, no account of anybody's.
    """

    on: date
    amount: Money


@runtime_checkable
class TransactionsPort(Protocol):
    """Beside `AggregationPort`, where an account's transactions can be asked for.

    With the borrower there and never without: a second unattended access to an account within a
    day is another one of four (RTS (EU) 2018/389 art. 36(5)), so there is no way to ask for one.
    """

    async def transactions(
        self, grant: Grant, account_ref: Secret, since: date, presence: Presence
    ) -> tuple[Moved, ...]:
        """All of an account's from a day at the bank on, booked ones and pending ones, unordered.

        What cannot be told from the answer (whether money came or left) is left out. Raises
        Unreadable where the answer is no list or has no end.
        """
        ...


@runtime_checkable
class CopiedTransactionsPort(Protocol):
    """Beside `AggregationPort`, where the provider fetched the transactions for us.

    It did while the borrower connected his bank there. Asking it for its copy asks no bank, counts
    in no allowance, and needs nobody to be there.
    """

    async def copied_transactions(
        self, grant: Grant, account_ref: Secret, since: date
    ) -> tuple[Moved, ...]:
        """All of an account's from a day at the bank on, as `TransactionsPort.transactions`.

        Raises TryLater while the copy is not complete.
        """
        ...


@runtime_checkable
class FindingPort(Protocol):
    """Beside `PaymentPort`, where an order is known again by its key or its reference.

    For orders whose answer was lost, or whose process died: what became of them can be known.
    """

    async def find_payment(self, order: PaymentOrder) -> PaymentHandle:
        """The payment that this order has made. Nobody must be sent to its page.

        One that never arrived may be made by this; it can then be taken back. TryLater and
        OutcomeUnknown mean that it is not known yet; Declined, that there is none so far.
        """
        ...


@dataclass(frozen=True, slots=True)
class Stay:
    """How an open payment stays where nobody can take it back. All in business time.

    `free_after`: so long after the borrower was last sent to its page another one may be made.
    `page_lasts`: so long after it was made its page is over; None: it never ends. `under_way`: raw
    words with which somebody is confirming it: whoever went to the page a second time could pay a
    second time.
    """

    free_after: timedelta
    page_lasts: timedelta | None = None
    under_way: frozenset[str] = frozenset()


@runtime_checkable
class StayingPort(Protocol):
    """Beside `PaymentPort`, where an open payment cannot be taken back.

    Its `cancel_payment` says `CancelResult.IMPOSSIBLE` and asks nobody.
    """

    def stay(self) -> Stay: ...


class HookPort(Protocol):
    """Calls in which a provider says that a payment or a consent has changed.

    Each is a hint at what to look at; what it says of the state is not even passed on.
    """

    async def read_webhooks(self, call: InboundHttp) -> tuple[InboundEvent, ...]:
        """Verify the call, and name what it is about; empty where that is nothing of ours.

        Raises NotAllowed when it does not verify or is too old, Unreadable when it is signed and
        cannot be read, TryLater while the keys to verify it with cannot be had.
        """
        ...


# ---------------------------------------------------------------- a lender's own contract


class FieldKind(StrEnum):
    """How a field is filled in."""

    TEXT = "text"
    SECRET = "secret"  # noqa: S105 - the name of a kind
    FILE = "file"
    TICK = "tick"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class OwnField:
    """One setting that a lender fills in. `usual` is what counts where it is left empty."""

    name: str
    kind: FieldKind
    description: str
    usual: str = ""
    choices: tuple[str, ...] = ()
    shared: bool = False
    """Where none is given, the operator's serves: a list without secrets, or an address."""
    rare: bool = False
    """Most contracts do without."""
    leads: bool = False
    """An address: whoever is there is handed the secrets."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A connector that a lender can set up for himself, for one job."""

    connector: str
    fields: tuple[OwnField, ...]
    known_at_the_door: bool
    """Access data can be tried without doing anything; else only whether anybody answers."""
    takes_calls: bool
    """The provider may call us about what changed."""
