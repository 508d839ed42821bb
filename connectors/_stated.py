"""Reading what providers state about accounts: instants, days, IBANs, addresses.

Decoded JSON comes in and nothing is raised: what cannot be read is None, or a balance entry that
says why.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from urllib.parse import urlsplit

from app.domain.account import UkAccount
from app.domain.balance import SEVERAL, BalanceEntry, Unusable
from app.domain.errors import Invalid
from app.domain.ids import Iban
from connectors._amounts import stated_currency
from connectors._http import is_loopback_host

# An answer may hold many accounts; this many is a broken file and not a borrower.
MOST_ACCOUNTS = 1000


def broken(kind: str, problem: str) -> BalanceEntry:
    """A balance that keeps its place and says why it cannot be read."""
    return BalanceEntry(kind[:35], None, problem=problem)


def unreadable_answer(problem: str) -> tuple[BalanceEntry]:
    """Stands for all balances where the answer has none in the documented form."""
    return (BalanceEntry("", None, problem=problem, unusable=Unusable.UNREADABLE_ANSWER),)


def account_currency(account: dict[str, Any]) -> str | None:
    """The account's own currency; None where it is not stated or has several ("XXX")."""
    currency = stated_currency(account.get("currency"))
    return currency if currency not in ("", SEVERAL) else None


def said(value: Any) -> bool | None:
    """True or false where a bank says so in either spelling; anything else is not said.

    A 1 is a yes, as databases write it. A 0 may be a gap as well.
    """
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else (True if value == 1 else None)


def stated_at(changed: Any, of_day: Any, zone: tzinfo) -> datetime | None:
    """The instant a balance is stated for, in UTC, from its last change and its day.

    A bare date stands for the start of that day at the bank: the balance may be younger than
    that, never older. Where both are given the later one counts, because an account without
    movements keeps its last change while the figure is of today.
    """
    moment, day = instant_of(changed, zone), _day(of_day, zone)
    if moment is None or day is None:
        return moment or day
    return max(moment, day)


def instant_of(text: Any, zone: tzinfo) -> datetime | None:
    """An ISO 8601 instant in UTC; one without an offset is of the bank's zone."""
    if not isinstance(text, str) or len(text) < 11:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _day(text: Any, zone: tzinfo) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        return datetime.combine(date.fromisoformat(text[:10]), time(0), zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def last_whole_day(ends: datetime | None, zone: tzinfo, agreed: date | None = None) -> date | None:
    """The last whole day at the bank before something ends, by its end and by what was agreed on.

    None for no end; the year 1 is how some write that.
    """
    days = [] if agreed is None else [agreed]
    if ends is not None and ends.year > 1:
        days.append((ends.astimezone(zone) - timedelta(seconds=1)).date())
    return min(days, default=None)


def iban_of(text: Any) -> Iban | None:
    """An IBAN whose check digits are right, else None."""
    try:
        return Iban.parse(text)
    except Invalid:
        return None


def british_account(sort_code: Any, number: Any) -> UkAccount | None:
    """A British account, else None: of a shorter number nobody tells what was left out."""
    try:
        return UkAccount.parse(sort_code, number)
    except Invalid:
        return None


def british_text(both: Any) -> UkAccount | None:
    """A British account whose sort code and number stand in one text, else None."""
    try:
        return UkAccount.read(both, field="account") if isinstance(both, str) else None
    except Invalid:
        return None


def page_address(url: str) -> str | None:
    """An absolute address a browser may be sent to: https, or http to this machine's sandbox."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - a port that is no number shows only when asked for
    except ValueError:
        return None
    host = parts.hostname or ""
    if not host or "@" in parts.netloc:
        return None
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback_host(host)):
        return url
    return None
