"""Transactions as the banks list them: what came and left, over pages, counted like balances."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from sandbox.banks import Bank
from sandbox.faces.bg_errors import Refusal
from sandbox.faces.bg_reads import Reads, account_under, modes_of
from sandbox.faces.wire import euros
from sandbox.money_life import moved
from sandbox.town import Account
from sandbox.world import World

# What is shown without authenticating anew (RTS art. 10a), and how much of it on one page.
_LONGEST_DAYS = 90
_PAGE = 100


class Moved:
    """The lists of all banks over one world."""

    def __init__(self, world: World, reads: Reads) -> None:
        self._world, self._reads = world, reads

    def transactions(
        self,
        bank: Bank,
        resource_id: str,
        consent_id: str | None,
        uri: str,
        asked: Mapping[str, str],
        *,
        attended: bool,
    ) -> tuple[dict[str, Any], dict[str, float]]:
        """One page of an account's transactions and the person's faults. Raises `Refusal`."""
        world = self._world
        now = world.now()
        consent, account = account_under(world, bank, resource_id, consent_id, now, "transactions")
        modes = modes_of(world, account.person_id)
        since = _since(asked, now.astimezone(bank.zone).date())
        page = int(asked.get("pageIndex") or 0)
        self._reads.count(
            bank, consent, account.iban, "transactions", uri, modes, attended=attended, now=now
        )
        world.consents.acted(consent, now)
        return self._page(account, uri, asked, since, page, now), modes

    def _page(
        self,
        account: Account,
        uri: str,
        asked: Mapping[str, str],
        since: date,
        page: int,
        now: datetime,
    ) -> dict[str, Any]:
        """The latest first, as banks list them; what is on its way is pending on the first page."""
        zone, currency = account.bank.zone, account.plan.currency
        midnight = datetime.combine(since, time(0), zone) - timedelta(microseconds=1)
        listed = [
            moved_on_wire(minor, currency, at.astimezone(zone).date())
            for at, minor in reversed(moved(account.life, midnight, now))
        ]
        links = {"account": {"href": uri.rsplit("/", 1)[0]}}
        if len(listed) > (page + 1) * _PAGE:
            following = urlencode({**asked, "pageIndex": page + 1})
            links["next"] = {"href": f"{uri}?{following}"}
        report: dict[str, Any] = {"_links": links}
        if asked.get("bookingStatus") in ("booked", "both"):
            report["booked"] = listed[page * _PAGE : (page + 1) * _PAGE]
        if asked.get("bookingStatus") in ("pending", "both"):
            report["pending"] = []
        return {"account": {"iban": account.iban}, "transactions": report}


def _since(asked: Mapping[str, str], today: date) -> date:
    """The first day asked for. Raises `Refusal` for a wish that is none, or too long."""
    if asked.get("bookingStatus") not in ("booked", "pending", "both"):
        raise Refusal(400, "FORMAT_ERROR", "bookingStatus: booked, pending or both")
    try:
        since = date.fromisoformat(asked.get("dateFrom", ""))
    except ValueError:
        raise Refusal(400, "FORMAT_ERROR", "dateFrom: a day as YYYY-MM-DD") from None
    if since <= today - timedelta(days=_LONGEST_DAYS):  # today is one of them
        raise Refusal(400, "PERIOD_INVALID", f"not more than {_LONGEST_DAYS} days")
    return since


def moved_on_wire(minor: int, currency: str, on: date) -> dict[str, Any]:
    """One transaction; who the other party is, is nobody's business here."""
    return {
        "transactionAmount": {"currency": currency, "amount": euros(minor)},
        "bookingDate": on.isoformat(),
        "valueDate": on.isoformat(),
    }
