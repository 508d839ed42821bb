"""What the handle of a consent holds, and what Plaid says of an item and of a session of Link.

At first the handle holds a link token: what the borrower has done on Plaid's page can be asked
with it. Once he has connected his bank it is exchanged for an access token, the one secret of the
item, which does not end by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.account import BankAccount
from app.domain.errors import ConsentEnd
from app.domain.ids import Secret
from app.ports import FoundAccount, GrantNow, GrantState
from connectors._amounts import stated_currency
from connectors._handles import day_in, held_in, sealed
from connectors._stated import MOST_ACCOUNTS, british_account, iban_of, instant_of, last_whole_day
from connectors.plaid.balances import why_unusable
from connectors.plaid.refusals import GONE, LOGIN_REQUIRED, refusal_in
from connectors.plaid.settings import Institution

_TOKEN = re.compile(r"[\x21-\x7e]{1,500}")


@dataclass(frozen=True, slots=True)
class Held:
    """The content of a handle: a link token or an access token, and the last day agreed on."""

    access: str = ""
    link: str = ""
    until: date | None = None

    @classmethod
    def of(cls, token: Secret) -> Held:
        """Read a handle: our own JSON, or a bare access token."""
        found = held_in(token)
        if found is None:
            return cls(token.reveal())
        return cls(found.get("access", ""), found.get("link", ""), day_in(found, "until"))

    def sealed(self) -> Secret:
        """The handle to keep."""
        return sealed({"access": self.access, "link": self.link, "until": self.until})


def token_in(document: Any, name: str) -> str | None:
    """A token of Plaid."""
    value = document.get(name) if isinstance(document, dict) else None
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else None


@dataclass(frozen=True, slots=True)
class Linked:
    """What came of Plaid's page: a public token and its bank; or `over` without one."""

    public_token: str = ""
    institution_id: str = ""
    over: bool = False


def linked(document: dict[str, Any]) -> Linked:
    """What the sessions of a link token say. Nothing yet is neither a token nor over."""
    sessions = document.get("link_sessions")
    listed = sessions[:MOST_ACCOUNTS] if isinstance(sessions, list) else []
    over = False
    for session in (one for one in listed if isinstance(one, dict)):
        results = session.get("results")
        added = results.get("item_add_results") if isinstance(results, dict) else None
        for one in added if isinstance(added, list) else []:
            token = token_in(one, "public_token")
            if token is not None:
                bank = one.get("institution")
                found = bank.get("institution_id") if isinstance(bank, dict) else None
                return Linked(token, found if isinstance(found, str) else "")
        over = over or isinstance(session.get("finished_at"), str)
    return Linked(over=over)


def item_now(document: dict[str, Any], bank: Institution, held: Held, now: datetime) -> GrantNow:
    """The consent's state from `/item/get`.

    One code stands for a consent that has run out, that was taken back, and for a changed login.
    With a day named for its end it was taken back before that day; without one it ran out.
    """
    item = document.get("item")
    item = item if isinstance(item, dict) else {}
    ends = instant_of(item.get("consent_expiration_time"), UTC)
    day = last_whole_day(ends, ZoneInfo(bank.time_zone), held.until)
    code = refusal_in(item.get("error")).code
    if ends is not None and ends <= now:
        return GrantNow(GrantState.ENDED, day, ConsentEnd.EXPIRED, code or "EXPIRED")
    if code in GONE:
        return GrantNow(GrantState.ENDED, day, GONE[code], code)
    if code in LOGIN_REQUIRED and code != "PENDING_EXPIRATION":
        end = ConsentEnd.EXPIRED if ends is None else ConsentEnd.REVOKED_AT_BANK
        return GrantNow(GrantState.ENDED, day, end, code)
    return GrantNow(GrantState.ACTIVE, day, raw_status=code or "HEALTHY")


def found_accounts(document: dict[str, Any]) -> tuple[FoundAccount, ...]:
    """The accounts of `/auth/get`, each with its number.

    One without a number cannot be recognised after a renewal, and is not used.
    """
    numbers = document.get("numbers")
    known = _known(numbers if isinstance(numbers, dict) else {})
    listed = document.get("accounts")
    kept = listed[:MOST_ACCOUNTS] if isinstance(listed, list) else []
    return tuple(_found(one, known) for one in kept if isinstance(one, dict))


def _known(numbers: dict[str, Any]) -> dict[str, BankAccount | None]:
    """What each account is known by: its IBAN, else its sort code and number (`bacs`).

    None where a number is given and cannot be read.
    """
    known: dict[str, BankAccount | None] = {
        one["account_id"]: british_account(one.get("sort_code"), one.get("account"))
        for one in _numbers(numbers, "bacs")
    }
    for one in _numbers(numbers, "international"):
        key = one["account_id"]
        known[key] = iban_of(one.get("iban")) or known.get(key)
    return known


def _numbers(numbers: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    listed = numbers.get(kind)
    return [
        one
        for one in (listed[:MOST_ACCOUNTS] if isinstance(listed, list) else [])
        if isinstance(one, dict) and isinstance(one.get("account_id"), str)
    ]


def _found(item: dict[str, Any], known: dict[str, BankAccount | None]) -> FoundAccount:
    ref, name, balances = item.get("account_id"), item.get("name"), item.get("balances")
    currency = balances.get("iso_currency_code") if isinstance(balances, dict) else None
    why = why_unusable({"type": None, **item})
    if token_in(item, "account_id") is None:
        ref, why = "", "Plaid gives no way to read it"
    elif ref not in known:
        why = why or "its number is not given"
    return FoundAccount(
        ref=Secret(str(ref)),
        number=known.get(str(ref)),
        currency=stated_currency(currency),
        name=name[:70] if isinstance(name, str) else "",
        usable=not why,
        why_unusable=why,
    )
