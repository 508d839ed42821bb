"""Settings of the connector, and the operator's list of banks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.domain.account import BankAccount, UkAccount
from app.domain.errors import Invalid, Misconfigured
from app.domain.payee import EUR, GBP, AccountForm
from connectors._bank_list import banks_field, read_bank_list
from connectors._currencies import PayingBank
from connectors._pages import PageSettings
from connectors._stated import iban_of

NAME = "gocardless_pay"


class Institution(PayingBank):
    """One `[[bank]]` of the file. Without `institution` the borrower chooses it at GoCardless."""

    institution: str = Field(default="", pattern=r"^[A-Za-z0-9_.-]{0,100}$")

    carried: ClassVar[Mapping[str, AccountForm]] = {
        EUR: AccountForm.IBAN,
        GBP: AccountForm.SORT_CODE,
    }
    by_country: ClassVar[Mapping[str, tuple[str, ...]]] = {"GB": (GBP,)}


class Settings(PageSettings):
    """Payments through GoCardless. Live use needs a contract with the vendor."""

    model_config = SettingsConfigDict(
        env_prefix="SALDO_GOCARDLESS_PAY_", frozen=True, extra="ignore"
    )

    vendor_pages: ClassVar[tuple[str, ...]] = ("gocardless.com",)

    access_token: SecretStr = Field(
        default=SecretStr(""),
        description="Access token of your organisation, with rights to read and write.",
    )
    creditor_iban: str = Field(
        default="",
        description="IBAN that GoCardless pays EUR out to. Orders for another creditor are "
        "refused: their money would come to this one.",
    )
    creditor_uk_account: SecretStr = Field(
        default=SecretStr(""),
        description="Sort code and account number that GoCardless pays GBP out to, such as "
        "20-00-00 12345678. Without it no payments in GBP are made.",
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

    def creditors(self) -> Mapping[str, BankAccount]:
        """Whom GoCardless pays, by currency. Raises Misconfigured, never with a piece of a number.

        At least one is needed.
        """
        found: dict[str, BankAccount] = {}
        british = self.creditor_uk_account.get_secret_value().strip()
        if british:
            try:
                found[GBP] = UkAccount.read(british, field="creditor_uk_account")
            except Invalid:
                raise Misconfigured(
                    "SALDO_GOCARDLESS_PAY_CREDITOR_UK_ACCOUNT",
                    "is not a sort code and an account number",
                    "Write it like 20-00-00 12345678.",
                ) from None
            if not self.creditor_iban:
                return found
        iban = iban_of(self.creditor_iban)
        if iban is None:
            raise Misconfigured(
                "SALDO_GOCARDLESS_PAY_CREDITOR_IBAN",
                "is not an IBAN",
                "Give that of the account GoCardless pays out to.",
            )
        return {EUR: iban, **found}

    def named(self) -> bool:
        """Once there is a token."""
        return bool(self.access_token.get_secret_value())
