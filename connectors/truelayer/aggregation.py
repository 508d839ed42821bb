"""Connections by redirect, accounts and balances."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import urlencode

import httpx

from app.domain.errors import ConsentEnd, ConsentGone, Declined, TryLater, Unreadable
from app.domain.ids import Secret
from app.ports import (
    BalanceAnswer,
    Bank,
    ConsentAsk,
    ConsentBegun,
    FoundAccount,
    Grant,
    GrantNow,
    Presence,
    Wire,
)
from app.side_ports import Moved
from connectors._bank_list import listed
from connectors._exchange import Call, exchange, read_json, unreadable
from connectors._presence import address_of
from connectors.truelayer.balances import answer_of
from connectors.truelayer.grants import IDS, Held, found_accounts
from connectors.truelayer.refusals import (
    ACCESS_OVER,
    TOKEN_REFUSED,
    account_refusal,
    read_refusal,
)
from connectors.truelayer.settings import NAME, BankRoute, Settings
from connectors.truelayer.tokens import TokenDesk
from connectors.truelayer.transactions import transactions_in

SCOPE = "accounts balance offline_access"
# Only where he allowed one look at them.
LOOK_SCOPE = "transactions"
_NO_PENDING = "ENDPOINT_NOT_SUPPORTED"


class Aggregation:
    """`AggregationPort`, its ways back, and `TransactionsPort` over the Data API."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when credentials or the list of banks are missing."""
        self._routes = settings.routes()
        self._tokens = TokenDesk(settings, wire)
        self._client_id = settings.client_id
        self._auth, self._api = settings.auth_url, settings.api_url
        self._setup = settings.http_setup()
        self._http: httpx.AsyncClient = wire.http
        self._now = wire.now

    def banks(self) -> tuple[Bank, ...]:
        """The banks of the operator's list."""
        return tuple(route.bank for route in self._routes.values())

    # ------------------------------------------------------------ consents

    async def begin_consent(self, ask: ConsentAsk) -> ConsentBegun:
        """Give the vendor's page where the borrower agrees and goes on to his bank.

        The address is put together here and nothing is asked. The last part of `return_url` goes
        as `state`, because the vendor redirects only to addresses that are registered with it.
        """
        route = self._route(ask.bank_id, "begin_consent")
        redirect, _, state = ask.return_url.rpartition("/")
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "scope": f"{SCOPE} {LOOK_SCOPE}" if ask.transactions else SCOPE,
            "redirect_uri": redirect,
            "providers": route.profile.provider_id,
            "provider_id": route.profile.provider_id,
            "state": state,
        }
        held = Held(redirect, ask.valid_until)
        return ConsentBegun(
            Grant(route.bank.id, held.sealed()),
            f"{self._auth}/?{urlencode(query)}",
            held.now(route, self._now()),
        )

    async def came_back(self, grant: Grant, returned: Mapping[str, str]) -> Grant:
        """Exchange the code that the borrower's browser brought back for the first tokens."""
        self._route(grant.bank_id, "came_back")
        held = Held.of(grant.token)
        if held.pair is not None:
            return grant
        if returned.get("error"):
            word = returned["error"]
            shown = word if re.fullmatch(r"[a-z_]{1,40}", word) else "error"
            raise ConsentGone(
                f"came back with {shown}", why=ConsentEnd.REJECTED, **_where("came_back")
            )
        if not returned.get("code"):
            return grant
        pair = await self._tokens.by_code(returned["code"], held.redirect)
        return Grant(grant.bank_id, held.opened(pair, self._now()).sealed())

    async def grant_now(self, grant: Grant) -> GrantNow:
        """What the connection's age tells. The vendor's own word is `renew`: it has no other."""
        route = self._route(grant.bank_id, "grant_now")
        return Held.of(grant.token).now(route, self._now())

    def renewal_due(self, grant: Grant) -> bool:
        """Whether the access token is over, or about to be."""
        return Held.of(grant.token).due(self._now())

    async def renew(self, grant: Grant) -> Grant:
        """Exchange the refresh token. Raises ConsentGone when the vendor says that it is over."""
        route = self._route(grant.bank_id, "renew")
        held = Held.of(grant.token)
        if held.pair is None:
            return grant
        end = held.end(route, self._now())
        pair = await self._tokens.by_refresh(held.pair.refresh, end)
        return Grant(grant.bank_id, held.with_pair(pair).sealed())

    async def end_consent(self, grant: Grant) -> None:
        """Delete the connection. One that is over already counts as deleted.

        What nobody brought back has nothing to delete: its code runs out by itself.
        """
        self._route(grant.bank_id, "end_consent")
        held = Held.of(grant.token)
        if held.pair is None:
            return
        # Repeating this does nothing twice, so a lost answer is no reason for care.
        answer, call = await self._ask("end_consent", "DELETE", f"{self._auth}/api/delete", held)
        if answer.is_success or read_refusal(answer.content).code in (
            *ACCESS_OVER,
            *TOKEN_REFUSED,
        ):
            return
        raise account_refusal(answer, call, self._now(), ConsentEnd.UNKNOWN_AT_BANK)

    # ------------------------------------------------------------ accounts and balances

    async def accounts(self, grant: Grant, presence: Presence | None) -> tuple[FoundAccount, ...]:
        """The accounts of the connection, read at the bank. Cards are not among them."""
        document, call = await self._read("accounts", grant, "/accounts", presence)
        listed = document.get("results")
        if not isinstance(listed, list):
            raise unreadable("the answer lists no accounts", call, b"")
        return found_accounts(listed)

    async def balances(
        self, grant: Grant, account_ref: Secret, presence: Presence | None
    ) -> BalanceAnswer:
        """The balance of one account: exactly one request, never repeated.

        Unattended (`presence=None`) no header speaks of a present borrower.
        """
        path = f"/accounts/{IDS.segment(account_ref.reveal(), 'balances')}/balance"
        document, call = await self._read("balances", grant, path, presence)
        if "results" not in document:
            raise unreadable("the answer holds no balance", call, b"")
        return answer_of(document["results"])

    async def transactions(
        self, grant: Grant, account_ref: Secret, since: date, presence: Presence
    ) -> tuple[Moved, ...]:
        """Booked and pending transactions from a day on, the borrower present: two requests.

        A bank that has no pending ones for others says so; then there are only the booked ones.
        """
        operation = "transactions"
        zone = self._route(grant.bank_id, operation).zone
        path = f"/accounts/{IDS.segment(account_ref.reveal(), operation)}/transactions"
        begin = datetime.combine(since, time(0), zone)
        ends = {"from": _instant(begin), "to": _instant(self._now())}
        booked = await self._moved(grant, f"{path}?{urlencode(ends)}", presence)
        try:
            pending = await self._moved(grant, f"{path}/pending", presence)
        except Declined as no:
            if no.reason != _NO_PENDING:
                raise
            pending = ()
        return (*booked, *pending)

    async def _moved(self, grant: Grant, path: str, presence: Presence) -> tuple[Moved, ...]:
        document, call = await self._read("transactions", grant, path, presence)
        try:
            return transactions_in(document, self._route(grant.bank_id, "transactions").zone)
        except Unreadable as error:
            raise unreadable(error.detail, call, b"") from None

    async def _read(
        self, operation: str, grant: Grant, path: str, presence: Presence | None
    ) -> tuple[dict[str, Any], Call]:
        route = self._route(grant.bank_id, operation)
        held = Held.of(grant.token)
        headers = {} if presence is None else {"X-PSU-IP": address_of(presence, NAME)}
        url = f"{self._api}/data/v1{path}"
        answer, call = await self._ask(operation, "GET", url, held, headers)
        if not answer.is_success:
            raise account_refusal(answer, call, self._now(), held.end(route, self._now()))
        document = read_json(answer, call)
        if not isinstance(document, dict):
            raise unreadable("the answer is not an object", call, answer.content)
        return document, call

    async def _ask(
        self,
        operation: str,
        method: str,
        url: str,
        held: Held,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[httpx.Response, Call]:
        if held.pair is None or not held.pair.access:
            raise TryLater("there is no access token yet", after=None, **_where(operation))
        sent = {"Authorization": f"Bearer {held.pair.access}", **(headers or {})}
        call = Call(NAME, operation, method, url, sent, setup=self._setup)
        return await exchange(self._http, call), call

    def _route(self, bank_id: str, operation: str) -> BankRoute:
        return listed(self._routes, bank_id, NAME, operation)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _where(operation: str) -> dict[str, str]:
    return {"connector": NAME, "operation": operation}
