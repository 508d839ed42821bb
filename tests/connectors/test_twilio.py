"""Twilio: what is sure and what is unclear, look-ups page by page, settings."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from structlog.testing import capture_logs

from app.domain.errors import (
    Declined,
    Misconfigured,
    OutcomeUnknown,
    ProviderError,
    TryLater,
    Unreadable,
)
from app.ports import NUMBER_INVALID, OPTED_OUT, DeliveryState
from connectors import live_addresses
from connectors.twilio.messages import MOST_PAGES, Settings
from sandbox.texts import DEFAULT_SID, DEFAULT_TOKEN
from tests.connectors.answers import answering
from tests.connectors.rig_twilio import TwilioRig
from tests.connectors.scene import ORIGIN

pytestmark = pytest.mark.anyio

# ---------------------------------------------------------------- sending


def error(code: int, status: int) -> dict[str, Any]:
    return {"code": code, "message": "words +34612345678", "more_info": "", "status": status}


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (400, error(21211, 400), {}, Declined),
        (400, error(21610, 400), {}, Declined),
        (400, error(21612, 400), {}, Declined),
        (400, error(21606, 400), {}, TryLater),
        (400, error(21608, 400), {}, TryLater),
        (401, error(20003, 401), {}, TryLater),
        (401, b"", {}, TryLater),
        (403, b"<html>", {}, TryLater),
        (404, error(20404, 404), {}, TryLater),
        (429, error(20429, 429), {}, TryLater),
        (429, b"", {}, TryLater),
        (503, b"", {"Retry_After": "30"}, TryLater),
        (503, b"", {}, OutcomeUnknown),
        (503, b"", {"Retry_After": "-5"}, OutcomeUnknown),
        (500, error(20500, 500), {}, OutcomeUnknown),
        (500, error(20003, 500), {}, OutcomeUnknown),
        (502, b"", {}, OutcomeUnknown),
        (408, b"", {}, OutcomeUnknown),
        (302, b"", {}, OutcomeUnknown),
        (201, b"", {}, OutcomeUnknown),
        (201, {}, {}, OutcomeUnknown),
        (201, {"sid": "SM1"}, {}, OutcomeUnknown),
        (204, b"", {}, OutcomeUnknown),
        (400, b"", {}, Declined),
        (400, {"code": "21610"}, {}, Declined),
        (400, [], {}, Declined),
    ],
)
async def test_sure_and_unclear_are_kept_apart(
    status: int, body: Any, headers: dict[str, str], expected: type[ProviderError]
) -> None:
    rig = TwilioRig()
    port = rig.messages_over(answering(status, body, **headers))
    with pytest.raises(ProviderError) as caught:
        await port.send(rig.sms(rig.person()))
    assert type(caught.value) is expected
    assert "612345678" not in str(caught.value)


async def test_reasons_in_words_of_the_house() -> None:
    rig = TwilioRig()
    sms = rig.sms(rig.person())
    reasons = {
        21610: OPTED_OUT,
        21211: NUMBER_INVALID,
        21614: NUMBER_INVALID,
        21617: "21617",
        0: "HTTP_400",
    }
    for code, reason in reasons.items():
        with pytest.raises(Declined) as caught:
            await rig.messages_over(answering(400, error(code, 400))).send(sms)
        assert caught.value.reason == reason


async def test_wrong_credentials_are_an_alarm_and_a_wait() -> None:
    rig = TwilioRig(auth_token="wrong")
    with capture_logs() as logs, pytest.raises(TryLater) as caught:
        await rig.messages.send(rig.sms(rig.person()))
    assert [line["event"] for line in logs] == ["channel_misconfigured"]
    assert caught.value.after == timedelta(minutes=10)
    assert "wrong" not in str(logs)


async def test_what_is_sent_and_nothing_else() -> None:
    rig = TwilioRig(
        from_number="",
        messaging_service_sid="MG" + "a" * 32,
        api_key_sid="SK1",
        api_key_secret="key secret",
    )
    person = rig.person()
    sms = rig.sms(person, valid_seconds=100_000)
    with pytest.raises(ProviderError):
        await rig.messages.send(sms)  # the sandbox knows no API keys
    (sent,) = rig.seen
    assert dict(parse_qsl(sent.body.decode())) == {
        "To": person.phone,
        "MessagingServiceSid": "MG" + "a" * 32,
        "Body": sms.body,
        "ValidityPeriod": "36000",
        "StatusCallback": rig.hook,
    }
    user = base64.b64decode(sent.headers["authorization"].removeprefix("Basic "))
    assert user == b"SK1:key secret"


async def test_a_text_that_is_too_long_never_leaves() -> None:
    rig = TwilioRig()
    with pytest.raises(Declined):
        await rig.messages.send(rig.sms(rig.person(), body="x" * 1601))
    assert rig.seen == []


@pytest.mark.parametrize(
    ("status", "code", "state", "permanent", "opted_out"),
    [
        ("queued", None, DeliveryState.ACCEPTED, False, False),
        ("sent", None, DeliveryState.ACCEPTED, False, False),
        ("partially_delivered", None, DeliveryState.ACCEPTED, False, False),
        ("delivered", None, DeliveryState.DELIVERED, False, False),
        ("read", None, DeliveryState.DELIVERED, False, False),
        ("undelivered", 30003, DeliveryState.UNDELIVERED, False, False),
        ("undelivered", 30006, DeliveryState.UNDELIVERED, True, False),
        ("failed", 21610, DeliveryState.UNDELIVERED, True, True),
        ("failed", 30007, DeliveryState.UNDELIVERED, False, False),
        ("canceled", None, DeliveryState.UNDELIVERED, False, False),
    ],
)
async def test_where_a_message_stands(
    status: str, code: int | None, state: DeliveryState, permanent: bool, opted_out: bool
) -> None:
    sid = "SM" + "a" * 32
    document = {"sid": sid, "status": status, "error_code": code}
    with capture_logs() as logs:
        now = await TwilioRig().messages_over(answering(200, document)).message_now(sid)
    assert (now.state, now.permanent, now.opted_out) == (state, permanent, opted_out)
    assert bool(now.reason) is (state is DeliveryState.UNDELIVERED)
    assert logs == []


@pytest.mark.parametrize("status", ["teleported", None, 7])
async def test_an_unknown_status_counts_as_accepted_with_an_alarm(status: Any) -> None:
    sid = "SM" + "a" * 32
    with capture_logs() as logs:
        port = TwilioRig().messages_over(answering(200, {"sid": sid, "status": status}))
        assert (await port.message_now(sid)).state is DeliveryState.ACCEPTED
    assert [line["event"] for line in logs] == ["unknown_word"]


# ---------------------------------------------------------------- looking up


def page(messages: list[dict[str, Any]], following: str | None = None) -> httpx.Response:
    return httpx.Response(200, json={"messages": messages, "next_page_uri": following})


def message(number: int, body: str, status: str = "queued", **more: Any) -> dict[str, Any]:
    return {"sid": f"SM{number:032x}", "body": body, "status": status, "error_code": None, **more}


LIST = f"/2010-04-01/Accounts/{DEFAULT_SID}/Messages.json"


async def test_the_look_up_walks_the_pages() -> None:
    rig = TwilioRig()
    person = rig.person()
    sms = rig.sms(person)
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if "Page=1" in str(request.url):
            return page([message(2, f"x {sms.marker} y")])
        return page([message(1, "another")], f"{LIST}?Page=1&PageToken=a")

    found = await rig.messages_over(httpx.MockTransport(answer)).find(sms)
    assert found is not None
    assert found.ref.endswith("2")
    assert len(asked) == 2
    assert asked[0].startswith(f"{ORIGIN}/twilio{LIST}?To=%2B")
    assert all(url.startswith(f"{ORIGIN}/twilio{LIST}?") for url in asked)


async def test_of_several_the_one_that_arrived_counts() -> None:
    rig = TwilioRig()
    sms = rig.sms(rig.person())
    text = f"x {sms.marker}"
    listed = [
        message(1, text, "failed"),
        message(2, text, "delivered"),
        message(3, text),
        message(4, text, "received", direction="inbound"),
    ]
    found = await rig.messages_over(answering(200, {"messages": listed})).find(sms)
    assert found is not None
    assert found.state is DeliveryState.DELIVERED


async def test_what_cannot_be_looked_through_is_not_called_absent() -> None:
    rig = TwilioRig()
    sms = rig.sms(rig.person())
    endless = {"messages": [message(1, "another")], "next_page_uri": f"{LIST}?Page=1"}
    count = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal count
        count += 1
        return httpx.Response(200, json=endless)

    with pytest.raises(OutcomeUnknown):
        await rig.messages_over(httpx.MockTransport(answer)).find(sms)
    assert count == MOST_PAGES
    with pytest.raises(OutcomeUnknown):
        await rig.messages.find(replace(sms, marker=""))


@pytest.mark.parametrize(
    "following", ["https://evil.example/x", "/2010-04-01/Accounts/AC1/Messages.json?Page=1", 7, [1]]
)
async def test_the_next_page_is_never_somewhere_else(following: Any) -> None:
    rig = TwilioRig()
    body = {"messages": [], "next_page_uri": following}
    with pytest.raises(Unreadable):
        await rig.messages_over(answering(200, body)).find(rig.sms(rig.person()))


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"account_sid": ""}, "ACCOUNT_SID"),
        ({"account_sid": "SK" + "a" * 32}, "ACCOUNT_SID"),
        ({"auth_token": ""}, "AUTH_TOKEN"),
        ({"api_key_sid": "SK1"}, "API_KEY_SECRET"),
        ({"from_number": ""}, "FROM_NUMBER"),
        ({"messaging_service_sid": "MG1"}, "FROM_NUMBER"),
    ],
)
def test_what_is_missing_is_named_at_the_start(change: dict[str, str], named: str) -> None:
    with pytest.raises(Misconfigured, match=f"SALDO_TWILIO_{named}"):
        TwilioRig(**change)


def test_live_is_told_from_sandbox() -> None:
    live = Settings(account_sid="AC" + "a" * 32)
    assert live_addresses(live) == ("https://api.twilio.com",)
    assert live_addresses(Settings()) == ()
    assert (
        live_addresses(Settings(account_sid="AC" + "a" * 32, base_url="http://127.0.0.1:1")) == ()
    )
    with pytest.raises(ValueError, match="https"):
        Settings(base_url="http://api.twilio.com")


def test_secrets_show_nowhere() -> None:
    rig = TwilioRig(api_key_sid="SK1", api_key_secret="key secret")
    settings = Settings.model_validate(rig.settings)
    shown = f"{settings!r} {settings} {vars(rig.messages)}"
    for secret in (DEFAULT_TOKEN, "key secret"):
        assert secret not in shown
    assert json.dumps(DEFAULT_TOKEN) not in settings.model_dump_json()
