"""SMSAPI over the sandbox's exchange."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from app.ports import InboundHttp
from sandbox.faces.gateway_calls import prepare
from sandbox.texts import DEFAULT_SENDER, DEFAULT_TOKEN
from tests.connectors.rig_twilio import TwilioRig
from tests.connectors.scene import ORIGIN, Scene

HOOK_KEY = "k" * 30


class SmsapiRig(TwilioRig):
    """The same hands as Twilio's rig, over SMSAPI's face."""

    name = "smsapi"
    hook = "https://saldo.example/hooks/smsapi"
    number = DEFAULT_SENDER
    ref = "0f0f0f0f0f0f0f0f0f0f0f0f"
    searchable = False
    knows_repeats = True
    tells_permanent = False
    valid_seconds = 7200
    shortest_valid = 3900

    def __init__(self, **settings: Any) -> None:
        self.scene = Scene()
        self.scene.world.texts.set_inbound_url(f"{self.hook}?key={HOOK_KEY}", "smsapi")
        self.settings = {
            "token": DEFAULT_TOKEN,
            "sender": DEFAULT_SENDER,
            "base_url": f"{ORIGIN}/smsapi",
            "idx_memory_hours": 720,
            "hook_key": HOOK_KEY,
            "report_id_field": "MsgId",
            "reply_id_field": "sms_id",
            "reply_from_field": "sms_from",
            "reply_text_field": "sms_text",
            **settings,
        }
        self.messages = self.messages_over(None)

    def webhooks(self, *, good: bool = True) -> list[InboundHttp]:
        """The calls the gateway makes by now."""
        made = []
        for callback in self.scene.world.texts.due_callbacks(self.watch.at):
            callback.signature = "good" if good else "bad"
            call = prepare(self.scene.world, callback)
            form = tuple(parse_qsl(call.content.decode(), keep_blank_values=True))
            made.append(InboundHttp(call.url, call.headers, call.content, form))
        return made
