"""Infobip over the sandbox's exchange."""

from __future__ import annotations

from typing import Any

from app.ports import InboundHttp
from sandbox.faces.gateway_calls import prepare
from sandbox.texts import DEFAULT_SENDER, DEFAULT_TOKEN
from tests.connectors.rig_twilio import TwilioRig
from tests.connectors.scene import ORIGIN, Scene

HOOK_KEY = "h" * 30


class InfobipRig(TwilioRig):
    """The same hands as Twilio's rig, over Infobip's face."""

    name = "infobip"
    hook = "https://saldo.example/hooks/infobip"
    number = DEFAULT_SENDER
    ref = "0f" * 16
    proves_absence = False
    refuses_at_once = False
    tells_opt_outs = False

    def __init__(self, **settings: Any) -> None:
        self.scene = Scene()
        self.scene.world.texts.set_inbound_url(f"{self.hook}?key={HOOK_KEY}", "infobip")
        self.settings = {
            "base_url": f"{ORIGIN}/infobip",
            "api_key": DEFAULT_TOKEN,
            "sender": DEFAULT_SENDER,
            "hook_key": HOOK_KEY,
            **settings,
        }
        self.messages = self.messages_over(None)

    def webhooks(self, *, good: bool = True) -> list[InboundHttp]:
        """The calls the gateway makes by now."""
        made = []
        for callback in self.scene.world.texts.due_callbacks(self.watch.at):
            callback.signature = "good" if good else "bad"
            call = prepare(self.scene.world, callback)
            made.append(InboundHttp(call.url, call.headers, call.content))
        return made
