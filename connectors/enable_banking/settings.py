"""Settings of the connector, and the operator's list of banks as the vendor knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from app.ports import Bank
from connectors._bank_list import ListedBank, read_bank_list
from connectors._http import is_loopback_host
from connectors._settings import ProviderSettings, safe_address

NAME = "enable_banking"


class BankProfile(ListedBank):
    """One `[[bank]]` of the file. The last three come from the vendor's answer to GET /aspsps."""

    aspsp_name: str = Field(min_length=1, max_length=200)
    maximum_consent_validity: int = Field(gt=0)
    required_psu_headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BankRoute:
    """A profile made ready for use."""

    profile: BankProfile
    bank: Bank
    zone: ZoneInfo

    @classmethod
    def of(cls, profile: BankProfile) -> BankRoute:
        """Derive everything from the profile."""
        bank = Bank(
            id=profile.id,
            name=profile.name,
            country=profile.country,
            time_zone=profile.time_zone,
            booking_from=profile.booking_from,
            booking_until=profile.booking_until,
            maintenance=profile.weekly_rests,
            limits_excluded=profile.limits_excluded,
        )
        return cls(profile, bank, ZoneInfo(profile.time_zone))


class Settings(ProviderSettings):
    """Access to banks through Enable Banking. Live use needs a contract with the vendor."""

    model_config = SettingsConfigDict(
        env_prefix="SALDO_ENABLE_BANKING_", frozen=True, extra="ignore"
    )

    app_id: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9-]{0,64}$",
        description="Id of your application in the vendor's control panel, a UUID.",
    )
    private_key: Path | None = Field(
        default=None,
        description="PEM file of the RSA key (2048 bits or more) whose certificate you registered "
        "for the application. Keep it readable for Saldo alone.",
    )
    banks: Path | None = Field(
        default=None,
        description="TOML file of the banks reached through Enable Banking, one [[bank]] each. "
        "connectors/enable_banking/banks.example.toml explains every field.",
    )
    base_url: str = Field(
        default="https://api.enablebanking.com", description="The vendor's address."
    )
    timeout_seconds: float = Field(
        default=25.0, gt=1, le=28, description="Real seconds the vendor may take for one answer."
    )

    @field_validator("private_key", "banks", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("base_url")
    @classmethod
    def _safe_address(cls, value: str) -> str:
        return safe_address(value)

    def live_addresses(self) -> tuple[str, ...]:
        """The vendor, once a list of banks is given, unless it is a sandbox on this machine."""
        local = is_loopback_host(urlsplit(self.base_url).hostname or "")
        return () if self.banks is None or local else (self.base_url,)


def load_banks(path: Path | None) -> Mapping[str, BankRoute]:
    """The file's banks by id. Raises Misconfigured naming the bank and the field."""
    found = read_bank_list(path, BankProfile, "SALDO_ENABLE_BANKING_BANKS")
    return {bank_id: BankRoute.of(profile) for bank_id, profile in found.items()}
