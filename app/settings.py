"""The settings of one Saldo process: environment variables `SALDO_*`, read once, then frozen.

Nothing reads a setting at import. `load_settings()` is called by the command line, and what it
returns is handed on as an argument. A file of `NAME=value` lines (`.env` in the working folder,
or the one named by SALDO_ENV_FILE) fills in what the environment leaves open.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic import ValidationInfo as Info
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from app.domain.delinquency import Buckets
from app.domain.errors import Invalid, Misconfigured
from app.domain.learned_plan import STANDARD, LearnedRules
from app.domain.read_price import STANDARD_COSTS, STANDARD_DAILY_BP, STANDARD_DAYS, ReadPrices
from app.domain.routes import Routes

PREFIX = "SALDO_"
KEY_BYTES = 32
# Settings that are words of a small language of their own, and who reads them.
_WORDS: dict[str, Callable[[str], object]] = {
    "delinquency_buckets": Buckets.parse,
    "read_costs": ReadPrices.parse,
    "message_routes": partial(Routes.parse, usual="twilio"),
}


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One key-encrypting key (AES-256). The first of the list is used for new secrets."""

    id: str
    key: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> MasterKey:
        """`id:base64` with 32 bytes behind the colon. Raises ValueError, never echoing the key."""
        key_id, colon, encoded = text.strip().partition(":")
        if not colon or not key_id or not key_id.replace("-", "").replace("_", "").isalnum():
            message = "a master key is written id:base64, the id in letters, digits, - and _"
            raise ValueError(message)
        return cls(key_id, decode_key(encoded))


def decode_key(encoded: str) -> bytes:
    """32 bytes from base64 (standard or URL-safe alphabet). Raises ValueError without the value."""
    padded = encoded.strip().rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        key = base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True)
    except (binascii.Error, ValueError):
        message = "a key is not valid base64"
        raise ValueError(message) from None
    if len(key) != KEY_BYTES:
        message = f"a key must have {KEY_BYTES} bytes, this one has {len(key)}"
        raise ValueError(message)
    return key


Network = IPv4Network | IPv6Network

SECTIONS: Mapping[str, str] = {
    "data_dir": "Where things live",
    "database_url": "Database",
    "public_url": "Web",
    "master_keys": "Keys",
    "tpp_basis": "Licence and connectors",
    "owed_max_age_hours": "Rules of the house (business time)",
    "worker_count": "Engine",
    "log_level": "Logs",
    "demo": "Demo",
}
"""Heading printed before the named setting in .env.example."""


class Settings(BaseSettings):
    """Everything an operator can set. Times in `*_hours` and `*_days` are business time."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    data_dir: Path = Field(
        default=Path("./saldo-data"),
        description="Folder of this installation: run file, generated keys and, without a "
        "database of your own, the private PostgreSQL. Made with narrow rights if missing.",
    )
    postgres_dir: Path | None = Field(
        default=None,
        description="Folder of the private PostgreSQL. Empty: `postgres` inside the data folder. "
        "Set it when Saldo runs as root and the data folder lies below a private home folder.",
    )
    clock_file: Path | None = Field(
        default=None,
        description="File of the business clock. Empty: clock.json in the data folder. "
        "As long as the file does not exist, business time is real time.",
    )

    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="PostgreSQL 15 or newer for the web and the API, as role saldo_app: "
        "postgresql://saldo_app:password@host/saldo. Empty: Saldo starts a private PostgreSQL.",
    )
    database_engine_url: SecretStr = Field(
        default=SecretStr(""),
        description="The same database as role saldo_engine (planning, workers, look-ups before "
        "the lender is known). Needed together with SALDO_DATABASE_URL.",
    )
    database_owner_url: SecretStr = Field(
        default=SecretStr(""),
        description="The same database as role saldo_owner. Only migrations use it; leave it "
        "empty on machines that must not migrate.",
    )

    public_url: str = Field(
        default="http://127.0.0.1:8000",
        description="Address under which borrowers, banks and providers reach Saldo. Must be "
        "https, except on this machine itself (127.0.0.1, localhost).",
    )
    web_host: str = Field(default="127.0.0.1", description="Address the web process listens on.")
    web_port: int = Field(
        default=8000, ge=1, le=65535, description="Port the web process listens on."
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(),
        description="Networks of your reverse proxies, comma-separated (10.0.0.0/8,::1). Only "
        "from these is X-Forwarded-For believed; the borrower's address is evidence.",
    )

    api_calls_per_minute: int = Field(
        default=3_000,
        ge=1,
        le=100_000,
        description="Calls one API key may make in a minute, counted in each web process.",
    )

    master_keys: Annotated[tuple[MasterKey, ...], NoDecode] = Field(
        default=(),
        repr=False,
        description="Keys that encrypt tokens and personal fields: id:base64 of 32 bytes, "
        "comma-separated, the first is used for new values. Make one with: "
        "echo k1:$(head -c 32 /dev/urandom | base64). Empty with the private PostgreSQL: made "
        "once, kept in keys.json in the data folder. Losing them loses the data.",
    )
    hash_key: SecretStr = Field(
        default=SecretStr(""),
        description="Base64 of 32 bytes: key of the look-up hashes (phone, IBAN, API keys). It "
        "cannot be changed later. Empty with the private PostgreSQL: made once, in keys.json.",
    )

    tpp_basis: str = Field(
        default="",
        description="The authorisation under which you read accounts and initiate payments: "
        "your licence number, or the agent agreement you act under. Recorded with every consent. "
        "Live banks are refused without it.",
    )
    aggregation_connector: str = Field(
        default="berlin_group", description="Connector for consents and balances."
    )
    payment_connector: str = Field(
        default="berlin_group", description="Connector for payment initiation."
    )
    message_connector: str = Field(default="twilio", description="Connector for SMS.")
    message_routes: str = Field(
        default="",
        description="Connectors for SMS by the country of the number, the first choice first: "
        "ES=smsapi,twilio; PL=smsapi. Other countries go by what * names, or by "
        "SALDO_MESSAGE_CONNECTOR. The next one is asked only when the one before surely took "
        "nothing.",
    )
    email_connector: str = Field(
        default="smtp",
        description="Connector for e-mail. Without its own settings no e-mail leaves; everything "
        "else works.",
    )

    owed_max_age_hours: int = Field(
        default=24,
        ge=1,
        le=24 * 30,
        description="Hours after which the lender's word on what is owed is too old to act on; "
        "the lender is asked again, or nothing is sent.",
    )
    reading_expiry_days: int = Field(
        default=30, ge=1, le=365, description="Days after which balance figures are erased."
    )
    link_hours: int = Field(
        default=24, ge=1, le=24 * 14, description="Hours a payment link stays good."
    )
    consent_link_days: int = Field(
        default=14, ge=1, le=90, description="Days a link to the consent page stays good."
    )
    read_window_margin_minutes: int = Field(
        default=10,
        ge=0,
        le=120,
        description="Minutes added to the rolling 24 hours of the read allowance, so that "
        "delayed requests keep the bank's count too.",
    )

    read_costs: str = Field(
        default=STANDARD_COSTS,
        description="Where accounts are read when income is likely: what one read costs, per "
        "currency. With what is due it says how much sooner a read has to show money.",
    )
    read_delay_bp: int = Field(
        default=STANDARD_DAILY_BP,
        ge=1,
        le=10_000,
        description="There: what a day costs by which money is seen later, in basis points of what "
        "is due. Larger reads more often.",
    )
    read_price_days: float = Field(
        default=STANDARD_DAYS,
        ge=0.001,
        le=30,
        description="There: what one read is worth in currencies that have no price above, in days "
        "by which money is seen sooner. Smaller reads more often.",
    )
    read_blind_days: int = Field(
        default=STANDARD.blind_days,
        ge=1,
        le=21,
        description="There: no account goes unread for more days than that, whatever is likely.",
    )
    read_reserve: int = Field(
        default=STANDARD.reserve,
        ge=0,
        le=3,
        description="There: reads of a day's allowance that no plan takes, kept for the last look "
        "before a payment link.",
    )

    delinquency_buckets: str = Field(
        default="1-30, 31-60, 61-90, 91+",
        description="Buckets of days past due for monitoring, without gap or overlap, the last "
        "one open.",
    )

    worker_count: int = Field(
        default=1, ge=1, le=32, description="Worker processes that `saldo serve` starts."
    )
    scheduler_count: int = Field(
        default=1,
        ge=1,
        le=4,
        description="Schedulers that `saldo serve` starts. One is enough; two do no harm.",
    )
    worker_concurrency: int = Field(
        default=4, ge=1, le=64, description="Jobs one worker runs at the same time."
    )
    read_concurrency: int = Field(
        default=50, ge=1, le=500, description="Balance reads under way at once in one worker."
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="text for people, json for machines: one line an event."
    )

    demo: bool = Field(
        default=False,
        description="Demo mode: webhooks to this machine and the warped clock are allowed. "
        "`saldo demo` sets it; leave it off otherwise.",
    )
    demo_dir: Path = Field(
        default=Path("./demo"), description="Folder of the demo; marked, and only so deletable."
    )
    demo_web_port: int = Field(
        default=8200, ge=1, le=65535, description="Port of Saldo's pages in the demo."
    )
    demo_sandbox_port: int = Field(
        default=8210, ge=1, le=65535, description="Port of the demo's banks and phones."
    )
    demo_mail_port: int = Field(
        default=8225, ge=1, le=65535, description="Port of the demo's mail server."
    )
    demo_people: int = Field(
        default=240, ge=10, le=2000, description="How many borrowers the demo has."
    )

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
        return value

    @field_validator("master_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(MasterKey.parse(part) for part in value.split(",") if part.strip())
        return value

    @field_validator("postgres_dir", "clock_file", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator(*_WORDS)
    @classmethod
    def _check_words(cls, value: str, info: Info) -> str:
        try:
            _WORDS[info.field_name or ""](value)
        except Invalid as error:
            raise ValueError(error.message) from None
        return value

    @field_validator("hash_key")
    @classmethod
    def _check_hash_key(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            decode_key(value.get_secret_value())
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            message = "must be a full address such as https://pay.example.com"
            raise ValueError(message)
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            message = "must begin with https:// unless it names this machine itself"
            raise ValueError(message)
        return value.rstrip("/")

    @property
    def text_routes(self) -> Routes:
        """The connectors for SMS by country."""
        return Routes.parse(self.message_routes, usual=self.message_connector)

    @model_validator(mode="after")
    def _check_whole(self) -> Settings:
        ids = [key.id for key in self.master_keys]
        if len(set(ids)) != len(ids):
            message = "SALDO_MASTER_KEYS uses one key id twice"
            raise ValueError(message)
        app, engine = self.database_url, self.database_engine_url
        if bool(app.get_secret_value()) != bool(engine.get_secret_value()):
            message = "SALDO_DATABASE_URL and SALDO_DATABASE_ENGINE_URL are set both or not at all"
            raise ValueError(message)
        return self

    @property
    def embedded(self) -> bool:
        """True when Saldo runs its own private PostgreSQL."""
        return not self.database_url.get_secret_value()

    @property
    def secure(self) -> bool:
        """True when the public address is https: cookies are then Secure and `__Host-`."""
        return self.public_url.startswith("https://")

    @property
    def clock_path(self) -> Path:
        """Where the business clock stands, whether or not the file exists yet."""
        return self.clock_file or self.data_dir / "clock.json"

    @property
    def postgres_path(self) -> Path:
        """Folder of the private PostgreSQL."""
        return self.postgres_dir or self.data_dir / "postgres"

    @property
    def buckets(self) -> Buckets:
        """The buckets of days past due."""
        return Buckets.parse(self.delinquency_buckets)

    @property
    def read_prices(self) -> ReadPrices:
        """What a read is worth where accounts are read when income is likely."""
        return ReadPrices.parse(self.read_costs, self.read_delay_bp, self.read_price_days)

    @property
    def learned_rules(self) -> LearnedRules:
        """What is never planned there, whatever is likely."""
        return LearnedRules(self.read_blind_days, self.read_reserve)

    @property
    def owed_max_age(self) -> timedelta:
        """Business time after which the lender's figures are too old to act on."""
        return timedelta(hours=self.owed_max_age_hours)


def is_loopback(host: str) -> bool:
    """Does this host name or address mean the machine itself?"""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def variable(name: str, prefix: str = PREFIX) -> str:
    """The environment variable behind a field: data_dir -> SALDO_DATA_DIR."""
    return f"{prefix}{name}".upper()


def read_env_file(environ: dict[str, str] | os._Environ[str], path: Path | None = None) -> None:
    """Fill `environ` from the file of `SALDO_*` lines; what is already set wins.

    The file is `path`, or what SALDO_ENV_FILE names, or `.env` in the working folder if it is
    there. Everything read later (connectors' settings, child processes) sees the same values.
    Raises Misconfigured when a named file is missing.
    """
    named = path or (Path(environ["SALDO_ENV_FILE"]) if environ.get("SALDO_ENV_FILE") else None)
    source = named or Path(".env")
    if not source.is_file():
        if named is None:
            return
        raise Misconfigured("SALDO_ENV_FILE", f"{named} is not a file", "Correct the path.")
    for name, value in dotenv_values(source).items():
        if name.startswith(PREFIX) and value is not None:
            environ.setdefault(name, value)


def load_settings(**overrides: object) -> Settings:
    """Build the settings from the environment; `overrides` (field names) win over it.

    Raises Misconfigured that names the variable, the fault and the mend, without its value.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = variable(str(first["loc"][0])) if first["loc"] else "SALDO_*"
        problem = str(first["msg"]).removeprefix("Value error, ")
        raise Misconfigured(name, problem, "See .env.example for what it means.") from None
    except SettingsError as error:
        raise Misconfigured("SALDO_*", str(error), "See .env.example.") from None
