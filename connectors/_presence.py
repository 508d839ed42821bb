"""The borrower's address, as every provider that is told of it takes it."""

from __future__ import annotations

from ipaddress import ip_address

from app.domain.errors import Declined
from app.ports import Presence


def address_of(presence: Presence, connector: str) -> str:
    """His IP address in its plain spelling. Declined for what is none: then nobody is claimed."""
    try:
        return str(ip_address(presence.ip.partition("%")[0]))
    except ValueError:
        raise Declined(
            "the borrower's address is not an IP address",
            reason="PRESENCE_UNREADABLE",
            connector=connector,
            operation="presence",
        ) from None
