"""The one look at transactions: the borrower is there, and only two profiles stay of it.

As part of his own visit, right after he came back from his bank: an attended access, outside the
four of a day. A bank that cannot be told that he is there is not asked, unless it counts
transactions by themselves. Where the provider has a copy no bank is asked, with him or without.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import Row, insert, select, update

from app.domain.balance import SEVERAL
from app.domain.bills import Debit, looked_at_since
from app.domain.bills import learn_bills as bills_of
from app.domain.consent import ConsentState, Purpose
from app.domain.errors import ProviderError, TryLater
from app.domain.ids import LenderId, Secret
from app.domain.income import IncomeProfile, minute_of
from app.domain.income_learning import learn, look_ahead
from app.domain.income_seen import Row as Moment
from app.domain.income_seen import between_rows
from app.domain.open_hours import zone_of
from app.flows.actors import BANK
from app.flows.consents.link_accounts import known_account
from app.flows.consents.owed_look import FAILED, look_owed, port_to_look
from app.flows.house import House
from app.flows.providers.bank_book import bank_book
from app.flows.reads.teach_profiles import BILLS, PROFILE, local_minute
from app.ports import FoundAccount, Grant, Presence
from app.side_ports import CopiedTransactionsPort, Moved, TransactionsPort
from app.store import timeline
from app.store.consents import load_consent, token_of
from app.store.income_profiles import keep_bills, kept_profile
from app.store.keys import new_id
from app.store.locks import lock_borrower
from app.store.reading_rows import READ
from app.store.tables import accounts, read_attempts
from app.store.timeline import Kind, Line
from app.store.unit import Unit
from app.store.vault import SealBroken

log = structlog.get_logger("consent")

# Of somebody with more accounts than this the rest are not looked at: he is waiting.
_MOST: Final = 3


class _Ask(NamedTuple):
    """One account to ask for: its row, the attempt that was written, the bank's reference."""

    account: Row[Any]
    attempt_id: UUID
    ref: Secret


class Looked(NamedTuple):
    """Of how many accounts bills are known now, and whether a copy was not ready yet."""

    learned: int = 0
    unready: bool = False


_Show = Callable[[Secret, date], Awaitable[tuple[Moved, ...]]]


class _Begun(NamedTuple):
    """All that the calls need. `today` is the day in the bank's zone."""

    show: _Show
    zone: str
    today: date
    asks: list[_Ask]


async def learn_bills(
    house: House,
    now: datetime,
    lender_id: LenderId,
    consent_id: UUID,
    found: Sequence[FoundAccount],
    presence: Presence | None,
) -> Looked:
    """Look once at the transactions of a consent that covers them, and keep what comes back.

    `found` are the consent's accounts as the bank has just listed them. The attempts are written
    before the calls; what fails at a bank stays failed, and the account is read as any other. The
    transactions end with this call. Without `presence` only a provider's copy is looked at.
    """
    begun = await _begin(house, now, lender_id, consent_id, found, presence)
    if begun is None:
        return Looked()
    since = looked_at_since(begun.today)
    learned, unready = 0, False
    for ask in begun.asks:
        try:
            moved = await begun.show(ask.ref, since)
        except ProviderError as error:
            unready |= isinstance(error, TryLater)
            log.info("bills_not_read", consent_id=str(consent_id), error=type(error).__name__)
            async with house.store.unit(lender_id) as unit:
                await _close(unit, ask.attempt_id, FAILED, type(error).__name__)
            continue
        learned += await _record(house, now, lender_id, consent_id, begun, ask, moved)
    return Looked(learned, unready)


async def _begin(
    house: House,
    now: datetime,
    lender_id: LenderId,
    consent_id: UUID,
    found: Sequence[FoundAccount],
    presence: Presence | None,
) -> _Begun | None:
    """The accounts to ask for, their attempts written. None where nothing may be asked."""
    async with house.store.unit(lender_id) as unit:
        consent = await load_consent(unit, consent_id, lock=True)
        token = token_of(unit, consent)
        if token is None or not await look_owed(unit, house, now, consent):
            return None
        show = _shown_by(house, consent.connector, Grant(consent.bank_id, token), presence)
        if show is None:
            return None
        asks = []
        for one in [account for account in found if account.usable][:_MOST]:
            row = await known_account(unit, consent, one)
            if row is not None and row.currency != SEVERAL:
                asks.append(_Ask(row, await _attempt(unit, now, consent, row), one.ref))
        zone = bank_book(house).of(consent.connector, consent.bank_id).time_zone
        return _Begun(show, zone, now.astimezone(zone_of(zone)).date(), asks)


def _shown_by(
    house: House, connector: str, grant: Grant, presence: Presence | None
) -> _Show | None:
    """The way to an account's transactions; None where it leads to a bank and he is not there."""
    match port_to_look(house, connector):
        case CopiedTransactionsPort() as copies:
            return lambda ref, since: copies.copied_transactions(grant, ref, since)
        case TransactionsPort() as bank if presence is not None:
            return lambda ref, since: bank.transactions(grant, ref, since, presence)
        case _:
            return None


async def _attempt(unit: Unit, now: datetime, consent: Row[Any], account: Row[Any]) -> UUID:
    attempt_id = new_id()
    await unit.conn.execute(
        insert(read_attempts).values(
            id=attempt_id,
            lender_id=consent.lender_id,
            account_id=account.id,
            consent_id=consent.id,
            iban_hash=account.iban_hash,
            attended=True,
            purpose=Purpose.BILLS.value,
            attempted_at=now,
        )
    )
    return attempt_id


async def _record(
    house: House,
    now: datetime,
    lender_id: LenderId,
    consent_id: UUID,
    begun: _Begun,
    ask: _Ask,
    moved: Sequence[Moved],
) -> bool:
    account, today = ask.account, begun.today
    since = looked_at_since(today)
    own = [one for one in moved if one.amount.currency == account.currency]
    bills = bills_of(_debits(own, today), since, today)
    income = _income_of(own, since, local_minute(now, begun.zone))
    async with house.store.unit(lender_id) as unit:
        # In the order of everybody: the borrower, his account, the consent.
        await lock_borrower(unit, account.borrower_id)
        under_it = await unit.conn.scalar(
            select(accounts.c.id)
            .where(accounts.c.id == account.id, accounts.c.consent_id == consent_id)
            .with_for_update(key_share=True)
        )
        consent = await load_consent(unit, consent_id, lock=True)
        if consent.state != ConsentState.ACTIVE.value or under_it is None:
            # Withdrawn or renewed while the bank answered: nothing of it is written down.
            await _close(unit, ask.attempt_id, "dropped")
            return False
        income = await _richer(unit, account.id, income, today)
        await keep_bills(
            unit,
            now,
            account,
            unit.seal(PROFILE, account.id, income.to_json()),
            unit.seal(BILLS, account.id, bills.to_json()),
        )
        await _close(unit, ask.attempt_id, READ)
        details = {"consent_id": str(consent_id), "account_id": str(account.id)}
        line = Line(
            consent.borrower_id, Kind.READING, BANK, {**details, "purpose": Purpose.BILLS.value}
        )
        await timeline.write(unit, now, [line])
    return True


def _debits(moved: Iterable[Moved], today: date) -> list[Debit]:
    """What left. A pending one that is dated ahead is on its way today."""
    return [Debit(min(one.on, today), -one.amount.minor) for one in moved if one.amount.minor < 0]


def _income_of(moved: Iterable[Moved], since: date, until: int) -> IncomeProfile:
    """What all of it says of the account's income, up to this minute."""
    rows = sorted(
        (Moment(minute_of(one.on), one.amount.minor) for one in moved), key=lambda row: row.minute
    )
    seen = between_rows(rows, minute_of(since), until, timed=False)
    return learn(IncomeProfile(), seen)


async def _richer(unit: Unit, account_id: UUID, found: IncomeProfile, today: date) -> IncomeProfile:
    """Of what the transactions and the readings before them said, what was learned from more."""
    sealed = await kept_profile(unit, account_id)
    if sealed is None:
        return found
    try:
        kept = IncomeProfile.from_json(unit.open(PROFILE, account_id, sealed))
    except (SealBroken, ValueError):
        return found
    return look_ahead(kept, today) if kept.days > found.days else found


async def _close(unit: Unit, attempt_id: UUID, outcome: str, detail: str = "") -> None:
    await unit.conn.execute(
        update(read_attempts)
        .where(read_attempts.c.id == attempt_id)
        .values(outcome=outcome, detail=detail)
    )
