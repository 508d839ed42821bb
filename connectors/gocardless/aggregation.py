"""Consents (an agreement and a requisition), accounts and balances."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import httpx

from app.domain.errors import ConsentDoubtful, ConsentEnd, ConsentGone, Declined, TryLater
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
from connectors._moved import page_in
from connectors._told_apart import told_apart
from connectors.berlin_group.transactions import transactions_page
from connectors.gocardless.desk import IDS, Desk, declined
from connectors.gocardless.readings import (
    LINKED,
    account_ids,
    agreement_end,
    days_asked,
    last_day,
    listed,
    state_of,
)
from connectors.gocardless.refusals import FAILING_WAIT, account_refusal, other_refusal
from connectors.gocardless.settings import NAME, Settings

# Balances, and the details that say which currency an account has and whether it is a card.
SCOPE = ["balances", "details"]
# Only where he allowed one look at them.
_LOOK_SCOPE = "transactions"
_LONGEST_REDIRECT = 1024

_LAPSED, _SUSPENDED, _FAILING = "EXPIRED", "SUSPENDED", "ERROR"


class Aggregation:
    """`AggregationPort` and `TransactionsPort` over Bank Account Data.

    A grant's token is the requisition's id.
    """

    def __init__(self, settings: Settings, wire: Wire) -> None:
        self._desk = Desk(settings, wire)
        self._page = settings.page

    def banks(self) -> tuple[Bank, ...]:
        """The banks of the operator's list."""
        return self._desk.banks()

    async def begin_consent(self, ask: ConsentAsk) -> ConsentBegun:
        """Make an agreement and a requisition, and give the page where the borrower authorises it.

        The borrower comes back to `return_url` whatever he decides. OutcomeUnknown may leave
        a requisition behind that nobody can authorise.
        """
        operation = "begin_consent"
        bank = self._desk.institution(ask.bank_id, operation)
        if len(ask.return_url) > _LONGEST_REDIRECT:
            raise declined("the return address is too long", "RETURN_URL", operation)
        agreement, call = await self._made(operation, "/agreements/enduser/", {
            "institution_id": bank.institution_id,
            "max_historical_days": bank.history_days if ask.transactions else 1,
            "access_valid_for_days": days_asked(ask, bank, self._desk.now()),
            "access_scope": [*SCOPE, _LOOK_SCOPE] if ask.transactions else SCOPE,
        })  # fmt: skip
        agreement_id = agreement.get("id")
        if not IDS.fits(agreement_id):
            raise unreadable("the answer names no agreement", call, b"")
        requisition: dict[str, Any] = {
            "redirect": ask.return_url,
            "institution_id": bank.institution_id,
            "agreement": agreement_id,
            "reference": str(ask.key),
        }
        if bank.account_selection:
            requisition["account_selection"] = True  # refused where the bank does not offer it
        made, call = await self._made(operation, "/requisitions/", requisition)
        requisition_id, page = made.get("id"), self._page(made.get("link"))
        if not IDS.fits(requisition_id) or page is None:
            raise unreadable("the answer names no requisition or no safe link", call, b"")
        now = state_of(made, bank, None)
        if now.end is not None:
            raise Declined("the consent was refused", reason=now.raw_status, **call.where)
        return ConsentBegun(Grant(bank.id, Secret(requisition_id)), page, now)

    async def _made(
        self, operation: str, path: str, body: dict[str, Any]
    ) -> tuple[dict[str, Any], Call]:
        answer, call = await self._desk.ask(operation, "POST", path, body, writes=True)
        if not answer.is_success:
            raise other_refusal(answer, call, self._desk.now())
        made = read_json(answer, call)
        if not isinstance(made, dict):
            raise unreadable("the answer is not an object", call, answer.content)
        return made, call

    async def grant_now(self, grant: Grant) -> GrantNow:
        """Status and validity: the requisition's, and behind a linked one its accounts'.

        GoCardless gives one word for lapsed and revoked. An access that has ended although its
        agreement runs on was taken back; a suspended account is a lapse that only a new
        consent mends. One living account keeps the consent alive.
        """
        operation = "grant_now"
        bank = self._desk.institution(grant.bank_id, operation)
        requisition = await self._requisition(grant, operation)
        if requisition is None:
            return GrantNow(GrantState.ENDED, end=ConsentEnd.UNKNOWN_AT_BANK)
        runs_until = await self._runs_until(requisition, operation)
        day = last_day(runs_until, bank)
        stated = state_of(requisition, bank, day)
        if stated.state is not GrantState.ACTIVE:
            return stated
        over = runs_until is not None and runs_until <= self._desk.now()
        if over:
            return GrantNow(GrantState.ENDED, day, ConsentEnd.EXPIRED, stated.raw_status)
        words: set[str] = set()
        for account_id in account_ids(requisition):
            try:
                word = (await self._metadata(account_id, operation)).get("status")
            except (ConsentDoubtful, ConsentGone) as error:
                raise TryLater(error.detail, after=None, **_where(operation)) from None
            if word not in (_LAPSED, _SUSPENDED):
                return stated
            words.add(word)
        if _SUSPENDED in words:
            return GrantNow(GrantState.ENDED, day, ConsentEnd.EXPIRED, _SUSPENDED)
        if words:
            return GrantNow(GrantState.ENDED, day, ConsentEnd.REVOKED_AT_BANK, _LAPSED)
        return stated

    async def accounts(
        self,
        grant: Grant,
        presence: Presence | None,  # noqa: ARG002 - cannot be stated here
    ) -> tuple[FoundAccount, ...]:
        """The accounts the consent covers. Spends one read of each account's details.

        An account whose access fails or has ended is listed as unusable, unless that leaves none:
        then TryLater for failures and ConsentDoubtful for ended accesses.
        """
        operation = "accounts"
        own_types = self._desk.institution(grant.bank_id, operation).own_account_types
        requisition = await self._requisition(grant, operation)
        if requisition is None:
            raise _gone(operation)
        if requisition.get("status") != LINKED:
            raise ConsentDoubtful("the requisition is not linked", **_where(operation))
        found: list[FoundAccount] = []
        troubles: set[str] = set()
        for account_id in account_ids(requisition):
            known = await self._metadata(account_id, operation)
            word = known.get("status")
            if word in (_LAPSED, _SUSPENDED, _FAILING):
                troubles.add(word)
                found.append(listed(account_id, known, why=f"the account is {word}"))
                continue
            details = await self._details(account_id)
            found.append(listed(account_id, {**known, **details}, own_types))
        if troubles and not any(one.usable for one in found):
            if _FAILING in troubles:
                raise TryLater("the accounts fail", after=FAILING_WAIT, **_where(operation))
            raise ConsentDoubtful("the accesses have ended", **_where(operation))
        return told_apart(found)

    async def balances(
        self,
        grant: Grant,
        account_ref: Secret,
        presence: Presence | None,  # noqa: ARG002 - cannot be stated here
    ) -> BalanceAnswer:
        """All balances of one account: exactly one request reaches the bank, never repeated.

        The borrower's presence cannot be stated here; every read counts.
        """
        operation = "balances"
        bank = self._desk.institution(grant.bank_id, operation)
        account_id = IDS.segment(account_ref.reveal(), operation)
        answer, call = await self._desk.ask(operation, "GET", f"/accounts/{account_id}/balances/")
        if not answer.is_success:
            raise account_refusal(answer, call, self._desk.now())
        document = read_json(answer, call)
        if not isinstance(document, dict) or "balances" not in document:
            raise unreadable("the answer holds no balances", call, answer.content)
        (found,) = bank.read({"balances": document["balances"]})
        return found

    async def transactions(
        self,
        grant: Grant,
        account_ref: Secret,
        since: date,
        presence: Presence,  # noqa: ARG002 - he has to be there, and cannot be stated here
    ) -> tuple[Moved, ...]:
        """Booked and pending transactions of the agreed days, in one request.

        One of four in 24 hours that are of transactions alone.
        """
        operation = "transactions"
        bank = self._desk.institution(grant.bank_id, operation)
        account_id = IDS.segment(account_ref.reveal(), operation)
        today = self._desk.now().astimezone(ZoneInfo(bank.time_zone)).date()
        begin = max(since, today - timedelta(days=bank.history_days))
        path = f"/accounts/{account_id}/transactions/?{urlencode({'date_from': begin})}"
        answer, call = await self._desk.ask(operation, "GET", path)
        if not answer.is_success:
            raise account_refusal(answer, call, self._desk.now())
        return page_in(answer, call, transactions_page).moved

    async def end_consent(self, grant: Grant) -> None:
        """Delete the requisition with its agreement. One that is gone counts as given back."""
        operation = "end_consent"
        self._desk.institution(grant.bank_id, operation)
        path = f"/requisitions/{IDS.segment(grant.token.reveal(), operation)}/"
        # Repeating this does nothing twice, so a lost answer is no reason for care.
        answer, call = await self._desk.ask(operation, "DELETE", path)
        if not answer.is_success and not _not_there(answer):
            raise other_refusal(answer, call, self._desk.now())

    # ------------------------------------------------------------ parts

    async def _requisition(self, grant: Grant, operation: str) -> dict[str, Any] | None:
        """The requisition; None when the API says that there is none."""
        path = f"/requisitions/{IDS.segment(grant.token.reveal(), operation)}/"
        answer, call = await self._desk.ask(operation, "GET", path)
        if _not_there(answer):
            return None
        if not answer.is_success:
            raise other_refusal(answer, call, self._desk.now())
        found = read_json(answer, call)
        if not isinstance(found, dict) or not isinstance(found.get("status"), str):
            raise unreadable("the answer states no status", call, answer.content)
        return found

    async def _runs_until(self, requisition: dict[str, Any], operation: str) -> datetime | None:
        """The end of the agreement; None where it is not accepted yet or no longer there."""
        agreement_id = requisition.get("agreement")
        if not IDS.fits(agreement_id):
            return None
        answer, call = await self._desk.ask(
            operation, "GET", f"/agreements/enduser/{agreement_id}/"
        )
        if _not_there(answer):
            return None
        if not answer.is_success:
            raise other_refusal(answer, call, self._desk.now())
        return agreement_end(read_json(answer, call))

    async def _metadata(self, account_id: str, operation: str) -> dict[str, Any]:
        """Status and IBAN as the aggregator keeps them: no read at the bank."""
        answer, call = await self._desk.ask(operation, "GET", f"/accounts/{account_id}/")
        if not answer.is_success:
            raise account_refusal(answer, call, self._desk.now())
        found = read_json(answer, call)
        if not isinstance(found, dict):
            raise unreadable("the answer is not an account", call, answer.content)
        return found

    async def _details(self, account_id: str) -> dict[str, Any]:
        answer, call = await self._desk.ask("accounts", "GET", f"/accounts/{account_id}/details/")
        if not answer.is_success:
            error = account_refusal(answer, call, self._desk.now())
            if isinstance(error, Declined) and error.reason == "ACCOUNT_INACTIVE":
                return {"status": "deleted"}
            raise error
        found = read_json(answer, call)
        inner = found.get("account") if isinstance(found, dict) else None
        if not isinstance(inner, dict):
            raise unreadable("the answer holds no account", call, answer.content)
        return {"status": "", **inner}


def _where(operation: str) -> dict[str, str]:
    return {"connector": NAME, "operation": operation}


def _gone(operation: str) -> ConsentGone:
    return ConsentGone(
        "there is no such requisition", why=ConsentEnd.UNKNOWN_AT_BANK, **_where(operation)
    )


def _not_there(answer: httpx.Response) -> bool:
    """The API's own 404. One without its body may be any gateway's."""
    return answer.status_code == 404 and b'"status_code"' in answer.content
