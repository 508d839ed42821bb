"""What the sandbox remembers: consents, payments, messages, and the settings of its people."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class ConsentStatus(StrEnum):
    """The words of Berlin Group 1.3.11."""

    RECEIVED = "received"
    REJECTED = "rejected"
    VALID = "valid"
    REVOKED = "revokedByPsu"
    EXPIRED = "expired"
    TERMINATED = "terminatedByTpp"


@dataclass(slots=True)
class Consent:
    """One consent at a bank. `resources` maps the bank's account ids to IBANs."""

    id: str
    bank_id: str
    status: ConsentStatus
    recurring: bool
    frequency: int
    valid_until: date
    created_at: datetime
    authorise_until: datetime
    expires_at: datetime
    redirect_url: str
    refused_url: str
    asked_ibans: tuple[str, ...] = ()
    balances: bool = True
    transactions: bool = False
    person_id: str = ""
    resources: dict[str, str] = field(default_factory=dict)
    authorised_at: datetime | None = None
    ended_at: datetime | None = None
    last_action_on: date | None = None
    stuck: bool = False
    superseded: bool = False
    request_key: str = ""


class PayPlan(StrEnum):
    """What becomes of a payment after its authorisation."""

    SETTLES = "settles"
    REJECTED = "rejected"
    PENDING_LONG = "pending_long"
    RETURNED = "returned"


@dataclass(slots=True)
class Payment:
    """One payment initiation at a bank. `refused` is the payer's no, `cancelled` the TPP's."""

    id: str
    bank_id: str
    product: str
    amount_minor: int
    currency: str
    creditor_name: str
    creditor_iban: str
    """Or a British account: sort code and number in one."""
    created_at: datetime
    authorise_until: datetime
    redirect_url: str
    refused_url: str
    debtor_iban: str = ""
    end_to_end: str = ""
    remittance: str = ""
    request_key: str = ""
    person_id: str = ""
    authorised_at: datetime | None = None
    refused_at: datetime | None = None
    refused_why: str = ""
    cancelled_at: datetime | None = None
    plan: PayPlan = PayPlan.SETTLES
    pending_days: int = 0
    notify: str = ""
    """The provider that tells its customer of changes; empty for a bank, which tells nobody."""
    told: str = ""
    """What it has told last."""


@dataclass(slots=True)
class Debit:
    """Money booked on an account here: by a payment (negative), its return, or by hand."""

    id: str
    iban: str
    minor: int
    at: datetime
    payment_id: str = ""
    end_to_end: str = ""
    why: str = ""


@dataclass(slots=True)
class Mail:
    """One e-mail in somebody's mailbox. `stop_url` is the one-click way out it offered."""

    id: str
    to: str
    sender: str
    subject: str
    body: str
    message_id: str
    stop_url: str
    at: datetime


@dataclass(slots=True)
class Bounce:
    """One e-mail on its way back to its sender."""

    id: str
    to: str
    sender: str
    message_id: str
    due_at: datetime
    done: bool = False
    tries: int = 0


@dataclass(slots=True)
class Sms:
    """One text. Inbound ones come from the person's phone."""

    sid: str
    to: str
    sender: str
    body: str
    created_at: datetime
    inbound: bool = False
    service_sid: str = ""
    callback_url: str = ""
    sent_at: datetime | None = None
    """When it leaves, or would have left; None when it never does."""
    ends_at: datetime | None = None
    """When its last status is reached."""
    end_status: str = "delivered"
    error_code: int | None = None
    cancelled: bool = False
    deleted: bool = False
    gateway: str = "twilio"
    """Whose API it came in by; its calls to the customer have that one's form."""
    reference: str = ""
    """The customer's own key, where the gateway takes one."""


@dataclass(slots=True)
class Callback:
    """One call to the customer's webhook that is due or made."""

    id: str
    sid: str
    url: str
    params: list[tuple[str, str]]
    due_at: datetime
    signature: str = "good"
    done: bool = False
    tries: int = 0
    gateway: str = "twilio"


@dataclass(slots=True)
class PersonSettings:
    """What was switched for a person by hand: modes with their values, whether his robot rests,
    overrides of his mood.
    """

    id: str
    modes: dict[str, float] = field(default_factory=dict)
    paused: bool = False
    frozen_minor: dict[str, int] = field(default_factory=dict)
    mode_since: dict[str, datetime] = field(default_factory=dict)
    reactions: tuple[str, ...] = ()
    consent_mood: str = ""
    delay_minutes: int | None = None


@dataclass(slots=True)
class BankSettings:
    """Faults of a whole bank: mode -> value, and when each was switched on."""

    id: str
    modes: dict[str, float] = field(default_factory=dict)
    mode_since: dict[str, datetime] = field(default_factory=dict)
