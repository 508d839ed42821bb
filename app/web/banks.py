"""Names of banks for pages; no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from app.flows.house import House
from app.ports import Bank
from app.reference import formats
from app.web.wording import Wording


@dataclass(frozen=True, slots=True)
class BankChoice:
    """One bank in the list that a borrower chooses from."""

    id: str
    text: str
    away: bool


@dataclass(frozen=True, slots=True)
class BankChoices:
    """By name. `chosen` is his own bank, unless it does not answer: `away_text` says so."""

    banks: tuple[BankChoice, ...]
    chosen: str
    away_text: str


def bank_choices(
    banks: Iterable[Bank],
    own: str | None,
    away: Mapping[str, datetime | None],
    words: Wording,
    zone: ZoneInfo,
) -> BankChoices:
    """What he can choose from. A bank that does not answer says so, and can be chosen still."""
    listed = sorted(banks, key=lambda bank: bank.name.casefold())
    shown = tuple(
        BankChoice(bank.id, _labelled(bank, away, words, zone), bank.id in away) for bank in listed
    )
    mine = next((bank for bank in listed if bank.id == own), None)
    if mine is None or mine.id not in away:
        return BankChoices(shown, own or "", "")
    until = away[mine.id]
    if until is None:
        return BankChoices(shown, "", words("bank.away_text", bank=mine.name))
    told = formats.moment(until, zone, words.language)
    return BankChoices(shown, "", words("bank.rests_text", bank=mine.name, until=told))


def _labelled(
    bank: Bank, away: Mapping[str, datetime | None], words: Wording, zone: ZoneInfo
) -> str:
    if bank.id not in away:
        return bank.name
    until = away[bank.id]
    if until is None:
        return f"{bank.name} – {words('bank.away')}"
    told = formats.moment(until, zone, words.language)
    return f"{bank.name} – {words('bank.away_until', until=told)}"


def bank_name(house: House, bank_id: str) -> str:
    """The bank's name as its connector knows it; the id when it is not listed any more."""
    listed = [bank for port in house.aggregations.values() for bank in port.banks()]
    listed += [bank for port in house.payments.values() for bank in port.banks()]
    return next((bank.name for bank in listed if bank.id == bank_id), bank_id)
