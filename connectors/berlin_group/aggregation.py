"""Consents with redirect, accounts and balances."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import httpx
import orjson

from app.domain.errors import (
    ConsentEnd,
    Declined,
    ProviderError,
    TryLater,
    Unreadable,
)
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
from connectors._exchange import Call, read_json, unreadable
from connectors._http import url_below
from connectors._moved import TransactionsPage, over_pages
from connectors._refusals import door_said_no
from connectors._words import alarm
from connectors.berlin_group import refusals
from connectors.berlin_group.balances import found_accounts
from connectors.berlin_group.desk import (
    NAME,
    Desk,
    log,
    own_link,
    path_segment,
    presence_headers,
    token,
)
from connectors.berlin_group.profile import BankRoute, Settings
from connectors.berlin_group.transactions import transactions_page

# The specification's words for a consent (consentStatus); banks may add others.
_PENDING = frozenset({"received", "partiallyauthorised"})
_ENDED = {
    "rejected": ConsentEnd.REJECTED,
    "revokedbypsu": ConsentEnd.REVOKED_AT_BANK,
    "expired": ConsentEnd.EXPIRED,
    "terminatedbytpp": ConsentEnd.CLOSED_BY_US,
}
_GONE = ("CONSENT_UNKNOWN", "RESOURCE_UNKNOWN")
_EXPIRED = ("CONSENT_EXPIRED", "RESOURCE_EXPIRED")


class Aggregation:
    """`AggregationPort` over NextGenPSD2."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        self._desk = Desk(settings, wire)

    def banks(self) -> tuple[Bank, ...]:
        """The banks of the operator's list."""
        return self._desk.banks()

    async def begin_consent(self, ask: ConsentAsk) -> ConsentBegun:
        """Create a consent for balances and give the page where the borrower authorises it.

        With an IBAN the consent is for that account; without one the bank lets the borrower
        choose. OutcomeUnknown may leave a consent behind that nobody can authorise.
        """
        desk = self._desk
        route = desk.route(ask.bank_id, "begin_consent")
        call = desk.call(
            route,
            "begin_consent",
            "POST",
            f"{route.base}/consents",
            desk.creation_headers(route, ask.presence, ask.return_url, ask.refused_url),
            body=orjson.dumps(consent_body(ask, route)),
            writes=True,
            key=ask.key,
        )
        answer = await desk.exchange(call)
        if not answer.is_success:
            raise self._not_begun(answer, call)
        made = read_json(answer, call)
        consent_id = token(made.get("consentId")) if isinstance(made, dict) else None
        if consent_id is None:
            raise unreadable("the bank gave no consent id", call, answer.content)
        now = grant_now_of(made, route)
        if now.end is not None:
            raise Declined("the bank refused the consent", reason=now.raw_status, **call.where)
        page = await desk.redirect_of(route, made, call)
        return ConsentBegun(Grant(route.bank.id, Secret(consent_id)), page, now)

    def _not_begun(self, answer: httpx.Response, call: Call) -> ProviderError:
        """Refused at the door (401, 403, 404) is the bank's trouble, not a no to this borrower."""
        error = refusals.other_refusal(answer, call, self._desk.now())
        return door_said_no(error, answer, call)

    async def grant_now(self, grant: Grant) -> GrantNow:
        """Status and effective validity from the consent itself.

        A consent the bank does not know, or calls expired in its refusal, is ended; any other
        refusal leaves it as it is.
        """
        desk = self._desk
        route = desk.route(grant.bank_id, "grant_now")
        call = desk.call(route, "grant_now", "GET", _consent_url(route, grant, "grant_now"))
        answer = await desk.exchange(call)
        if answer.is_success:
            document = read_json(answer, call)
            if not isinstance(document, dict) or "consentStatus" not in document:
                raise unreadable("the answer states no status", call, answer.content)
            return grant_now_of(document, route)
        refusal = refusals.read_refusal(answer.content)
        if refusal.first(*_EXPIRED):
            return GrantNow(GrantState.ENDED, end=ConsentEnd.EXPIRED, raw_status=refusal.reason)
        if refusal.first(*_GONE):
            return GrantNow(
                GrantState.ENDED, end=ConsentEnd.UNKNOWN_AT_BANK, raw_status=refusal.reason
            )
        if refusal.first("CONSENT_INVALID"):
            # Asked for the status itself and told "invalid": that is no status.
            raise TryLater(f"HTTP {answer.status_code} CONSENT_INVALID", after=None, **call.where)
        raise refusals.other_refusal(answer, call, desk.now())

    async def accounts(self, grant: Grant, presence: Presence | None) -> tuple[FoundAccount, ...]:
        """The accounts the consent covers, closed, blocked and card accounts marked."""
        desk = self._desk
        route = desk.route(grant.bank_id, "accounts")
        headers = {"Consent-ID": grant.token.reveal(), **presence_headers(route, presence)}
        call = desk.call(route, "accounts", "GET", route.accounts_url, headers)
        answer = await desk.exchange(call)
        if not answer.is_success:
            raise self._refused(answer, call, route)
        try:
            return found_accounts(read_json(answer, call), route.profile.own_account_types)
        except Unreadable as error:
            raise self._no_use(error, answer, call, route) from None

    async def balances(
        self, grant: Grant, account_ref: Secret, presence: Presence | None
    ) -> BalanceAnswer:
        """All balances of one account: exactly one request, never repeated.

        Unattended (`presence=None`) no header speaks of a present borrower. ConsentGone only
        for a code that leaves no doubt; ConsentDoubtful asks the caller to look at the status.
        """
        desk = self._desk
        route = desk.route(grant.bank_id, "balances")
        headers = {"Consent-ID": grant.token.reveal()}
        if presence is not None:
            headers.update(presence_headers(route, presence))
        segment = path_segment(account_ref.reveal(), "balances")
        url = url_below(route.accounts_url, f"{route.accounts_path}/{segment}/balances")
        call = desk.call(route, "balances", "GET", url, headers)
        answer = await desk.exchange(call)
        if not answer.is_success:
            raise self._refused(answer, call, route)
        try:
            found = route.read(read_json(answer, call))
        except Unreadable as error:
            raise self._no_use(error, answer, call, route) from None
        if len(found) != 1:
            raise unreadable("the answer is not about one account", call, answer.content)
        return found[0]

    async def transactions(
        self, grant: Grant, account_ref: Secret, since: date, presence: Presence
    ) -> tuple[Moved, ...]:
        """Booked and pending transactions from a day on, over all pages, the borrower present.

        Some banks refuse the pending ones: then the booked ones are asked for alone.
        """
        desk = self._desk
        route = desk.route(grant.bank_id, "transactions")
        segment = path_segment(account_ref.reveal(), "transactions")
        url = url_below(route.accounts_url, f"{route.accounts_path}/{segment}/transactions")
        there = presence_headers(route, presence)
        if not there:
            # Without them the bank would take it for one of the day's four.
            raise Declined("the bank cannot be told that he is there", reason="UNATTENDED")
        headers = {"Consent-ID": grant.token.reveal(), **there}
        asked = {"dateFrom": since.isoformat()}
        try:
            first = url.copy_merge_params({**asked, "bookingStatus": "both"})
            return await self._pages(route, first, headers)
        except Declined:
            first = url.copy_merge_params({**asked, "bookingStatus": "booked"})
            return await self._pages(route, first, headers)

    async def _pages(
        self, route: BankRoute, first: httpx.URL, headers: dict[str, str]
    ) -> tuple[Moved, ...]:
        """Everything from a first page on; each next page is the bank's own link."""
        desk = self._desk

        async def page_at(link: str) -> TransactionsPage:
            call = desk.call(route, "transactions", "GET", link or str(first), headers)
            answer = await desk.exchange(call)
            if not answer.is_success:
                raise self._refused(answer, call, route)
            try:
                page = transactions_page(read_json(answer, call))
            except Unreadable as error:
                raise self._no_use(error, answer, call, route) from None
            following = own_link(route, page.following) if page.following else ""
            if following is None:
                raise unreadable("the bank's link leads to another host", call, b"")
            return replace(page, following=following)

        return await over_pages(page_at, NAME)

    async def end_consent(self, grant: Grant) -> None:
        """Give the consent back to the bank. One that is gone already counts as given back."""
        desk = self._desk
        route = desk.route(grant.bank_id, "end_consent")
        # Repeating this does nothing twice, so a lost answer is no reason for care.
        call = desk.call(route, "end_consent", "DELETE", _consent_url(route, grant, "end_consent"))
        answer = await desk.exchange(call)
        refusal = refusals.read_refusal(answer.content)
        if answer.is_success or refusal.first(*_GONE, *_EXPIRED):
            return
        if refusal.first("CONSENT_INVALID", "STATUS_INVALID"):
            now = await self.grant_now(grant)
            if now.state is GrantState.ENDED:
                return
        raise refusals.other_refusal(answer, call, desk.now())

    def _refused(self, answer: httpx.Response, call: Call, route: BankRoute) -> ProviderError:
        now = self._desk.now()
        return refusals.account_refusal(answer, call, now, route.allowance_returns(now))

    def _no_use(
        self, error: Unreadable, answer: httpx.Response, call: Call, route: BankRoute
    ) -> ProviderError:
        """A 200 without accounts or balances: some banks put their refusal there."""
        if refusals.read_refusal(answer.content).codes:
            said = self._refused(answer, call, route)
            if not isinstance(said, Unreadable):
                return said
        return unreadable(error.detail, call, answer.content)


def _consent_url(route: BankRoute, grant: Grant, operation: str) -> str:
    return f"{route.base}/consents/{path_segment(grant.token.reveal(), operation)}"


def consent_body(ask: ConsentAsk, route: BankRoute) -> dict[str, Any]:
    """The consent we ask for: balances, and the list of accounts that is needed to find them.

    Transactions only where the borrower allowed a look at them.

    Empty lists mean that the borrower chooses the account at the bank. A one-off consent must
    ask for a frequency of one.
    """
    accounts = [{"iban": ask.iban.reveal()}] if ask.iban else []
    most = route.profile.frequency_max
    access = {"accounts": accounts, "balances": accounts}
    if ask.transactions:
        access["transactions"] = accounts
    return {
        "access": access,
        "recurringIndicator": ask.recurring,
        "validUntil": ask.valid_until.isoformat(),
        "frequencyPerDay": max(1, min(ask.frequency_per_day, most)) if ask.recurring else 1,
        "combinedServiceIndicator": False,
    }


def grant_now_of(document: dict[str, Any], route: BankRoute) -> GrantNow:
    """The consent's state from a document with `consentStatus` and perhaps `validUntil`.

    A word we do not know leaves the consent pending, with an alarm.
    """
    word = document.get("consentStatus")
    known = word.lower() if isinstance(word, str) else ""
    until = _day(document.get("validUntil"))
    raw = word[:40] if isinstance(word, str) else ""
    if known == "valid":
        return GrantNow(GrantState.ACTIVE, until, raw_status=raw)
    if known in _ENDED:
        return GrantNow(GrantState.ENDED, until, _ENDED[known], raw)
    if known not in _PENDING:
        alarm(log, "consentStatus", word, bank=route.bank.id)
    return GrantNow(GrantState.PENDING, until, raw_status=raw)


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except (ValueError, TypeError):
        return None
