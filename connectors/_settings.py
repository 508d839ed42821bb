"""What every connector's settings can say about themselves."""

from __future__ import annotations

from pydantic_settings import BaseSettings


class ConnectorSettings(BaseSettings):
    """Base of the connectors' `Settings`, with the answers of the plain case."""

    def live_addresses(self) -> tuple[str, ...]:
        """Providers behind these settings that are real, not a sandbox on this machine."""
        return ()
