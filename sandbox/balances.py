"""What a bank says about an account's money: which balances, with or without a credit limit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from sandbox.banks import Bank, LimitWord
from sandbox.modes import Mode
from sandbox.payments import Payments
from sandbox.town import Account, Town

_FROZEN_DAYS = 9
_BOOKS_CLOSE = 18


@dataclass(frozen=True, slots=True)
class Said:
    """One balance as the bank words it; `limit_included` None where it does not say."""

    kind: str
    minor: int
    reference_on: date | None = None
    changed_at: datetime | None = None
    limit_included: bool | None = None


def said_by_bank(town: Town, payments: Payments, account: Account, now: datetime) -> list[Said]:
    """The balances of one account at `now`, as this bank and this person's faults have it."""
    person_id, bank, iban = account.person_id, account.bank, account.iban
    limit = account.plan.limit_minor
    if town.mode(person_id, Mode.EMPTY_BALANCES) is not None:
        return []
    settings = town.settings(person_id)
    if Mode.FROZEN_OLD_DATE in settings.modes:
        frozen = settings.frozen_minor.get(iban, 0)
        day = (settings.mode_since[Mode.FROZEN_OLD_DATE] - timedelta(days=_FROZEN_DAYS)).date()
        return [Said(kind, frozen, reference_on=day) for kind in bank.balance_types]
    available = account.life.at(now)
    booked = available + payments.on_the_way(iban, now)
    if Mode.UNKNOWN_TYPES in settings.modes:
        return [Said("previouslyClosedBooked", booked), Said("information", available + 77_700)]
    if Mode.ONLY_AVAILABLE_WITH_LIMIT in settings.modes:
        credit = limit or 200_000
        return [Said("interimAvailable", available + credit, limit_included=True)]
    if Mode.LIMIT_UNSTATED in settings.modes:
        credit = limit or 200_000
        return [Said("interimAvailable", available + credit), Said("interimBooked", booked)]
    usual = _usual(bank, account, now, available, booked, limit)
    return _dated_ahead(usual, bank, now) if Mode.DATED_AHEAD in settings.modes else usual


def _dated_ahead(said: list[Said], bank: Bank, now: datetime) -> list[Said]:
    """Under the date of the day whose books the bank has open."""
    here = now.astimezone(bank.zone)
    day = here.date()
    if day.weekday() < 5 and here.hour < _BOOKS_CLOSE:
        return said
    day += timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return [
        replace(one, reference_on=day) if one.kind.startswith("interim") else one for one in said
    ]


def _usual(
    bank: Bank, account: Account, now: datetime, available: int, booked: int, limit: int
) -> list[Said]:
    found: list[Said] = []
    stated = bank.limit_word is LimitWord.STATED
    today = now.astimezone(bank.zone).date()
    changed = account.life.changed_at(now)
    for kind in bank.balance_types:
        if kind == "closingBooked":
            midnight = datetime.combine(today, time(0), bank.zone).astimezone(UTC)
            closing = account.life.at(midnight - timedelta(seconds=1))
            found.append(Said(kind, closing, today - timedelta(days=1)))
        elif kind == "interimBooked":
            found.append(Said(kind, booked, today, changed))
        elif kind == "interimAvailable" and bank.limit_word is LimitWord.SILENT:
            found.append(Said(kind, available + limit, today, changed))
        elif kind == "interimAvailable":
            said = False if stated else None
            found.append(Said(kind, available, today, changed, limit_included=said))
            if limit and stated:
                found.append(Said(kind, available + limit, today, limit_included=True))
        else:
            found.append(Said(kind, available, limit_included=False if stated else None))
    return found
