"""Which addresses a connection may go to, and that the checked one is the one it goes to."""

from __future__ import annotations

from ipaddress import ip_address

import httpx
import pytest

from connectors._http import AddressRefused, client, is_loopback_host, is_public
from tests.connectors.rawserver import Names, serving
from tests.connectors.test_http import close_after_reading, quick

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("url", ["http://lender.example:{}/", "http://127.0.0.1:{}/"])
async def test_a_forbidden_address_is_not_even_connected_to(url: str) -> None:
    async with serving(close_after_reading) as server:
        names = Names({"lender.example": ["127.0.0.1"]})
        setup = quick(address_allowed=is_public)
        async with client(setup, resolver=names) as http:
            with pytest.raises(AddressRefused):
                await http.post(url.format(server.port))
    assert server.connections == 0


async def test_the_address_that_was_checked_is_the_one_connected_to() -> None:
    """DNS rebinding: the second answer of the name server is never asked for, nor used."""
    async with serving(close_after_reading) as server:
        names = Names({"lender.example": ["127.0.0.1", "127.0.0.2"]})
        allowed = ip_address("127.0.0.1")
        setup = quick(address_allowed=lambda address: address == allowed)
        async with client(setup, resolver=names) as http:
            with pytest.raises(httpx.RemoteProtocolError):
                await http.post(f"http://lender.example:{server.port}/")
            assert names.asked == 1
    assert server.connections == 1


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",  # noqa: S104
        "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1",
        "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
        "ff02::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_for_everybody(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses(text: str) -> None:
    assert is_public(ip_address(text))


def test_loopback_hosts() -> None:
    assert all(map(is_loopback_host, ("localhost", "x.localhost", "127.0.0.1", "[::1]", "::1")))
    assert not any(
        map(is_loopback_host, ("localhost.evil.com", "10.0.0.1", "", "127.0.0.1.nip.io"))
    )
