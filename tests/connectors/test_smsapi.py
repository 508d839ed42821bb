"""SMSAPI: errors behind a good status, keys that are refused twice, calls that nobody signs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import httpx
import pytest
from smsapi.client import Client
from smsapi.exception import SendException
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
from app.ports import NUMBER_INVALID, OPTED_OUT, DeliveryState, InboundHttp, InboundKind
from connectors import live_addresses
from connectors.smsapi.settings import Settings
from sandbox.modes import Mode
from sandbox.texts import DEFAULT_SENDER, DEFAULT_TOKEN
from tests.connectors.answers import answering
from tests.connectors.registry import refused
from tests.connectors.rig_smsapi import HOOK_KEY, SmsapiRig
from tests.connectors.test_over_http import listening

pytestmark = pytest.mark.anyio

# The answer of the vendor's own client tests.
PUBLISHED = {
    "count": 1,
    "parts": 1,
    "list": [
        {
            "id": "0f0f0f0f0f0f0f0f0f0f0f0f",
            "points": 0.21,
            "number": "48123123123",
            "date_sent": 1717500698,
            "submitted_number": "123123123",
            "status": "QUEUE",
            "error": None,
            "idx": None,
            "parts": 1,
        }
    ],
}


def item(**changes: Any) -> dict[str, Any]:
    return {**PUBLISHED, "list": [{**PUBLISHED["list"][0], **changes}]}  # type: ignore[index]


def error(code: Any, **more: Any) -> dict[str, Any]:
    return {"error": code, "message": "words +48123123123", **more}


def plain(**settings: Any) -> SmsapiRig:
    """A rig that asks no blacklist, so that the one answer given is that of `sms.do`."""
    return SmsapiRig(check_blacklist=False, **settings)


# ---------------------------------------------------------------- sending


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, error(13, invalid_numbers=[{"number": "1", "message": "?"}]), Declined),
        (200, error("13"), Declined),
        (200, error(14), Declined),
        (200, error(301), Declined),
        (400, error(13), Declined),
        (400, error("invalid_argument"), Declined),
        (200, error(101), TryLater),
        (200, error(103), TryLater),
        (200, error(105), TryLater),
        (200, error(1001), TryLater),
        (200, b"ERROR:102", TryLater),
        (401, error("authorization_failed"), TryLater),
        (403, b"", TryLater),
        (429, error("too_many_requests"), TryLater),
        (429, b"", TryLater),
        (200, error(8), OutcomeUnknown),
        (200, error(201), OutcomeUnknown),
        (200, error(666), OutcomeUnknown),
        (200, b"ERROR:999", OutcomeUnknown),
        (500, error(13), OutcomeUnknown),
        (503, b"", OutcomeUnknown),
        (408, b"", OutcomeUnknown),
        (302, b"", OutcomeUnknown),
        (200, error("words"), OutcomeUnknown),
        (200, error({"a": 1}), OutcomeUnknown),
        (200, b"", OutcomeUnknown),
        (200, b"OK:1:2", OutcomeUnknown),
        (200, {"count": 0, "list": []}, OutcomeUnknown),
        (200, {"list": [PUBLISHED["list"][0], PUBLISHED["list"][0]]}, OutcomeUnknown),  # type: ignore[index]
        (200, item(id=""), OutcomeUnknown),
        (200, item(idx="somebody else's"), OutcomeUnknown),
    ],
)
async def test_sure_and_unclear_are_kept_apart(
    status: int, body: Any, expected: type[ProviderError]
) -> None:
    rig = plain()
    failed = await refused(rig.messages_over(answering(status, body)).send(rig.sms(rig.person())))
    assert type(failed) is expected
    assert "123123123" not in str(failed)


async def test_the_published_answer_and_the_words_for_where_a_text_stands() -> None:
    rig = plain()
    sms = rig.sms(rig.person())
    sent = await rig.messages_over(answering(200, PUBLISHED)).send(sms)
    assert (sent.ref, sent.state) == ("0f0f0f0f0f0f0f0f0f0f0f0f", DeliveryState.ACCEPTED)
    for word, state, alarms in (
        ("SENT", DeliveryState.ACCEPTED, 0),
        ("DELIVERED", DeliveryState.DELIVERED, 0),
        ("EXPIRED", DeliveryState.UNDELIVERED, 0),
        ("UNKNOWN", DeliveryState.ACCEPTED, 1),
        (None, DeliveryState.ACCEPTED, 1),
    ):
        with capture_logs() as logs:
            port = rig.messages_over(answering(200, item(status=word)))
            now = await port.message_now("0f0f0f0f0f0f0f0f0f0f0f0f")
        assert (now.state, len(logs)) == (state, alarms)
        assert bool(now.reason) is (state is DeliveryState.UNDELIVERED)
    other = rig.messages_over(answering(200, item(id="another")))
    assert isinstance(await refused(other.message_now("0f0f")), Unreadable)


async def test_a_reused_key_means_accepted_before_in_each_of_its_forms() -> None:
    rig = plain()
    sms = rig.sms(rig.person())
    for status, body in (
        (200, error(53)),
        (200, error("53")),
        (200, b"ERROR:53"),
        (400, error(53)),
    ):
        again = await rig.messages_over(answering(status, body)).send(sms)
        assert (again.ref, again.state) == ("", DeliveryState.ACCEPTED)


async def test_one_row_is_one_text_however_often_it_is_sent() -> None:
    rig = SmsapiRig()
    person = rig.person()
    sms = rig.sms(person)
    for _ in range(3):
        await rig.messages.send(sms)
    assert rig.count(person) == 1
    await rig.messages.send(rig.sms(person))
    assert rig.count(person) == 2


async def test_what_is_sent_and_nothing_else() -> None:
    rig = SmsapiRig()
    person = rig.person()
    sms = rig.sms(person, valid_seconds=100_000)
    await rig.messages.send(sms)
    asked, sent = rig.seen
    assert asked.method == "GET"
    assert "/blacklist/phone_numbers?q=34" in asked.url
    assert sent.headers["authorization"] == f"Bearer {DEFAULT_TOKEN}"
    ends = rig.watch.at + timedelta(hours=12)
    assert dict(parse_qsl(sent.body.decode())) == {
        "to": person.phone.removeprefix("+"),
        "from": DEFAULT_SENDER,
        "message": sms.body,
        "encoding": "utf-8",
        "format": "json",
        "idx": sms.key.hex,
        "check_idx": "1",
        "expiration_date": str(int(ends.timestamp())),
        "notify_url": f"{rig.hook}?key={HOOK_KEY}",
    }
    silent = plain(report_id_field="")
    await silent.messages.send(silent.sms(silent.person()))
    assert "notify_url" not in silent.seen[-1].body.decode()


async def test_the_last_hour_of_a_contact_window_sends_nothing() -> None:
    rig = SmsapiRig()
    person = rig.person()
    failed = await refused(rig.messages.send(rig.sms(person, valid_seconds=3899)))
    assert isinstance(failed, TryLater)
    assert failed.after == timedelta(seconds=3899)
    assert rig.seen == []
    sms = rig.sms(person, valid_seconds=3900)
    await rig.messages.send(sms)
    ends = int(parse_qs(rig.seen[-1].body.decode())["expiration_date"][0])
    window_ends = rig.watch.at + timedelta(seconds=3900)
    assert ends + 300 == int(window_ends.timestamp())


async def test_wrong_credentials_are_an_alarm_and_a_wait() -> None:
    rig = SmsapiRig(token="not the token")
    with capture_logs() as logs:
        failed = await refused(rig.messages.send(rig.sms(rig.person())))
    assert isinstance(failed, TryLater)
    assert failed.after == timedelta(minutes=10)
    assert [line["event"] for line in logs] == ["channel_misconfigured"]
    assert "not the token" not in f"{logs} {failed}"


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b""), (200, {}), (200, {"collection": 1}), (200, error(13)), (404, b""), (500, b"")],
)
async def test_without_the_blacklist_nothing_is_sent(status: int, body: Any) -> None:
    rig = SmsapiRig()
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.method)
        content = body if isinstance(body, bytes) else None
        return httpx.Response(status, content=content, json=None if content is not None else body)

    port = rig.messages_over(httpx.MockTransport(answer))
    assert isinstance(await refused(port.send(rig.sms(rig.person()))), TryLater)
    assert calls == ["GET"]


async def test_a_longer_number_that_contains_ours_is_not_ours() -> None:
    rig = SmsapiRig()
    person = rig.person()
    bare = person.phone.removeprefix("+")
    for listed, declined in ((f"{bare}1", False), (bare, True), (int(bare), True)):
        body = {**item(idx=None), "collection": [{"phone_number": listed}]}
        attempt = rig.messages_over(answering(200, body)).send(rig.sms(person))
        if declined:
            failed = await refused(attempt)
            assert isinstance(failed, Declined)
            assert failed.reason == OPTED_OUT
        else:
            assert (await attempt).state is DeliveryState.ACCEPTED


async def test_a_repeat_is_safe_only_while_the_key_is_surely_remembered() -> None:
    rig = SmsapiRig(idx_memory_hours=100)
    sms = rig.sms(rig.person())
    rig.watch.on(hours=3.9)
    assert await rig.messages.find(sms) is None
    rig.watch.on(hours=0.2)
    assert isinstance(await refused(rig.messages.find(sms)), OutcomeUnknown)
    for port, asked in (
        (SmsapiRig(idx_memory_hours=0).messages, sms),
        (SmsapiRig(idx_memory_hours=96).messages, sms),
        (SmsapiRig().messages, replace(sms, sent_after=None)),
    ):
        assert isinstance(await refused(port.find(asked)), OutcomeUnknown)


# ---------------------------------------------------------------- calls to us


def call(form: dict[str, str], url: str = "") -> InboundHttp:
    return InboundHttp(url or f"{SmsapiRig.hook}?key={HOOK_KEY}", {}, b"", tuple(form.items()))


async def test_reports_and_replies_under_the_names_of_the_settings() -> None:
    port = SmsapiRig().messages
    report = port.read_webhook(call({"MsgId": "0f0f", "status_name": "SENT"}))
    assert (report.kind, report.message_ref) == (InboundKind.MESSAGE_STATUS, "0f0f")
    later = port.read_webhook(call({"MsgId": "0f0f", "status_name": "DELIVERED"}))
    by_query = port.read_webhook(
        call({}, f"{SmsapiRig.hook}?MsgId=0f0f&status_name=SENT&key={HOOK_KEY}")
    )
    assert report.event_id == by_query.event_id != later.event_id
    assert HOOK_KEY not in f"{report} {by_query}"
    for words, stop in (("STOP", True), ("Wypisz mnie", True), ("start", False), ("hej", None)):
        reply = port.read_webhook(
            call({"sms_id": "9", "sms_from": "48500111222", "sms_text": words})
        )
        assert (reply.kind, reply.stop) == (InboundKind.INBOUND_TEXT, stop)
        assert reply.sender is not None
        assert reply.sender.reveal() == "+48500111222"
    with pytest.raises(Unreadable):
        port.read_webhook(call({"status_name": "SENT"}))


@pytest.mark.parametrize(
    "url",
    ["", "?key=", "?key=guessed", f"?key={HOOK_KEY}x", f"?key={HOOK_KEY}&key={HOOK_KEY}",
     "?" + "a=1&" * 300],
)  # fmt: skip
async def test_who_does_not_know_the_address_is_turned_away(url: str) -> None:
    with pytest.raises(NotAllowed):
        SmsapiRig().messages.read_webhook(call({"MsgId": "0f0f"}, SmsapiRig.hook + (url or "?")))


async def test_nothing_is_read_from_calls_that_are_not_set_up() -> None:
    nothing = {"report_id_field": "", "reply_id_field": "", "reply_from_field": "",
               "reply_text_field": ""}  # fmt: skip
    for settings in ({**nothing, "hook_key": ""}, nothing):
        with pytest.raises(NotAllowed):
            SmsapiRig(**settings).messages.read_webhook(call({"": "0f0f", "MsgId": "0f0f"}))


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"token": ""}, "TOKEN"),
        ({"sender": ""}, "SENDER"),
        ({"sender": "twelve signs"}, "SENDER"),
        ({"reply_text_field": ""}, "REPLY_ID_FIELD"),
        ({"hook_key": ""}, "HOOK_KEY"),
        ({"hook_key": "short"}, "HOOK_KEY"),
    ],
)
def test_what_is_missing_is_named_at_the_start(change: dict[str, str], named: str) -> None:
    with pytest.raises(Misconfigured, match=f"SALDO_SMSAPI_{named}"):
        SmsapiRig(**change)


def test_live_is_told_from_sandbox_and_secrets_show_nowhere() -> None:
    assert live_addresses(Settings.model_validate({"token": "t"})) == ("https://api.smsapi.pl",)
    assert live_addresses(Settings()) == ()
    rig = SmsapiRig()
    settings = Settings.model_validate(rig.settings)
    assert live_addresses(settings) == ()
    shown = f"{settings!r} {settings} {settings.model_dump_json()} {rig.messages!r}"
    for secret in (DEFAULT_TOKEN, HOOK_KEY):
        assert secret not in shown
    with pytest.raises(ValueError, match="https"):
        Settings.model_validate({"base_url": "http://api.smsapi.pl"})


# ---------------------------------------------------------------- the vendor's client


async def test_the_vendors_own_client_understands_the_sandbox() -> None:
    rig = SmsapiRig()
    person, landline = rig.person(), rig.person()
    rig.fault(landline, Mode.SMS_LANDLINE)
    async with listening(rig.scene.world) as origin:
        vendor = Client(f"{origin}/smsapi/", access_token=DEFAULT_TOKEN)
        words = {"from_": DEFAULT_SENDER, "message": "Hej", "idx": "abc", "check_idx": "1"}

        def send(phone: str) -> Any:
            return vendor.sms.send(to=phone.removeprefix("+"), details="1", **words)

        sent = await asyncio.to_thread(send, person.phone)
        assert (sent.count, sent.message, sent.parts) == (1, "Hej", 1)
        (one,) = list(sent)
        assert (one.status, one.idx, one.error) == ("QUEUE", "abc", None)
        with pytest.raises(SendException) as again:
            await asyncio.to_thread(send, person.phone)
        assert again.value.code == 53
        with pytest.raises(SendException) as wrong:
            await asyncio.to_thread(send, landline.phone)
        assert (wrong.value.code, len(wrong.value.invalid_numbers)) == (13, 1)
        rig.text_back(person, "STOP")
        listed = await asyncio.to_thread(vendor.blacklist.list_phone_numbers)
        assert [entry.phone_number for entry in listed] == [person.phone.removeprefix("+")]
    rig.watch.on(minutes=1)
    now = await rig.messages.message_now(one.id)
    assert now.state is DeliveryState.DELIVERED


async def test_our_client_reads_what_the_vendors_client_reads() -> None:
    """A number refused with a good status is refused in words of the house."""
    rig = SmsapiRig()
    landline = rig.person()
    rig.fault(landline, Mode.SMS_LANDLINE)
    failed = await refused(rig.messages.send(rig.sms(landline)))
    assert isinstance(failed, Declined)
    assert failed.reason == NUMBER_INVALID
    answer = rig.seen[-1].answer
    assert answer is not None
    assert answer.status_code == 200
