"""Whether a provider knows us: one question whose answer, whatever it is, shows that it does.

Where nothing can be asked for that is always there, something is asked for that never is: who is
let in hears that it is not there, who is not hears nothing but a no at the door.
"""

from __future__ import annotations

from collections.abc import Callable

import httpx

from app.domain.errors import Declined
from connectors._exchange import Call, exchange, status_error

AT_THE_DOOR = (401, 403, 407)


async def knock(
    http: httpx.AsyncClient, call: Call, refused: Callable[[httpx.Response], str] = lambda _: ""
) -> None:
    """Returns when we are let in. `refused`: the provider's own word for a no, if it has one.

    Raises Declined for a no at the door, and what no answer and no sensible answer mean.
    """
    answer = await exchange(http, call)
    word = refused(answer)
    if word or answer.status_code in AT_THE_DOOR:
        said = f"HTTP {answer.status_code}" + (f", {word}" if word else "")
        raise Declined(said, reason=word or f"HTTP_{answer.status_code}", **call.where)
    if not 200 <= answer.status_code < 500 or answer.status_code == 429:
        raise status_error(answer, call)
