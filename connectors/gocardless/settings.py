"""Settings of the connector, and the operator's list of institutions."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from app.domain.errors import Misconfigured
from connectors._bank_list import ListedBank, read_bank_list
from connectors._http import is_loopback_host
from connectors._settings import ProviderSettings, safe_address

NAME = "gocardless"

# The longest access the API gives; a UK agreement needs a reconfirmation after 90 days, during
# which nothing can be read, so no longer one is asked for there.
LONGEST_DAYS, LONGEST_DAYS_GB = 180, 90


class Institution(ListedBank):
    """One `[[bank]]` of the file."""

    institution_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")
    max_days: int = Field(default=90, ge=1, le=LONGEST_DAYS)
    account_selection: bool = False

    @property
    def longest_days(self) -> int:
        """The most days of access to ask for here."""
        return min(self.max_days, LONGEST_DAYS_GB) if self.country == "GB" else self.max_days


class Settings(ProviderSettings):
    """GoCardless Bank Account Data, for companies that have a contract already."""

    model_config = SettingsConfigDict(env_prefix="SALDO_GOCARDLESS_", frozen=True, extra="ignore")

    banks: Path | None = Field(
        default=None,
        description="TOML file of the banks reached through GoCardless Bank Account Data, one "
        "[[bank]] each. connectors/gocardless/banks.example.toml explains every field.",
    )
    secret_id: str = Field(
        default="", description="Secret id of the user secrets in the Bank Account Data portal."
    )
    secret_key: SecretStr = Field(
        default=SecretStr(""), description="Secret key that belongs to the secret id."
    )
    base_url: str = Field(
        default="https://bankaccountdata.gocardless.com",
        description="Address of Bank Account Data. Change it only for a sandbox on this machine.",
    )
    timeout_seconds: float = Field(
        default=25.0, gt=1, le=28, description="Real seconds it may take for one answer."
    )

    @field_validator("banks", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("base_url")
    @classmethod
    def _safe_address(cls, value: str) -> str:
        return safe_address(value)

    def institutions(self) -> dict[str, Institution]:
        """The banks of the list by id. Raises Misconfigured for the first thing that is missing."""
        for name, value in (
            ("SECRET_ID", self.secret_id),
            ("SECRET_KEY", self.secret_key.get_secret_value()),
        ):
            if not value:
                setting = f"SALDO_GOCARDLESS_{name}"
                raise Misconfigured(setting, "is not set", "Copy it from the portal.")
        return read_bank_list(self.banks, Institution, "SALDO_GOCARDLESS_BANKS")

    def live_addresses(self) -> tuple[str, ...]:
        """GoCardless itself, unless the address is a sandbox on this machine."""
        host = urlsplit(self.base_url).hostname or ""
        return () if not self.secret_id or is_loopback_host(host) else (self.base_url,)
