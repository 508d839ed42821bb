"""Transactions as Plaid gives them: a history that comes as updates, some time after the link."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from hashlib import sha256
from typing import Any

from sandbox.faces.plaid_news import Item
from sandbox.faces.plaid_wire import No
from sandbox.money_life import moved
from sandbox.records import Consent
from sandbox.world import World

# How long Plaid needs for the whole history, and how much of it there is.
FETCHED_AFTER = timedelta(seconds=20)
_HISTORY = timedelta(days=90)
_MOST, _USUAL = 500, 100
_NOT_READY = {
    "transactions_update_status": "NOT_READY",
    "accounts": [],
    "added": [],
    "modified": [],
    "removed": [],
    "next_cursor": "",
    "has_more": False,
}


def synced(world: World, item: Item, consent: Consent, content: dict[str, Any]) -> dict[str, Any]:
    """One page of updates of one account, the oldest first. Raises `No`."""
    if not consent.transactions:
        raise No(400, "INVALID_INPUT", "ADDITIONAL_CONSENT_REQUIRED")
    options, count = content.get("options"), content.get("count", _USUAL)
    wanted = options.get("account_id") if isinstance(options, dict) else None
    ours = {item.account_id(iban): iban for iban in consent.resources.values()}
    if wanted not in ours:
        raise No(400, "INVALID_INPUT", "INVALID_ACCOUNT_ID")
    if isinstance(count, bool) or not isinstance(count, int) or not 0 < count <= _MOST:
        raise No(400, "INVALID_REQUEST", "INVALID_FIELD")
    linked = consent.authorised_at
    if linked is None or world.now() < linked + FETCHED_AFTER:
        return _NOT_READY
    account = world.town.accounts[ours[wanted]]
    zone = account.bank.zone
    first = linked.astimezone(zone).date() - _HISTORY
    midnight = datetime.combine(first, time(0), zone)
    every = moved(account.life, midnight - timedelta(microseconds=1), linked)
    begin = _begin(content.get("cursor"))
    end = begin + count
    return {
        **_NOT_READY,
        "transactions_update_status": "HISTORICAL_UPDATE_COMPLETE",
        "added": [
            _entry(wanted, minor, account.plan.currency, at.astimezone(zone))
            for at, minor in every[begin:end]
        ],
        "next_cursor": f"updates-{min(end, len(every))}",
        "has_more": end < len(every),
    }


def _begin(cursor: Any) -> int:
    name, _, number = str(cursor or "updates-0").partition("-")
    if name != "updates" or not number.isdecimal():
        raise No(400, "INVALID_REQUEST", "INVALID_FIELD")
    return int(number)


def _entry(account_id: str, minor: int, currency: str, at: datetime) -> dict[str, Any]:
    """One transaction: above zero is money that left. `at` is in the bank's zone."""
    number = sha256(f"{account_id} {at.isoformat()} {minor}".encode()).hexdigest()
    nobody = dict.fromkeys(
        ("payee", "payer", "payment_method", "payment_processor", "ppd_id", "reason",
         "reference_number", "by_order_of")
    )  # fmt: skip
    nowhere = dict.fromkeys(
        ("address", "city", "region", "postal_code", "country", "lat", "lon", "store_number")
    )
    return {
        "transaction_id": number[:37],
        "account_id": account_id,
        "amount": -minor / 100,
        "iso_currency_code": currency,
        "unofficial_currency_code": None,
        "date": at.date().isoformat(),
        "datetime": None,
        "authorized_date": None,
        "authorized_datetime": None,
        "pending": False,
        "pending_transaction_id": None,
        "name": "",
        "account_owner": None,
        "payment_channel": "other",
        "transaction_code": None,
        "location": nowhere,
        "payment_meta": nobody,
    }
