"""How one bank is reached where it differs from the others: `[bank.wire]`.

Whatever is left out is as the settings say for all banks.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from connectors._http import HttpSetup
from connectors._settings import check_proxy
from connectors._tls import CertifiedKey


class BankWire(BaseModel):
    """Files, proxy and time-outs (real seconds) of one bank."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_cert: Path | None = None
    client_key: Path | None = None
    client_key_password: SecretStr = SecretStr("")
    seal_cert: Path | None = None
    seal_key: Path | None = None
    seal_key_password: SecretStr = SecretStr("")
    ca_file: Path | None = None
    proxy: SecretStr = SecretStr("")
    timeout_seconds: float | None = Field(default=None, gt=1, le=28)
    connect_seconds: float | None = Field(default=None, gt=0, le=20)

    @field_validator("proxy")
    @classmethod
    def _safe_proxy(cls, value: SecretStr) -> SecretStr:
        check_proxy(value)
        return value

    @property
    def secret(self) -> bool:
        """Does it hold something that nobody else may read?"""
        held = (self.client_key_password, self.seal_key_password, self.proxy)
        return any(one.get_secret_value() for one in held)

    @property
    def differs(self) -> bool:
        """Does the bank have a way of its own, other than what is signed with?"""
        return bool(self.model_fields_set)

    def over(self, shared: HttpSetup, prefix: str) -> HttpSetup:
        """The bank's setup: its own words before those for all banks."""
        total = self.timeout_seconds or shared.total_seconds
        setup = replace(
            shared,
            total_seconds=total,
            connect_seconds=min(self.connect_seconds or shared.connect_seconds, total / 2),
            ca_file=self.ca_file or shared.ca_file,
            proxy=self.proxy.get_secret_value() or shared.proxy,
        )
        if self.client_cert is None:
            return setup
        return replace(
            setup,
            client_cert=self.client_cert,
            client_key=self.client_key,
            client_key_password=self.client_key_password.get_secret_value() or None,
            setting=prefix,
        )

    def seal(self, shared: CertifiedKey | None, prefix: str) -> CertifiedKey | None:
        """What messages to this bank are signed with."""
        if self.seal_cert is None:
            return shared
        password = self.seal_key_password.get_secret_value()
        return CertifiedKey(f"{prefix}SEAL", self.seal_cert, self.seal_key, password)
