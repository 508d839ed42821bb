"""What every connector's settings can say about themselves."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic_settings import BaseSettings

from connectors._http import is_loopback_host


class ConnectorSettings(BaseSettings):
    """Base of the connectors' `Settings`, with the answers of the plain case."""

    def live_addresses(self) -> tuple[str, ...]:
        """Providers behind these settings that are real, not a sandbox on this machine."""
        return ()


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
