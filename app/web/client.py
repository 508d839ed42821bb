"""Who is really calling: the address behind trusted proxies, and the browser's own word."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from starlette.requests import Request

from app.ports import Presence
from app.settings import Network

_FORWARDED = "x-forwarded-for"
_AGENT_LENGTH = 300


def client_ip(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """The nearest address that is not one of our own proxies.

    `forwarded` are the values of X-Forwarded-For, each a comma-separated list, the nearest last.
    They are looked at only when the peer itself is a trusted proxy, and only back to the first
    entry that is not one: whatever stands before it was written by the caller.
    """
    here = _address(peer)
    if here is None:
        return peer
    chain = [part.strip() for value in forwarded for part in value.split(",") if part.strip()]
    while chain and _is_trusted(here, trusted):
        before = _address(chain.pop())
        if before is None:
            break
        here = before
    return str(here)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ip_address(bare)
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found


def _is_trusted(address: IPv4Address | IPv6Address, trusted: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in trusted)


def caller_ip(request: Request, trusted: Sequence[Network]) -> str:
    """The caller's address of one request."""
    peer = request.client.host if request.client else ""
    return client_ip(peer, request.headers.getlist(_FORWARDED), trusted)


def place_of(ip: str) -> str:
    """What tries are counted by: the address, or the network that one IPv6 customer is given.

    A line has at least 2^64 IPv6 addresses (RFC 6177); counted one by one they bound nothing.
    """
    address = _address(ip)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return ip


def presence_of(request: Request, trusted: Sequence[Network]) -> Presence:
    """The borrower's own address and browser, as banks want to know them."""
    agent = request.headers.get("user-agent", "")
    printable = "".join(char for char in agent if char.isprintable())
    return Presence(ip=caller_ip(request, trusted), user_agent=printable[:_AGENT_LENGTH])
