"""Infobip: windows in UTC, look-ups by an id of ours, groups of statuses."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.domain.errors import (
    Declined,
    Misconfigured,
    NotAllowed,
    OutcomeUnknown,
    ProviderError,
    TryLater,
    Unreadable,
)
from app.ports import DeliveryState, InboundHttp, InboundKind
from connectors import live_addresses
from connectors.infobip.settings import Settings
from connectors.infobip.window import DAYS, delivery_options
from sandbox.modes import Mode
from sandbox.texts import DEFAULT_SENDER, DEFAULT_TOKEN
from tests.connectors.answers import answering
from tests.connectors.registry import refused
from tests.connectors.rig_infobip import HOOK_KEY, InfobipRig
from tests.connectors.test_over_http import listening

pytestmark = pytest.mark.anyio

# ---------------------------------------------------------------- the window


@given(
    st.integers(0, 366 * 86_400),
    st.integers(-12, 14),
    st.integers(60, 86_400),
)
def test_no_window_lets_a_text_arrive_late(since: int, zone: int, seconds: int) -> None:
    begun = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=zone)))
    now = begun + timedelta(seconds=since)
    ends = (now + timedelta(seconds=seconds)).astimezone(UTC)
    options = delivery_options(now, seconds)
    assert options["validityPeriod"] == {"amount": seconds, "timeUnit": "SECONDS"}
    window = options.get("deliveryTimeWindow")
    begin = now.astimezone(UTC)
    if window is None:
        # Only where the hour before its end, or the whole of it, crosses midnight UTC.
        assert begin.date() != ends.date() or (ends - timedelta(hours=1)).date() != ends.date()
        return
    assert window["days"] == [DAYS[ends.weekday()]]
    opens, closes = (
        ends.replace(**window[side], second=0, microsecond=0) for side in ("from", "to")
    )
    assert closes <= ends < closes + timedelta(minutes=1)
    assert closes - opens >= timedelta(hours=1)
    assert opens <= begin


def test_the_window_is_utc_in_summer_and_winter() -> None:
    for month, hour in ((1, 19), (7, 18)):
        madrid = timezone(timedelta(hours=1 if month == 1 else 2))
        noon = datetime(2026, month, 15, 12, 0, tzinfo=madrid)
        options = delivery_options(noon, 8 * 3600)  # until 20:00 there
        assert options["deliveryTimeWindow"]["to"] == {"hour": hour, "minute": 0}
    night = datetime(2026, 7, 15, tzinfo=UTC)
    assert delivery_options(night, 500_000)["validityPeriod"]["amount"] == 48 * 3600


# ---------------------------------------------------------------- sending


def answer_with(key: str, **changes: Any) -> dict[str, Any]:
    plain = {
        "messageId": key,
        "status": {"groupId": 1, "groupName": "PENDING", "id": 26, "name": "PENDING_ACCEPTED",
                   "description": "Message sent to next instance 34612345678"},
        "destination": "34612345678",
    }  # fmt: skip
    return {"bulkId": "b", "messages": [{**plain, **changes}], "results": [{**plain, **changes}]}


REJECTED = {"groupId": 5, "groupName": "REJECTED", "name": "REJECTED_NOT_ENOUGH_CREDITS"}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, {}, TryLater),
        (403, b"", TryLater),
        (429, b"", TryLater),
        (400, {"requestError": {"serviceException": {"messageId": "BAD_REQUEST"}}}, Declined),
        (200, {"status": REJECTED}, Declined),
        (200, {"messageId": "another"}, OutcomeUnknown),
        (200, {"messageId": None}, OutcomeUnknown),
        (500, b"", OutcomeUnknown),
        (503, b"", OutcomeUnknown),
        (302, b"", OutcomeUnknown),
        (200, b"", OutcomeUnknown),
        (200, b"{}", OutcomeUnknown),
        (200, b'{"messages": []}', OutcomeUnknown),
        (200, b'{"messages": [{}, {}]}', OutcomeUnknown),
    ],
)
async def test_sure_and_unclear_are_kept_apart(
    status: int, body: Any, expected: type[ProviderError]
) -> None:
    rig = InfobipRig()
    sms = rig.sms(rig.person())
    content = answer_with(sms.key.hex, **body) if isinstance(body, dict) else body
    failed = await refused(rig.messages_over(answering(status, content)).send(sms))
    assert type(failed) is expected
    assert "612345678" not in str(failed)
    if expected is Declined and status == 200:
        assert isinstance(failed, Declined)
        assert failed.reason == "REJECTED_NOT_ENOUGH_CREDITS"


async def test_what_is_sent_and_nothing_else() -> None:
    rig = InfobipRig()
    person = rig.person()
    sms = rig.sms(person, valid_seconds=7200)
    sent = await rig.messages.send(sms)
    assert sent.ref == sms.key.hex
    (seen,) = rig.seen
    assert seen.headers["authorization"] == f"App {DEFAULT_TOKEN}"
    assert json.loads(seen.body) == {
        "messages": [
            {
                "sender": DEFAULT_SENDER,
                "destinations": [{"to": person.phone.removeprefix("+"), "messageId": sms.key.hex}],
                "content": {"text": sms.body},
                "options": {
                    "validityPeriod": {"amount": 7200, "timeUnit": "SECONDS"},
                    "deliveryTimeWindow": {
                        "days": ["MONDAY"],
                        "from": {"hour": 9, "minute": 0},
                        "to": {"hour": 11, "minute": 0},
                    },
                },
                "webhooks": {
                    "delivery": {"url": f"{rig.hook}?key={HOOK_KEY}"},
                    "contentType": "application/json",
                },
            }
        ]
    }
    silent = InfobipRig(hook_key="")
    await silent.messages.send(silent.sms(silent.person()))
    assert "webhooks" not in json.loads(silent.seen[0].body)["messages"][0]
    assert isinstance(await refused(rig.messages.send(rig.sms(person, valid_seconds=59))), TryLater)


async def test_wrong_credentials_are_an_alarm_and_a_wait() -> None:
    rig = InfobipRig(api_key="not the key")
    with capture_logs() as logs:
        failed = await refused(rig.messages.send(rig.sms(rig.person())))
    assert isinstance(failed, TryLater)
    assert failed.after == timedelta(minutes=10)
    assert [line["event"] for line in logs] == ["channel_misconfigured"]
    assert "not the key" not in f"{logs} {failed}"


@pytest.mark.parametrize(
    ("group", "error", "state", "lasting"),
    [
        (0, {}, DeliveryState.ACCEPTED, False),
        (1, {}, DeliveryState.ACCEPTED, False),
        (2, {"name": "EC_ABSENT_SUBSCRIBER", "permanent": False}, DeliveryState.UNDELIVERED, False),
        (2, {"name": "EC_UNKNOWN_SUBSCRIBER", "permanent": True}, DeliveryState.UNDELIVERED, True),
        (2, {"name": "NO_ERROR", "permanent": "true"}, DeliveryState.UNDELIVERED, False),
        (3, {"permanent": True}, DeliveryState.DELIVERED, False),
        (4, None, DeliveryState.UNDELIVERED, False),
        (5, 7, DeliveryState.UNDELIVERED, False),
    ],
)
async def test_where_a_message_stands(
    group: int, error: Any, state: DeliveryState, lasting: bool
) -> None:
    key = "0f" * 16
    body = answer_with(key, status={"groupId": group, "description": "x"}, error=error)
    now = await InfobipRig().messages_over(answering(200, body)).message_now(key)
    assert (now.ref, now.state, now.permanent) == (key, state, lasting)
    assert bool(now.reason) is (state is DeliveryState.UNDELIVERED)


async def test_an_unknown_group_counts_as_accepted_with_an_alarm() -> None:
    key = "0f" * 16
    for status in ({"groupId": 9}, {"groupId": True}, {}, None):
        with capture_logs() as logs:
            port = InfobipRig().messages_over(answering(200, answer_with(key, status=status)))
            assert (await port.message_now(key)).state is DeliveryState.ACCEPTED
        assert [line["event"] for line in logs] == ["unknown_word"]


async def test_what_the_logs_do_not_show_is_not_called_absent() -> None:
    rig = InfobipRig()
    sms = rig.sms(rig.person())
    assert isinstance(await refused(rig.messages.find(sms)), OutcomeUnknown)
    assert isinstance(await refused(rig.messages.message_now(sms.key.hex)), TryLater)
    other = rig.messages_over(answering(200, answer_with("another")))
    assert isinstance(await refused(other.find(sms)), Unreadable)
    two = answer_with(sms.key.hex)
    two["results"] *= 2
    assert isinstance(await refused(rig.messages_over(answering(200, two)).find(sms)), Unreadable)


# ---------------------------------------------------------------- calls to us


def call(content: Any, key: str = HOOK_KEY) -> InboundHttp:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return InboundHttp(f"{InfobipRig.hook}?key={key}", {}, body)


def test_reports_and_replies() -> None:
    port = InfobipRig().messages
    report = {"messageId": "0f0f", "status": {"groupId": 1}}
    first = port.read_webhook(call({"results": [report, {"messageId": "later"}]}))
    assert (first.kind, first.message_ref) == (InboundKind.MESSAGE_STATUS, "0f0f")
    later = port.read_webhook(call({"results": [{**report, "status": {"groupId": 3}}]}))
    assert later.event_id != first.event_id
    text = {"messageId": "m1", "from": "48500111222", "to": "4850", "text": "Wypisz"}
    reply = port.read_webhook(call({"results": [text], "messageCount": 1}))
    assert (reply.kind, reply.stop, reply.text) == (InboundKind.INBOUND_TEXT, True, "Wypisz")
    assert reply.sender is not None
    assert reply.sender.reveal() == "+48500111222"
    strange: tuple[Any, ...] = (
        {"results": [text, {**text, "messageId": "m2"}]},
        {"results": [report, text]},
        {"results": []},
        {"results": 7},
        {"results": [7]},
        {"results": [{"messageId": 7}]},
        [],
        b"\xff",
    )
    for content in strange:
        with pytest.raises(Unreadable):
            port.read_webhook(call(content))
    for key in ("", "guessed"):
        with pytest.raises(NotAllowed):
            port.read_webhook(call({"results": [report]}, key))
    with pytest.raises(NotAllowed):
        InfobipRig(hook_key="").messages.read_webhook(call({"results": [report]}, ""))


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"base_url": ""}, "BASE_URL"),
        ({"api_key": ""}, "API_KEY"),
        ({"sender": ""}, "SENDER"),
        ({"hook_key": "short"}, "HOOK_KEY"),
    ],
)
def test_what_is_missing_is_named_at_the_start(change: dict[str, str], named: str) -> None:
    with pytest.raises(Misconfigured, match=f"SALDO_INFOBIP_{named}"):
        InfobipRig(**change)


def test_live_is_told_from_sandbox_and_secrets_show_nowhere() -> None:
    live = Settings.model_validate({"base_url": "https://abc.api.infobip.com/"})
    assert live_addresses(live) == ("https://abc.api.infobip.com",)
    rig = InfobipRig()
    settings = Settings.model_validate(rig.settings)
    assert live_addresses(settings) == live_addresses(Settings()) == ()
    shown = f"{settings!r} {settings} {settings.model_dump_json()} {rig.messages!r}"
    for secret in (DEFAULT_TOKEN, HOOK_KEY):
        assert secret not in shown


# ---------------------------------------------------------------- the vendor's client


async def test_the_vendors_own_client_understands_the_sandbox_and_our_requests() -> None:
    # Four seconds to import: only for whoever runs this.
    from infobip_api_client import ApiClient, Configuration
    from infobip_api_client.api.sms_api import SmsApi
    from infobip_api_client.exceptions import UnauthorizedException
    from infobip_api_client.models.sms_request import SmsRequest

    rig = InfobipRig()
    person, landline = rig.person(), rig.person()
    rig.fault(landline, Mode.SMS_LANDLINE)
    await rig.messages.send(rig.sms(person))
    # Our own request, read by the vendor's model and sent once more by its client.
    request = SmsRequest.from_dict(json.loads(rig.seen[0].body))
    assert request is not None
    request.messages[0].destinations[0].message_id = "vendor-1"
    async with listening(rig.scene.world) as origin:
        api = SmsApi(ApiClient(Configuration(host=f"{origin}/infobip", api_key=DEFAULT_TOKEN)))
        sent: Any = await asyncio.to_thread(api.send_sms_messages, request)
        assert sent.messages[0].message_id == "vendor-1"
        assert sent.messages[0].status.group_id == 1
        rig.watch.on(minutes=1)
        ids = ["vendor-1"]
        logs: Any = await asyncio.to_thread(api.get_outbound_sms_message_logs, message_id=ids)
        (shown,) = logs.results
        assert (shown.message_id, shown.status.group_name.value) == ("vendor-1", "DELIVERED")
        assert shown.error.permanent is False
        wrong = SmsApi(ApiClient(Configuration(host=f"{origin}/infobip", api_key="wrong")))
        with pytest.raises(UnauthorizedException):
            await asyncio.to_thread(wrong.send_sms_messages, request)
    assert (await rig.messages.message_now("vendor-1")).state is DeliveryState.DELIVERED
    failed = await rig.messages.send(rig.sms(landline))
    rig.watch.on(minutes=1)
    assert (await rig.messages.message_now(failed.ref)).permanent is True
