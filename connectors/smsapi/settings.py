"""One SMSAPI account."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.domain.errors import Misconfigured
from connectors._hook_keys import SHORTEST_KEY
from connectors._settings import ProviderSettings

LONGEST_SENDER = 11

# A repeat may wait for the next contact window: a weekend with a holiday at its end.
LONGEST_PAUSE_HOURS = 96


class Settings(ProviderSettings):
    """Empty settings mean that the channel is not set up."""

    model_config = SettingsConfigDict(env_prefix="SALDO_SMSAPI_", frozen=True, extra="ignore")

    token: SecretStr = Field(
        default=SecretStr(""), description="API token (OAuth), from the panel of your account."
    )
    sender: str = Field(
        default="",
        description="Sender name of at most 11 characters, approved in the panel of your account.",
    )
    base_url: str = Field(
        default="https://api.smsapi.pl",
        description="Address of the API: https://api.smsapi.pl, or https://api.smsapi.com. http "
        "only for a sandbox on this machine.",
    )
    idx_memory_hours: int = Field(
        default=0,
        ge=0,
        le=24 * 365,
        description="Hours for which SMSAPI refuses a reused idx, as SMSAPI has confirmed it to "
        "you. Above 96, a text whose answer was lost is sent again under the same idx; else a "
        "person is told.",
    )
    check_blacklist: bool = Field(
        default=True,
        description="Ask the blacklist of your account before each text, and send nothing to a "
        "number on it.",
    )
    hook_key: SecretStr = Field(
        default=SecretStr(""),
        description="Secret of at least 24 characters in the address of SMSAPI's calls to us "
        "(/hooks/smsapi?key=...), which are not signed. Needed for the three groups below.",
    )
    report_id_field: str = Field(
        default="",
        description="Parameter of a delivery report that holds the message's id, as your "
        "account's documentation names it. Empty: no reports are asked for, states are polled.",
    )
    reply_id_field: str = Field(
        default="", description="Parameter of an incoming text that holds its own id."
    )
    reply_from_field: str = Field(
        default="", description="Parameter of an incoming text that holds the writer's number."
    )
    reply_text_field: str = Field(
        default="", description="Parameter of an incoming text that holds its words."
    )
    timeout_seconds: float = Field(
        default=20.0, gt=1, le=28, description="Real seconds SMSAPI may take for one answer."
    )

    @property
    def reply_fields(self) -> tuple[str, str, str]:
        """Names of an incoming text's id, number and words."""
        return (self.reply_id_field, self.reply_from_field, self.reply_text_field)

    def named(self) -> bool:
        """Once there is a client."""
        return bool(self.token.get_secret_value())

    def check(self) -> None:
        """Raises Misconfigured for the first thing that is missing."""
        key = self.hook_key.get_secret_value()
        hooked = bool(self.report_id_field or any(self.reply_fields))
        wrong: tuple[tuple[bool, str, str, str], ...] = (
            (
                not self.token.get_secret_value(),
                "TOKEN", "is not set", "Make one in the panel of your account.",
            ),
            (
                not 1 <= len(self.sender) <= LONGEST_SENDER,
                "SENDER", "is not a sender name", "Use one that SMSAPI approved for you.",
            ),
            (
                any(self.reply_fields) and not all(self.reply_fields),
                "REPLY_ID_FIELD", "is one of three that belong together", "Set all or none.",
            ),
            (
                (hooked or bool(key)) and len(key) < SHORTEST_KEY,
                "HOOK_KEY", f"has fewer than {SHORTEST_KEY} characters", "Draw a random one.",
            ),
        )  # fmt: skip
        for is_wrong, name, problem, mend in wrong:
            if is_wrong:
                raise Misconfigured(f"SALDO_SMSAPI_{name}", problem, mend)
