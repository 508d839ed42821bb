"""Plaid's calls: verified, and reduced to the payment that changed, or the consent whose item has
trouble.

Plaid-Verification is a JWT (ES256) whose claims are the time and the SHA-256 of the body; its key
is asked for by id. A call about an item names only Plaid's own id of it, so that the address given
to Plaid with each page of Link carries the consent's key. The signature does not cover the address:
whoever could forge it there would have us ask for the state of a consent, and no more.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from app.domain.errors import Misconfigured, NotAllowed, ProviderError, TryLater, Unreadable
from app.domain.ids import Secret
from app.ports import InboundEvent, InboundHttp, InboundKind, Wire
from connectors._exchange import Call, exchange, read_json, status_error
from connectors._hook_age import check_age
from connectors._json import try_json
from connectors._jws import ES256, key_of, signed_by, unbase64
from connectors._same import as_sent, same
from connectors.plaid.settings import NAME, Settings

HEADER = "plaid-verification"
CONSENT = "consent"
# Plaid's own advice.
OLDEST = timedelta(minutes=5)
# Real time. A key that Plaid withdraws is believed for no longer than this.
KEPT_FOR = timedelta(hours=1)
# Real time. Calls with made-up keys must not make us ask more often.
ASKED_EVERY = timedelta(seconds=10)

_PAYMENT_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_KEY_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_OPERATION = "read_webhooks"
_TROUBLE = ("ERROR", "USER_PERMISSION_REVOKED", "USER_ACCOUNT_REVOKED", "LOGIN_REPAIRED")
_MOST_KEYS = 20


class Hooks:
    """`HookPort` over Plaid's webhooks."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured while no address was given to Plaid."""
        if not settings.webhook_url:
            raise Misconfigured(
                "SALDO_PLAID_WEBHOOK_URL", "is not set", "Name the address Plaid shall call."
            )
        self._keys = Keys(settings, wire)
        self._real_now = wire.real_now

    async def read_webhooks(self, call: InboundHttp) -> tuple[InboundEvent, ...]:
        """The payment, or the consent that the called address names where its item has trouble."""
        token = next((v for name, v in call.headers.items() if name.lower() == HEADER), "")
        head, _, rest = token.partition(".")
        claims, _, signature = rest.partition(".")
        stated, said = _object(head), _object(claims)
        key_id = stated.get("kid")
        if stated.get("alg") != "ES256" or not isinstance(key_id, str):
            raise NotAllowed("The call is not signed as it should be.")
        key = await self._keys.key(key_id)
        if not signed_by(key, ES256, unbase64(signature), as_sent(f"{head}.{claims}")):
            raise NotAllowed("The call's signature is wrong.")
        digest = hashlib.sha256(call.body).hexdigest()
        if not same(str(said.get("request_body_sha256")), digest):
            raise NotAllowed("Another body was signed.")
        check_age(_instant(said.get("iat")), self._real_now(), OLDEST)
        return _events(call, f"{digest}:{said['iat']}")


class Keys:
    """Plaid's keys by their ids, each kept in this process for an hour at most."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        self._url = f"{settings.base_url}/webhook_verification_key/get"
        self._client = {
            "client_id": settings.client_id,
            "secret": settings.secret.get_secret_value(),
        }
        self._setup = settings.http_setup()
        self._http: httpx.AsyncClient = wire.http
        self._now = wire.real_now
        self._one_at_a_time = asyncio.Lock()
        self._kept: dict[str, tuple[EllipticCurvePublicKey, datetime]] = {}
        self._asked_at: datetime | None = None

    def __repr__(self) -> str:
        return "Keys(…)"

    async def key(self, key_id: str) -> EllipticCurvePublicKey:
        """Raises NotAllowed for a key that is not Plaid's, TryLater while that is not known."""
        if not _KEY_ID.fullmatch(key_id):
            raise NotAllowed("The call is signed with a key that is not Plaid's.")
        async with self._one_at_a_time:
            kept = self._kept.get(key_id)
            if kept and self._now() < kept[1] + KEPT_FOR:
                return kept[0]
            where = {"connector": NAME, "operation": _OPERATION}
            if self._asked_at and self._now() < self._asked_at + ASKED_EVERY:
                raise TryLater("a key was asked for a moment ago", after=ASKED_EVERY, **where)
            self._asked_at = self._now()
            found = await self._fetched(key_id)
            while len(self._kept) >= _MOST_KEYS:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key_id] = (found, self._now())
            return found

    async def _fetched(self, key_id: str) -> EllipticCurvePublicKey:
        body = orjson.dumps({**self._client, "key_id": key_id})
        headers = {"Content-Type": "application/json"}
        call = Call(NAME, _OPERATION, "POST", self._url, headers, body, setup=self._setup)
        try:
            answer = await exchange(self._http, call)
            if 400 <= answer.status_code < 500 and answer.status_code != 429:
                raise NotAllowed("The call is signed with a key that is not Plaid's.")
            if not answer.is_success:
                raise status_error(answer, call)
            document = read_json(answer, call)
        except ProviderError as error:
            raise TryLater(f"no key: {error.detail}", after=ASKED_EVERY, **call.where) from None
        jwk: Any = document.get("key") if isinstance(document, dict) else None
        found = key_of(jwk, ES256)
        if found is None or jwk.get("kid") != key_id or jwk.get("expired_at") is not None:
            raise NotAllowed("The call is signed with a key that is not Plaid's.")
        return found


def _events(call: InboundHttp, event_id: str) -> tuple[InboundEvent, ...]:
    """What a verified call is about. Raises Unreadable where it does not say."""
    said: Any = try_json(call.body)
    if not isinstance(said, dict) or not isinstance(said.get("webhook_type"), str):
        raise Unreadable("the call names no event", connector=NAME, operation=_OPERATION)
    if said["webhook_type"] == "PAYMENT_INITIATION":
        ref = said.get("payment_id")
        known = isinstance(ref, str) and _PAYMENT_ID.fullmatch(ref)
        event = InboundEvent(event_id, InboundKind.PAYMENT, payment_ref=Secret(str(ref)))
        return (event,) if known else ()
    if said["webhook_type"] != "ITEM" or said.get("webhook_code") not in _TROUBLE:
        return ()
    try:
        query = parse_qsl(urlsplit(call.url).query, max_num_fields=20)
        named = [value for name, value in query if name == CONSENT]
        consent = UUID(named[0]) if len(named) == 1 else None
    except ValueError:
        consent = None
    if consent is None:
        return ()
    return (InboundEvent(f"{event_id}:{consent}", InboundKind.CONSENT, consent_key=consent),)


def _object(part: str) -> dict[str, Any]:
    found = try_json(unbase64(part))
    if not isinstance(found, dict):
        raise NotAllowed("The call is not signed.")
    return found


def _instant(seconds: Any) -> datetime:
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds < 10**11:
        raise NotAllowed("The call's time cannot be read.")
    return datetime.fromtimestamp(seconds, UTC)
