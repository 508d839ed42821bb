"""Consents by Tink Link, accounts, and balances that Tink fetches at the bank when asked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from app.domain.errors import ConsentEnd, ConsentGone, Declined, ProviderError, TryLater
from app.domain.ids import Secret
from app.ports import (
    BalanceAnswer,
    Bank,
    ConsentAsk,
    ConsentBegun,
    FoundAccount,
    Grant,
    GrantNow,
    GrantState,
    Presence,
    Wire,
)
from connectors._exchange import read_json, unreadable
from connectors._stated import MOST_ACCOUNTS
from connectors._tokens import token_in
from connectors.tink.balances import answer_of
from connectors.tink.desk import Desk
from connectors.tink.grants import IDS, Held, Standing, found_account, standing_of
from connectors.tink.refusals import other_refusal, read_refused
from connectors.tink.settings import NAME, Settings
from connectors.tink.tokens import DELETE_SCOPE

# Tink Link acts for the borrower under this id, the same for all of Tink's customers.
_TINK_LINK = "df05e4b379934cd09963197cc855bfe9"
_LINK_SCOPE = (
    "authorization:read,authorization:grant,credentials:refresh,credentials:read,"
    "credentials:write,providers:read,user:read"
)
_PAGE_SIZE, _MOST_PAGES = 100, 10
# Real seconds between looks at a refresh that runs; the last one is repeated.
_LOOKS = (0.3, 0.5, 1.0, 1.5, 2.0)
_WAITS = GrantNow(GrantState.PENDING)


class Aggregation:
    """`AggregationPort` and `ComingBackPort` over Tink. A grant's token holds the user's id."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when credentials or the list of banks are missing."""
        self._desk = Desk(settings, wire)
        self._settings = settings

    def banks(self) -> tuple[Bank, ...]:
        """The banks of the operator's list."""
        return self._desk.banks()

    async def begin_consent(self, ask: ConsentAsk) -> ConsentBegun:
        """Make a user at Tink for this consent alone, and give the page of Tink Link for him.

        The last part of `return_url` goes as `state` and comes back, because Tink redirects only
        to addresses that are registered with it. OutcomeUnknown may leave a user behind with
        whom nobody has connected anything.
        """
        operation = "begin_consent"
        bank = self._desk.provider(ask.bank_id, operation)
        content = {"external_user_id": str(ask.key), "market": bank.country, "locale": bank.locale}
        made, call = await self._desk.made(operation, "/api/v1/user/create", content=content)
        user = made.get("user_id")
        if not IDS.fits(user):
            raise unreadable("the answer names no user", call, b"")
        fields = {
            "user_id": str(user),
            "id_hint": self._settings.id_hint,
            "actor_client_id": _TINK_LINK,
            "scope": _LINK_SCOPE,
        }
        path = "/api/v1/oauth/authorization-grant/delegate"
        made, call = await self._desk.made(operation, path, fields=fields)
        code = token_in(made, "code")
        if code is None:
            raise unreadable("the answer holds no code", call, b"")
        registered, _, state = ask.return_url.rpartition("/")
        page = {
            "client_id": self._settings.client_id,
            "redirect_uri": registered,
            "authorization_code": code,
            "market": bank.country,
            "locale": bank.locale,
            "input_provider": bank.provider_name,
            "state": state,
        }
        grant = Grant(bank.id, Held(str(user), ask.valid_until).sealed())
        flow = self._settings.transactions_link_url if ask.transactions else ""
        link = flow or self._settings.link_url
        return ConsentBegun(grant, f"{link}?{urlencode(page)}", _WAITS)

    async def came_back(self, grant: Grant, returned: Mapping[str, str]) -> Grant:
        """Learn from Tink Link's `error` that he agreed to nothing; the grant never changes.

        Not believed where the bank is connected all the same.
        """
        operation = "came_back"
        if not returned.get("error"):
            return grant
        standing = await self._standing(grant, operation)
        if standing.now.state is not GrantState.ACTIVE:
            word = returned["error"]
            shown = word if re.fullmatch(r"[A-Za-z_]{1,40}", word) else "an error"
            where = {"connector": NAME, "operation": operation}
            raise ConsentGone(f"came back with {shown}", why=ConsentEnd.REJECTED, **where)
        return grant

    async def grant_now(self, grant: Grant) -> GrantNow:
        """Status and validity of the connection. No bank is asked, and no read is spent."""
        try:
            return (await self._standing(grant, "grant_now")).now
        except ConsentGone as gone:
            return GrantNow(GrantState.ENDED, end=gone.why)

    async def _standing(self, grant: Grant, operation: str) -> Standing:
        """Raises ConsentGone when Tink has no such user."""
        bank = self._desk.provider(grant.bank_id, operation)
        held = Held.of(grant.token)
        path = "/api/v1/provider-consents"
        user = IDS.segment(held.user, operation)
        answer, call = await self._desk.ask(user, operation, "GET", path)
        if not answer.is_success:
            raise other_refusal(answer, call, self._desk.now())
        document = read_json(answer, call)
        listed = document.get("providerConsents") if isinstance(document, dict) else None
        if listed is None and document == {}:
            listed = []
        if not isinstance(listed, list):
            raise unreadable("the answer lists no consents", call, answer.content)
        return standing_of(listed, bank, held, self._desk.now())

    async def accounts(
        self,
        grant: Grant,
        presence: Presence | None,  # noqa: ARG002 - no bank is asked, so nobody has to be there
    ) -> tuple[FoundAccount, ...]:
        """The accounts as Tink has fetched them; those the consent does not cover are unusable."""
        operation = "accounts"
        standing = await self._standing(grant, operation)
        where = {"connector": NAME, "operation": operation}
        if standing.now.end is not None:
            raise ConsentGone(standing.now.raw_status, why=standing.now.end, **where)
        if standing.now.state is not GrantState.ACTIVE:
            raise TryLater("nothing is connected yet", after=None, **where)
        user = Held.of(grant.token).user
        found: list[FoundAccount] = []
        token = ""
        for _ in range(_MOST_PAGES):
            query = {"pageSize": _PAGE_SIZE, **({"pageToken": token} if token else {})}
            path = f"/data/v2/accounts?{urlencode(query)}"
            answer, call = await self._desk.ask(user, operation, "GET", path)
            if not answer.is_success:
                raise other_refusal(answer, call, self._desk.now())
            page = read_json(answer, call)
            listed = page.get("accounts", []) if isinstance(page, dict) else None
            if not isinstance(listed, list):
                raise unreadable("the answer lists no accounts", call, answer.content)
            ours = [item for item in listed[:MOST_ACCOUNTS] if isinstance(item, dict)]
            found.extend(found_account(item, standing.covered) for item in ours)
            token = token_in(page, "nextPageToken") or ""
            if not token:
                break
        return tuple(found)

    async def balances(
        self,
        grant: Grant,
        account_ref: Secret,
        presence: Presence | None,  # noqa: ARG002 - cannot be stated here
    ) -> BalanceAnswer:
        """All balances of one account, fetched anew: exactly one request makes Tink ask the bank.

        Tink is asked for a refresh, looked at until that has ended, and asked for the figures.
        The borrower's presence cannot be stated; every read counts.
        """
        operation = "balances"
        self._desk.provider(grant.bank_id, operation)
        user = IDS.segment(Held.of(grant.token).user, operation)
        account_id = IDS.segment(account_ref.reveal(), operation)
        await self._refreshed(grant, user, account_id)
        path = f"/data/v2/accounts/{account_id}/balances"
        answer, call = await self._desk.ask(user, operation, "GET", path)
        if not answer.is_success:
            raise other_refusal(answer, call, self._desk.now())
        document = read_json(answer, call)
        if not isinstance(document, dict) or not isinstance(document.get("balances", {}), dict):
            raise unreadable("the answer holds no balances", call, answer.content)
        return answer_of({"balances": {}, **document})

    async def _refreshed(self, grant: Grant, user: str, account_id: str) -> None:
        """Have Tink read the account at the bank, and wait for that to end."""
        operation, path = "balances", "/api/v1/balance-refresh"
        content = {"accountId": account_id}
        answer, call = await self._desk.ask(user, operation, "POST", path, content=content)
        if not answer.is_success:
            raise read_refused(answer, call, self._desk.now())
        begun = read_json(answer, call)
        refresh_id = begun.get("balanceRefreshId") if isinstance(begun, dict) else None
        if not IDS.fits(refresh_id):
            raise unreadable("the answer names no refresh", call, answer.content)
        clock = asyncio.get_running_loop().time
        end, looks = clock() + self._settings.refresh_seconds, iter(_LOOKS)
        wait = _LOOKS[0]
        while True:
            answer, call = await self._desk.ask(user, operation, "GET", f"{path}/{refresh_id}")
            if not answer.is_success:
                raise read_refused(answer, call, self._desk.now())
            word = _status(read_json(answer, call))
            if word == "FINISHED":
                return
            if word == "FAILED":
                raise await self._why_failed(grant, account_id)
            if word != "REFRESHING":
                raise unreadable("the answer states no status", call, answer.content)
            wait = next(looks, wait)
            if clock() + wait > end:
                raise TryLater("the bank's figures are not there yet", after=None, **call.where)
            await asyncio.sleep(wait)

    async def _why_failed(self, grant: Grant, account_id: str) -> ProviderError:
        """A refresh fails without a reason; the state of the connection has it."""
        where = {"connector": NAME, "operation": "balances"}
        standing = await self._standing(grant, "balances")
        if standing.now.end is not None:
            return ConsentGone(standing.now.raw_status, why=standing.now.end, **where)
        if standing.covered is not None and account_id not in standing.covered:
            return Declined("the consent does not cover it", reason="ACCOUNT_NOT_COVERED", **where)
        return TryLater("the refresh failed", after=None, **where)

    async def end_consent(self, grant: Grant) -> None:
        """Delete the user at Tink with all he has connected. One that is gone counts as done."""
        operation = "end_consent"
        self._desk.provider(grant.bank_id, operation)
        user = IDS.segment(Held.of(grant.token).user, operation)
        path = "/api/v1/user/delete"
        try:
            answer, call = await self._desk.ask(user, operation, "POST", path, scope=DELETE_SCOPE)
        except ConsentGone:
            return
        if not answer.is_success:
            raise other_refusal(answer, call, self._desk.now())
        self._desk.tokens.forget(user)


def _status(document: Any) -> str:
    word = document.get("status") if isinstance(document, dict) else None
    return word if isinstance(word, str) else ""
