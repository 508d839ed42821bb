"""Settings of the connector, and the operator's list of institutions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.ports import BalanceAnswer, BankReader
from connectors._bank_list import TypedBank, banks_field, read_bank_list
from connectors._pages import PageSettings
from connectors.berlin_group.balances import parse_balances

NAME = "gocardless"
_LIST = "SALDO_GOCARDLESS_BANKS"

# The longest access the API gives; a UK agreement needs a reconfirmation after 90 days, during
# which nothing can be read, so no longer one is asked for there.
LONGEST_DAYS, LONGEST_DAYS_GB = 180, 90


class Institution(TypedBank):
    """One `[[bank]]` of the file."""

    institution_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")
    max_days: int = Field(default=90, ge=1, le=LONGEST_DAYS)
    history_days: int = Field(default=90, ge=1, le=90)
    account_selection: bool = False

    @property
    def longest_days(self) -> int:
        """The most days of access to ask for here."""
        return min(self.max_days, LONGEST_DAYS_GB) if self.country == "GB" else self.max_days

    def read(self, document: Any) -> tuple[BalanceAnswer, ...]:
        """Balances as this bank means them. Raises Unreadable for what holds none."""
        return parse_balances(document, ZoneInfo(self.time_zone), self.own_account_types)


class Settings(PageSettings):
    """GoCardless Bank Account Data, for companies that have a contract already."""

    model_config = SettingsConfigDict(env_prefix="SALDO_GOCARDLESS_", frozen=True, extra="ignore")

    vendor_pages: ClassVar[tuple[str, ...]] = ("gocardless.com", "nordigen.com")

    banks: Path | None = banks_field(NAME, "reached through GoCardless Bank Account Data")
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

    def institutions(self) -> dict[str, Institution]:
        """The banks of the list by id. Raises Misconfigured for the first thing that is missing."""
        self.need("Copy it from the portal.", "secret_id", "secret_key")
        return read_bank_list(self.banks, Institution, _LIST)

    def named(self) -> bool:
        """Once there is a client."""
        return bool(self.secret_id)


def bank_readers(path: Path | None) -> dict[str, BankReader]:
    """How each bank of a list, or of the one that is set up, is read. Raises Misconfigured."""
    listed = read_bank_list(path or Settings().banks, Institution, _LIST)
    return {name: BankReader(one.bank(), one.read) for name, one in listed.items()}
