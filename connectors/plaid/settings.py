"""Settings of the connector, and the operator's list of banks as Plaid knows them."""

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
from connectors._pages import PageSettings
from connectors._settings import StayingSettings

NAME = "plaid"


# The words of a payment that a bank has taken. Plaid says that none of them proves that money has
# arrived, but for SETTLED, which there is on its own accounts alone.
WORD = "PAYMENT_STATUS_"
TAKEN = (f"{WORD}INITIATED", f"{WORD}EXECUTED", f"{WORD}SETTLED")


class Institution(WordedBank, PayingBank):
    """One `[[bank]]` of the file."""

    may_mean_yes = TAKEN

    institution_id: str = Field(pattern=r"^[A-Za-z0-9_]{1,60}$")
    language: str = Field(pattern=r"^[a-z]{2}$")
    settled_at: tuple[str, ...] = (f"{WORD}SETTLED",)

    carried: ClassVar[Mapping[str, AccountForm]] = {
        EUR: AccountForm.IBAN,
        GBP: AccountForm.SORT_CODE,
        PLN: AccountForm.IBAN,
    }
    # From Poland the local currency alone, says Plaid.
    by_country: ClassVar[Mapping[str, tuple[str, ...]]] = {"GB": (GBP,), "PL": (PLN,)}


class Settings(StayingSettings, PageSettings):
    """Access to banks in Europe through Plaid. Live use needs a contract with Plaid."""

    model_config = SettingsConfigDict(env_prefix="SALDO_PLAID_", frozen=True, extra="ignore")

    vendor_pages: ClassVar[tuple[str, ...]] = ("plaid.com",)

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
    banks: Path | None = banks_field(NAME, "reached through Plaid")
    base_url: str = Field(
        default="https://production.plaid.com",
        description="Plaid's address: production.plaid.com, or sandbox.plaid.com for its sandbox.",
    )
    webhook_url: str = Field(
        default="",
        description="Address Plaid calls when an item has trouble or a payment has changed: "
        "https://YOUR-ADDRESS/hooks/plaid (Saldo adds a consent's key). Empty: Plaid calls "
        "nobody, items are asked for once a day, and payments in a rhythm.",
    )
    transactions: bool = Field(
        default=False,
        description="Add Transactions to the items of borrowers who allow a look at them. Plaid "
        "cannot take it off an item again and goes on to fetch them, one to four times a day, "
        "until the consent ends; Saldo looks once. false: nobody can be asked for a look.",
    )
    payment_users: bool = Field(
        default=True,
        description="Make a user at Plaid of each payer, with his name and his telephone or e-mail "
        "address, before his payment: Plaid demands it of new customers. false only where your "
        "contract is older and does without.",
    )
    payment_page_minutes: int = Field(
        default=30,
        ge=10,
        le=1440,
        description="Minutes for which Plaid's payment page stays open. A quarter of an hour after "
        "its end the borrower may begin another payment.",
    )
    payment_timeout_seconds: float = Field(
        default=6.0,
        gt=1,
        le=7,
        description="Real seconds Plaid may take for one answer about payments. An order is up to "
        "four of them and has to end within 30 seconds.",
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
