"""Webhooks of providers that do not sign: the address itself carries a secret.

Our own hook's address gets `?key=SECRET`. Whoever does not know it is turned away, and what comes
with it is still only a hint: the truth is asked from the provider.
"""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qsl, urlencode, urlsplit

from app.domain.errors import NotAllowed
from app.ports import InboundHttp
from connectors._same import same

KEY = "key"
SHORTEST_KEY = 24
MOST_PARAMETERS = 200


def with_key(url: str, key: str) -> str:
    """Our hook's address with the secret in it; empty stays empty."""
    if not url or not key:
        return ""
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode({KEY: key})}"


def check_key(call: InboundHttp, key: str) -> None:
    """Raises NotAllowed unless the called address carries exactly this secret."""
    given = [value for name, value in _query(call.url) if name == KEY]
    if not key or len(given) != 1 or not same(given[0], key):
        raise NotAllowed("The called address does not carry the secret.")


def parameters(call: InboundHttp) -> dict[str, str]:
    """What the call says, from its form or its query, without the secret."""
    return dict((*((n, v) for n, v in _query(call.url) if n != KEY), *call.form))


def fingerprint(said: dict[str, str]) -> str:
    """The same for the same call that comes twice, another for everything else."""
    text = urlencode(sorted(said.items()), errors="surrogatepass")
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _query(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            urlsplit(url).query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS
        )
    except ValueError:
        raise NotAllowed("The called address cannot be read.") from None
