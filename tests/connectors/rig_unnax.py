"""Unnax over the sandbox's banks, as far as it is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from app.ports import AggregationPort, InboundHttp, Wire
from connectors.unnax.aggregation import Aggregation
from sandbox.bank_list import UNNAX_READ, as_unnax_reference, as_unnax_toml
from sandbox.faces.unnax import EVENTS, Unnax
from sandbox.faces.unnax_wire import API_CODE, API_ID, ROOT
from tests.connectors.rig_ways import RenewedRig, SentOnRig
from tests.connectors.scene import ORIGIN

HOOK_KEY = "a key of four and twenty letters"
HOOK = f"https://saldo.example/hooks/unnax?key={HOOK_KEY.replace(' ', '+')}"


class UnnaxRig(SentOnRig, RenewedRig):
    """Unnax's widget sends the browser on to the bank; its calls arrive as soon as they are due."""

    connector = "unnax"
    states_presence = False
    takes_iban = False
    asks_bank_for_status = False
    lists_at_bank = False
    lists_blocked = False

    def __init__(self, folder: Path, bank_id: str = "luz", **settings: Any) -> None:
        self.kept: dict[str, bytes] = {}
        self.given_more = settings
        self.silent = False
        self.reference = folder / "reference.toml"
        self.reference.write_text(as_unnax_reference(), encoding="utf-8")
        super().__init__(folder, bank_id)
        for event in EVENTS:
            self.scene.world.hooks.urls[f"unnax {event}"] = HOOK

    def banks_as_toml(self) -> str:
        return as_unnax_toml()

    def given(self) -> dict[str, Any]:
        return {
            "banks": self.bank_list,
            "reference": self.reference,
            "base_url": f"{ORIGIN}{ROOT}",
            "api_id": API_ID,
            "api_code": API_CODE,
            "hook_key": HOOK_KEY,
            "read_seconds": 0.2,
            **self.given_more,
        }

    # ------------------------------------------------------------ calls, and where they are kept

    def wire(self, transport: httpx.AsyncBaseTransport | None = None) -> Wire:
        return replace(self.scene.wire(transport), called=self.called)

    def aggregation_over(self, transport: httpx.AsyncBaseTransport | None) -> AggregationPort:
        return Aggregation(self._settings(), self.wire(transport))

    def calls(self) -> list[InboundHttp]:
        """What Unnax calls with by now, each thing once."""
        made = Unnax(self.scene.world).calls()
        return [InboundHttp(one.url, one.headers, one.content) for one in made]

    async def called(self, source: str, event_id: str) -> bytes | None:
        """As the inbox would have it: each call is verified, and kept once under its event."""
        assert source == "unnax"
        hooks = self.hooks_over(None)
        for call in [] if self.silent else self.calls():
            for event in await hooks.read_webhooks(call):
                self.kept.setdefault(event.event_id, call.body)
        return self.kept.get(event_id)

    # ------------------------------------------------------------ the borrower

    def asked_of_banks(self) -> int:
        return sum(one.url.endswith(UNNAX_READ) for one in self.seen)
