"""One Vonage account."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.domain.errors import Misconfigured
from connectors._settings import ProviderSettings


class Settings(ProviderSettings):
    """Empty settings mean that the channel is not set up."""

    model_config = SettingsConfigDict(env_prefix="SALDO_VONAGE_", frozen=True, extra="ignore")

    api_key: str = Field(default="", description="API key of the account.")
    api_secret: SecretStr = Field(
        default=SecretStr(""), description="API secret of the account; texts are sent with it."
    )
    signature_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Signature secret of the account; receipts and replies are verified with it. "
        "Switch signed webhooks on in the account.",
    )
    signature_method: Literal["", "md5", "sha1", "sha256", "sha512"] = Field(
        default="",
        description="HMAC the account signs with: md5, sha1, sha256 or sha512, as its settings "
        "say.",
    )
    sender: str = Field(
        default="",
        description="Sender: a number without its plus sign, or a name of at most 11 characters.",
    )
    base_url: str = Field(
        default="https://rest.nexmo.com",
        description="Address of the API. Change it only for a sandbox on this machine.",
    )
    timeout_seconds: float = Field(
        default=20.0, gt=1, le=28, description="Real seconds Vonage may take for one answer."
    )

    def named(self) -> bool:
        """Once there is a client."""
        return bool(self.api_key)

    def check(self) -> None:
        """Raises Misconfigured for the first thing that is missing."""
        for missing, name, mend in (
            (not self.api_key, "API_KEY", "Copy it from the account's settings."),
            (not self.api_secret.get_secret_value(), "API_SECRET", "Copy it from there, too."),
            (
                not self.signature_secret.get_secret_value(),
                "SIGNATURE_SECRET",
                "Without signed receipts nobody learns who has opted out.",
            ),
            (not self.signature_method, "SIGNATURE_METHOD", "Copy the account's choice."),
            (not self.sender, "SENDER", "Name the number or sender name to send from."),
        ):
            if missing:
                raise Misconfigured(f"SALDO_VONAGE_{name}", "is not set", mend)
