"""Settings of the connector, and the operator's list of banks as Tink knows them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.domain.payee import EUR, GBP, PLN, AccountForm
from connectors._bank_list import banks_field, read_bank_list
from connectors._currencies import PayingBank
from connectors._money_words import WordedBank
from connectors._settings import StayingSettings

NAME = "tink"


# The words of a transfer that a bank has taken. Whether money has arrived with the last of them is
# known of a bank, not of the word.
TAKEN = ("SENT", "SETTLED_PAYER", "SETTLED_PAYEE", "SETTLED")


class Provider(WordedBank, PayingBank):
    """One `[[bank]]` of the file; a bank is a provider in Tink's words."""

    may_mean_yes = TAKEN

    provider_name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,120}$")
    locale: str = Field(pattern=r"^[a-z]{2}_[A-Z]{2}$")
    settled_at: tuple[str, ...] = ("SETTLED_PAYEE", "SETTLED")

    carried: ClassVar[Mapping[str, AccountForm]] = {
        EUR: AccountForm.IBAN,
        GBP: AccountForm.SORT_CODE,
        PLN: AccountForm.IBAN,
    }
    by_country: ClassVar[Mapping[str, tuple[str, ...]]] = {"GB": (GBP,), "PL": (PLN, EUR)}


class Settings(StayingSettings):
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
    banks: Path | None = banks_field(NAME, "reached through Tink")
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
    transactions_link_url: str = Field(
        default="",
        description="Address of the Tink Link flow that fetches transactions as well, without its "
        "parameters (https://link.tink.com/1.0/transactions/connect-accounts), where your contract "
        "has it. Borrowers who allow a look at their transactions are sent there, all others to "
        "the one above. Empty: nobody can be asked for a look.",
    )
    pay_link_url: str = Field(
        default="https://link.tink.com/1.0/pay",
        description="Address of the Tink Link flow for one-time payments, without its parameters.",
    )
    free_after_minutes: int = Field(
        default=60,
        ge=15,
        le=10_080,
        description="Minutes after the borrower was last sent to Tink's payment page until he may "
        "begin another payment (another amount, another bank). Tink's page never ends: shorter "
        "means that he may pay twice, longer that he waits.",
    )
    webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret that Tink gave when you registered the address of your webhooks. "
        "Without it Tink's calls are refused: connections are asked for once a day, and payments "
        "in a rhythm.",
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

    def providers(self) -> dict[str, Provider]:
        """The banks of the list by id. Raises Misconfigured for the first thing that is missing."""
        self.need("Copy it from the console.", "client_id", "client_secret")
        return read_bank_list(self.banks, Provider, "SALDO_TINK_BANKS")

    def named(self) -> bool:
        """Once there is a client."""
        return bool(self.client_id)
