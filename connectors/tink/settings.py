"""Settings of the connector, and the operator's list of banks as Tink knows them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from app.domain.errors import Misconfigured
from connectors._bank_list import ListedBank, read_bank_list
from connectors._http import is_loopback_host
from connectors._settings import ProviderSettings, safe_address

NAME = "tink"


class Provider(ListedBank):
    """One `[[bank]]` of the file; a bank is a provider in Tink's words."""

    provider_name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,120}$")
    locale: str = Field(pattern=r"^[a-z]{2}_[A-Z]{2}$")


class Settings(ProviderSettings):
    """Access to banks through Tink (Visa). Live use needs a contract with Tink."""

    model_config = SettingsConfigDict(env_prefix="SALDO_TINK_", frozen=True, extra="ignore")

    client_id: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_-]{0,100}$",
        description="Client id of your app in Tink Console.",
    )
    client_secret: SecretStr = Field(
        default=SecretStr(""), description="Client secret that belongs to the client id."
    )
    banks: Path | None = Field(
        default=None,
        description="TOML file of the banks reached through Tink, one [[bank]] each. "
        "connectors/tink/banks.example.toml explains every field.",
    )
    id_hint: str = Field(
        default="Your lender",
        min_length=1,
        max_length=60,
        description="What Tink Link shows the borrower so that he knows the connection for his "
        "own, such as your brand.",
    )
    base_url: str = Field(default="https://api.tink.com", description="Address of Tink's API.")
    link_url: str = Field(
        default="https://link.tink.com/1.0/account-check/connect",
        description="Address of the Tink Link flow with continuous access that your contract has, "
        "without its parameters.",
    )
    webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret that Tink gave when you registered the address of your webhooks. "
        "Without it Tink's calls are refused, and connections are asked for once a day.",
    )
    timeout_seconds: float = Field(
        default=7.0, gt=1, le=8, description="Real seconds Tink may take for one answer."
    )
    refresh_seconds: float = Field(
        default=12.0,
        gt=0,
        le=14,
        description="Real seconds to wait for the bank's figures once Tink was asked for them.",
    )

    @field_validator("banks", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("base_url", "link_url")
    @classmethod
    def _safe_address(cls, value: str) -> str:
        return safe_address(value)

    def providers(self) -> dict[str, Provider]:
        """The banks of the list by id. Raises Misconfigured for the first thing that is missing."""
        for name, value in (
            ("CLIENT_ID", self.client_id),
            ("CLIENT_SECRET", self.client_secret.get_secret_value()),
        ):
            if not value:
                raise Misconfigured(f"SALDO_TINK_{name}", "is not set", "Copy it from the console.")
        return read_bank_list(self.banks, Provider, "SALDO_TINK_BANKS")

    def live_addresses(self) -> tuple[str, ...]:
        """Tink itself, once there is a client, unless the address is a sandbox on this machine."""
        host = urlsplit(self.base_url).hostname or ""
        return () if not self.client_id or is_loopback_host(host) else (self.base_url,)
