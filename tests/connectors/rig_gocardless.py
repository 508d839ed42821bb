"""GoCardless over the sandbox's aggregator."""

from __future__ import annotations

from typing import Any

import httpx

from app.domain.errors import ConsentDoubtful, ConsentEnd
from app.ports import AggregationPort, ConsentBegun
from sandbox.bank_list import SECRET_ID, SECRET_KEY, as_gocardless_toml
from sandbox.modes import BankMode
from sandbox.people import Person
from tests.connectors.rigs import BankRig
from tests.connectors.scene import ORIGIN

API = f"{ORIGIN}/gocardless"


class BehindTokens(httpx.AsyncBaseTransport):
    """The provider's token desk works; everything behind it is the given transport's."""

    def __init__(self, tokens: httpx.AsyncBaseTransport, inner: httpx.AsyncBaseTransport) -> None:
        self._tokens = tokens
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        at_desk = "/token" in request.url.path
        return await (self._tokens if at_desk else self._inner).handle_async_request(request)


class GoCardlessRig(BankRig):
    """One bank of the sandbox, reached through the aggregator."""

    connector = "gocardless"
    states_presence = False
    takes_iban = False
    asks_bank_for_status = False
    unknown_consent_in_reads = ConsentDoubtful
    given_back = ConsentEnd.UNKNOWN_AT_BANK

    def banks_as_toml(self) -> str:
        return as_gocardless_toml()

    def given(self) -> dict[str, Any]:
        secrets = {"secret_id": SECRET_ID, "secret_key": SECRET_KEY}
        return {"banks": self.bank_list, "base_url": API, **secrets}

    def aggregation_over(self, transport: httpx.AsyncBaseTransport | None) -> AggregationPort:
        if transport is not None:
            transport = BehindTokens(self.scene.recorder, transport)
        return super().aggregation_over(transport)

    def page(self, begun: ConsentBegun) -> str:
        """The link leads to the bank's page of the same id (the test of the face follows it)."""
        key = begun.redirect_url.split("/")[-2]
        return f"{ORIGIN}/banks/{self.bank_id}/online/consents/{key}"

    def lose_consent_answer(self, person: Person) -> None:
        self.scene.world.town.set_bank_mode(person.bank_id, BankMode.CONSENT_ANSWER_LOST)
