"""Settings of the connector, and the operator's list of banks as the vendor knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.ports import Bank
from connectors._bank_list import ListedBank, read_bank_list
from connectors._settings import ProviderSettings

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
        bank = profile.bank()
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

    def named(self) -> bool:
        """Once a list of banks is given."""
        return self.banks is not None


def load_banks(path: Path | None) -> Mapping[str, BankRoute]:
    """The file's banks by id. Raises Misconfigured naming the bank and the field."""
    found = read_bank_list(path, BankProfile, "SALDO_ENABLE_BANKING_BANKS")
    return {bank_id: BankRoute.of(profile) for bank_id, profile in found.items()}
