"""A connection to a mail server that a lender has named: to a public address or to none."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address

from connectors._http import is_public


async def public_socket(host: str, port: int) -> socket.socket:
    """Connected. The address that was looked at is the one that is connected to.

    Raises OSError, the same for a name that leads nowhere and for one that leads into this house.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for family, kind, protocol, _, address in found:
        if not is_public(ip_address(address[0])):
            continue
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        try:
            await loop.sock_connect(made, address)
        except BaseException:
            made.close()
            raise
        return made
    message = "there is no public address of this name"
    raise OSError(message)
