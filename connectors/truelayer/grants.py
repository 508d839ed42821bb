"""What the handle of a connection holds, and what can be said from it.

TrueLayer has no address that tells a connection's state; what tells is whether its refresh token
can still be exchanged. Each exchange gives the next refresh token, and the one before is spent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import orjson

from app.domain.errors import ConsentEnd, Declined
from app.domain.ids import Secret
from app.ports import FoundAccount, GrantNow, GrantState
from connectors._exchange import mask_text, try_json
from connectors._stated import MOST_ACCOUNTS, account_currency, iban_of
from connectors.truelayer.settings import NAME, BankRoute

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,8000}")
# A token is exchanged this long before it ends, so that none ends on its way.
_MARGIN = timedelta(minutes=5)
_KINDS = frozenset({"TRANSACTION", "SAVINGS", "BUSINESS_TRANSACTION", "BUSINESS_SAVINGS"})


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
        text = token.reveal()
        found = try_json(text.encode("utf-8", "surrogatepass"))
        if isinstance(found, dict):
            return cls(
                redirect=str(found.get("redirect", "")),
                asked_until=_day(found.get("asked_until")),
                opened_at=_moment(found.get("opened_at")),
                pair=_pair(found),
            )
        long_ago = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
        return cls(pair=Pair("", text, long_ago)) if _TOKEN.fullmatch(text) else cls()

    def sealed(self) -> Secret:
        """The handle to keep."""
        kept: dict[str, Any] = {"redirect": self.redirect}
        if self.asked_until is not None:
            kept["asked_until"] = self.asked_until.isoformat()
        if self.opened_at is not None:
            kept["opened_at"] = self.opened_at.isoformat()
        if self.pair is not None:
            kept["access"], kept["refresh"] = self.pair.access, self.pair.refresh
            kept["until"] = self.pair.until.isoformat()
        return Secret(orjson.dumps(kept).decode("utf-8"))

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
            last = (end.astimezone(route.zone) - timedelta(seconds=1)).date()
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


def is_token(value: Any) -> bool:
    """Whether a token can travel in a header and a form."""
    return isinstance(value, str) and bool(_TOKEN.fullmatch(value))


def _pair(found: dict[str, Any]) -> Pair | None:
    access, refresh, until = found.get("access"), found.get("refresh"), _moment(found.get("until"))
    if not is_token(access) or not is_token(refresh) or until is None:
        return None
    return Pair(str(access), str(refresh), until)


def _moment(text: Any) -> datetime | None:
    """An instant that we wrote ourselves."""
    try:
        found = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None
    return found if found.tzinfo else None


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text)
    except (ValueError, TypeError):
        return None


# ---------------------------------------------------------------- accounts


def found_accounts(listed: list[Any]) -> tuple[FoundAccount, ...]:
    """The accounts of an answer. Cards are listed elsewhere and never asked for."""
    return tuple(_found(item) for item in listed[:MOST_ACCOUNTS] if isinstance(item, dict))


def _found(item: dict[str, Any]) -> FoundAccount:
    ref, number, kind = item.get("account_id"), item.get("account_number"), item.get("account_type")
    name = item.get("display_name")
    why = ""
    if not isinstance(kind, str) or kind not in _KINDS:
        shown = mask_text(kind[:40]) if isinstance(kind, str) else "none"
        why = f"its type is not known ({shown})"
    if not isinstance(ref, str) or not _ID.fullmatch(ref):
        ref, why = "", "it has no id to ask for"
    return FoundAccount(
        ref=Secret(ref),
        iban=iban_of(number.get("iban")) if isinstance(number, dict) else None,
        currency=account_currency(item) or "",
        name=name[:70] if isinstance(name, str) else "",
        usable=not why,
        why_unusable=why,
    )


def segment(value: str, operation: str) -> str:
    """An id as one segment of a path. Declined for what is none."""
    if not _ID.fullmatch(value):
        raise Declined(
            "the id cannot be asked for", reason="NO_SUCH_ID", connector=NAME, operation=operation
        )
    return value
