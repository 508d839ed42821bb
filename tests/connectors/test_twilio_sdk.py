"""Twilio's own library as client of the sandbox, and as judge of signatures on both sides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.datastructures import FormData
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from app.domain.errors import NotAllowed
from app.ports import DeliveryState, InboundHttp, InboundKind
from connectors.twilio.hooks import signature
from sandbox.modes import Mode
from sandbox.texts import DEFAULT_NUMBER, DEFAULT_SID, DEFAULT_TOKEN
from tests.connectors.rig_twilio import TwilioRig
from tests.connectors.test_over_http import listening

pytestmark = pytest.mark.anyio

VENDOR = "https://api.twilio.com"


class ToTheSandbox:
    """The library speaks https to a fixed host; this leads it to the sandbox."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._client = TwilioHttpClient()

    def request(self, method: str, url: str, *more: Any, **named: Any) -> Any:
        assert url.startswith(VENDOR)
        return self._client.request(method, url.replace(VENDOR, self._origin, 1), *more, **named)


def library(origin: str, token: str = DEFAULT_TOKEN) -> Client:
    return Client(DEFAULT_SID, token, http_client=ToTheSandbox(f"{origin}/twilio"))


async def refused(ask: Callable[[], Any]) -> tuple[int, int | None]:
    """The status and the code with which the library is sent away."""
    with pytest.raises(TwilioRestException) as no:
        await asyncio.to_thread(ask)
    return no.value.status, no.value.code


async def test_the_vendors_library_understands_the_sandbox() -> None:
    rig = TwilioRig()
    person, landline = rig.person(), rig.person()
    rig.fault(landline, Mode.SMS_LANDLINE)
    async with listening(rig.scene.world) as origin:
        messages = library(origin).messages

        def send(phone: str, words: str) -> Any:
            return messages.create(
                to=phone, from_=DEFAULT_NUMBER, body=words, status_callback=rig.hook
            )

        sent = await asyncio.to_thread(send, person.phone, "Hola")
        assert (sent.to, sent.body, sent.account_sid) == (person.phone, "Hola", DEFAULT_SID)
        assert (sent.status, sent.error_code, sent.direction) == ("queued", None, "outbound-api")
        assert await refused(lambda: send(landline.phone, "Hola")) == (400, 21614)
        more = [await asyncio.to_thread(send, person.phone, f"Hola {n}") for n in range(4)]
        again = await asyncio.to_thread(messages(sent.sid).fetch)
        assert (again.sid, again.body) == (sent.sid, "Hola")
        # Two a page, so that the library has to follow the addresses of the next ones.
        listed = await asyncio.to_thread(lambda: messages.list(to=person.phone, page_size=2))
        assert [one.sid for one in listed] == [one.sid for one in reversed((sent, *more))]
        assert await refused(messages("SM" + "0" * 32).fetch) == (404, 20404)
        assert await refused(library(origin, "guessed").messages(sent.sid).fetch) == (401, 20003)
    rig.watch.on(minutes=1)
    assert (await rig.messages.message_now(sent.sid)).state is DeliveryState.DELIVERED


async def test_the_vendors_library_reads_what_our_client_sent() -> None:
    rig = TwilioRig()
    sms = rig.sms(rig.person())
    receipt = await rig.messages.send(sms)
    async with listening(rig.scene.world) as origin:
        seen = await asyncio.to_thread(library(origin).messages(receipt.ref).fetch)
    assert (seen.to, seen.body, seen.from_) == (sms.to.reveal(), sms.body, DEFAULT_NUMBER)


async def test_the_vendors_library_verifies_the_sandboxs_calls() -> None:
    rig, judge = TwilioRig(), RequestValidator(DEFAULT_TOKEN)
    person = rig.person()
    await rig.messages.send(rig.sms(person))
    rig.text_back(person, "STOP")
    rig.watch.on(minutes=1)
    calls = rig.webhooks()
    assert len(calls) > 1
    for call in calls:
        given = call.headers["X-Twilio-Signature"]
        assert judge.validate(call.url, dict(call.form), given)
        changed = {**dict(call.form), "To": "+34600000000"}
        assert not judge.validate(call.url, changed, given)


@pytest.mark.parametrize("url", [TwilioRig.hook, "https://saldo.example:8443/hooks/twilio"])
async def test_what_the_vendors_library_signs_is_taken_and_nothing_else(url: str) -> None:
    rig = TwilioRig()
    form = {
        "AccountSid": DEFAULT_SID,
        "MessageSid": "SM" + "b" * 32,
        "From": "+34600111222",
        "To": DEFAULT_NUMBER,
        "Body": "Baja, por favor: ñ & =",
    }

    def call(token: str, said: dict[str, str]) -> InboundHttp:
        signed = RequestValidator(token).compute_signature(url, form)
        return InboundHttp(url, {"X-Twilio-Signature": signed}, b"", tuple(said.items()))

    event = rig.messages.read_webhook(call(DEFAULT_TOKEN, form))
    assert (event.kind, event.stop) == (InboundKind.INBOUND_TEXT, True)
    for wrong in (call("guessed", form), call(DEFAULT_TOKEN, {**form, "Body": "Alta"})):
        with pytest.raises(NotAllowed):
            rig.messages.read_webhook(wrong)


def test_a_repeated_name_is_signed_as_the_vendors_library_signs_it() -> None:
    pairs = (("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234"), ("To", "+34600"))
    theirs = RequestValidator("secret").compute_signature(TwilioRig.hook, FormData([*pairs]))
    assert signature("secret", TwilioRig.hook, pairs, "sha1") == theirs
