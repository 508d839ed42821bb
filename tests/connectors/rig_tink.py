"""Tink over the sandbox's banks."""

from __future__ import annotations

from typing import Any

import httpx

from app.domain.errors import ConsentEnd
from app.pay_ports import PaymentBegun, PaymentOrder, PaymentPort
from app.ports import AggregationPort
from sandbox import psu
from sandbox.bank_list import as_tink_toml
from sandbox.faces.tink import LINK, LOOK_LINK, PAY_LINK, ROOT
from sandbox.faces.tink_news import HOOK_SECRET
from sandbox.faces.tink_pay import KIND, PaymentRequest
from sandbox.faces.tink_wire import CLIENT_ID, CLIENT_SECRET
from sandbox.people import Person
from tests.connectors.rig_ways import BroughtRig, SentOnRig
from tests.connectors.scene import ORIGIN

API = f"{ORIGIN}{ROOT}"


class BehindTokens(httpx.AsyncBaseTransport):
    """Codes and tokens are had for the asking; everything else is the given transport's."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(("/oauth/token", "/oauth/authorization-grant")):
            body = {"access_token": "t", "expires_in": 1800, "code": "c"}
            return httpx.Response(200, json=body)
        return await self._inner.handle_async_request(request)


class TinkRig(SentOnRig, BroughtRig):
    """One bank of the sandbox behind Tink Link, whose page sends the browser on to the bank."""

    connector = "tink"
    states_presence = False
    takes_iban = False
    asks_bank_for_status = False
    lists_at_bank = False
    given_back = ConsentEnd.UNKNOWN_AT_BANK
    takes_back = False
    pays_again = True
    some_ref = "nosuchrequest"
    secret = HOOK_SECRET

    def banks_as_toml(self) -> str:
        return as_tink_toml()

    def given(self) -> dict[str, Any]:
        return {
            "banks": self.bank_list,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "base_url": API,
            "link_url": f"{ORIGIN}{LINK}",
            "transactions_link_url": f"{ORIGIN}{LOOK_LINK}",
            "pay_link_url": f"{ORIGIN}{PAY_LINK}",
            "refresh_seconds": 0.01,
            "webhook_secret": self.secret,
        }

    def asked_of_banks(self) -> int:
        refreshes = [one for one in self.seen if one.url.endswith("/api/v1/balance-refresh")]
        return sum(one.method == "POST" for one in refreshes)

    def aggregation_over(self, transport: httpx.AsyncBaseTransport | None) -> AggregationPort:
        return super().aggregation_over(transport and BehindTokens(transport))

    # ------------------------------------------------------------ payments

    def payments_over(self, transport: httpx.AsyncBaseTransport | None) -> PaymentPort:
        return super().payments_over(transport and BehindTokens(transport))

    def order(self, person: Person, **changes: Any) -> PaymentOrder:
        back = {"return_url": "https://saldo.example/paid/t0k3n", "debtor_iban": None}
        return super().order(person, **{**back, **changes})

    def made_orders(self) -> int:
        return len(list(self.scene.world.store.all_of(KIND, PaymentRequest)))

    def pay(self, begun: PaymentBegun, person: Person) -> None:  # noqa: ARG002 - it is open
        back = psu.pay(self.scene.world, self.at_bank, person)
        assert back.startswith("https://saldo.example/paid?payment_request_id=")
