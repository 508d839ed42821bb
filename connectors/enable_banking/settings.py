"""Settings of the connector, and the operator's list of banks as the vendor knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from app.ports import Bank, PayStatus
from connectors._bank_list import ListedBank, read_bank_list
from connectors._settings import StayingSettings

NAME = "enable_banking"


# The vendor's words for a payment (ISO 20022), where the bank's entry says nothing
# else. ACTC and ACCP follow the payer's authorisation at many banks, and precede it at others.
PAYMENT_WORDS: Mapping[str, PayStatus] = {
    **dict.fromkeys(("RCVD", "PDNG", "ACTC", "ACCP", "ACWC", "ACPT"), PayStatus.OPEN),
    **dict.fromkeys(("ACSP", "ACWP", "ACSC", "ACCC"), PayStatus.AUTHORISED),
    "RJCT": PayStatus.REJECTED,
    "CNCL": PayStatus.CANCELLED,
}
_NEVER_A_YES = ("RJCT", "CNCL", "RCVD", "PDNG")


class BankProfile(ListedBank):
    """One `[[bank]]` of the file. The next three come from the vendor's answer to GET /aspsps."""

    aspsp_name: str = Field(min_length=1, max_length=200)
    maximum_consent_validity: int = Field(gt=0)
    required_psu_headers: tuple[str, ...] = ()
    settled_at: tuple[str, ...] = ("ACCC",)
    authorised_at: tuple[str, ...] = ("ACSP", "ACWP", "ACSC")
    needs_debtor_iban: bool = False
    instant_payments: bool = False

    @field_validator("settled_at", "authorised_at")
    @classmethod
    def _known_words(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [word for word in value if word not in PAYMENT_WORDS or word in _NEVER_A_YES]
        if wrong:
            message = f"{', '.join(wrong)} cannot mean that"
            raise ValueError(message)
        return value


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
        )
        words = {
            **PAYMENT_WORDS,
            **dict.fromkeys(profile.authorised_at, PayStatus.AUTHORISED),
            **dict.fromkeys(profile.settled_at, PayStatus.SETTLED),
        }
        return cls(profile, bank, ZoneInfo(profile.time_zone), words)


class Settings(StayingSettings):
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
