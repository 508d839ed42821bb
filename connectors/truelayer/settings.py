"""Settings of the connector, and the operator's list of banks as TrueLayer knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from app.domain.payee import EUR, GBP, PLN, AccountForm
from app.ports import Bank
from connectors._bank_list import banks_field, read_bank_list
from connectors._currencies import PayingBank, longest_reference
from connectors._http import is_loopback_host
from connectors._settings import ProviderSettings, safe_address

NAME = "truelayer"
LIVE_KEYS = "https://webhooks.truelayer.com/.well-known/jwks"
SANDBOX_KEYS = "https://webhooks.truelayer-sandbox.com/.well-known/jwks"


class BankProfile(PayingBank):
    """One `[[bank]]` of the file.

    PLN is in the vendor's own libraries and not in its published description: only on request.
    """

    provider_id: str = Field(pattern=r"^[a-z0-9-]{1,100}$")
    consent_days: int = Field(default=90, ge=1, le=180)
    needs_debtor_iban: bool = False
    executed_is_settled: bool = False

    carried: ClassVar[Mapping[str, AccountForm]] = {
        EUR: AccountForm.IBAN,
        GBP: AccountForm.SORT_CODE,
        PLN: AccountForm.IBAN,
    }
    by_country: ClassVar[Mapping[str, tuple[str, ...]]] = {"GB": (GBP,)}


@dataclass(frozen=True, slots=True)
class BankRoute:
    """A profile made ready for use. `lasts`: how long TrueLayer keeps a connection."""

    profile: BankProfile
    bank: Bank
    zone: ZoneInfo
    lasts: timedelta

    @classmethod
    def of(cls, profile: BankProfile) -> BankRoute:
        """Derive everything from the profile."""
        bank = profile.bank(
            needs_payer_name=True,
            needs_debtor_iban=profile.needs_debtor_iban,
            instant_payments=profile.instant_payments,
            pays=profile.pays,
            longest_reference=longest_reference(profile.pays),
        )
        lasts = timedelta(days=profile.consent_days)
        return cls(profile, bank, ZoneInfo(profile.time_zone), lasts)


class Settings(ProviderSettings):
    """Access to banks through TrueLayer. Live use needs a contract with the vendor."""

    model_config = SettingsConfigDict(env_prefix="SALDO_TRUELAYER_", frozen=True, extra="ignore")

    client_id: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]{0,100}$",
        description="Client id of your application in the vendor's Console.",
    )
    client_secret: SecretStr = Field(
        default=SecretStr(""), description="Client secret that belongs to the client id."
    )
    banks: Path | None = banks_field(NAME, "reached through TrueLayer")
    auth_url: str = Field(
        default="https://auth.truelayer.com",
        description="The vendor's address for consents and tokens; its own sandbox is "
        "https://auth.truelayer-sandbox.com.",
    )
    api_url: str = Field(
        default="https://api.truelayer.com",
        description="The vendor's address for data; its own sandbox is "
        "https://api.truelayer-sandbox.com.",
    )
    key_id: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9-]{0,64}$",
        description="Id that the Console gave to your signing key; only for payments.",
    )
    signing_key: Path | None = Field(
        default=None,
        description="PEM file of the private key (ES512, curve P-521) whose public half you "
        "uploaded; only for payments. Keep it readable for Saldo alone.",
    )
    hosted_url: str = Field(
        default="https://payment.truelayer.com",
        description="The vendor's page where payers authorise; of its own sandbox it is "
        "https://payment.truelayer-sandbox.com.",
    )
    webhook_keys_url: str = Field(
        default=LIVE_KEYS,
        description="Where the vendor publishes the keys of its webhooks. Calls that name another "
        f"address are refused; of its own sandbox it is {SANDBOX_KEYS}.",
    )
    timeout_seconds: float = Field(
        default=14.0,
        gt=1,
        le=14,
        description="Real seconds the vendor may take for one answer. Some calls need two.",
    )

    @field_validator("webhook_keys_url")
    @classmethod
    def _known_keys(cls, value: str) -> str:
        if value in (LIVE_KEYS, SANDBOX_KEYS):
            return value
        if not is_loopback_host(urlsplit(value).hostname or ""):
            message = f"must be {LIVE_KEYS} or {SANDBOX_KEYS}"
            raise ValueError(message)
        return safe_address(value)

    def routes(self) -> Mapping[str, BankRoute]:
        """The banks of the list by id. Raises Misconfigured for the first thing that is missing."""
        self.need("Copy it from the Console.", "client_id", "client_secret")
        found = read_bank_list(self.banks, BankProfile, "SALDO_TRUELAYER_BANKS")
        return {bank_id: BankRoute.of(profile) for bank_id, profile in found.items()}

    def named(self) -> bool:
        """Once there is a client."""
        return bool(self.client_id)
