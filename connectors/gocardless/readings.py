"""What the API's documents say of a consent: its days, its state, its accounts. Pure functions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from app.domain.errors import ConsentEnd
from app.ports import ConsentAsk, FoundAccount, GrantNow, GrantState
from connectors._words import alarm
from connectors.berlin_group.balances import found_accounts
from connectors.gocardless.desk import IDS
from connectors.gocardless.settings import LONGEST_DAYS_GB, NAME, Institution

log = structlog.get_logger(NAME)

# Each account costs two of the API's 100 account calls a minute.
_MOST_ACCOUNTS = 40
LINKED = "LN"
_PENDING = frozenset({"CR", "GC", "UA", "SA", "GA"})
_ENDED = {"RJ": ConsentEnd.REJECTED, "EX": ConsentEnd.EXPIRED}


def days_asked(ask: ConsentAsk, bank: Institution, now: datetime) -> int:
    """Days of access, counted from the borrower's yes: up to the asked day and the bank's most."""
    today = now.astimezone(ZoneInfo(bank.time_zone)).date()
    return max(1, min((ask.valid_until - today).days, bank.longest_days))


def agreement_end(agreement: Any) -> datetime | None:
    """When an accepted agreement is over, in UTC.

    One that the borrower has to reconfirm is counted for the days before that: what follows
    depends on him.
    """
    if not isinstance(agreement, dict):
        return None
    days, accepted = agreement.get("access_valid_for_days"), agreement.get("accepted")
    if isinstance(days, bool) or not isinstance(days, int) or not isinstance(accepted, str):
        return None
    if agreement.get("reconfirmation") is True:
        days = min(days, LONGEST_DAYS_GB)
    try:
        begun = datetime.fromisoformat(accepted)
        begun = begun if begun.tzinfo else begun.replace(tzinfo=UTC)
        return (begun + timedelta(days=days)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def last_day(end: datetime | None, bank: Institution) -> date | None:
    return None if end is None else end.astimezone(ZoneInfo(bank.time_zone)).date()


def state_of(requisition: dict[str, Any], bank: Institution, until: date | None) -> GrantNow:
    """The requisition's word. One we do not know leaves the consent pending, with an alarm."""
    word = requisition.get("status")
    raw = word[:40] if isinstance(word, str) else ""
    if raw == LINKED:
        return GrantNow(GrantState.ACTIVE, until, raw_status=raw)
    if raw in _ENDED:
        return GrantNow(GrantState.ENDED, until, _ENDED[raw], raw)
    if raw not in _PENDING:
        alarm(log, "requisition", word, bank=bank.id)
    return GrantNow(GrantState.PENDING, until, raw_status=raw)


def account_ids(requisition: dict[str, Any]) -> list[str]:
    listed = requisition.get("accounts")
    ids = filter(IDS.fits, listed) if isinstance(listed, list) else ()
    return list(islice(ids, _MOST_ACCOUNTS))


def listed(
    account_id: str, known: dict[str, Any], own_types: Collection[str] = (), *, why: str = ""
) -> FoundAccount:
    """The account under the aggregator's own id, which may change on renewal; the IBAN stays.

    `own_types`: the bank's own words for accounts that can be paid from.
    """
    if why:
        known = {**known, "status": "blocked"}
    (found,) = found_accounts({"accounts": [{**known, "resourceId": account_id}]}, own_types)
    if why:
        return replace(found, usable=False, why_unusable=why)
    return found
