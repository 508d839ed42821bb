"""Settings of the connector, and the operator's list of banks as the vendor knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.pay_ports import PayStatus
from app.ports import BalanceAnswer, Bank, BankReader
from connectors._bank_list import TypedBank, banks_field, read_bank_list
from connectors._currencies import DomesticBank
from connectors._money_words import IsoBank, iso_words, yes_among
from connectors._pages import PageSettings
from connectors._settings import StayingSettings
from connectors.enable_banking.balances import parse_balances

NAME = "enable_banking"


_WORDS = iso_words(cancelled="CNCL", open_too=("ACPT",))


class BankProfile(IsoBank, DomesticBank, TypedBank):
    """One `[[bank]]` of the file. The next three come from the vendor's answer to GET /aspsps."""

    words = _WORDS
    may_mean_yes = yes_among(_WORDS)

    aspsp_name: str = Field(min_length=1, max_length=200)
    maximum_consent_validity: int = Field(gt=0)
    required_psu_headers: tuple[str, ...] = ()
    settled_at: tuple[str, ...] = ("ACCC",)
    authorised_at: tuple[str, ...] = ("ACSP", "ACWP", "ACSC")


@dataclass(frozen=True, slots=True)
class BankRoute:
    """A profile made ready for use."""

    profile: BankProfile
    bank: Bank
    zone: ZoneInfo
    pay_status: Mapping[str, PayStatus]

    @classmethod
    def of(cls, profile: BankProfile) -> BankRoute:
        """Derive everything from the profile."""
        bank = profile.bank(
            needs_debtor_iban=profile.needs_debtor_iban,
            instant_payments=profile.instant_payments,
            pays=profile.pays,
        )
        return cls(profile, bank, ZoneInfo(profile.time_zone), profile.pay_status())

    def read(self, document: Any) -> tuple[BalanceAnswer, ...]:
        """Balances as this bank means them. Raises Unreadable for what holds none."""
        return parse_balances(
            document,
            self.zone,
            limits_excluded=self.bank.limits_excluded,
            own_types=self.profile.own_account_types,
        )


class Settings(StayingSettings, PageSettings):
    """Access to banks through Enable Banking. Live use needs a contract with the vendor."""

    model_config = SettingsConfigDict(
        env_prefix="SALDO_ENABLE_BANKING_", frozen=True, extra="ignore"
    )

    vendor_pages: ClassVar[tuple[str, ...]] = ("enablebanking.com",)

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
    banks: Path | None = banks_field(NAME, "reached through Enable Banking")
    payment_page_minutes: int | None = Field(
        default=None,
        ge=5,
        le=10_080,
        description="Minutes for which a payment page of the vendor can be authorised after it was "
        "made. The vendor does not publish it: ask. Payments are not made without it. When the "
        "time has passed since the borrower was last sent there, he may begin another payment.",
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


def bank_readers(path: Path | None) -> dict[str, BankReader]:
    """How each bank of a list, or of the one that is set up, is read. Raises Misconfigured."""
    routes = load_banks(path or Settings().banks)
    return {name: BankReader(route.bank, route.read) for name, route in routes.items()}
