"""What the handle of a connection holds, and what can be said from it.

TrueLayer has no address that tells a connection's state; what tells is whether its refresh token
can still be exchanged. Each exchange gives the next refresh token, and the one before is spent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from app.domain.account import BankAccount
from app.domain.errors import ConsentEnd
from app.domain.ids import Secret
from app.ports import FoundAccount, GrantNow, GrantState
from connectors._handles import day_in, held_in, sealed
from connectors._ids import Ids
from connectors._stated import (
    MOST_ACCOUNTS,
    account_currency,
    british_account,
    iban_of,
    last_whole_day,
)
from connectors._tokens import is_token
from connectors.truelayer.balances import why_unusable
from connectors.truelayer.settings import NAME, BankRoute

IDS = Ids(NAME, re.compile(r"[A-Za-z0-9_-]{1,128}"))
# A token is exchanged this long before it ends, so that none ends on its way.
_MARGIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Pair:
    """What the vendor gives for a code or for a refresh token."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    until: datetime
    """When `access` ends, in business time."""


@dataclass(frozen=True, slots=True)
class Held:
    """The content of a handle. Without `pair` the borrower is still at his bank."""

    redirect: str = ""
    asked_until: date | None = None
    opened_at: datetime | None = None
    pair: Pair | None = None

    @classmethod
    def of(cls, token: Secret) -> Held:
        """Read a handle: our own JSON, or a bare refresh token of which nothing else is known."""
        found, text = held_in(token), token.reveal()
        if found is not None:
            return cls(
                redirect=str(found.get("redirect", "")),
                asked_until=day_in(found, "asked_until"),
                opened_at=_moment(found.get("opened_at")),
                pair=_pair(found),
            )
        long_ago = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
        return cls(pair=Pair("", text, long_ago)) if is_token(text) else cls()

    def sealed(self) -> Secret:
        """The handle to keep."""
        kept: dict[str, Any] = {"redirect": self.redirect}
        if self.asked_until is not None:
            kept["asked_until"] = self.asked_until
        if self.opened_at is not None:
            kept["opened_at"] = self.opened_at
        if self.pair is not None:
            kept["access"], kept["refresh"] = self.pair.access, self.pair.refresh
            kept["until"] = self.pair.until
        return sealed(kept)

    def opened(self, pair: Pair, now: datetime) -> Held:
        """The same connection, now that its code was exchanged."""
        return replace(self, opened_at=now, pair=pair)

    def with_pair(self, pair: Pair) -> Held:
        """The same connection with its next tokens."""
        return replace(self, pair=pair)

    def due(self, now: datetime) -> bool:
        """Whether the access token has to be exchanged before it can be used."""
        return self.pair is not None and now >= self.pair.until - _MARGIN

    def now(self, route: BankRoute, now: datetime) -> GrantNow:
        """The state as far as the handle tells: up to the asked day, or the vendor's last one."""
        if self.pair is None:
            return GrantNow(GrantState.PENDING, raw_status="authorization_required")
        last = None
        if self.opened_at is not None:
            end = self.opened_at + route.lasts
            last = last_whole_day(end, route.zone)
            if end <= now:
                return GrantNow(GrantState.ENDED, last, ConsentEnd.EXPIRED, "inactive")
        days = [day for day in (last, self.asked_until) if day is not None]
        return GrantNow(GrantState.ACTIVE, min(days, default=None), raw_status="active")

    def end(self, route: BankRoute, now: datetime) -> ConsentEnd:
        """How it ended, if the vendor says that it has: it has one word for all ends."""
        if self.opened_at is None:
            return ConsentEnd.UNKNOWN_AT_BANK
        over = now >= self.opened_at + route.lasts
        return ConsentEnd.EXPIRED if over else ConsentEnd.REVOKED_AT_BANK


def _pair(found: dict[str, Any]) -> Pair | None:
    access, refresh, until = found.get("access"), found.get("refresh"), _moment(found.get("until"))
    if not is_token(access) or not is_token(refresh) or until is None:
        return None
    return Pair(access, refresh, until)


def _moment(text: Any) -> datetime | None:
    """An instant that we wrote ourselves."""
    try:
        found = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None
    return found if found.tzinfo else None


# ---------------------------------------------------------------- accounts


def found_accounts(listed: list[Any]) -> tuple[FoundAccount, ...]:
    """The accounts of an answer. Cards are listed elsewhere and never asked for."""
    return tuple(_found(item) for item in listed[:MOST_ACCOUNTS] if isinstance(item, dict))


def _found(item: dict[str, Any]) -> FoundAccount:
    ref, name = item.get("account_id"), item.get("display_name")
    why = why_unusable({"account_type": None, **item})
    if not IDS.fits(ref):
        ref, why = "", "it has no id to ask for"
    return FoundAccount(
        ref=Secret(ref),
        number=_number(item.get("account_number")),
        currency=account_currency(item) or "",
        name=name[:70] if isinstance(name, str) else "",
        usable=not why,
        why_unusable=why,
    )


def _number(stated: Any) -> BankAccount | None:
    """The IBAN; where there is none, as at many British accounts, sort code and number."""
    if not isinstance(stated, dict):
        return None
    return iban_of(stated.get("iban")) or british_account(
        stated.get("sort_code"), stated.get("number")
    )
