"""Twilio's calls to us: published signature vectors, forgeries, events, opt-out words."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

import pytest

from app.domain.errors import NotAllowed, Unreadable
from app.ports import InboundHttp, InboundKind
from connectors._replies import stop_or_start
from connectors.twilio.hooks import (
    SIGNATURE_SETTINGS,
    Signer,
    port_variants,
    signature,
    verified_form,
)
from sandbox.texts import DEFAULT_SID, DEFAULT_TOKEN
from tests.connectors.rig_twilio import TwilioRig

FORM = "application/x-www-form-urlencoded"

# The vectors of Twilio's documentation and of its own client's tests; the SHA-256 one is the first
# one's input under the second algorithm.

URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
CALL = (
    ("CallSid", "CA1234567890ABCDE"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
    ("Caller", "+14158675309"),
)
REPEATED = (("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"),
            ("Digits", "1234"))  # fmt: skip
JSON_BODY = b'{"property": "value", "boolean": true}'
JSON_HASH = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"


@pytest.mark.parametrize(
    ("url", "form", "hash_name", "expected"),
    [
        (URL, CALL, "sha1", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (URL, CALL, "sha256", "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s="),
        (URL, REPEATED, "sha1", "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
        (f"{URL}&bodySHA256={JSON_HASH}", (), "sha1", "a9nBmqA0ju/hNViExpshrM61xv4="),
    ],
)
def test_published_signatures(
    url: str, form: tuple[tuple[str, str], ...], hash_name: str, expected: str
) -> None:
    assert signature("12345", url, form, hash_name) == expected
    assert signature("12345", url, tuple(reversed(form)), hash_name) == expected
    assert signature("54321", url, form, hash_name) != expected


def test_the_port_may_be_signed_or_not() -> None:
    assert list(port_variants("https://a.example/x")) == [
        "https://a.example/x",
        "https://a.example:443/x",
    ]
    assert list(port_variants("http://a.example:8080/x?u=http://b:1/"))[1] == (
        "http://a.example/x?u=http://b:1/"
    )
    assert list(port_variants("http://u:p@[::1]"))[1] == "http://u:p@[::1]:80"
    assert list(port_variants("https://u:p@a.example:443?x"))[1] == "https://u:p@a.example?x"


ACCOUNT = "AC" + "0" * 32
SIGNER = Signer("12345", "webhooks_sharedkey_1", "shared secret")


def signed(
    form: tuple[tuple[str, str], ...] = (),
    *,
    url: str = "https://saldo.example/hooks/twilio",
    signed_url: str = "",
    token: str = "12345",
    hash_name: str = "sha1",
    **headers: str,
) -> InboundHttp:
    full = (("AccountSid", ACCOUNT), *form)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    value = signature(token, signed_url or url, full, hash_name)
    return InboundHttp(url, {"X-Twilio-Signature": value, **named}, b"", full)


def test_a_signed_call_is_believed() -> None:
    form = (("MessageSid", "SM1"), ("MessageStatus", "sent"), ("NewParameter", "ñ €"))
    for call in (
        signed(form),
        signed(form, signed_url="https://saldo.example:443/hooks/twilio"),
        signed(form, url="https://saldo.example:443/hooks/twilio",
               signed_url="https://saldo.example/hooks/twilio"),
        replace(signed(form), headers={k.lower(): v for k, v in signed(form).headers.items()}),
    ):  # fmt: skip
        assert ("NewParameter", "ñ €") in verified_form(call, SIGNER, ACCOUNT)


def test_the_form_may_come_undecoded() -> None:
    call = signed((("MessageSid", "SM1"), ("Body", "")))
    raw = replace(
        call,
        form=(),
        body=urlencode(call.form).encode(),
        headers={
            **call.headers,
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        },
    )
    assert verified_form(raw, SIGNER, ACCOUNT) == call.form


SHA256_SETTINGS = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"


def with_settings(call: InboundHttp, text: str) -> InboundHttp:
    return replace(call, headers={**call.headers, SIGNATURE_SETTINGS.title(): text})


def test_the_shared_key_form() -> None:
    good = with_settings(signed(token="shared secret", hash_name="sha256"), SHA256_SETTINGS)
    assert verified_form(good, SIGNER, ACCOUNT)
    other_secret = with_settings(signed(token="12345", hash_name="sha256"), SHA256_SETTINGS)
    for broken, signer in (
        (other_secret, SIGNER),
        (with_settings(good, "key=another,algorithm=HMAC_SHA256"), SIGNER),
        (with_settings(good, "key=webhooks_sharedkey_1,algorithm=HMAC_MD5"), SIGNER),
        (with_settings(good, ""), SIGNER),
        (good, Signer("12345")),
    ):
        with pytest.raises(NotAllowed):
            verified_form(broken, signer, ACCOUNT)


def test_a_body_that_is_no_form_is_held_against_the_signed_url() -> None:
    url = f"{URL}&bodySHA256={JSON_HASH}"
    value = {
        "X-Twilio-Signature": "a9nBmqA0ju/hNViExpshrM61xv4=",
        "Content-Type": "application/json",
    }
    good = InboundHttp(url, value, JSON_BODY)
    assert verified_form(good, SIGNER, ACCOUNT) == ()
    for broken in (
        replace(good, body=JSON_BODY.replace(b"true", b"false")),
        replace(good, url=URL),
        replace(good, url=url.replace("0a1f", "0a1e")),
    ):
        with pytest.raises(NotAllowed):
            verified_form(broken, SIGNER, ACCOUNT)


def test_whatever_is_not_signed_for_us_is_refused() -> None:
    good = signed((("MessageSid", "SM1"), ("MessageStatus", "sent")))
    other = (("AccountSid", "AC" + "1" * 32),)
    for_other = InboundHttp(
        good.url, {"X-Twilio-Signature": signature("12345", good.url, other, "sha1")}, b"", other
    )
    no_text = {**good.headers, "Content-Type": FORM}
    for broken in (
        replace(good, headers={}),
        replace(good, headers={"X-Twilio-Signature": ""}),
        replace(good, headers={"X-Twilio-Signature": "é"}),
        replace(good, form=(*good.form, ("ErrorCode", "21610"))),
        replace(good, form=good.form[:-1]),
        replace(good, url="https://saldo.example/hooks/other"),
        replace(good, url="http://saldo.example/hooks/twilio"),
        replace(good, form=(), body=b"\xff\xfe", headers=no_text),
        signed((), token=""),
        signed((("AccountSid", "AC2"),)),
        signed(tuple((f"P{number}", "") for number in range(300))),
        for_other,
    ):
        with pytest.raises(NotAllowed):
            verified_form(broken, SIGNER, ACCOUNT)
    with pytest.raises(NotAllowed):
        verified_form(good, Signer(""), ACCOUNT)


def test_a_signed_call_that_says_nothing_is_unreadable() -> None:
    rig = TwilioRig()
    for form in ((), (("MessageSid", "SM1"),)):
        full = (("AccountSid", DEFAULT_SID), *form)
        value = signature(DEFAULT_TOKEN, rig.hook, full, "sha1")
        with pytest.raises(Unreadable):
            rig.messages.read_webhook(
                InboundHttp(rig.hook, {"X-Twilio-Signature": value}, b"", full)
            )


def test_events_of_one_message_have_ids_of_their_own() -> None:
    rig = TwilioRig()
    seen = {}
    for form in (
        (("MessageSid", "SM1"), ("MessageStatus", "sent")),
        (("MessageSid", "SM1"), ("MessageStatus", "delivered")),
        (("MessageSid", "SM1"), ("Body", "hola"), ("From", "MYBANK")),
    ):
        full = (("AccountSid", DEFAULT_SID), *form)
        value = signature(DEFAULT_TOKEN, rig.hook, full, "sha1")
        call = InboundHttp(rig.hook, {"X-Twilio-Signature": value}, b"", full)
        event = rig.messages.read_webhook(call)
        assert rig.messages.read_webhook(call) == event
        seen[event.event_id] = event
    assert len(seen) == 3
    text = seen["SM1"]
    assert (text.kind, text.sender, text.text, text.stop) == (
        InboundKind.INBOUND_TEXT,
        None,
        "hola",
        None,
    )


# ---------------------------------------------------------------- opt-out


@pytest.mark.parametrize(
    "text",
    ["STOP", "stop", " Stop. ", "STOP!!!", "Stop please", "unsubscribe", "BAJA", "baja por favor",
     "Darse de baja", "No más", "ALTO", "Wypisz", "WYPISZ MNIE", "rezygnuję", "przestań", "Koniec",
     "opt-out", "ＳＴＯＰ", "Usuń"],
)  # fmt: skip
def test_words_that_mean_stop(text: str) -> None:
    assert stop_or_start(text) is True


@pytest.mark.parametrize("text", ["START", "unstop", "Alta", "zapisz"])
def test_words_that_mean_start(text: str) -> None:
    assert stop_or_start(text) is False


@pytest.mark.parametrize(
    "text", ["", "hola", "yes", "sí", "no puedo pagar", "¿Cuánto?", "12", "non-stop", "el bajo"]
)
def test_words_that_mean_neither(text: str) -> None:
    assert stop_or_start(text) is None


def test_twilios_own_finding_wins() -> None:
    assert stop_or_start("hola", "STOP") is True
    assert stop_or_start("STOP", "START") is False
    assert stop_or_start("STOP", "HELP") is None


def test_the_secrets_of_signatures_show_nowhere() -> None:
    assert "12345" not in repr(SIGNER)
    assert "shared secret" not in repr(SIGNER)
