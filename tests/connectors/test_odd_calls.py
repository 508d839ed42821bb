"""Calls with half a surrogate pair in them: a word that no bytes can be made of, and no crash."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.errors import NotAllowed, Unreadable
from app.ports import InboundHttp
from tests.connectors.registry import BANK_RIGS, EMAIL_SECRET, MESSAGE_RIGS, emails_at
from tests.connectors.rigs import BankRig
from tests.connectors.scene import MONDAY
from tests.connectors.test_contract_hooks import TELLING

pytestmark = pytest.mark.anyio

HALF = "\ud800"
SETTINGS = "X-Twilio-Webhooks-Signature-Settings"


def with_half(call: InboundHttp) -> Iterator[InboundHttp]:
    """The call with it in each header, in each word of its form, and in its address."""
    for name, value in call.headers.items():
        yield replace(call, headers={**call.headers, name: value + HALF})
        yield replace(call, headers={**call.headers, name: HALF})
    yield replace(call, headers={**call.headers, SETTINGS: f"algorithm=HMAC_SHA256,key={HALF}"})
    for at, (name, value) in enumerate(call.form):
        rest = (*call.form[:at], *call.form[at + 1 :])
        yield replace(call, form=(*rest, (name, value + HALF)))
        yield replace(call, form=(*rest, (name + HALF, value)))
    yield replace(call, url=f"{call.url}{HALF}")
    yield replace(call, url=f"https://saldo.example/hooks/x?key={HALF}")


@pytest.mark.parametrize("name", MESSAGE_RIGS)
async def test_calls_about_texts(name: str) -> None:
    shared = {"webhook_key_id": "k", "webhook_key_secret": "s" * 32} if name == "twilio" else {}
    rig = MESSAGE_RIGS[name](**shared)
    person = rig.person()
    await rig.messages.send(rig.sms(person))
    rig.text_back(person, "STOP")
    rig.watch.on(minutes=1)
    calls = rig.webhooks()
    assert calls
    for call in calls:
        rig.messages.read_webhook(call)
        for odd in with_half(call):
            with contextlib.suppress(NotAllowed, Unreadable):
                rig.messages.read_webhook(odd)


async def test_what_a_text_is_known_by_can_be_kept() -> None:
    """SMSAPI's calls are not signed, only their address is secret: any word may stand in a form."""
    rig = MESSAGE_RIGS["smsapi"]()
    person = rig.person()
    await rig.messages.send(rig.sms(person))
    rig.text_back(person, "STOP")
    rig.watch.on(minutes=1)
    (call,) = [one for one in rig.webhooks() if "sms_text" in dict(one.form)]
    for at, (name, value) in enumerate(call.form):
        for odd in ("\0", HALF, "\n"):
            form = (*call.form[:at], (name, f"{value}{odd}"), *call.form[at + 1 :])
            with contextlib.suppress(NotAllowed, Unreadable):
                event = rig.messages.read_webhook(replace(call, form=form))
                assert f"{event.event_id}{event.message_ref}".isprintable()


@pytest.mark.parametrize("name", TELLING)
async def test_calls_about_payments(name: str, tmp_path: Path) -> None:
    rig: BankRig = BANK_RIGS[name](tmp_path)
    person = rig.person(opening_minor=100_000)
    rig.pay(await rig.payments.create_payment(rig.order(person)), person)
    hooks = rig.hooks_over(None)
    (call,) = rig.news()
    assert await hooks.read_webhooks(call)
    for odd in with_half(call):
        with contextlib.suppress(NotAllowed, Unreadable):
            await hooks.read_webhooks(odd)


def test_calls_about_emails() -> None:
    stamp = str(int(MONDAY.timestamp()))
    headers = {"saldo-timestamp": stamp, "saldo-signature": "v1=00"}
    call = InboundHttp("https://saldo.example/hooks/smtp", headers, b"")
    port = emails_at(bounce_secret=EMAIL_SECRET)
    for odd in with_half(call):
        with pytest.raises(NotAllowed):
            port.read_webhook(odd)
