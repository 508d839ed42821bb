"""Settings of the connector, and the operator's list of banks with their quirks.

The list is a TOML file of `[[bank]]` tables. Banks that speak the same specification differ in
what their statuses mean, in which headers they bear and in how they count; whatever is known
about one of them stands there, never in code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from app.domain.balance import PRIORITY, tomorrow_at
from app.pay_ports import PayStatus
from app.ports import BalanceAnswer, Bank, BankReader
from connectors._bank_list import TypedBank, banks_field, read_bank_list
from connectors._currencies import DomesticBank
from connectors._http import is_loopback_host
from connectors._money_words import IsoBank, iso_words, yes_among
from connectors._settings import ProviderSettings, WayOut, safe_address
from connectors._tls import CertifiedKey, refuse_open
from connectors.berlin_group.balances import balances_at
from connectors.berlin_group.signing import SignatureProfile
from connectors.berlin_group.wire import BankWire

SHARED = ""
"""Name of the way out of all banks that have none of their own."""
_LIST = "SALDO_BERLIN_GROUP_BANKS"

_WORDS = iso_words(cancelled="CANC", open_too=("PATC", "ACFC"))


class PresenceHeaders(StrEnum):
    """Which headers about the present payer a bank bears. None of them is ever sent unattended.

    full: PSU-IP-Address and PSU-User-Agent. address: PSU-IP-Address alone. creation: only where
    the specification demands it (consent, payment); attended reads then count as unattended.
    """

    FULL = "full"
    ADDRESS = "address"
    CREATION = "creation"


class CountWindow(StrEnum):
    """Over what the bank counts the unattended reads, for when it says 429 and not until when."""

    ROLLING = "rolling24h"
    CALENDAR_DAY = "calendar_day"


class BankProfile(IsoBank, DomesticBank, TypedBank):
    """One `[[bank]]` of the file. The specification names no product for payments at home."""

    words = _WORDS
    may_mean_yes = yes_among(_WORDS)

    base_url: str
    settled_at: tuple[str, ...] = ("ACSC", "ACCC")
    authorised_at: tuple[str, ...] = ("ACSP", "ACWP")
    domestic_product: str = Field(default="", pattern=r"^[a-z0-9-]{0,60}$")
    presence: PresenceHeaders = PresenceHeaders.FULL
    count_window: CountWindow = CountWindow.ROLLING
    frequency_max: int = Field(default=4, ge=1)
    redirect_preferred: bool = True
    balance_kinds: tuple[str, ...] = PRIORITY
    wire: BankWire = BankWire()
    signature: SignatureProfile | None = None

    @field_validator("base_url")
    @classmethod
    def _safe_address(cls, value: str) -> str:
        value = safe_address(value)
        return value if value.endswith("/v1") else f"{value}/v1"

    @field_validator("balance_kinds")
    @classmethod
    def _known_kinds(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [kind for kind in value if kind not in PRIORITY]
        if wrong or not value:
            message = f"must name some of {', '.join(PRIORITY)}"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _product_of_the_currency(self) -> BankProfile:
        if bool(self.domestic_product) != bool(self.domestic_currency):
            message = "domestic_product and domestic_currency belong together"
            raise ValueError(message)
        return self


@dataclass(frozen=True, slots=True)
class BankRoute:
    """A profile made ready for use: nothing is computed on a balance read that can be here."""

    profile: BankProfile
    bank: Bank
    zone: ZoneInfo
    accounts_url: httpx.URL
    accounts_path: str
    pay_status: Mapping[str, PayStatus]

    @classmethod
    def of(cls, profile: BankProfile) -> BankRoute:
        """Derive everything from the profile."""
        bank = profile.bank(
            needs_debtor_iban=profile.needs_debtor_iban,
            instant_payments=profile.instant_payments,
            pays=profile.pays,
        )
        zone = ZoneInfo(profile.time_zone)
        accounts_url = httpx.URL(f"{profile.base_url}/accounts")
        path = accounts_url.raw_path.decode("ascii")
        return cls(profile, bank, zone, accounts_url, path, profile.pay_status())

    def read(self, document: Any) -> tuple[BalanceAnswer, ...]:
        """Balances as this bank means them. Raises Unreadable for what holds none."""
        bank = self.profile
        return balances_at(document, self.zone, bank.balance_kinds, bank.own_account_types)

    @property
    def base(self) -> str:
        """The address of the interface including its version: https://api.bank.example/psd2/v1."""
        return self.profile.base_url

    def allowance_returns(self, now: datetime) -> datetime | None:
        """When reads are free again if the bank did not say: known only for calendar counting."""
        if self.profile.count_window is not CountWindow.CALENDAR_DAY:
            return None
        return tomorrow_at(now, self.zone)


class Settings(ProviderSettings):
    """Direct access to banks over NextGenPSD2. Live use needs a licence and a QWAC certificate."""

    model_config = SettingsConfigDict(env_prefix="SALDO_BERLIN_GROUP_", frozen=True, extra="ignore")

    banks: Path | None = banks_field("berlin_group", "reached over the Berlin Group interface")
    client_cert: Path | None = Field(
        default=None,
        description="PEM file of your website authentication certificate (QWAC) with its chain. "
        "Banks refuse connections without it; a sandbox on this machine needs none.",
    )
    seal_cert: Path | None = Field(
        default=None,
        description="PEM file of your electronic seal certificate (QSealC), with its chain, for "
        "banks that demand signed messages.",
    )
    seal_key: Path | None = Field(
        default=None,
        description="PEM file of the seal's key, if it is not in the same file.",
    )
    seal_key_password: SecretStr = Field(
        default=SecretStr(""), description="Password of that key file, if it has one."
    )
    timeout_seconds: float = Field(
        default=25.0, gt=1, le=28, description="Real seconds a bank may take for one answer."
    )

    def seal(self) -> CertifiedKey | None:
        """What messages are signed with where the bank's entry names nothing else."""
        if self.seal_cert is None:
            return None
        password = self.seal_key_password.get_secret_value()
        return CertifiedKey(f"{self.setting_prefix()}SEAL", self.seal_cert, self.seal_key, password)

    def ways_out(self) -> Iterator[WayOut]:
        """One way for all banks that share it (`SHARED`), and one by the id of each other bank."""
        routes = load_banks(self.banks)
        shared, seal = self.http_setup(), self.seal()
        plain = [route for route in routes.values() if not route.profile.wire.differs]
        signed = seal if any(route.profile.signature for route in plain) else None
        yield WayOut(SHARED, shared, tuple(route.base for route in plain), signed)
        for name, route in routes.items():
            wire = route.profile.wire
            if wire.differs:
                prefix = f"{_LIST}, bank {name}, "
                own = wire.seal(seal, prefix) if route.profile.signature else None
                yield WayOut(name, wire.over(shared, prefix), (route.base,), own, alone=True)

    def live_addresses(self) -> tuple[str, ...]:
        """Addresses of the banks that are not on this machine."""
        if self.banks is None:
            return ()
        addresses = [route.base for route in load_banks(self.banks).values()]
        return tuple(a for a in addresses if not is_loopback_host(urlsplit(a).hostname or ""))


def load_banks(path: Path | None) -> dict[str, BankRoute]:
    """The file's banks by id. Raises Misconfigured naming the bank and the field."""
    listed = read_bank_list(path, BankProfile, _LIST)
    if path is not None and any(profile.wire.secret for profile in listed.values()):
        refuse_open(path, _LIST, "holds passwords and ")
    return {name: BankRoute.of(profile) for name, profile in listed.items()}


def bank_readers(path: Path | None) -> dict[str, BankReader]:
    """How each bank of a list, or of the one that is set up, is read. Raises Misconfigured."""
    routes = load_banks(path or Settings().banks)
    return {name: BankReader(route.bank, route.read) for name, route in routes.items()}
