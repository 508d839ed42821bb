"""Whether a provider can be reached at all: one plain question to the root of its address.

Nothing is read or counted there, and no credential goes with it but the certificate of the way
itself: any answer means that the way is open, proxy and authorities included.
"""

from __future__ import annotations

import httpx

from connectors._http import SETUP
from connectors._settings import WayOut


async def probe(http: httpx.AsyncClient, way: WayOut, address: str) -> tuple[bool, str]:
    """Whether anybody answered, and with what, or why not."""
    headers = {"User-Agent": "Saldo", "Accept": "*/*", "Accept-Encoding": "identity"}
    request = httpx.Request("GET", address, headers=headers, extensions={SETUP: way.setup})
    try:
        answer = await http.send(request)
    except httpx.HTTPError as error:
        return False, str(error) or type(error).__name__
    return True, f"HTTP {answer.status_code}"
