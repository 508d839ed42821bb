"""Webhooks to the lender's own system, in the Standard Webhooks form.

Specification: https://www.standardwebhooks.com. Each call carries `webhook-id` (stable over
repeats, so the lender can drop doubles), `webhook-timestamp` (seconds) and `webhook-signature`,
`v1,` and the base64 HMAC-SHA256 of "id.timestamp.body" under a secret written `whsec_` + base64.

The address comes from the lender, so it is not trusted: https only, no redirects, and only
addresses that are public. The check is made on the very address the connection goes to, so a
name that changes its mind between two look-ups gains nothing. Two settings widen this: loopback
for the demo, and the operator's own networks for a lender's system inside the house.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated
from urllib.parse import urlsplit

import httpx
from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from app.domain.errors import Declined, TryLater
from app.ports import Connector, LenderCall, Wire
from connectors._exchange import Call, exchange, retry_after
from connectors._http import Address, HttpSetup, is_loopback_host, is_public, plain_address
from connectors._settings import ConnectorSettings

NAME = "lender_webhook"
SECRET_PREFIX = "whsec_"  # noqa: S105 - the form of a secret, not one

# The lender's system says that this very request will never do; everything else may mend, and
# an event is worth repeating (its id makes repeats harmless).
WILL_NOT_MEND = frozenset({400, 405, 406, 410, 411, 413, 414, 415, 422, 431})

Network = IPv4Network | IPv6Network


class Settings(ConnectorSettings):
    """Where webhooks may go."""

    model_config = SettingsConfigDict(
        env_prefix="SALDO_LENDER_WEBHOOK_", frozen=True, extra="ignore"
    )

    allow_loopback: bool = Field(
        default=False,
        description="Allow webhooks to this machine, also without https. For the demo and tests.",
    )
    allow_networks: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(),
        description="Private networks webhooks may go to, comma-separated (10.20.0.0/16), for a "
        "lender's system in your own house. Still https.",
    )
    timeout_seconds: float = Field(
        default=10.0, gt=1, le=28, description="Real seconds the lender's system may take."
    )

    @field_validator("allow_networks", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
        return value

    def address_allowed(self, address: Address) -> bool:
        """May a webhook go to this address?"""
        address = plain_address(address)
        if address.is_loopback:
            return self.allow_loopback
        return is_public(address) or any(address in network for network in self.allow_networks)


class LenderWebhook:
    """`LenderHookPort`."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        self._loopback = settings.allow_loopback
        total = settings.timeout_seconds
        self._setup = HttpSetup(
            total_seconds=total,
            connect_seconds=min(5.0, total / 2),
            max_per_host=20,
            max_body_bytes=100_000,
            address_allowed=settings.address_allowed,
        )
        self._http: httpx.AsyncClient = wire.http

    async def post(self, call: LenderCall) -> None:
        """Deliver one event; delivered means a 2xx.

        TryLater for everything that may mend, a lost answer included. Declined for an address
        we do not call, for a secret we cannot sign with, and for a 4xx about the request itself.
        """
        problem = self._address_problem(call.url)
        if problem:
            raise self._declined(problem, "ADDRESS")
        sent = Call(
            NAME,
            "post",
            "POST",
            call.url,
            self._headers(call),
            call.body,
            # Repeats are harmless for the lender, so a lost answer is simply tried again.
            writes=False,
            reference=str(call.event_id),
            setup=self._setup,
        )
        answer = await exchange(self._http, sent)
        status = answer.status_code
        if 200 <= status < 300:
            return
        if status in WILL_NOT_MEND or 300 <= status < 400:
            raise self._declined(f"HTTP {status}", f"HTTP_{status}")
        raise TryLater(f"HTTP {status}", after=retry_after(answer, call.at), **sent.where)

    def _address_problem(self, url: str) -> str:
        """Why this address is never called; empty when it may be tried."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
            parts.port  # noqa: B018 - a port that is no number shows only when asked for
        except ValueError:
            return "the address cannot be read"
        if not host or "@" in parts.netloc:
            return "the address must name a host and no user"
        if parts.scheme == "https":
            return ""
        if parts.scheme == "http" and self._loopback and is_loopback_host(host):
            return ""
        return "the address must begin with https://"

    def _headers(self, call: LenderCall) -> dict[str, str]:
        try:
            key = secret_key(call.secret.reveal())
        except ValueError:
            raise self._declined("the webhook secret cannot be read", "SECRET") from None
        timestamp = int(call.at.timestamp())
        return {
            "Content-Type": "application/json",
            "webhook-id": str(call.event_id),
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(key, str(call.event_id), timestamp, call.body),
        }

    def _declined(self, detail: str, reason: str) -> Declined:
        return Declined(detail, reason=reason, connector=NAME, operation="post")


def secret_key(secret: str) -> bytes:
    """The key in a `whsec_...` secret. Raises ValueError, never showing it."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not 24 <= len(key) <= 64:  # the specification's bounds
        message = "a webhook secret holds 24 to 64 bytes in base64"
        raise ValueError(message)
    return key


def sign(key: bytes, event_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`. `timestamp` is real time in whole seconds."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


CONNECTOR = Connector(name=NAME, settings=Settings, lender_hooks=LenderWebhook)
