"""The sockets of the house: what Saldo asks of providers, and the records that travel.

A connector fills the slots it really has; which slots are filled *is* its capability list.
Methods raise only `ProviderError`s (app/domain/errors.py). All times are aware UTC instants
of business time unless a field says otherwise. A port object is stateless: everything it
needs to find something again travels in the handle it gave out. Payments: `app.pay_ports`.

A record may end up in a log or in the report of a crash, so its repr shows neither texts, nor
addresses that let somebody in, nor what is a person's own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from pydantic import BaseModel

from app.domain.account import BankAccount
from app.domain.balance import BalanceEntry
from app.domain.errors import ConsentEnd
from app.domain.ids import EmailAddress, Iban, Phone, Secret
from app.domain.maintenance import WeeklyHours
from app.domain.payee import IN_EUR, Carried

if TYPE_CHECKING:
    from app.pay_ports import PaymentPort
    from app.side_ports import HookPort

# ---------------------------------------------------------------- banks and presence


@dataclass(frozen=True, slots=True)
class Bank:
    """One bank as a connector can reach it, with the quirks the rest of Saldo must respect."""

    id: str
    name: str
    country: str
    time_zone: str = "Europe/Madrid"
    booking_from: time = time(6, 0)
    booking_until: time = time(22, 0)
    limits_excluded: bool = False
    """The bank states that its available balances never contain a credit limit."""
    attended_reads_count: bool = False
    """A read with the borrower there uses up the allowance like any other: nobody can be told."""
    transactions_apart: bool = False
    """Transactions are counted by themselves: a look at them takes no read of a balance."""
    needs_debtor_iban: bool = False
    """Payment initiation is refused here without the payer's own IBAN."""
    needs_payer_name: bool = False
    """The provider wants the payer's name, phone and e-mail address with an order."""
    maintenance: tuple[WeeklyHours, ...] = ()  # of its own zone; it does not answer then
    longest_reference: int = 35  # letters and digits that reach the lender's statement (SEPA: 35)
    instant_payments: bool = False  # it takes SEPA instant transfers in EUR from third parties
    pays: tuple[Carried, ...] = IN_EUR  # what one can pay from here through the connector


@dataclass(frozen=True, slots=True)
class Presence:
    """The borrower is really there: his address and browser, taken from his own request."""

    ip: str = field(repr=False)
    user_agent: str = field(default="", repr=False)


# ---------------------------------------------------------------- aggregation


@dataclass(frozen=True, slots=True)
class ConsentAsk:
    """What we ask a bank to let us read. `valid_until` is the last day, in the bank's zone."""

    key: UUID
    bank_id: str
    valid_until: date
    recurring: bool
    frequency_per_day: int
    return_url: str = field(repr=False)
    refused_url: str = field(repr=False)
    presence: Presence
    iban: Iban | None = None
    transactions: bool = False
    """He allowed one look at his transactions as well; only to a port that is for them, too."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The handle of one consent: the bank and the provider's token (kept encrypted)."""

    bank_id: str
    token: Secret


class GrantState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class GrantNow:
    """The provider's word on a consent. `end` is set exactly when `state` is ended."""

    state: GrantState
    valid_until: date | None = None
    end: ConsentEnd | None = None
    raw_status: str = ""


@dataclass(frozen=True, slots=True)
class ConsentBegun:
    """A consent waits for the borrower at `redirect_url`."""

    grant: Grant
    redirect_url: str = field(repr=False)
    now: GrantNow


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """An account the consent covers. `ref` is the provider's id and may change on renewal."""

    ref: Secret
    number: BankAccount | None
    """What it is known by. Without, `lasting` has to do, or `ref`, which a renewal may change."""
    currency: str
    name: str = field(default="", repr=False)
    usable: bool = True
    """False for closed, blocked, card and credit accounts: never read, never triggers."""
    why_unusable: str = ""
    lasting: Secret | None = None
    """The provider's own word for the account that outlives a renewal, for one without a number."""


@dataclass(frozen=True, slots=True)
class BalanceAnswer:
    """All balances the provider stated for one account, untouched by any choice."""

    entries: tuple[BalanceEntry, ...]
    currency: str | None = None
    """The account's own currency where the answer states it."""


class AggregationPort(Protocol):
    """Consents and balances."""

    def banks(self) -> tuple[Bank, ...]:
        """The banks reachable with the present settings; no network."""
        ...

    async def begin_consent(self, ask: ConsentAsk) -> ConsentBegun: ...

    async def grant_now(self, grant: Grant) -> GrantNow:
        """Status and effective validity, read from the provider."""
        ...

    async def accounts(
        self, grant: Grant, presence: Presence | None
    ) -> tuple[FoundAccount, ...]: ...

    async def balances(
        self, grant: Grant, account_ref: Secret, presence: Presence | None
    ) -> BalanceAnswer:
        """Exactly one HTTP request to the bank, never retried; `presence=None`: unattended."""
        ...

    async def end_consent(self, grant: Grant) -> None:
        """Give the consent back. Already gone counts as done."""
        ...


# ---------------------------------------------------------------- messages


@dataclass(frozen=True, slots=True)
class OutgoingSms:
    """One SMS. `marker` is the unique part of the body (the link's token) for looking it up.

    `valid_seconds` ends with the permitted contact window, so that a carrier's backlog cannot
    deliver at night. `sent_after` bounds a look-up.
    """

    key: UUID
    to: Phone
    body: str = field(repr=False)
    marker: str = field(repr=False)
    valid_seconds: int
    status_url: str = field(default="", repr=False)
    sent_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class OutgoingEmail:
    """One e-mail of plain text. Its Message-ID is made from `key`, so a repeat is recognisable.

    `sender_name` is the lender's. `stop_url` stops e-mails by one POST (RFC 8058); empty: none.
    """

    key: UUID
    to: EmailAddress
    subject: str = field(repr=False)
    body: str = field(repr=False)
    language: str
    sender_name: str
    stop_url: str = field(default="", repr=False)


class DeliveryState(StrEnum):
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


OPTED_OUT = "opted_out"
"""Reason of a `Declined` send: the recipient has said stop to the provider. Suppress the number."""
NUMBER_INVALID = "number_invalid"
"""Reason of a `Declined` send: this number cannot receive messages. The number is wrong."""
ADDRESS_INVALID = "address_invalid"
"""Reason of a `Declined` e-mail: there is no such mailbox. The address is dead."""


@dataclass(frozen=True, slots=True)
class SendReceipt:
    """The provider's id of the message and where it stands. `reason` is its error code."""

    ref: str
    state: DeliveryState
    reason: str = ""
    opted_out: bool = False
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class InboundHttp:
    """A webhook call as it came in. `url` is the full public URL the provider called."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    form: tuple[tuple[str, str], ...] = field(default=(), repr=False)


class InboundKind(StrEnum):
    MESSAGE_STATUS = "message_status"
    INBOUND_TEXT = "inbound_text"
    PAYMENT = "payment"
    CONSENT = "consent"


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """A verified webhook, reduced to a hint. `event_id` is unique per source."""

    event_id: str
    kind: InboundKind
    message_ref: str = ""
    sender: Phone | None = None
    text: str = field(default="", repr=False)
    stop: bool | None = None
    """True: an opt-out word. False: an opt-in word. None: anything else."""
    receipt: SendReceipt | None = None
    """What the source vouches for itself, where nobody can be asked afterwards (e-mail)."""
    payment_ref: Secret | None = None
    """The payment it is about, as in its handle's `ref`."""
    consent_key: UUID | None = None
    """The consent it is about, by the `key` of its ask."""


class MessagePort(Protocol):
    """SMS."""

    async def send(self, sms: OutgoingSms) -> SendReceipt:
        """One attempt. TryLater: surely not sent. OutcomeUnknown: maybe sent. Declined: refused."""
        ...

    async def find(self, sms: OutgoingSms) -> SendReceipt | None:
        """Look an unclear message up by recipient and marker. None: surely not there."""
        ...

    async def message_now(self, ref: str) -> SendReceipt: ...

    def read_webhook(self, call: InboundHttp) -> InboundEvent:
        """Verify the signature and reduce. Raises `NotAllowed` when it does not verify."""
        ...


class EmailPort(Protocol):
    """E-mail. What left can be looked up nowhere; only bounces tell of it."""

    async def send(self, mail: OutgoingEmail) -> SendReceipt:
        """One attempt, like an SMS. `SendReceipt.ref` is the Message-ID."""
        ...

    def ref_of(self, mail: OutgoingEmail) -> str:
        """The Message-ID that it gets: a bounce names it, also where no answer to sending came."""
        ...

    def read_webhook(self, call: InboundHttp) -> InboundEvent:
        """A bounce that the mail server passed on. Raises `NotAllowed` when it does not verify."""
        ...


# ---------------------------------------------------------------- the lender's own system


@dataclass(frozen=True, slots=True)
class LenderCall:
    """One webhook to a lender, in the Standard Webhooks form. `at` is real time."""

    event_id: UUID
    url: str = field(repr=False)
    body: bytes = field(repr=False)
    secret: Secret
    at: datetime


class LenderHookPort(Protocol):
    async def post(self, call: LenderCall) -> None:
        """Delivered when answered 2xx; else TryLater, or Declined for a lasting 4xx."""
        ...


# ---------------------------------------------------------------- a connector


@dataclass(frozen=True, slots=True)
class Wire:
    """What wiring lends a connector: an httpx.AsyncClient and the two clocks."""

    http: Any
    now: Callable[[], datetime]
    real_now: Callable[[], datetime]
    called: Callable[[str, str], Awaitable[bytes | None]] | None = None
    """The body of a verified call that came in, by connector and event id; None while none came.
    For providers whose answers come by calls alone. Opens a transaction of its own.
    """


@dataclass(frozen=True, slots=True)
class BankReader:
    """How the saved answers of one listed bank are read: as its live ones are."""

    bank: Bank
    parse: Callable[[Any], tuple[BalanceAnswer, ...]]


@dataclass(frozen=True, slots=True)
class Connector:
    """A provider as a value. Importing its module does nothing else than make this.

    `parse_balances` turns a saved answer (decoded JSON) into one BalanceAnswer per account,
    for `saldo connectors parse`.
    """

    name: str
    settings: type[BaseModel]
    aggregation: Callable[[Any, Wire], AggregationPort] | None = None
    payments: Callable[[Any, Wire], PaymentPort] | None = None
    messages: Callable[[Any, Wire], MessagePort] | None = None
    emails: Callable[[Any, Wire], EmailPort] | None = None
    hooks: Callable[[Any, Wire], HookPort] | None = None
    lender_hooks: Callable[[Any, Wire], LenderHookPort] | None = None
    parse_balances: Callable[[Any], tuple[BalanceAnswer, ...]] | None = None
    bank_readers: Callable[[Path | None], Mapping[str, BankReader]] | None = None
    """The same by the banks of a list (None: that of the settings), where their entries differ."""
    try_out: Callable[[Any, Wire], Awaitable[None]] | None = None
    """One question that needs the access data and does nothing. Raises ProviderError: refused."""
    by_lender: bool = True
    """A lender may bring a contract of his own; else its settings name things of this machine."""
    needs_licence: bool = False
    """Live use needs the operator's own authorisation (SALDO_TPP_BASIS)."""
    notes: Mapping[str, str] = field(default_factory=dict)
