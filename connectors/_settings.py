"""What every connector's settings can say about themselves, and the ways out they describe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from pydantic import Field, PrivateAttr, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.domain.errors import Misconfigured
from connectors._http import HttpSetup, is_loopback_host, is_public
from connectors._tls import CertifiedKey, Fault, Grade, faults_of, tls_context

log = structlog.get_logger("connectors")


@dataclass(frozen=True, slots=True)
class WayOut:
    """One way to a provider, or to one bank: where it leads and with which files and limits.

    `alone`: it leads to one bank of several, so that its end closes this bank alone.
    """

    name: str
    setup: HttpSetup
    addresses: tuple[str, ...]
    seal: CertifiedKey | None = None
    """What messages are signed with on this way, where they are signed with a certificate."""
    alone: bool = False


class ConnectorSettings(BaseSettings):
    """Base of the connectors' `Settings`, with the answers of the plain case."""

    # What was given may be a secret in the wrong form.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    _public_only: bool = PrivateAttr(default=False)
    _files_go: bool = PrivateAttr(default=False)

    def lent(self, *, public_only: bool) -> None:
        """They are a lender's and not the operator's: their files last until the port is made.

        `public_only`: he has named an address himself, so that none leads into this house.
        """
        self._files_go, self._public_only = True, public_only

    @property
    def public_only(self) -> bool:
        """May calls go to public addresses alone?"""
        return self._public_only

    def live_addresses(self) -> tuple[str, ...]:
        """Providers behind these settings that are real, not a sandbox on this machine."""
        return ()

    def ways_out(self) -> Iterator[WayOut]:
        """The ways that these settings describe. Raises Misconfigured for an unreadable list."""
        yield from ()


def faults(way: WayOut, now: datetime) -> list[Fault]:
    """What is wrong with the files of a way at `now`, which is real time."""
    return [*faults_of(way.setup, now), *(way.seal.faults(now) if way.seal else ())]


def closed_ways(settings: ConnectorSettings, now: datetime) -> dict[str, Fault]:
    """The ways to single banks that have ended at `now` (real time), by name.

    Raises Misconfigured for everything else that is wrong: a mistake is named when Saldo starts,
    while a certificate for one bank that ran out leaves the other banks open.
    """
    closed: dict[str, Fault] = {}
    for way in settings.ways_out():
        for fault in faults(way, now):
            if fault.grade is Grade.WRONG or (fault.grade is Grade.ENDED and not way.alone):
                raise fault.error()
            if fault.grade is Grade.ENDED:
                closed[way.name] = fault
            else:
                log.warning("certificate_ends_soon", setting=fault.setting, what=fault.problem)
    return closed


class ProviderSettings(ConnectorSettings):
    """Settings of a connector that talks to a provider over HTTPS."""

    if TYPE_CHECKING:
        # Each connector has its own default and bounds; it stands there and not here.
        timeout_seconds: float

    client_cert: Path | None = Field(
        default=None,
        description="PEM file of the certificate we show, with its chain, where the other side "
        "demands one (mutual TLS). One that replaces it is used within a minute or two.",
    )
    client_key: Path | None = Field(
        default=None,
        description="PEM file of the certificate's key, if it is not in the same file. Saldo "
        "refuses one that everybody on the machine can read.",
    )
    client_key_password: SecretStr = Field(
        default=SecretStr(""), description="Password of the key file, if it has one."
    )
    ca_file: Path | None = Field(
        default=None,
        description="PEM file of authorities to trust besides the public ones: for test systems, "
        "and for proxies that open what passes through them.",
    )
    proxy: SecretStr = Field(
        default=SecretStr(""),
        description="Proxy to go through: http://[user:password@]host:port. The proxies of the "
        "environment are not used.",
    )
    connect_seconds: float = Field(
        default=8.0,
        gt=0,
        le=20,
        description="Real seconds a connection may take to come about, at most half of the time "
        "for the whole answer.",
    )

    @field_validator("*", mode="before")
    @classmethod
    def _empty_means_none(cls, value: object, info: ValidationInfo) -> object:
        """An empty variable of the environment is none, where there may be none."""
        return None if value == "" and cls._default_of(info) is None else value

    @field_validator(
        "base_url",
        "auth_url",
        "api_url",
        "link_url",
        "pay_link_url",
        "hosted_url",
        "webhook_url",
        check_fields=False,
    )
    @classmethod
    def _addresses_are_safe(cls, value: str, info: ValidationInfo) -> str:
        """Empty only where there is no address that everybody has."""
        return value if value == cls._default_of(info) == "" else safe_address(value)

    @classmethod
    def _default_of(cls, info: ValidationInfo) -> object:
        field = cls.model_fields.get(info.field_name or "")
        return "" if field is None else field.default

    @field_validator("proxy")
    @classmethod
    def _safe_proxy(cls, value: SecretStr) -> SecretStr:
        check_proxy(value)
        return value

    def http_setup(self) -> HttpSetup:
        """Limits, files and proxy of the calls."""
        setup = HttpSetup(
            total_seconds=self.timeout_seconds,
            connect_seconds=min(self.connect_seconds, self.timeout_seconds / 2),
            ca_file=self.ca_file,
            client_cert=self.client_cert,
            client_key=self.client_key,
            client_key_password=self.client_key_password.get_secret_value() or None,
            proxy=self.proxy.get_secret_value() or None,
            setting=self.setting_prefix(),
            address_allowed=is_public if self._public_only else None,
        )
        if not self._files_go or self.client_cert is None:
            return setup
        return replace(setup, tls=tls_context(setup))

    def setting_prefix(self) -> str:
        """What the names of these settings begin with."""
        return str(self.model_config.get("env_prefix", ""))

    def addresses(self) -> tuple[str, ...]:
        """The addresses that calls go to."""
        found = (getattr(self, name, "") for name in ("base_url", "auth_url", "api_url"))
        return tuple(address for address in found if address)

    def named(self) -> bool:
        """Is an account at the provider named, so that calls would go out?"""
        return True

    def live_addresses(self) -> tuple[str, ...]:
        """Where calls go, once an account is named, unless it is a sandbox on this machine."""
        found = self.addresses() if self.named() else ()
        return tuple(one for one in found if not is_loopback_host(urlsplit(one).hostname or ""))

    def need(self, mend: str, *names: str) -> None:
        """Raises Misconfigured for the first of these settings that is empty."""
        for name in names:
            value = getattr(self, name)
            if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
                setting = f"{self.setting_prefix()}{name}".upper()
                raise Misconfigured(setting, "is not set", mend)

    def ways_out(self) -> Iterator[WayOut]:
        """One way for all calls."""
        yield WayOut("", self.http_setup(), self.addresses())


class StayingSettings(ProviderSettings):
    """Settings of a connector at whose provider an open payment cannot be taken back."""

    accept_open_payments: bool = Field(
        default=False,
        description="Take payments although one that has begun cannot be taken back: its page "
        "could be paid after the loan was. The connector's page in docs/providers says what "
        "contains that risk. Needed for payments alone.",
    )


def check_proxy(value: SecretStr) -> None:
    """Raises ValueError, without the address, unless it is a plain http one."""
    address = value.get_secret_value()
    if not address:
        return
    message = "must be written http://[user:password@]host:port"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise ValueError(message) from None
    if parts.scheme != "http" or not parts.hostname or not port or parts.path.strip("/"):
        raise ValueError(message)


def safe_address(value: str) -> str:
    """A provider's base address without a slash at its end.

    Raises ValueError unless it is https, or http to a sandbox on this machine, and nothing but
    scheme, host, port and path.
    """
    parts = urlsplit(value)
    loopback = is_loopback_host(parts.hostname or "")
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        message = "must begin with https:// (http only for a sandbox on this machine)"
        raise ValueError(message)
    if not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        message = "must be a plain address such as https://api.example.com/v1"
        raise ValueError(message)
    return value.rstrip("/")
