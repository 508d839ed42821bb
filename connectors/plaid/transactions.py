"""Transactions as Plaid has fetched them, reduced to day and signed amount before they go on.

By `/transactions/sync` and not by `/transactions/get`, for two reasons. It says whether the whole
history is there (`transactions_update_status`), while the other one gives what there is so far. And
a history that changes between two of its pages is an error there, after which one begins anew; by
offsets a transaction that moves to another page is lost, or counted twice.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import httpx

from app.domain.errors import Declined, ProviderError, TryLater, Unreadable
from app.domain.ids import Secret
from app.domain.money import Money
from app.ports import Grant
from app.side_ports import Moved
from connectors._amounts import amount_of
from connectors._exchange import Call, read_json, unreadable
from connectors._moved import MOST_PAGES, day_of
from connectors.plaid.aggregation import Aggregation
from connectors.plaid.refusals import account_refusal, read_refusal
from connectors.plaid.settings import NAME

_COUNT = 500
_COMPLETE = "HISTORICAL_UPDATE_COMPLETE"
_CHANGED = "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION"
_TRIES = 3
# The bank has no transactions for Plaid, or the borrower was not asked for them there.
_NONE_HERE = (
    "PRODUCTS_NOT_SUPPORTED",
    "PRODUCT_NOT_ENABLED",
    "INVALID_PRODUCT",
    "ADDITIONAL_CONSENT_REQUIRED",
)


class LookingAggregation(Aggregation):
    """The same where Transactions may be added to items: `CopiedTransactionsPort` as well."""

    async def copied_transactions(
        self, grant: Grant, account_ref: Secret, since: date
    ) -> tuple[Moved, ...]:
        """An account's from a day on, as Plaid fetched them since the bank was connected.

        No bank is asked.
        """
        operation = "transactions"
        self._bank(grant.bank_id, operation)
        access, account_id = self._access(grant, operation), account_ref.reveal()
        for _ in range(_TRIES):
            told = await self._told(access, account_id)
            if told is not None:
                return tuple(one for one in told.moved() if one.on >= since)
        where = {"connector": NAME, "operation": operation}
        raise TryLater("the transactions change while they are read", after=None, **where)

    async def _told(self, access: str, account_id: str) -> Told | None:
        """The whole history; None where it changed while it was read."""
        told, cursor = Told(account_id), ""
        for _ in range(MOST_PAGES):
            answer, call = await self._ask("transactions", "/transactions/sync", {
                "access_token": access,
                "count": _COUNT,
                "options": {"account_id": account_id},
                **({"cursor": cursor} if cursor else {}),
            })  # fmt: skip
            if not answer.is_success:
                if read_refusal(answer.content).code == _CHANGED:
                    return None
                raise self._no_look(answer, call)
            try:
                cursor = told.take(read_json(answer, call))
            except Unreadable as error:
                raise unreadable(error.detail, call, answer.content) from None
            if told.status != _COMPLETE:
                raise TryLater("Plaid has not fetched everything yet", after=None, **call.where)
            if not cursor:
                return told
        where = {"connector": NAME, "operation": "transactions"}
        raise Unreadable("the list of transactions has no end", **where)

    def _no_look(self, answer: httpx.Response, call: Call) -> ProviderError:
        code = read_refusal(answer.content).code
        if code in _NONE_HERE:
            return Declined("Plaid has no transactions of it", reason=code, **call.where)
        return account_refusal(answer, call, self._now())


class Told:
    """What the pages of one account say together: a later page may take an earlier one back."""

    def __init__(self, account_id: str) -> None:
        self._account_id = account_id
        self._by_id: dict[str, Moved | None] = {}
        self.status = ""

    def moved(self) -> tuple[Moved, ...]:
        """Those whose day and amount can be told."""
        return tuple(one for one in self._by_id.values() if one is not None)

    def take(self, document: Any) -> str:
        """Take in a page, and give the cursor of the next; empty after the last.

        Raises Unreadable for what is no page.
        """
        if not isinstance(document, dict):
            raise Unreadable("the answer is not an object")
        status = document.get("transactions_update_status")
        if not isinstance(status, str):
            raise Unreadable("the answer does not say how far the history has come")
        self.status = status
        for item in (*_listed(document, "added"), *_listed(document, "modified")):
            # One that is booked takes the place of what was announced.
            self._by_id.pop(_id_in(item, "pending_transaction_id"), None)
            if item.get("account_id") == self._account_id:
                self._by_id[_id_in(item, "transaction_id")] = _moved(item)
        for item in _listed(document, "removed"):
            self._by_id.pop(_id_in(item, "transaction_id"), None)
        cursor = document.get("next_cursor")
        if document.get("has_more") is not True:
            return ""
        if not isinstance(cursor, str) or not cursor:
            raise Unreadable("the answer has more, and no way to it")
        return cursor


def _listed(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    listed = document.get(name)
    if not isinstance(listed, list):
        raise Unreadable("the document holds no list of transactions")
    return [item for item in listed if isinstance(item, dict)]


def _id_in(item: dict[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""


def _moved(item: dict[str, Any]) -> Moved | None:
    """One transaction. At Plaid money that left is above zero."""
    on = day_of(item.get("date"))
    amount = amount_of(item.get("amount"), item.get("iso_currency_code"))
    if on is None or not isinstance(amount, Money):
        return None
    return Moved(on, Money(-amount.minor, amount.currency))
