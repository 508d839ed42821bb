"""Settings of the connector, and the operator's list of banks as Plaid knows them."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from connectors._bank_list import ListedBank, read_bank_list
from connectors._settings import ProviderSettings

NAME = "plaid"


class Institution(ListedBank):
    """One `[[bank]]` of the file."""

    institution_id: str = Field(pattern=r"^[A-Za-z0-9_]{1,60}$")
    language: str = Field(pattern=r"^[a-z]{2}$")


class Settings(ProviderSettings):
    """Access to banks in Europe through Plaid. Live use needs a contract with Plaid."""

    model_config = SettingsConfigDict(env_prefix="SALDO_PLAID_", frozen=True, extra="ignore")

    client_id: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9]{0,60}$",
        description="Client id of your team in Plaid's dashboard.",
    )
    secret: SecretStr = Field(
        default=SecretStr(""), description="Secret of the environment behind the address."
    )
    client_name: str = Field(
        default="",
        max_length=30,
        description="Name of your company as the borrower reads it on Plaid's page, up to 30 "
        "letters.",
    )
    banks: Path | None = Field(
        default=None,
        description="TOML file of the banks reached through Plaid, one [[bank]] each. "
        "connectors/plaid/banks.example.toml explains every field.",
    )
    base_url: str = Field(
        default="https://production.plaid.com",
        description="Plaid's address: production.plaid.com, or sandbox.plaid.com for its sandbox.",
    )
    webhook_url: str = Field(
        default="",
        description="Address Plaid calls when an item has trouble: "
        "https://YOUR-ADDRESS/hooks/plaid (Saldo adds the consent's key). Empty: Plaid calls "
        "nobody, and items are asked for once a day.",
    )
    timeout_seconds: float = Field(
        default=26.0,
        gt=1,
        le=28,
        description="Real seconds Plaid may take for one answer. A read at the bank is slow: "
        "mostly under 10, at times over 30.",
    )

    def institutions(self) -> dict[str, Institution]:
        """The banks of the list by id. Raises Misconfigured for the first thing that is missing."""
        self.need("See Plaid's dashboard.", "client_id", "secret", "client_name")
        return read_bank_list(self.banks, Institution, "SALDO_PLAID_BANKS")

    def named(self) -> bool:
        """Once there is a client."""
        return bool(self.client_id)
