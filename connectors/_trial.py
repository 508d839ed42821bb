"""Whether a provider knows us: one question whose answer, whatever it is, shows that it does.

Where nothing can be asked for that is always there, something is asked for that never is: who is
let in hears so in the provider's own words. An answer that anybody could give, such as a web
server's page for an address that it does not have, shows nothing: behind it is somebody else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from app.domain.errors import Declined
from connectors._exchange import Call, exchange, status_error, unreadable
from connectors._json import try_json

AT_THE_DOOR = (401, 403, 407)


async def knock(
    http: httpx.AsyncClient,
    call: Call,
    let_in: Callable[[int, Any], bool],
    refused: Callable[[httpx.Response], str] = lambda _: "",
) -> None:
    """Returns when the provider lets us in.

    `let_in` knows its words for that, by the status and the decoded body (None for one that is no
    JSON); `refused` its own word for a no, if it has one. Raises Declined for a no at the door,
    and what no answer and no sensible answer mean: Unreadable for what this provider never says.
    """
    answer = await exchange(http, call)
    word, status = refused(answer), answer.status_code
    if word or status in AT_THE_DOOR:
        said = f"HTTP {status}" + (f", {word}" if word else "")
        raise Declined(said, reason=word or f"HTTP_{status}", **call.where)
    if not 200 <= status < 500 or status == httpx.codes.TOO_MANY_REQUESTS:
        raise status_error(answer, call)
    if not let_in(status, try_json(answer.content)):
        said = f"HTTP {status} is no answer of this provider"
        raise unreadable(said, call, answer.content)
