"""What the handle of a consent holds, and what Tink's words for a bank connection mean.

Each consent has a user of its own at Tink, so that whatever that user has connected belongs to
this one consent. Tink cannot be told a last day: it travels in the handle.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from app.domain.account import BankAccount
from app.domain.errors import ConsentEnd
from app.domain.ids import Secret
from app.ports import FoundAccount, GrantNow, GrantState
from connectors._handles import day_in, held_in, sealed
from connectors._ids import Ids
from connectors._stated import MOST_ACCOUNTS, british_account, iban_of, last_whole_day
from connectors._words import alarm
from connectors.tink.balances import answer_of, why_unusable
from connectors.tink.settings import NAME, Provider

log = structlog.get_logger(NAME)

IDS = Ids(NAME, re.compile(r"[A-Za-z0-9_-]{1,64}"))
# Tink's words (ProviderConsent.status) while the borrower is on his way through the pages of his
# bank, or Tink fetches for the first time.
_ON_THE_WAY = re.compile(
    r"CREATED|AUTHENTICATING|UPDATING|AWAITING_[A-Z_]+|TEMPORARY_ERROR|AUTHENTICATION_ERROR"
)


@dataclass(frozen=True, slots=True)
class Held:
    """The content of a handle: Tink's id of the user, and the last day that was agreed on."""

    user: str
    until: date | None = None

    @classmethod
    def of(cls, token: Secret) -> Held:
        """Read a handle: our own JSON, or the bare id of a user."""
        found = held_in(token)
        if found is None:
            return cls(token.reveal())
        return cls(found.get("user", ""), day_in(found, "until"))

    def sealed(self) -> Secret:
        """The handle to keep."""
        return sealed({"user": self.user, "until": self.until})


@dataclass(frozen=True, slots=True)
class Standing:
    """How the connection at one bank stands. `covered`: its accounts; None: Tink does not say."""

    now: GrantNow
    covered: frozenset[str] | None = None


def standing_of(listed: list[Any], bank: Provider, held: Held, now: datetime) -> Standing:
    """The best of a user's connections at this bank; none leaves the consent pending.

    A connection at another bank, which the borrower may have chosen at Tink, is not ours.
    """
    ours = [
        _standing(one, bank, held, now)
        for one in listed[:MOST_ACCOUNTS]
        if isinstance(one, dict) and one.get("providerName") == bank.provider_name
    ]
    order = (GrantState.ACTIVE, GrantState.PENDING, GrantState.ENDED)
    if not ours:
        return Standing(GrantNow(GrantState.PENDING, held.until))
    return min(ours, key=lambda one: order.index(one.now.state))


def _standing(consent: dict[str, Any], bank: Provider, held: Held, now: datetime) -> Standing:
    word = consent.get("status")
    raw = word[:40] if isinstance(word, str) else ""
    stated = consent.get("accountIds")
    covered = (
        frozenset(filter(IDS.fits, stated[:MOST_ACCOUNTS])) if isinstance(stated, list) else None
    )
    ends = _instant(consent.get("sessionExpiryDate"))
    day = last_whole_day(ends, ZoneInfo(bank.time_zone), held.until)
    end = _end(raw, bool(covered), over=ends is not None and ends <= now, dated=ends is not None)
    if end is not None:
        return Standing(GrantNow(GrantState.ENDED, day, end, raw), covered)
    if raw == "UPDATED" or (covered and raw in ("UPDATING", "TEMPORARY_ERROR")):
        return Standing(GrantNow(GrantState.ACTIVE, day, raw_status=raw), covered)
    if not _ON_THE_WAY.fullmatch(raw):
        alarm(log, "provider consent", word, bank=bank.id)
    return Standing(GrantNow(GrantState.PENDING, day, raw_status=raw), covered)


def _end(raw: str, connected: bool, *, over: bool, dated: bool) -> ConsentEnd | None:
    """How the connection ended, None while it has not.

    A session that ends before the day Tink named for it was taken back. Where the bank refuses
    the borrower before anything was connected he may try again on the same page.
    """
    if over or (raw == "SESSION_EXPIRED" and not dated):
        return ConsentEnd.EXPIRED
    match raw:
        case "SESSION_EXPIRED":
            return ConsentEnd.REVOKED_AT_BANK
        case "AUTHENTICATION_ERROR" if connected:
            return ConsentEnd.REVOKED_AT_BANK
        case "PERMANENT_ERROR":
            return ConsentEnd.UNKNOWN_AT_BANK if connected else ConsentEnd.REJECTED
        case "DELETED":
            return ConsentEnd.CLOSED_BY_US
    return None


def _instant(epoch_ms: Any) -> datetime | None:
    if isinstance(epoch_ms, bool) or not isinstance(epoch_ms, int):
        return None
    try:
        return datetime.fromtimestamp(epoch_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def found_account(item: dict[str, Any], covered: frozenset[str] | None) -> FoundAccount:
    """One account of Tink's list. Its id is new with every consent; its number stays."""
    ref, name = item.get("id"), item.get("name")
    why = why_unusable({"type": None, **item})
    if not IDS.fits(ref):
        ref, why = "", "Tink gives no way to read it"
    elif covered is not None and ref not in covered:
        why = why or "the consent no longer covers it"
    amounts = {one.amount.currency for one in answer_of(item).entries if one.amount is not None}
    return FoundAccount(
        ref=Secret(str(ref)),
        number=_number(item.get("identifiers")),
        currency=amounts.pop() if len(amounts) == 1 else "",
        name=name[:70] if isinstance(name, str) else "",
        usable=not why,
        why_unusable=why,
    )


def _number(stated: Any) -> BankAccount | None:
    """The IBAN; where there is none, as at many British accounts, sort code and number."""
    if not isinstance(stated, dict):
        return None
    iban, british = stated.get("iban"), stated.get("sortCode")
    found = iban_of(iban.get("iban")) if isinstance(iban, dict) else None
    if found is None and isinstance(british, dict):
        return british_account(british.get("code"), british.get("accountNumber"))
    return found
