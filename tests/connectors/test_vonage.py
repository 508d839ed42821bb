"""Vonage: statuses that are strings, published signatures, opt-outs that show late."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from structlog.testing import capture_logs
from vonage_http_client import Auth, HttpClient
from vonage_sms import Sms, SmsError, SmsMessage

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
from connectors.vonage.hooks import signature
from connectors.vonage.settings import Settings
from sandbox.faces.gateway_calls import VONAGE_KEY
from sandbox.modes import Mode
from sandbox.texts import DEFAULT_SENDER, DEFAULT_TOKEN
from tests.connectors.answers import answering
from tests.connectors.registry import refused
from tests.connectors.rig_vonage import VonageRig
from tests.connectors.test_over_http import listening

pytestmark = pytest.mark.anyio

# ---------------------------------------------------------------- the signature


@pytest.mark.parametrize(
    ("params", "method", "expected"),
    [
        (
            {"param1": "value1", "param2": "value2", "timestamp": "1234567890"},
            "sha256",
            "280c4320703dbc98bfa22db676655ed2acfbfe8792b062ff7622e67f1183c287",
        ),
        (
            {"param1": "value1", "param2": "value2", "timestamp": "1234567890"},
            "md5",
            "724c2bf6ca423c36e20631b11d1c5753",
        ),
        (
            {"param1": "value&1", "param2": "value=2", "timestamp": "1234567890"},
            "md5",
            "2bbf0abafb2c55e5af6231513896a2ac",
        ),
    ],
)
def test_published_signatures(params: dict[str, str], method: str, expected: str) -> None:
    assert signature("signature_secret", method, params) == expected
    assert signature("signature_secret", method, dict(reversed(params.items()))) == expected
    assert signature("another secret", method, params) != expected


RECEIPT = {
    "msisdn": "447700900000",
    "to": "Saldo",
    "network-code": "23410",
    "messageId": "0A0000001234567B",
    "price": "0.03330000",
    "status": "delivered",
    "scts": "2011091200",
    "err-code": "0",
    "api-key": VONAGE_KEY,
    "message-timestamp": "2026-11-23 09:00:00",
    "timestamp": "1795424400",
}


def signed(secret: str = DEFAULT_TOKEN, method: str = "sha256", **changes: str) -> InboundHttp:
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    said = {name: value for name, value in {**RECEIPT, **named}.items() if value}
    said["sig"] = signature(secret, method, said).upper()
    return InboundHttp(VonageRig.hook, {}, b"", tuple(said.items()))


def test_a_receipt_vouches_for_itself() -> None:
    port = VonageRig().messages
    for status, code, state, opted_out in (
        ("delivered", "0", DeliveryState.DELIVERED, False),
        ("accepted", "0", DeliveryState.ACCEPTED, False),
        ("buffered", "0", DeliveryState.ACCEPTED, False),
        ("failed", "9", DeliveryState.UNDELIVERED, True),
        ("rejected", "9", DeliveryState.UNDELIVERED, True),
        ("failed", "1", DeliveryState.UNDELIVERED, False),
        ("expired", "", DeliveryState.UNDELIVERED, False),
        ("delivered", "9", DeliveryState.DELIVERED, False),
    ):
        event = port.read_webhook(signed(status=status, err_code=code))
        assert event.kind is InboundKind.MESSAGE_STATUS
        assert event.message_ref == "0A0000001234567B"
        receipt = event.receipt
        assert receipt is not None
        assert (receipt.state, receipt.opted_out) == (state, opted_out)
        assert receipt.permanent is opted_out
        assert bool(receipt.reason) is (state is DeliveryState.UNDELIVERED)
    with capture_logs() as logs:
        strange = port.read_webhook(signed(status="teleported")).receipt
    assert strange is not None
    assert strange.state is DeliveryState.ACCEPTED
    assert [line["event"] for line in logs] == ["unknown_word"]
    assert port.read_webhook(signed()).event_id == port.read_webhook(signed()).event_id


def test_what_is_not_signed_for_us_is_turned_away() -> None:
    port = VonageRig().messages
    good = signed()
    assert port.read_webhook(good).receipt is not None
    by_query = InboundHttp(
        f"{VonageRig.hook}?" + "&".join(f"{n}={v.replace(' ', '+')}" for n, v in good.form),
        {}, b"", (),
    )  # fmt: skip
    assert port.read_webhook(by_query).event_id == port.read_webhook(good).event_id
    without = tuple(pair for pair in good.form if pair[0] != "sig")
    for form in (
        (),
        without,
        (*without, ("sig", "")),
        (*good.form, ("status", "failed")),
        (*good.form, ("more", "1")),
        signed(secret="another").form,
        signed(method="md5").form,
        signed(timestamp="").form,
        signed(api_key="somebody").form,
    ):
        with pytest.raises(NotAllowed):
            port.read_webhook(InboundHttp(VonageRig.hook, {}, b"", form))
    for call in (signed(messageId=""), signed(status="", msisdn="")):
        with pytest.raises(Unreadable):
            port.read_webhook(call)


def test_words_that_stop_texts() -> None:
    port = VonageRig().messages
    for words, stop in (("Stopp", True), ("BAJA", True), ("Start", False), ("danke", None)):
        event = port.read_webhook(signed(status="", err_code="", text=words))
        assert (event.kind, event.stop) == (InboundKind.INBOUND_TEXT, stop)
        assert event.sender is not None
        assert event.sender.reveal() == "+447700900000"


# ---------------------------------------------------------------- sending


def parts(*statuses: Any) -> dict[str, Any]:
    return {
        "message-count": str(len(statuses)),
        "messages": [
            {"status": status, "message-id": f"0A{number}", "error-text": "words 447700900000"}
            for number, status in enumerate(statuses)
        ],
    }


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, parts("1"), TryLater),
        (200, parts("10"), TryLater),
        (200, parts("4"), TryLater),
        (200, parts("8"), TryLater),
        (200, parts("9"), TryLater),
        (401, b"", TryLater),
        (403, b"", TryLater),
        (429, b"", TryLater),
        (200, parts("2"), Declined),
        (200, parts("3"), Declined),
        (200, parts("6"), Declined),
        (200, parts("7"), Declined),
        (200, parts("29"), Declined),
        (400, b"", Declined),
        (200, parts("5"), OutcomeUnknown),
        (200, parts(None), OutcomeUnknown),
        (200, parts(True), OutcomeUnknown),
        (200, parts("0", "words"), OutcomeUnknown),
        (200, {"messages": [{"status": "0"}]}, OutcomeUnknown),
        (200, {"messages": []}, OutcomeUnknown),
        (200, {}, OutcomeUnknown),
        (200, b"", OutcomeUnknown),
        (500, b"", OutcomeUnknown),
        (503, b"", OutcomeUnknown),
        (302, b"", OutcomeUnknown),
    ],
)
async def test_sure_and_unclear_are_kept_apart(
    status: int, body: Any, expected: type[ProviderError]
) -> None:
    rig = VonageRig()
    failed = await refused(rig.messages_over(answering(status, body)).send(rig.sms(rig.person())))
    assert type(failed) is expected
    assert "447700900000" not in str(failed)


async def test_a_long_text_is_sent_wholly_or_counts_as_not_delivered() -> None:
    rig = VonageRig()
    sms = rig.sms(rig.person())
    whole = await rig.messages_over(answering(200, parts("0", "0"))).send(sms)
    assert (whole.ref, whole.state) == ("0A0", DeliveryState.ACCEPTED)
    half = await rig.messages_over(answering(200, parts("1", "0"))).send(sms)
    assert (half.ref, half.state) == ("0A1", DeliveryState.UNDELIVERED)
    assert (half.reason, half.permanent) == ("PARTIAL_1", False)


async def test_what_is_sent_and_nothing_else() -> None:
    rig = VonageRig()
    person = rig.person()
    sms = rig.sms(person, body="Zażółć", valid_seconds=700_000)
    await rig.messages.send(sms)
    (sent,) = rig.seen
    assert dict(parse_qsl(sent.body.decode())) == {
        "from": DEFAULT_SENDER,
        "to": person.phone.removeprefix("+"),
        "text": "Zażółć",
        "type": "unicode",
        "ttl": "604800000",
        "client-ref": sms.key.hex,
        "callback": rig.hook,
    }
    await rig.messages.send(rig.sms(person, body="Hola", status_url="https://x.example/" * 10))
    plain = dict(parse_qsl(rig.seen[-1].body.decode()))
    assert (plain["type"], plain.get("callback")) == ("text", None)
    soon = await refused(rig.messages.send(rig.sms(person, valid_seconds=19)))
    assert isinstance(soon, TryLater)
    assert len(rig.seen) == 2


async def test_wrong_credentials_are_an_alarm_and_a_wait() -> None:
    rig = VonageRig(api_secret="not the secret")
    with capture_logs() as logs:
        failed = await refused(rig.messages.send(rig.sms(rig.person())))
    assert isinstance(failed, TryLater)
    assert failed.after is not None
    assert [line["event"] for line in logs] == ["channel_misconfigured"]
    assert "not the secret" not in f"{logs} {failed}"


async def test_nobody_can_be_asked() -> None:
    rig = VonageRig()
    sms = rig.sms(rig.person())
    for attempt in (rig.messages.find(sms), rig.messages.message_now("0A1")):
        assert isinstance(await refused(attempt), OutcomeUnknown)
    assert rig.seen == []


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    "name", ["api_key", "api_secret", "signature_secret", "signature_method", "sender"]
)
def test_what_is_missing_is_named_at_the_start(name: str) -> None:
    with pytest.raises(Misconfigured, match=f"SALDO_VONAGE_{name.upper()}"):
        VonageRig(**{name: ""})


def test_live_is_told_from_sandbox_and_secrets_show_nowhere() -> None:
    live = Settings.model_validate({"api_key": "k"})
    assert live_addresses(live) == ("https://rest.nexmo.com",)
    rig = VonageRig(signature_secret="the signature secret")
    settings = Settings.model_validate(rig.settings)
    assert live_addresses(settings) == live_addresses(Settings()) == ()
    shown = f"{settings!r} {settings} {settings.model_dump_json()} {rig.messages!r}"
    for secret in (DEFAULT_TOKEN, "the signature secret"):
        assert secret not in shown


# ---------------------------------------------------------------- the vendor's client


class ToSandbox(HTTPAdapter):
    """The vendor's client speaks https to a fixed path; this leads it to the sandbox."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self._origin = urlsplit(origin)

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> Any:
        parts = urlsplit(str(request.url))
        path = f"/vonage{parts.path}"
        request.url = urlunsplit((self._origin.scheme, self._origin.netloc, path, "", ""))
        return super().send(request, *args, **more)


def vendor(origin: str, secret: str) -> Sms:
    client = HttpClient(Auth(api_key=VONAGE_KEY, api_secret=secret))
    client._session.mount("https://", ToSandbox(origin))
    return Sms(client)


async def test_the_vendors_own_client_understands_the_sandbox() -> None:
    rig = VonageRig()
    person = rig.person()
    message = SmsMessage(
        to=person.phone.removeprefix("+"), from_=DEFAULT_SENDER, text="Hallo", client_ref="abc",
        ttl=60_000, callback=rig.hook,
    )  # fmt: skip
    auth = Auth(api_key=VONAGE_KEY, signature_secret=DEFAULT_TOKEN, signature_method="sha256")
    async with listening(rig.scene.world) as origin:
        sent = await asyncio.to_thread(vendor(origin, DEFAULT_TOKEN).send, message)
        assert sent.message_count == "1"
        assert (sent.messages[0].status, sent.messages[0].client_ref) == ("0", "abc")
        with pytest.raises(SmsError, match="code 4"):
            await asyncio.to_thread(vendor(origin, "wrong").send, message)
        rig.fault(person, Mode.SMS_TOO_MANY)
        with pytest.raises(SmsError, match="code 1"):
            await asyncio.to_thread(vendor(origin, DEFAULT_TOKEN).send, message)
    rig.watch.on(minutes=1)
    calls = rig.webhooks()
    assert len(calls) == 2
    assert all(auth.check_signature(dict(call.form)) for call in calls)
    assert not any(auth.check_signature(dict(call.form)) for call in rig.webhooks(good=False))
