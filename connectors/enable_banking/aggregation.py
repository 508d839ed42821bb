"""Sessions by redirect, accounts and balances."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson

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
    GrantState,
    Presence,
    Wire,
)
from app.side_ports import Moved
from connectors._bank_list import listed
from connectors._exchange import Call, exchange, read_json, unreadable
from connectors._moved import TransactionsPage, over_pages, page_in
from connectors._presence import address_of
from connectors.enable_banking import refusals
from connectors.enable_banking.balances import answer_of
from connectors.enable_banking.grants import (
    IDS,
    Held,
    found_accounts,
    grant_now_of,
    opened,
    waiting,
)
from connectors.enable_banking.settings import NAME, BankRoute, Settings, load_banks
from connectors.enable_banking.signer import Signer
from connectors.enable_banking.transactions import transactions_page

_WAITS = GrantNow(GrantState.PENDING, raw_status="PENDING_AUTHORIZATION")
# The vendor refuses what is longer than the bank allows, counted by its own clock.
_CLOCK_ROOM = timedelta(minutes=5)


class Aggregation:
    """`AggregationPort` and `ComingBackPort` over Enable Banking."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when the list of banks, the application or its key is unusable."""
        self._routes = load_banks(settings.banks)
        self._signer = Signer(settings.app_id, settings.private_key, wire.real_now)
        self._base = settings.base_url
        self._page = settings.page
        self._setup = settings.http_setup()
        self._http: httpx.AsyncClient = wire.http
        self._now = wire.now

    def banks(self) -> tuple[Bank, ...]:
        """The banks of the operator's list."""
        return tuple(route.bank for route in self._routes.values())

    async def begin_consent(self, ask: ConsentAsk) -> ConsentBegun:
        """Start an authorisation and give the page where the borrower chooses and agrees.

        The last part of `return_url` goes as `state` and comes back with the code, because the
        vendor redirects only to addresses that are registered with it. OutcomeUnknown leaves an
        authorisation behind whose page is known to nobody.
        """
        route = self._route(ask.bank_id, "begin_consent")
        body = orjson.dumps(authorisation_body(ask, route, self._now()))
        call = self._call("begin_consent", "POST", "/auth", body=body)
        answer = await exchange(self._http, call)
        if not answer.is_success:
            raise refusals.other_refusal(answer, call, self._now())
        made = read_json(answer, call)
        made = made if isinstance(made, dict) else {}
        authorisation, url = made.get("authorization_id"), made.get("url")
        page = self._page(url)
        if not IDS.fits(authorisation) or page is None:
            raise unreadable("the answer gives no page to go to", call, answer.content)
        return ConsentBegun(Grant(route.bank.id, waiting(authorisation)), page, _WAITS)

    async def came_back(self, grant: Grant, returned: Mapping[str, str]) -> Grant:
        """Open the session with the code that the borrower's browser brought back."""
        route = self._route(grant.bank_id, "came_back")
        if Held.of(grant.token).session:
            return grant
        where = {"connector": NAME, "operation": "came_back"}
        if returned.get("error"):
            word = returned["error"]
            shown = word if re.fullmatch(r"[a-z_]{1,40}", word) else "error"
            raise ConsentGone(f"came back with {shown}", why=ConsentEnd.REJECTED, **where)
        if not returned.get("code"):
            return grant
        body = orjson.dumps({"code": returned["code"]})
        call = self._call("came_back", "POST", "/sessions", body=body)
        answer = await exchange(self._http, call)
        if not answer.is_success:
            refusal = refusals.read_refusal(answer.content)
            if refusal.code == "EXPIRED_AUTHORIZATION_CODE":
                raise ConsentGone(refusal.code, why=ConsentEnd.REJECTED, **where)
            if refusal.code in ("ALREADY_AUTHORIZED", "WRONG_SESSION_STATUS"):
                # Another request of his was quicker and keeps the session; or the bank waits.
                raise TryLater(refusal.code, after=None, **where)
            raise refusals.other_refusal(answer, call, self._now())
        try:
            held = opened(read_json(answer, call))
        except Unreadable as error:
            raise unreadable(error.detail, call, answer.content) from None
        return Grant(route.bank.id, held.sealed())

    async def grant_now(self, grant: Grant) -> GrantNow:
        """Status and effective validity of the session; pending until the borrower is back.

        No bank is asked for this, and no read is spent.
        """
        route = self._route(grant.bank_id, "grant_now")
        held = Held.of(grant.token)
        if not held.session:
            return _WAITS
        try:
            document = await self._session(held, "grant_now")
        except ConsentGone as gone:
            return GrantNow(GrantState.ENDED, end=gone.why, raw_status=gone.detail[:40])
        return grant_now_of(document, route)

    async def accounts(
        self,
        grant: Grant,
        presence: Presence | None,  # noqa: ARG002 - no bank is asked, so nobody has to be there
    ) -> tuple[FoundAccount, ...]:
        """The accounts of the session, those that can no longer be read marked.

        They were stated when the session was opened; only whether it still offers them is asked.
        """
        route = self._route(grant.bank_id, "accounts")
        held = Held.of(grant.token)
        document = await self._session(held, "accounts")
        now = grant_now_of(document, route)
        where = {"connector": NAME, "operation": "accounts"}
        if now.end is not None:
            raise ConsentGone(now.raw_status, why=now.end, **where)
        if now.state is not GrantState.ACTIVE:
            raise TryLater("the session is not authorised yet", after=None, **where)
        try:
            return found_accounts(held, document, route.profile.own_account_types)
        except Unreadable as error:
            raise Unreadable(error.detail, body=error.body, **where) from None

    async def _session(self, held: Held, operation: str) -> dict[str, Any]:
        if not held.session:
            raise TryLater(
                "the borrower is not back yet", after=None, connector=NAME, operation=operation
            )
        call = self._call(operation, "GET", f"/sessions/{IDS.segment(held.session, operation)}")
        answer = await exchange(self._http, call)
        if not answer.is_success:
            refusal = refusals.read_refusal(answer.content)
            if refusal.code in refusals.SESSION_ENDS:
                why = refusals.SESSION_ENDS[refusal.code]
                raise ConsentGone(refusal.code, why=why, **call.where)
            raise refusals.other_refusal(answer, call, self._now())
        document = read_json(answer, call)
        if not isinstance(document, dict) or "status" not in document:
            raise unreadable("the answer states no status", call, answer.content)
        return document

    async def balances(
        self, grant: Grant, account_ref: Secret, presence: Presence | None
    ) -> BalanceAnswer:
        """All balances of one account: exactly one request, never repeated.

        Unattended (`presence=None`) no header speaks of a present borrower.
        """
        route = self._route(grant.bank_id, "balances")
        held, uid = Held.of(grant.token), IDS.segment(account_ref.reveal(), "balances")
        headers = {} if presence is None else presence_headers(route, presence)
        call = self._call("balances", "GET", f"/accounts/{uid}/balances", headers)
        answer = await exchange(self._http, call)
        if not answer.is_success:
            raise refusals.account_refusal(answer, call, self._now())
        document = read_json(answer, call)
        if not isinstance(document, dict) or "balances" not in document:
            raise unreadable("the answer holds no balances", call, answer.content)
        known = {key: held.account_of(uid).get(key) for key in ("currency", "cash_account_type")}
        return answer_of(
            document["balances"],
            known,
            route.zone,
            held.limit_of(uid),
            limits_excluded=route.bank.limits_excluded,
            own_types=route.profile.own_account_types,
        )

    async def transactions(
        self, grant: Grant, account_ref: Secret, since: date, presence: Presence
    ) -> tuple[Moved, ...]:
        """Booked and pending transactions from a day on, over all pages, the borrower present."""
        route = self._route(grant.bank_id, "transactions")
        uid = IDS.segment(account_ref.reveal(), "transactions")
        there = presence_headers(route, presence)
        where = {"connector": NAME, "operation": "transactions"}
        if not there:
            # Without them the bank would take it for one of the day's four.
            raise Declined("the bank cannot be told that he is there", reason="UNATTENDED", **where)
        asked = {"date_from": since.isoformat()}

        async def page_at(key: str) -> TransactionsPage:
            query = {**asked, "continuation_key": key} if key else asked
            path = f"/accounts/{uid}/transactions?{urlencode(query)}"
            call = self._call("transactions", "GET", path, there)
            answer = await exchange(self._http, call)
            if not answer.is_success:
                raise refusals.account_refusal(answer, call, self._now())
            return page_in(answer, call, transactions_page)

        return await over_pages(page_at, NAME)

    async def end_consent(self, grant: Grant) -> None:
        """Close the session. One that is gone already counts as closed.

        An authorisation that nobody brought back has nothing to close: it opens with our key
        alone, and runs out by itself.
        """
        self._route(grant.bank_id, "end_consent")
        held = Held.of(grant.token)
        if not held.session:
            return
        # Repeating this does nothing twice, so a lost answer is no reason for care.
        path = f"/sessions/{IDS.segment(held.session, 'end_consent')}"
        call = self._call("end_consent", "DELETE", path)
        answer = await exchange(self._http, call)
        if answer.is_success:
            return
        if refusals.read_refusal(answer.content).code in refusals.SESSION_ENDS:
            return
        raise refusals.other_refusal(answer, call, self._now())

    def _route(self, bank_id: str, operation: str) -> BankRoute:
        return listed(self._routes, bank_id, NAME, operation)

    def _call(
        self,
        operation: str,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        body: bytes | None = None,
    ) -> Call:
        sent = {"Authorization": self._signer.header(), **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        url, writes = f"{self._base}{path}", method == "POST"
        return Call(NAME, operation, method, url, sent, body, writes, setup=self._setup)


def authorisation_body(ask: ConsentAsk, route: BankRoute, now: datetime) -> dict[str, Any]:
    """The authorisation we ask for: balances, to the end of the last day.

    Transactions only where the borrower allowed a look at them.

    Without an IBAN the bank lets the borrower choose, or gives all his accounts.
    """
    last = datetime.combine(ask.valid_until, time(23, 59, 59), route.zone).astimezone(UTC)
    most = now + timedelta(seconds=route.profile.maximum_consent_validity) - _CLOCK_ROOM
    access: dict[str, Any] = {
        "valid_until": min(last, most.astimezone(UTC)).isoformat(timespec="seconds"),
        "balances": True,
        "transactions": ask.transactions,
    }
    if ask.iban is not None:
        access["accounts"] = [{"iban": ask.iban.reveal()}]
    registered, _, state = ask.return_url.rpartition("/")
    return {
        "access": access,
        "aspsp": {"name": route.profile.aspsp_name, "country": route.profile.country},
        "state": state,
        "redirect_url": registered,
        "psu_type": "personal",
    }


def presence_headers(route: BankRoute, presence: Presence) -> dict[str, str]:
    """All the headers this bank wants about the borrower who is there, or none of them."""
    headers = {"Psu-Ip-Address": address_of(presence, NAME)}
    agent = "".join(c for c in presence.user_agent if " " <= c <= "~")[:256].strip()
    if agent:
        headers["Psu-User-Agent"] = agent
    have = {name.lower() for name in headers}
    wanted = {name.lower() for name in route.profile.required_psu_headers}
    return headers if wanted <= have else {}
