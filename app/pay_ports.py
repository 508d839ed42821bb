"""The sockets of payment initiation, beside those of `app.ports`, whose rules hold here too."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from app.domain.account import BankAccount
from app.domain.errors import OutcomeUnknown
from app.domain.ids import EmailAddress, Iban, Phone, Secret
from app.domain.money import Money
from app.ports import Bank, Presence


class PayStatus(StrEnum):
    """A provider's payment status, sorted by what it means for the borrower's money.

    open: not authorised yet. authorised: on its way. settled: the bank's profile says the
    money is really moved. An unknown word maps to `open` and is logged as an alarm.
    """

    OPEN = "open"
    AUTHORISED = "authorised"
    SETTLED = "settled"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """One payment to initiate, payer present. `amount` is positive."""

    key: UUID
    bank_id: str
    amount: Money
    creditor_name: str
    creditor_account: BankAccount  # in a form that the bank's `pays` names for this currency
    end_to_end_ref: str
    """At most 35 characters; comes back on the lender's account statement."""
    remittance: str
    return_url: str = field(repr=False)
    refused_url: str = field(repr=False)
    presence: Presence
    debtor_iban: Iban | None = None
    instant: bool = False
    payer_name: str = field(default="", repr=False)
    """Set, with the next two, only for a bank with `needs_payer_name`."""
    payer_phone: Phone | None = None
    payer_email: EmailAddress | None = None


@dataclass(frozen=True, slots=True)
class PaymentHandle:
    """How to find the payment again at its bank."""

    bank_id: str
    ref: Secret
    instant: bool = False


@dataclass(frozen=True, slots=True)
class PaymentNow:
    status: PayStatus
    raw_status: str
    hook_ref: Secret | None = None
    """What the provider's calls name the payment by from now on, if not by its handle's `ref`."""
    again: tuple[PaymentHandle, ...] = ()
    """Further payments that were made on the same page, each with a handle of its own."""
    repeats: bool = False
    """Its page can be paid again whatever came of it, so that a no before any yes ends nothing."""
    ours: Secret | None = None
    """Which of the payments on such a page this is about, as in the `ref` of those in `again`."""


@dataclass(frozen=True, slots=True)
class PaymentBegun:
    """The payment exists and waits for the borrower at `redirect_url`."""

    handle: PaymentHandle
    redirect_url: str = field(repr=False)
    now: PaymentNow


class PaymentWithoutPage(OutcomeUnknown):
    """The payment was made, and where the payer authorises it could not be learnt.

    So nobody can be sent there. `handle` finds it, to ask for its state and to take it back.
    """

    def __init__(self, detail: str, *, handle: PaymentHandle, **where: str) -> None:
        super().__init__(detail, **where)
        self.handle = handle


class CancelResult(StrEnum):
    """cancelled: final. needs_payer: the bank wants the payer's authorisation for it.
    too_late: it can no longer be cancelled. impossible: the provider takes nothing back.
    """

    CANCELLED = "cancelled"
    NEEDS_PAYER = "needs_payer"
    TOO_LATE = "too_late"
    IMPOSSIBLE = "impossible"


class PaymentPort(Protocol):
    """Payment initiation."""

    def banks(self) -> tuple[Bank, ...]: ...

    async def create_payment(self, order: PaymentOrder) -> PaymentBegun: ...

    async def payment_now(self, handle: PaymentHandle) -> PaymentNow: ...

    async def cancel_payment(self, handle: PaymentHandle) -> CancelResult: ...
