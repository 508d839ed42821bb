"""One Infobip account."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.domain.errors import Misconfigured
from connectors._hook_keys import SHORTEST_KEY
from connectors._settings import ProviderSettings


class Settings(ProviderSettings):
    """Empty settings mean that the channel is not set up."""

    model_config = SettingsConfigDict(env_prefix="SALDO_INFOBIP_", frozen=True, extra="ignore")

    base_url: str = Field(
        default="",
        description="Address of your account's API (https://xxxxx.api.infobip.com), from its "
        "home page. http only for a sandbox on this machine.",
    )
    api_key: SecretStr = Field(
        default=SecretStr(""), description="API key with the scopes to send and to read logs."
    )
    sender: str = Field(
        default="", description="Sender: a number, a short code or a registered name."
    )
    hook_key: SecretStr = Field(
        default=SecretStr(""),
        description="Secret of at least 24 characters in the address of Infobip's calls to us "
        "(/hooks/infobip?key=...). Empty: no reports are asked for, states are polled, and "
        "replies are not taken.",
    )
    timeout_seconds: float = Field(
        default=20.0, gt=1, le=28, description="Real seconds Infobip may take for one answer."
    )

    def check(self) -> None:
        """Raises Misconfigured for the first thing that is missing."""
        key = self.hook_key.get_secret_value()
        wrong: tuple[tuple[bool, str, str, str], ...] = (
            (not self.base_url, "BASE_URL", "is not set", "Copy it from your account."),
            (
                not self.api_key.get_secret_value(),
                "API_KEY", "is not set", "Make one in your account.",
            ),
            (not self.sender, "SENDER", "is not set", "Name what to send from."),
            (
                bool(key) and len(key) < SHORTEST_KEY,
                "HOOK_KEY", f"has fewer than {SHORTEST_KEY} characters", "Draw a random one.",
            ),
        )  # fmt: skip
        for is_wrong, name, problem, mend in wrong:
            if is_wrong:
                raise Misconfigured(f"SALDO_INFOBIP_{name}", problem, mend)
