"""GoCardless's calls: batches of events, verified and reduced to the payments they are about.

Webhook-Signature is the hex HMAC-SHA256 of the exact body under the endpoint's secret. It holds no
time; each event has an id by which it is known again, and those older than what is remembered are
left out.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.errors import Misconfigured, NotAllowed, Unreadable
from app.domain.ids import Secret
from app.ports import InboundEvent, InboundHttp, InboundKind, Wire
from connectors._json import try_json
from connectors._same import same
from connectors._stated import instant_of
from connectors.gocardless_pay.desk import IDS
from connectors.gocardless_pay.settings import NAME, Settings

SIGNATURE = "webhook-signature"
# Events are remembered for 30 days; GoCardless's own repetitions end long before.
OLDEST = timedelta(days=29)
MOST_EVENTS = 1000
# What happens to a request before the payer has answered is no news of money.
_REQUEST_NEWS = frozenset(
    {
        "bank_authorisation_authorised",
        "bank_authorisation_denied",
        "bank_authorisation_failed",
        "bank_authorisation_expired",
        "fulfilled",
        "failed",
        "cancelled",
    }
)


class Hooks:
    """`HookPort` over the webhooks of the API."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured while there is no secret."""
        self._secret = settings.webhook_secret.get_secret_value().encode()
        self._real_now = wire.real_now
        if not self._secret:
            raise Misconfigured(
                "SALDO_GOCARDLESS_PAY_WEBHOOK_SECRET",
                "is not set",
                "Copy it from the endpoint in the dashboard.",
            )

    def __repr__(self) -> str:
        return "Hooks(…)"

    async def read_webhooks(self, call: InboundHttp) -> tuple[InboundEvent, ...]:
        """The payments and billing requests that the events are about; others are left out."""
        given = next((v for name, v in call.headers.items() if name.lower() == SIGNATURE), "")
        right = signature(self._secret, call.body)
        if not same(given.strip().lower(), right):
            raise NotAllowed("The call's signature is wrong.")
        return events_in(call.body, self._real_now() - OLDEST)


def signature(secret: bytes, body: bytes) -> str:
    """The value of Webhook-Signature."""
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


def events_in(body: bytes, since: datetime) -> tuple[InboundEvent, ...]:
    """What a verified call is about, `since` then. Raises Unreadable for what is no batch."""
    said = try_json(body)
    listed = said.get("events") if isinstance(said, dict) else None
    if not isinstance(listed, list) or len(listed) > MOST_EVENTS:
        raise Unreadable("the call lists no events", connector=NAME, operation="read_webhooks")
    found = (_event(one, since) for one in listed if isinstance(one, dict))
    return tuple(one for one in found if one is not None)


def _event(event: dict[str, Any], since: datetime) -> InboundEvent | None:
    event_id, links = event.get("id"), event.get("links")
    made_at = instant_of(event.get("created_at"), UTC)
    if not IDS.fits(event_id) or not isinstance(links, dict) or made_at is None or made_at < since:
        return None
    match event.get("resource_type"):
        case "payments":
            ref = links.get("payment")
        case "billing_requests" if event.get("action") in _REQUEST_NEWS:
            ref = links.get("billing_request")
        case _:
            return None
    if not IDS.fits(ref):
        return None
    return InboundEvent(str(event_id), InboundKind.PAYMENT, payment_ref=Secret(str(ref)))
