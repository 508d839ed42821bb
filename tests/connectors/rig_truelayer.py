"""TrueLayer over the sandbox's banks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from app.domain.errors import ConsentEnd, ConsentGone, OutcomeUnknown, TryLater
from app.domain.ids import Secret
from app.ports import (
    AggregationPort,
    BalanceAnswer,
    Bank,
    ComingBackPort,
    ConsentAsk,
    ConsentBegun,
    FoundAccount,
    Grant,
    GrantNow,
    GrantState,
    Presence,
    RenewingPort,
)
from connectors.truelayer.grants import Held, Pair
from sandbox import psu
from sandbox.bank_list import as_truelayer_toml
from sandbox.faces.tl_connections import Connections, bank_page
from sandbox.faces.tl_wire import API, AUTH, CLIENT_ID, CLIENT_SECRET
from sandbox.people import Person
from tests.connectors.rigs import ORIGIN, BankRig


class Keeping:
    """What the flows do with a grant that lasts for an hour: exchange it, and keep the newest."""

    def __init__(self, port: AggregationPort, kept: dict[Secret, Grant]) -> None:
        self.port = port
        self._kept = kept

    async def _fresh(self, grant: Grant, *, ask: bool = False) -> Grant:
        held = self._kept.get(grant.token, grant)
        assert isinstance(self.port, RenewingPort)
        if ask or self.port.renewal_due(held):
            try:
                held = await self.port.renew(held)
            except OutcomeUnknown as lost:
                raise TryLater(
                    lost.detail, connector=lost.connector, operation=lost.operation
                ) from None
            self._kept[grant.token] = held
        return held

    def banks(self) -> tuple[Bank, ...]:
        return self.port.banks()

    async def begin_consent(self, ask: ConsentAsk) -> ConsentBegun:
        return await self.port.begin_consent(ask)

    async def came_back(self, grant: Grant, returned: Mapping[str, str]) -> Grant:
        assert isinstance(self.port, ComingBackPort)
        return await self.port.came_back(grant, returned)

    async def grant_now(self, grant: Grant) -> GrantNow:
        try:
            return await self.port.grant_now(await self._fresh(grant, ask=True))
        except ConsentGone as gone:
            return GrantNow(GrantState.ENDED, end=gone.why)

    async def accounts(self, grant: Grant, presence: Presence | None) -> tuple[FoundAccount, ...]:
        return await self.port.accounts(await self._fresh(grant), presence)

    async def balances(
        self, grant: Grant, account_ref: Secret, presence: Presence | None
    ) -> BalanceAnswer:
        return await self.port.balances(await self._fresh(grant), account_ref, presence)

    async def end_consent(self, grant: Grant) -> None:
        try:
            fresh = await self._fresh(grant)
        except ConsentGone:
            return
        await self.port.end_consent(fresh)


class TrueLayerRig(BankRig):
    """The person's browser brings a code back, and every hour the grant is another one."""

    connector = "truelayer"
    presence_header = "x-psu-ip"
    asks_to_begin = False
    lists_blocked = False
    takes_iban = False
    asks_bank_for_status = False
    given_back = ConsentEnd.REVOKED_AT_BANK

    def __init__(self, *given: Any) -> None:
        self.kept: dict[Secret, Grant] = {}
        self.brought: dict[str, str] = {}
        super().__init__(*given)

    def banks_as_toml(self) -> str:
        return as_truelayer_toml()

    def given(self) -> dict[str, Any]:
        return {
            "banks": self.bank_list,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "auth_url": f"{ORIGIN}{AUTH}",
            "api_url": f"{ORIGIN}{API}",
        }

    def bare(self, transport: httpx.AsyncBaseTransport | None = None) -> AggregationPort:
        """The connector itself, which keeps no grants."""
        return super().aggregation_over(transport)

    def aggregation_over(self, transport: httpx.AsyncBaseTransport | None) -> AggregationPort:
        return Keeping(self.bare(transport), self.kept)

    def ask(self, **changes: Any) -> ConsentAsk:
        return super().ask(**{"return_url": "https://saldo.example/c/back/t0k3n", **changes})

    def page(self, begun: ConsentBegun) -> str:
        """The bank's page to which the auth link leads (the test of the face follows it)."""
        query = dict(parse_qsl(urlsplit(begun.redirect_url).query))
        return f"{ORIGIN}{bank_page(Connections(self.scene.world).open_link(query))}"

    def _take(self, address: str) -> None:
        assert address.startswith("https://saldo.example/c/back?")
        self.brought = dict(parse_qsl(urlsplit(address).query))
        assert self.brought.pop("state") == "t0k3n"

    def allow(
        self, begun: ConsentBegun, person: Person, ibans: Sequence[str] | None = None
    ) -> None:
        self._take(psu.allow(self.scene.world, self.page(begun), person, ibans))

    def forbid(self, begun: ConsentBegun, person: Person) -> None:
        self._take(psu.forbid(self.scene.world, self.page(begun), person))

    def any_grant(self, token: str) -> Grant:
        """One that is not due, so that accounts and balances are asked for."""
        pair = Pair(token, token, self.watch.at + timedelta(hours=1))
        return Grant(self.bank_id, Held().opened(pair, self.watch.at).sealed())

    async def back(self, begun: ConsentBegun) -> Grant:
        assert isinstance(self.aggregation, ComingBackPort)
        return await self.aggregation.came_back(begun.grant, self.brought)

    async def refusal(self, begun: ConsentBegun) -> GrantNow:
        try:
            grant = await self.back(begun)
        except ConsentGone as gone:
            return GrantNow(GrantState.ENDED, end=gone.why)
        return await self.aggregation.grant_now(grant)
