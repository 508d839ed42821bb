"""The banks of the sandbox, and the habits in which they differ.

All of them speak Berlin Group, the British one for reading alone; each habit is one that real banks
were seen to have: how the four reads a day are counted, which status is the last one, what an
expired consent looks like.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Window(StrEnum):
    """Over which time unattended reads are counted."""

    ROLLING = "rolling24h"
    CALENDAR = "calendar_day"


class CountKey(StrEnum):
    """What one counter belongs to."""

    ACCOUNT_ENDPOINT = "consent+account+endpoint"
    URI = "consent+uri"


class ErrorShape(StrEnum):
    """The two error bodies the standard knows."""

    TPP_MESSAGES = "tppMessages"
    PROBLEM = "problem+json"


class LimitHeader(StrEnum):
    """What a 429 says about when to come back. The standard defines no header for it."""

    NONE = "none"
    RETRY_AFTER = "retry-after"


class LimitWord(StrEnum):
    """Credit limits in a bank's available balance: marked as such, in it without a word, or
    never in it (and so said in the bank's documentation, not in its answers).
    """

    STATED = "stated"
    SILENT = "silent"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Step:
    """From `after` its authorisation on, a payment stands at `status`."""

    status: str
    after: timedelta


@dataclass(frozen=True, slots=True)
class Bank:
    """One bank. Times are business time; days are the bank's own calendar days."""

    id: str
    name: str
    country: str
    time_zone: str
    bank_code: str
    bic: str
    colour: str
    currency: str = "EUR"
    """Of its accounts, and of the payments from them."""
    products: tuple[str, ...] = ("sepa-credit-transfers", "instant-sepa-credit-transfers")
    """What its Berlin Group interface makes payments by."""
    window: Window = Window.ROLLING
    count_key: CountKey = CountKey.ACCOUNT_ENDPOINT
    reads_allowed: int = 4
    grace: timedelta = timedelta(0)
    """A read this soon after a counted one of the same key is free."""
    limit_header: LimitHeader = LimitHeader.NONE
    errors: ErrorShape = ErrorShape.TPP_MESSAGES
    consent_days: int = 180
    authorise_within: timedelta = timedelta(hours=8)
    """How long an unauthorised consent or payment waits. Generous, because a demo's clock runs
    a thousand times faster than a person taps."""
    lapsed_consent_status: str = "rejected"
    expired_status_code: int = 401
    revoked_code: str = "CONSENT_INVALID"
    unknown_consent: tuple[int, str] = (403, "CONSENT_UNKNOWN")
    new_ids_on_renewal: bool = True
    balance_types: tuple[str, ...] = ("interimAvailable", "interimBooked", "closingBooked")
    limit_word: LimitWord = LimitWord.STATED
    needs_debtor_iban: bool = False
    instant_payments: bool = False
    """What the bank's documentation says; the interface takes both products everywhere."""
    repeats_answer: bool = False
    """A POST with an X-Request-ID seen before gets the first answer again. Not promised by
    Berlin Group; some banks do it."""
    cancel_needs_payer: bool = False
    explicit_start: bool = False
    """Consents and payments come without a redirect; the TPP has to start the authorisation."""
    steps: tuple[Step, ...] = ()
    instant_steps: tuple[Step, ...] = field(
        default=(Step("ACSP", timedelta(0)), Step("ACSC", timedelta(seconds=8)))
    )
    settled_at: tuple[str, ...] = ("ACSC",)
    """The statuses that mean at this bank that the money has moved."""
    authorised_at: tuple[str, ...] = ("ACTC", "ACCP", "ACSP")

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def steps_for(self, product: str) -> tuple[Step, ...]:
        """The way of a payment of `product` after its authorisation."""
        return self.instant_steps if product.startswith("instant-") else self.steps


def _minutes(minutes: float) -> timedelta:
    return timedelta(minutes=minutes)


BANKS: tuple[Bank, ...] = (
    Bank(
        id="luz",
        name="Banco Luz",
        country="ES",
        time_zone="Europe/Madrid",
        bank_code="99120001",
        bic="LUZBESMM",
        colour="#b45309",
        limit_header=LimitHeader.RETRY_AFTER,
        consent_days=180,
        instant_payments=True,
        repeats_answer=True,
        steps=(
            Step("ACTC", timedelta(0)),
            Step("ACSP", _minutes(2)),
            Step("ACSC", _minutes(10)),
        ),
        settled_at=("ACSC",),
        authorised_at=("ACTC", "ACSP"),
    ),
    Bank(
        id="ribera",
        name="Caja Ribera",
        country="ES",
        time_zone="Europe/Madrid",
        bank_code="99340007",
        bic="RIBEESMM",
        colour="#047857",
        window=Window.CALENDAR,
        count_key=CountKey.URI,
        errors=ErrorShape.PROBLEM,
        consent_days=90,
        authorise_within=timedelta(hours=6),
        lapsed_consent_status="expired",
        expired_status_code=400,
        unknown_consent=(400, "CONSENT_UNKNOWN"),
        new_ids_on_renewal=False,
        balance_types=("closingBooked", "expected", "interimAvailable"),
        needs_debtor_iban=True,
        steps=(
            Step("ACCP", timedelta(0)),
            Step("ACSP", _minutes(20)),
            Step("ACSC", _minutes(120)),
            Step("ACCC", _minutes(240)),
        ),
        settled_at=("ACCC",),
        authorised_at=("ACCP", "ACSP", "ACSC"),
        instant_steps=(
            Step("ACSP", timedelta(0)),
            Step("ACSC", timedelta(seconds=5)),
            Step("ACCC", timedelta(seconds=12)),
        ),
    ),
    Bank(
        id="wisla",
        name="Bank Wisła",
        country="PL",
        time_zone="Europe/Warsaw",
        bank_code="9990001",
        bic="WISLPLPW",
        colour="#1d4ed8",
        authorise_within=timedelta(hours=24),
        grace=_minutes(5),
        consent_days=90,
        balance_types=("interimAvailable", "interimBooked"),
        limit_word=LimitWord.SILENT,
        cancel_needs_payer=True,
        steps=(
            Step("ACTC", timedelta(0)),
            Step("ACSP", _minutes(10)),
            Step("ACSC", _minutes(60)),
            Step("ACCC", _minutes(150)),
        ),
        settled_at=("ACSC", "ACCC"),
        authorised_at=("ACTC", "ACSP"),
    ),
    Bank(
        id="wharf",
        name="Wharf Bank",
        country="GB",
        time_zone="Europe/London",
        bank_code="WHRF209901",
        bic="WHRFGB2L",
        colour="#0f766e",
        currency="GBP",
        # British banks speak another standard: here accounts are read by this one, nothing more.
        products=(),
        consent_days=90,
        steps=(
            Step("ACTC", timedelta(0)),
            Step("ACSP", _minutes(1)),
            Step("ACSC", _minutes(5)),
        ),
        settled_at=("ACSC",),
        authorised_at=("ACTC", "ACSP"),
    ),
    Bank(
        id="odra",
        name="Bank Odra",
        country="PL",
        time_zone="Europe/Warsaw",
        bank_code="9980002",
        bic="ODRAPLPW",
        colour="#be123c",
        currency="PLN",
        products=("domestic-credit-transfers",),
        consent_days=90,
        steps=(
            Step("ACTC", timedelta(0)),
            Step("ACSP", _minutes(10)),
            Step("ACSC", _minutes(60)),
        ),
        settled_at=("ACSC",),
        authorised_at=("ACTC", "ACSP"),
    ),
    Bank(
        id="foerde",
        name="Fördebank",
        country="DE",
        time_zone="Europe/Berlin",
        bank_code="99950000",
        bic="FOERDEFF",
        colour="#6d28d9",
        consent_days=180,
        balance_types=("interimBooked", "expected"),
        explicit_start=True,
        limit_word=LimitWord.NEVER,
        steps=(
            Step("PDNG", timedelta(0)),
            Step("ACTC", _minutes(2)),
            Step("ACSP", _minutes(30)),
            Step("ACSC", _minutes(90)),
            Step("ACCC", _minutes(180)),
        ),
        settled_at=("ACSC", "ACCC"),
        authorised_at=("ACTC", "ACCP", "ACSP"),
    ),
)

BY_ID: dict[str, Bank] = {bank.id: bank for bank in BANKS}
IN_EURO: tuple[Bank, ...] = tuple(bank for bank in BANKS if bank.currency == "EUR")


def institution_id(bank: Bank) -> str:
    """How aggregators call the bank."""
    return f"{bank.id.upper()}_{bank.bic}"


def provider_id(bank: Bank) -> str:
    """How TrueLayer calls the bank."""
    return f"xs2a-{bank.country.lower()}-{bank.id}"
