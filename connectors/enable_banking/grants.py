"""What the handle of a consent holds, and what the vendor's words for a session mean.

Before the borrower is back there is an authorisation and no session; nothing can be asked about
it. Afterwards the handle holds the session's id and the accounts as they were stated once, in the
answer that opened it: asking for them again would spend reads at the bank.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import structlog

from app.domain.errors import ConsentEnd, Unreadable
from app.domain.ids import Secret
from app.domain.money import Money
from app.ports import FoundAccount, GrantNow, GrantState
from connectors._amounts import money_of
from connectors._credit import Limit
from connectors._handles import held_in, sealed
from connectors._ids import Ids
from connectors._stated import (
    MOST_ACCOUNTS,
    account_currency,
    iban_of,
    instant_of,
    last_whole_day,
)
from connectors._told_apart import told_apart
from connectors._words import alarm
from connectors.enable_banking.balances import CARD_NUMBER, is_card, why_unusable
from connectors.enable_banking.settings import NAME, BankRoute

log = structlog.get_logger(NAME)

_LONGEST_HASH = 200
IDS = Ids(NAME, re.compile(r"[A-Za-z0-9-]{1,64}"))
# The vendor's words (SessionStatus).
_PENDING = ("PENDING_AUTHORIZATION", "RETURNED_FROM_BANK")
_ENDED = {
    "INVALID": ConsentEnd.REJECTED,
    "CANCELLED": ConsentEnd.REJECTED,
    "EXPIRED": ConsentEnd.EXPIRED,
    "REVOKED": ConsentEnd.REVOKED_AT_BANK,
    "CLOSED": ConsentEnd.CLOSED_BY_US,
}


@dataclass(frozen=True, slots=True)
class Held:
    """The content of a handle. `session` is empty while the borrower is at his bank."""

    session: str
    accounts: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of(cls, token: Secret) -> Held:
        """Read a handle: our own JSON, or the bare id of a session."""
        found = held_in(token)
        if found is None:
            return cls(token.reveal())
        return cls(found.get("session", ""), tuple(found.get("accounts", ())))

    def sealed(self) -> Secret:
        """The handle to keep."""
        return sealed({"session": self.session, "accounts": self.accounts})

    def limit_of(self, uid: str) -> Limit | None:
        """The credit limit that an account had when it was linked."""
        stated = next((one.get("credit_limit") for one in self.accounts if one["uid"] == uid), None)
        amount = money_of(stated)
        return Limit(amount, current=False) if isinstance(amount, Money) else None

    def account_of(self, uid: str) -> dict[str, Any]:
        """What is known of an account; empty for none."""
        return next((one for one in self.accounts if one["uid"] == uid), {})


def waiting(authorisation: str) -> Secret:
    """The handle of an authorisation that the borrower has not brought back yet."""
    return sealed({"authorization": authorisation, "session": ""})


def opened(document: Any) -> Held:
    """The handle's content from the answer that opened a session. Raises Unreadable."""
    session = document.get("session_id") if isinstance(document, dict) else None
    listed = document.get("accounts") if isinstance(document, dict) else None
    if not IDS.fits(session) or not isinstance(listed, list):
        raise Unreadable("the answer gives no session")
    accounts = [_kept(item) for item in listed[:MOST_ACCOUNTS] if isinstance(item, dict)]
    return Held(session, tuple(accounts))


def _kept(item: dict[str, Any]) -> dict[str, Any]:
    """Of an account what is needed later, and nothing else: no holder, no address."""
    uid, number = item.get("uid"), item.get("account_id")
    iban = iban_of(number.get("iban")) if isinstance(number, dict) else None
    limit = money_of(item.get("credit_limit"))
    name = next((item[key] for key in ("product", "details") if isinstance(item.get(key), str)), "")
    kind = CARD_NUMBER if is_card(item) else item.get("cash_account_type")
    return {
        "uid": uid if IDS.fits(uid) else "",
        "iban": iban.reveal() if iban else "",
        "lasting": _lasting(item.get("identification_hash")),
        "currency": account_currency(item) or "",
        "name": name[:70],
        "cash_account_type": kind[:35] if isinstance(kind, str) else "",
        "credit_limit": {"amount": limit.plain(), "currency": limit.currency}
        if isinstance(limit, Money)
        else None,
    }


def _lasting(stated: Any) -> str:
    """The vendor's hash of what identifies the account: its id is another in every session."""
    return stated if isinstance(stated, str) and 0 < len(stated) <= _LONGEST_HASH else ""


def found_accounts(
    held: Held, document: dict[str, Any], own_types: Collection[str] = ()
) -> tuple[FoundAccount, ...]:
    """The accounts of the handle, checked against those the session still offers.

    `own_types`: the bank's own words for accounts that can be paid from.

    Raises Unreadable when the session lists none.
    """
    listed = document.get("accounts")
    if not isinstance(listed, list):
        raise Unreadable("the session lists no accounts")
    offered = [uid for uid in listed[:MOST_ACCOUNTS] if IDS.fits(uid)]
    known = [_found(account, offered, own_types) for account in held.accounts]
    have = {account["uid"] for account in held.accounts}
    bare = [
        FoundAccount(Secret(uid), None, "", usable=False, why_unusable="nothing is known of it")
        for uid in offered
        if uid not in have
    ]
    return told_apart((*known, *bare))


def _found(account: dict[str, Any], offered: list[str], own_types: Collection[str]) -> FoundAccount:
    uid = account["uid"]
    why = why_unusable(account, own_types)
    if not uid:
        why = "the bank gives no way to read it"
    elif uid not in offered:
        why = why or "the session no longer offers it"
    return FoundAccount(
        ref=Secret(uid),
        number=iban_of(account["iban"]),
        currency=account["currency"],
        name=account["name"],
        lasting=Secret(account["lasting"]) if account.get("lasting") else None,
        usable=not why,
        why_unusable=why,
    )


def grant_now_of(document: dict[str, Any], route: BankRoute) -> GrantNow:
    """The consent's state from a session. A word we do not know leaves it pending, with an alarm.

    The session ends at its `valid_until` exactly; the last whole day before is what counts.
    """
    word = document.get("status")
    raw = word[:40] if isinstance(word, str) else ""
    access = document.get("access")
    until = instant_of(access.get("valid_until"), route.zone) if isinstance(access, dict) else None
    day = last_whole_day(until, route.zone)
    known = raw.upper()
    if known == "AUTHORIZED":
        return GrantNow(GrantState.ACTIVE, day, raw_status=raw)
    if known in _ENDED:
        return GrantNow(GrantState.ENDED, day, _ENDED[known], raw)
    if known not in _PENDING:
        alarm(log, "session status", word, bank=route.bank.id)
    return GrantNow(GrantState.PENDING, day, raw_status=raw)
