"""TrueLayer's calls about payments: verified with the vendor's keys, and reduced to a hint.

Tl-Signature is a JWS without its payload (ES512) over method and path, the headers that it names,
among them the time, and the exact body. The vendor repeats a call that was not taken for 72 hours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from app.domain.errors import NotAllowed, Unreadable
from app.domain.ids import Secret
from app.ports import InboundEvent, InboundHttp, InboundKind, Wire
from connectors._hook_age import check_age
from connectors._json import try_json
from connectors._jws import ES512, base64, signed_by, unbase64
from connectors._same import as_sent
from connectors.truelayer.hook_keys import HookKeys
from connectors.truelayer.settings import NAME, Settings

SIGNATURE, TIME = "tl-signature", "x-tl-webhook-timestamp"
# It is not known whether a repetition is signed anew, so that the first time of signing may count.
OLDEST = timedelta(hours=73)

_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_LONGEST_SIGNATURE = 4000


class Hooks:
    """`HookPort` over the calls of the Payments API."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when the connector is not set up."""
        settings.routes()
        self._keys = HookKeys(settings, wire)
        self._real_now = wire.real_now

    async def read_webhooks(self, call: InboundHttp) -> tuple[InboundEvent, ...]:
        """The payment that the call names. Payouts, refunds and mandates are nothing of ours."""
        headers = {name.lower(): value for name, value in call.headers.items()}
        sealed = Sealed.read(headers.get(SIGNATURE, ""))
        key = await self._keys.key(sealed.key_id, sealed.keys_url)
        if not sealed.made_by(key, "POST", urlsplit(call.url).path, headers, call.body):
            raise NotAllowed("The call's signature is wrong.")
        check_age(_instant(headers[TIME]), self._real_now(), OLDEST)
        return events_in(call.body)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A signature taken apart; nothing in it is believed yet."""

    head: str
    signature: bytes
    key_id: str
    keys_url: object
    names: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> Sealed:
        """Raises NotAllowed for what is no signature of a call."""
        head, _, rest = text.partition(".")
        attached, _, signature = rest.partition(".")
        if attached or len(text) > _LONGEST_SIGNATURE:
            raise NotAllowed("The call is not signed as it should be.")
        stated = try_json(unbase64(head))
        if not isinstance(stated, dict):
            raise NotAllowed("The call is not signed.")
        key_id, names = stated.get("kid"), stated.get("tl_headers")
        fits = (stated.get("alg"), stated.get("tl_version")) == ("ES512", "2")
        if not fits or not isinstance(key_id, str) or not isinstance(names, str):
            raise NotAllowed("The call is not signed as it should be.")
        listed = tuple(names.split(","))
        if TIME not in [name.lower() for name in listed]:
            raise NotAllowed("The call's time is not signed.")
        return cls(head, unbase64(signature), key_id, stated.get("jku"), listed)

    def made_by(
        self,
        key: EllipticCurvePublicKey,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> bool:
        """Whether this key signed the call. `headers` by their names in small letters.

        The path counts with and without a slash at its end.
        """
        if any(name.lower() not in headers for name in self.names):
            return False
        lines = "".join(f"{name}: {headers[name.lower()]}\n" for name in self.names)
        bare = path.rstrip("/")
        payloads = (as_sent(f"{method} {one}\n{lines}") + body for one in (bare, f"{bare}/"))
        return any(
            signed_by(key, ES512, self.signature, as_sent(self.head) + b"." + base64(payload))
            for payload in payloads
        )


def events_in(body: bytes) -> tuple[InboundEvent, ...]:
    """What a verified call is about. Raises Unreadable where it does not say."""
    said: Any = try_json(body)
    event_id = said.get("event_id") if isinstance(said, dict) else None
    if not isinstance(event_id, str) or not _ID.fullmatch(event_id):
        raise Unreadable("the call names no event", connector=NAME, operation="read_webhooks")
    kind, payment_id = said.get("type"), said.get("payment_id")
    if not isinstance(kind, str) or not kind.startswith("payment_"):
        return ()
    if not isinstance(payment_id, str) or not _ID.fullmatch(payment_id):
        return ()
    return (InboundEvent(event_id, InboundKind.PAYMENT, payment_ref=Secret(payment_id)),)


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise NotAllowed("The call's time cannot be read.") from None
    if found.tzinfo is None:
        raise NotAllowed("The call's time has no zone.")
    return found
