"""Settings of the connector, and the operator's list of banks."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.domain.errors import Misconfigured
from app.domain.ids import Iban
from connectors._bank_list import ListedBank, banks_field, read_bank_list
from connectors._settings import ProviderSettings
from connectors._stated import iban_of

NAME = "gocardless_pay"


class Institution(ListedBank):
    """One `[[bank]]` of the file. Without `institution` the borrower chooses it at GoCardless."""

    institution: str = Field(default="", pattern=r"^[A-Za-z0-9_.-]{0,100}$")
    instant_payments: bool = False


class Settings(ProviderSettings):
    """Payments through GoCardless. Live use needs a contract with the vendor."""

    model_config = SettingsConfigDict(
        env_prefix="SALDO_GOCARDLESS_PAY_", frozen=True, extra="ignore"
    )

    access_token: SecretStr = Field(
        default=SecretStr(""),
        description="Access token of your organisation, with rights to read and write.",
    )
    creditor_iban: str = Field(
        default="",
        description="IBAN that GoCardless pays out to. Orders for another creditor are refused: "
        "their money would come to this one.",
    )
    banks: Path | None = banks_field(NAME, "that borrowers may pay from")
    confirmed_is_settled: bool = Field(
        default=False,
        description="A payment counts as paid once GoCardless has collected it (`confirmed`). Else "
        "only once it is paid out to you, some days later.",
    )
    webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret of your webhook endpoint. Without it GoCardless's calls are refused, "
        "and payments are asked for in a rhythm.",
    )
    base_url: str = Field(
        default="https://api.gocardless.com",
        description="Address of the API; the vendor's own sandbox is "
        "https://api-sandbox.gocardless.com.",
    )
    timeout_seconds: float = Field(
        default=6.0,
        gt=1,
        le=9,
        description="Real seconds GoCardless may take for one answer. An order is up to six of "
        "them and has to end within 30 seconds.",
    )

    def institutions(self) -> dict[str, Institution]:
        """The banks of the list by id. Raises Misconfigured for the first thing that is missing."""
        self.need("Make one in the dashboard.", "access_token")
        return read_bank_list(self.banks, Institution, "SALDO_GOCARDLESS_PAY_BANKS")

    def creditor(self) -> Iban:
        """Whom GoCardless pays. Raises Misconfigured, never with a piece of the IBAN."""
        found = iban_of(self.creditor_iban)
        if found is None:
            raise Misconfigured(
                "SALDO_GOCARDLESS_PAY_CREDITOR_IBAN",
                "is not an IBAN",
                "Give that of the account GoCardless pays out to.",
            )
        return found

    def named(self) -> bool:
        """Once there is a token."""
        return bool(self.access_token.get_secret_value())
