"""GoCardless's calls: the published vector, forged ones, and what the events are about."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.domain.errors import Misconfigured, NotAllowed, Unreadable
from app.ports import InboundHttp, InboundKind
from connectors.gocardless_pay.hooks import MOST_EVENTS, Hooks, events_in, signature
from connectors.gocardless_pay.settings import Settings
from tests.connectors.rig_gocardless_pay import GoCardlessPayRig
from tests.connectors.scene import MONDAY

pytestmark = pytest.mark.anyio

URL = "https://saldo.example/hooks/gocardless_pay"
SINCE = MONDAY - timedelta(days=29)


def _created(event: str, at: str, kind: str, ref: str) -> dict[str, Any]:
    """An event of the vector, which the vendor's libraries test themselves with."""
    words = f"{kind.capitalize()} created via the API."
    return {
        "id": event,
        "created_at": at,
        "resource_type": f"{kind}s",
        "action": "created",
        "links": {kind: ref},
        "details": {"origin": "api", "cause": f"{kind}_created", "description": words},
        "metadata": {},
    }


async def test_the_published_vector(tmp_path: Path) -> None:
    subscription = ("EV00BD05S5VM2T", "2018-07-05T09:13:51.404Z", "subscription", "SB0003JJQ2MR06")
    mandate = ("EV00BD05TB8K63", "2018-07-05T09:13:56.893Z", "mandate", "MD000AMA19XGEC")
    body = orjson.dumps({"events": [_created(*subscription), _created(*mandate)]})
    assert len(body) == 550
    right = "2693754819d3e32d7e8fcb13c729631f316c6de8dc1cf634d6527f1c07276e7e"
    secret = "ED7D658C-D8EB-4941-948B-3973214F2D49"
    assert signature(secret.encode(), body) == right
    rig = GoCardlessPayRig(tmp_path)
    given = Settings.model_validate({**rig.given(), "webhook_secret": secret})
    hooks = Hooks(given, rig.scene.wire())
    good = InboundHttp(URL, {"Webhook-Signature": right}, body)
    assert await hooks.read_webhooks(good) == ()  # verified, and about no payment
    for wrong in ("", right[:-1], "ñ", right.replace("2", "3")):
        with pytest.raises(NotAllowed):
            await hooks.read_webhooks(replace(good, headers={"webhook-signature": wrong}))
    assert secret not in repr(hooks)


def event(**changes: Any) -> dict[str, Any]:
    plain = {
        "id": "EV1",
        "created_at": "2026-11-23T08:00:00.000Z",
        "resource_type": "payments",
        "action": "paid_out",
        "links": {"payment": "PM1"},
    }
    return {**plain, **changes}


def about(*events: Any, since: datetime = SINCE) -> list[tuple[str, str]]:
    found = events_in(orjson.dumps({"events": events}), since)
    assert all(one.kind is InboundKind.PAYMENT for one in found)
    return [(one.event_id, one.payment_ref.reveal()) for one in found if one.payment_ref]


def test_what_the_events_are_about() -> None:
    request = {"resource_type": "billing_requests", "links": {"billing_request": "BRQ1"}}
    for action in ("fulfilled", "cancelled", "failed", "bank_authorisation_denied"):
        assert about(event(**request, action=action)) == [("EV1", "BRQ1")]
    for action in ("created", "flow_visited", "collect_amount"):
        assert about(event(**request, action=action)) == []
    for action in ("charged_back", "late_failure_settled", "a_new_word"):
        assert about(event(action=action), event(id="EV2")) == [("EV1", "PM1"), ("EV2", "PM1")]
    odd: list[Any] = [
        event(resource_type="payouts"), event(links={}), event(links=None), event(id="../x"),
        event(links={"payment": "PM 1"}), event(created_at="2026-10-01T08:00:00Z"),
        event(created_at=None), "event", None, [],
    ]  # fmt: skip
    for nothing in odd:
        assert about(nothing, event(id="EV3")) == [("EV3", "PM1")]


def test_a_batch_that_cannot_be_read() -> None:
    assert len(about(*[event(id=f"EV{n}") for n in range(250)])) == 250
    for broken in (b"", b"[]", b"{}", b'{"events": {}}'):
        with pytest.raises(Unreadable):
            events_in(broken, SINCE)
    with pytest.raises(Unreadable):
        about(*[event()] * (MOST_EVENTS + 1))


def test_without_a_secret_every_call_is_refused(tmp_path: Path) -> None:
    rig = GoCardlessPayRig(tmp_path)
    with pytest.raises(Misconfigured):
        Hooks(Settings.model_validate({**rig.given(), "webhook_secret": ""}), rig.scene.wire())
