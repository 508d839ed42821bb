"""Whether TrueLayer takes our client.

A client is checked before what it asks for (RFC 6749, 5.2): a code that never was is refused with
another word than a client that is unknown. A token for payments is asked for only where payments
are meant, since not every client may have one; there the vendor checks a signature as well.
"""

from __future__ import annotations

from urllib.parse import urlsplit
from uuid import uuid4

from app.domain.errors import Declined
from app.ports import Wire
from connectors._exchange import Call
from connectors._trial import knock
from connectors.truelayer.settings import NAME, Settings
from connectors.truelayer.signing import KEY_HEADER, Signer
from connectors.truelayer.tokens import TokenDesk

_OPERATION = "try_out"
_CHECK = "/test-signature"


async def try_out(settings: Settings, wire: Wire) -> None:
    """Raises Declined or TryLater, with the vendor's word, when it does not, and Misconfigured for
    a key that cannot be used.
    """
    desk = TokenDesk(settings, wire)
    if settings.key_id:
        token, _ = await desk.of_client(_OPERATION)
        await _try_signature(settings, wire, token)
        return
    word = await desk.refuses_client(_OPERATION)
    if word:
        raise Declined(word, reason=word.upper(), connector=NAME, operation=_OPERATION)


async def _try_signature(settings: Settings, wire: Wire, token: str) -> None:
    """Have the vendor check a signature of ours, of a body that says nothing.

    Its own examples of signing do the same: 204 for one that it can verify.
    """
    key, body = str(uuid4()), b'{"saldo":"is this our key?"}'
    url = f"{settings.api_url}{_CHECK}"
    signer = Signer(settings.key_id, settings.signing_key)
    headers = {
        "Authorization": f"Bearer {token}",
        KEY_HEADER: key,
        "Tl-Signature": signer.sign("POST", urlsplit(url).path, key, body),
        "Content-Type": "application/json",
    }
    call = Call(NAME, _OPERATION, "POST", url, headers, body, setup=settings.http_setup())
    await knock(wire.http, call, lambda status, _: status == 204)
