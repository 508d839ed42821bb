"""Transactions as Tink has fetched them, reduced to day and signed amount before they go on."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from app.domain.errors import ConsentGone, Declined, TryLater, Unreadable
from app.domain.ids import Secret
from app.domain.money import Money
from app.ports import Grant
from app.side_ports import Moved
from connectors._moved import TransactionsPage, day_of, moves_in, over_pages, page_in
from connectors._tokens import token_in
from connectors.tink.aggregation import Aggregation
from connectors.tink.balances import money_of
from connectors.tink.grants import IDS, Held
from connectors.tink.refusals import other_refusal
from connectors.tink.settings import NAME
from connectors.tink.tokens import LOOK_SCOPE

_PAGE_SIZE = 100
# Tink's word for a connection of which everything has been fetched.
_FETCHED = "UPDATED"
# Booked, expected, or one of the two: Tink cannot always say which.
_MOVES = ("BOOKED", "PENDING", "UNDEFINED")
# Tink counts from midnight in UTC, which is later than midnight at a bank in the east of it.
_ZONES = timedelta(days=1)


class LookingAggregation(Aggregation):
    """The same for a contract with transactions: `CopiedTransactionsPort` as well."""

    async def copied_transactions(
        self, grant: Grant, account_ref: Secret, since: date
    ) -> tuple[Moved, ...]:
        """An account's from a day on, as Tink fetched them when the bank was connected.

        No bank is asked. The token for it allows nothing else, and no other token allows it.
        """
        operation = "transactions"
        account_id = IDS.segment(account_ref.reveal(), operation)
        await self._check_fetched(grant, account_id)
        user = IDS.segment(Held.of(grant.token).user, operation)
        asked = {
            "accountIdIn": account_id,
            "bookedDateGte": (since - _ZONES).isoformat(),
            "pageSize": _PAGE_SIZE,
        }

        async def page_at(token: str) -> TransactionsPage:
            query = urlencode({**asked, **({"pageToken": token} if token else {})})
            answer, call = await self._desk.ask(
                user, operation, "GET", f"/data/v2/transactions?{query}", scope=LOOK_SCOPE
            )
            if not answer.is_success:
                raise other_refusal(answer, call, self._desk.now())
            return page_in(answer, call, lambda found: transactions_page(found, account_id))

        moved = await over_pages(page_at, NAME)
        return tuple(one for one in moved if one.on >= since)

    async def _check_fetched(self, grant: Grant, account_id: str) -> None:
        """Half a history would make bills of what is none."""
        where = {"connector": NAME, "operation": "transactions"}
        standing = await self._standing(grant, "transactions")
        if standing.now.end is not None:
            raise ConsentGone(standing.now.raw_status, why=standing.now.end, **where)
        if standing.now.raw_status != _FETCHED:
            raise TryLater("Tink has not fetched everything yet", after=None, **where)
        if standing.covered is not None and account_id not in standing.covered:
            raise Declined("the consent does not cover it", reason="ACCOUNT_NOT_COVERED", **where)


def transactions_page(document: Any, account_id: str) -> TransactionsPage:
    """A page of `/data/v2/transactions`, of one account. Raises Unreadable for anything else."""
    if not isinstance(document, dict):
        raise Unreadable("the answer is not an object")
    moved = moves_in(document.get("transactions"), lambda item: _moved(item, account_id))
    return TransactionsPage(moved, token_in(document, "nextPageToken") or "")


def _moved(item: dict[str, Any], account_id: str) -> Moved | None:
    """One transaction of the account; below zero is money that left."""
    dates, amount = item.get("dates"), money_of(item)
    if item.get("accountId") != account_id or item.get("status") not in _MOVES:
        return None
    if not isinstance(dates, dict) or not isinstance(amount, Money):
        return None
    on = day_of(dates.get("booked")) or day_of(dates.get("value"))
    return None if on is None else Moved(on, amount)
