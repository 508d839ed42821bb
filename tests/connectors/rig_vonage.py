"""Vonage over the sandbox's exchange."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from app.ports import InboundHttp, SendReceipt
from sandbox.faces.gateway_calls import VONAGE_KEY, prepare
from sandbox.texts import DEFAULT_SENDER, DEFAULT_TOKEN
from tests.connectors.rig_twilio import TwilioRig
from tests.connectors.scene import ORIGIN, Scene


class VonageRig(TwilioRig):
    """The same hands as Twilio's rig, over Vonage's face."""

    name = "vonage"
    hook = "https://saldo.example/hooks/vonage"
    number = DEFAULT_SENDER
    ref = "0A0000000123ABCD1"
    searchable = False
    proves_absence = False
    refuses_at_once = False
    tells_permanent = False

    def __init__(self, **settings: Any) -> None:
        self.scene = Scene()
        self.scene.world.texts.set_inbound_url(self.hook, "vonage")
        self.settings = {
            "api_key": VONAGE_KEY,
            "api_secret": DEFAULT_TOKEN,
            "signature_secret": DEFAULT_TOKEN,
            "signature_method": "sha256",
            "sender": DEFAULT_SENDER,
            "base_url": f"{ORIGIN}/vonage",
            **settings,
        }
        self.messages = self.messages_over(None)

    async def now(self, sent: SendReceipt) -> SendReceipt:
        """The last signed receipt about a text; Vonage cannot be asked."""
        events = [self.messages.read_webhook(call) for call in self.webhooks()]
        told = [e.receipt for e in events if e.receipt is not None and e.message_ref == sent.ref]
        return told[-1]

    def webhooks(self, *, good: bool = True) -> list[InboundHttp]:
        """The calls the gateway makes by now."""
        made = []
        for callback in self.scene.world.texts.due_callbacks(self.watch.at):
            callback.signature = "good" if good else "bad"
            call = prepare(self.scene.world, callback)
            form = tuple(parse_qsl(call.content.decode(), keep_blank_values=True))
            made.append(InboundHttp(call.url, call.headers, call.content, form))
        return made
