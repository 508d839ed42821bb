"""Settings of the connector, and the operator's list of banks as Unnax knows them."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.domain.errors import Misconfigured
from connectors._bank_list import ListedBank, banks_field, read_bank_list
from connectors._hook_keys import SHORTEST_KEY
from connectors._settings import ProviderSettings

NAME = "unnax"


class Institution(ListedBank):
    """One `[[bank]]` of the file."""

    unnax_id: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,60}$")


class Settings(ProviderSettings):
    """Accounts through Unnax. Experimental: unverified against the real Unnax."""

    model_config = SettingsConfigDict(env_prefix="SALDO_UNNAX_", frozen=True, extra="ignore")

    base_url: str = Field(
        default="",
        description="Unnax's address for your account. Of its sandbox it is "
        "https://integration.unnax.com; that of production is not published.",
    )
    api_id: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_-]{0,60}$",
        description="API_ID of your account, also called merchant id.",
    )
    api_code: SecretStr = Field(default=SecretStr(""), description="API_CODE that belongs to it.")
    refresh_token: SecretStr = Field(
        default=SecretStr(""),
        description="Long-lived refresh token, for accounts that authorise with JWT. Empty: the "
        "header of older accounts, made of API_ID and API_CODE.",
    )
    hook_key: SecretStr = Field(
        default=SecretStr(""),
        description="Secret of at least 24 characters in the address of Unnax's calls to us "
        "(/hooks/unnax?key=...): how Unnax signs them is not published.",
    )
    banks: Path | None = banks_field(NAME, "reached through Unnax")
    reference: Path | None = Field(
        default=None,
        description="TOML file of what Unnax's closed reference says: paths, bodies and fields. "
        "connectors/unnax/reference.example.toml names them all; every one is needed.",
    )
    timeout_seconds: float = Field(
        default=6.0, gt=1, le=7, description="Real seconds Unnax may take for one answer."
    )
    read_seconds: float = Field(
        default=14.0,
        gt=0,
        le=14,
        description="Real seconds to wait for the call that brings the figures of a read.",
    )

    def check(self) -> None:
        """Raises Misconfigured for the first credential that is missing."""
        self.need("Unnax gives it with your account.", "base_url", "api_id", "api_code")
        if len(self.hook_key.get_secret_value()) < SHORTEST_KEY:
            raise Misconfigured(
                "SALDO_UNNAX_HOOK_KEY",
                f"has fewer than {SHORTEST_KEY} characters",
                "Draw a random one, and register /hooks/unnax?key=... with Unnax.",
            )

    def institutions(self) -> dict[str, Institution]:
        """The banks of the list by id. Raises Misconfigured."""
        return read_bank_list(self.banks, Institution, "SALDO_UNNAX_BANKS")
