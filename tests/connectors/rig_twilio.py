"""Twilio over the sandbox's exchange; what the rigs of other senders of texts derive from."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx

import connectors
from app.domain.ids import Phone
from app.ports import (
    InboundHttp,
    MessagePort,
    OutgoingSms,
    SendReceipt,
)
from sandbox.faces.twilio_calls import signature
from sandbox.modes import Mode
from sandbox.people import Person
from sandbox.texts import DEFAULT_NUMBER, DEFAULT_SID, DEFAULT_TOKEN
from tests.connectors.scene import ORIGIN, Exchange, Scene, Watch


class TwilioRig:
    """Twilio over the sandbox's exchange."""

    name = "twilio"
    hook = "https://saldo.example/hooks/twilio?a=1"
    number = DEFAULT_NUMBER
    ref = "SM" + "a" * 32
    # What the provider cannot do; the contract suite then asks for what it does instead.
    searchable = True
    knows_repeats = False
    refuses_at_once = True
    proves_absence = True
    tells_opt_outs = True
    tells_permanent = True
    valid_seconds = 3600
    shortest_valid = 600

    def __init__(self, **settings: Any) -> None:
        self.scene = Scene()
        self.scene.world.texts.set_inbound_url(self.hook)
        self.settings = {
            "account_sid": DEFAULT_SID,
            "auth_token": DEFAULT_TOKEN,
            "from_number": DEFAULT_NUMBER,
            "base_url": f"{ORIGIN}/twilio",
            **settings,
        }
        self.messages = self.messages_over(None)

    @property
    def watch(self) -> Watch:
        return self.scene.watch

    @property
    def seen(self) -> list[Exchange]:
        return self.scene.recorder.seen

    def messages_over(self, transport: httpx.AsyncBaseTransport | None) -> MessagePort:
        connector = connectors.discover()[self.name]
        assert connector.messages is not None
        settings = connector.settings.model_validate(self.settings)
        return connector.messages(settings, self.scene.wire(transport))

    def person(self) -> Person:
        return self.scene.world.add_person()

    def sms(self, person: Person, **changes: Any) -> OutgoingSms:
        marker = uuid4().hex
        plain: dict[str, Any] = {
            "key": uuid4(),
            "to": Phone.parse(person.phone),
            "body": f"Préstamos Sol: {ORIGIN}/p/{marker}",
            "marker": marker,
            "valid_seconds": self.valid_seconds,
            "status_url": self.hook,
            "sent_after": self.watch.at,
        }
        return OutgoingSms(**{**plain, **changes})

    def count(self, person: Person) -> int:
        """How many texts the provider has taken for this person."""
        texts = self.scene.world.texts.all()
        return sum(sms.to == person.phone and not sms.inbound for sms in texts)

    async def now(self, sent: SendReceipt) -> SendReceipt:
        """Where a text stands, as the provider tells it."""
        return await self.messages.message_now(sent.ref)

    def fault(self, person: Person, mode: Mode) -> None:
        self.scene.world.set_mode(person.id, mode)

    def text_back(self, person: Person, words: str) -> None:
        self.scene.world.texts.from_phone(person.phone, self.number, words)

    def webhooks(self, *, good: bool = True) -> list[InboundHttp]:
        """The calls the exchange makes by now."""
        made = []
        for callback in self.scene.world.texts.due_callbacks(self.watch.at):
            token = DEFAULT_TOKEN if good else "another token"
            headers = {
                "X-Twilio-Signature": signature(token, callback.url, callback.params),
                "Content-Type": "application/x-www-form-urlencoded",
            }
            made.append(InboundHttp(callback.url, headers, b"", tuple(map(tuple, callback.params))))  # type: ignore[arg-type]
        return made
