"""Transactions as Tink fetched them when the bank was connected, a hundred on a page at most."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import Any

from sandbox.faces.tink_reads import TinkReads, TinkUser
from sandbox.faces.tink_wire import No, listed_amount
from sandbox.money_life import moved
from sandbox.world import World

_MOST = 100
# A day more than is asked for, because of the zones.
_HISTORY = timedelta(days=91)


class TinkMoved:
    """The lists of all users over one world."""

    def __init__(self, world: World, reads: TinkReads) -> None:
        self._world, self._reads = world, reads

    def page(self, user: TinkUser, asked: Mapping[str, str]) -> dict[str, Any]:
        """One page of an account's transactions, or of all accounts', the latest first.

        Raises `No`.
        """
        every_id = [one["id"] for one in self._reads.accounts(user)["accounts"]]
        listed = [asked["accountIdIn"]] if asked.get("accountIdIn") else every_id
        try:
            since = date.fromisoformat(asked.get("bookedDateGte", "0001-01-02"))
            size, begin = int(asked.get("pageSize", _MOST)), _begin(asked.get("pageToken", ""))
        except ValueError:
            raise No(400, "bad_request", "bookedDateGte, pageSize and pageToken") from None
        every = [entry for one in listed for entry in self._of(user, one, since)]
        end = begin + min(size, _MOST)
        following = _token(end) if end < len(every) else ""
        return {"transactions": every[begin:end], "nextPageToken": following}

    def _of(self, user: TinkUser, account_id: str, since: date) -> list[dict[str, Any]]:
        consent, _, iban = self._reads.at_bank(user, account_id)
        if not consent.transactions:
            raise No(403, "forbidden", "no transactions were fetched for this user")
        account = self._world.town.accounts[iban]
        fetched = consent.authorised_at or self._world.now()
        first = max(since, fetched.date() - _HISTORY)
        midnight = datetime.combine(first, time(0), UTC) - timedelta(microseconds=1)
        zone, currency = account.bank.zone, account.plan.currency
        return [
            _entry(account_id, minor, currency, at, at.astimezone(zone).date())
            for at, minor in reversed(moved(account.life, midnight, fetched))
        ]


def _entry(account_id: str, minor: int, currency: str, at: datetime, on: date) -> dict[str, Any]:
    """One transaction; who the other party is, is nobody's business here."""
    return {
        "id": sha256(f"{account_id} {at.isoformat()} {minor}".encode()).hexdigest()[:32],
        "accountId": account_id,
        **listed_amount(minor, currency),
        "dates": {"booked": on.isoformat(), "value": on.isoformat()},
        "descriptions": {"original": "", "display": ""},
        "categories": {"pfm": {"id": "", "name": ""}},
        "types": {"type": "DEFAULT"},
        "status": "BOOKED",
        "providerMutability": "MUTABILITY_UNDEFINED",
    }


def _token(begin: int) -> str:
    return urlsafe_b64encode(str(begin).encode()).decode()


def _begin(token: str) -> int:
    return int(urlsafe_b64decode(token)) if token else 0
