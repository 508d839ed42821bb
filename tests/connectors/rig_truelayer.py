"""TrueLayer over the sandbox's banks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from app.domain.errors import ConsentEnd, ConsentGone, OutcomeUnknown, TryLater
from app.domain.ids import Phone, Secret
from app.pay_ports import PaymentBegun, PaymentOrder, PaymentPort
from app.ports import (
    AggregationPort,
    BalanceAnswer,
    Bank,
    ConsentAsk,
    ConsentBegun,
    FoundAccount,
    Grant,
    GrantNow,
    GrantState,
    Presence,
)
from app.side_ports import ComingBackPort, Moved, RenewingPort, TransactionsPort
from connectors.truelayer.grants import Held, Pair
from sandbox import psu
from sandbox.bank_list import as_truelayer_toml
from sandbox.faces.tl_connections import Connections, bank_page
from sandbox.faces.tl_news import KEYS
from sandbox.faces.tl_payments import RETURN_URI
from sandbox.faces.tl_signature import KEY_ID, customer_key
from sandbox.faces.tl_wire import API, AUTH, CLIENT_ID, CLIENT_SECRET
from sandbox.modes import Mode
from sandbox.people import Person
from tests.connectors.rig_gocardless import BehindTokens
from tests.connectors.rig_ways import BroughtRig
from tests.connectors.scene import ORIGIN


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

    async def transactions(
        self, grant: Grant, account_ref: Secret, since: date, presence: Presence
    ) -> tuple[Moved, ...]:
        assert isinstance(self.port, TransactionsPort)
        return await self.port.transactions(await self._fresh(grant), account_ref, since, presence)

    async def end_consent(self, grant: Grant) -> None:
        try:
            fresh = await self._fresh(grant)
        except ConsentGone:
            return
        await self.port.end_consent(fresh)


class TrueLayerRig(BroughtRig):
    """The person's browser brings a code back, and every hour the grant is another one."""

    connector = "truelayer"
    presence_header = "x-psu-ip"
    asks_to_begin = False
    lists_blocked = False
    takes_iban = False
    asks_bank_for_status = False
    given_back = ConsentEnd.REVOKED_AT_BANK

    def __init__(self, folder: Path, bank_id: str = "luz") -> None:
        self.key = folder / "signing.pem"
        self.key.touch(0o600)
        self.key.write_bytes(customer_key())
        self.kept: dict[Secret, Grant] = {}
        super().__init__(folder, bank_id)

    def banks_as_toml(self) -> str:
        return as_truelayer_toml()

    def given(self) -> dict[str, Any]:
        return {
            "banks": self.bank_list,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "auth_url": f"{ORIGIN}{AUTH}",
            "api_url": f"{ORIGIN}{API}",
            "key_id": KEY_ID,
            "signing_key": self.key,
            "webhook_keys_url": f"{ORIGIN}{KEYS}",
        }

    def bare(self, transport: httpx.AsyncBaseTransport | None = None) -> AggregationPort:
        """The connector itself, which keeps no grants."""
        return super().aggregation_over(transport)

    def aggregation_over(self, transport: httpx.AsyncBaseTransport | None) -> AggregationPort:
        return Keeping(self.bare(transport), self.kept)

    def payments_over(self, transport: httpx.AsyncBaseTransport | None) -> PaymentPort:
        if transport is not None:
            transport = BehindTokens(self.scene.recorder, transport)
        return super().payments_over(transport)

    def page(self, begun: ConsentBegun) -> str:
        """The bank's page to which the auth link leads (the test of the face follows it)."""
        query = dict(parse_qsl(urlsplit(begun.redirect_url).query))
        return f"{ORIGIN}{bank_page(Connections(self.scene.world).open_link(query))}"

    def any_grant(self, token: str) -> Grant:
        """One that is not due, so that accounts and balances are asked for."""
        pair = Pair(token, token, self.watch.at + timedelta(hours=1))
        return Grant(self.bank_id, Held().opened(pair, self.watch.at).sealed())

    # ------------------------------------------------------------ payments

    def lose_payment_answer(self, person: Person) -> None:
        """Twice: what is lost once is found again under its key."""
        self.scene.world.set_mode(person.id, Mode.PAYMENT_ANSWER_LOST, 2)

    def order(self, person: Person, **changes: Any) -> PaymentOrder:
        plain: dict[str, Any] = {
            "return_url": f"{RETURN_URI}/t0k3n",
            "payer_name": person.name,
            "payer_phone": Phone.parse(person.phone),
        }
        return super().order(person, **{**plain, **changes})

    def payment_page(self, begun: PaymentBegun) -> str:
        """The bank's page to which the vendor's leads."""
        page, _, told = begun.redirect_url.partition("#")
        assert page == "https://payment.truelayer.com/payments"
        said = dict(parse_qsl(told))
        assert said["payment_id"] == begun.handle.ref.reveal()
        assert (said["return_uri"], bool(said["resource_token"])) == (RETURN_URI, True)
        return f"{ORIGIN}/banks/{self.bank_id}/online/payments/{said['payment_id']}"

    def pay(self, begun: PaymentBegun, person: Person) -> None:
        back = psu.pay(self.scene.world, self.payment_page(begun), person)
        assert back == f"{RETURN_URI}?payment_id={begun.handle.ref.reveal()}"

    def refuse_to_pay(self, begun: PaymentBegun, person: Person) -> None:
        psu.refuse_to_pay(self.scene.world, self.payment_page(begun), person)
