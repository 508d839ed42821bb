"""Attach the accounts of a consent to their rows: recognised by their number, never doubled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update

from app.domain.account import canonical
from app.domain.balance import SEVERAL
from app.domain.ids import Iban
from app.ports import FoundAccount
from app.store.account_names import name_hash, rename, rename_british
from app.store.keys import new_id
from app.store.tables import accounts
from app.store.unit import Unit
from app.store.vault import Vault

_REF_HASH = "account_ref"
_Known = dict[tuple[bytes, str], UUID]


async def link_accounts(
    unit: Unit,
    now: datetime,
    consent: Row[Any],
    found: Sequence[FoundAccount],
    *,
    take_over: bool,
) -> list[UUID]:
    """The rows of the found accounts, in order; missing ones are made.

    With `take_over` a known row moves under this consent: new reference, no failures, and all it
    remembers (allowance, detector). Without, a known row stays where it is: a consent for one
    look must not end the scheduled reads of another. The caller holds the borrower's lock.
    """
    known = await _known(unit, consent)
    linked: list[UUID] = []
    for account in found:
        row_id = await _recognised(unit, consent, account, known)
        if row_id is None:
            row_id = await _insert(unit, now, consent, account)
            known[_name_in(unit.vault, consent, account)] = row_id
        elif take_over:
            await _take_over(unit, consent, account, row_id)
        linked.append(row_id)
    return linked


async def known_account(unit: Unit, consent: Row[Any], account: FoundAccount) -> Row[Any] | None:
    """The row of a found account; None when it was never linked."""
    row_id = await _recognised(unit, consent, account, await _known(unit, consent))
    if row_id is None:
        return None
    return (await unit.conn.execute(select(accounts).where(accounts.c.id == row_id))).one()


async def _known(unit: Unit, consent: Row[Any]) -> _Known:
    """The borrower's rows by what they are known by, the British ones by sort code and number."""
    his = accounts.c.borrower_id == consent.borrower_id
    await rename_british(unit, his)
    rows = await unit.conn.execute(
        select(accounts.c.id, accounts.c.iban_hash, accounts.c.currency).where(his)
    )
    return {(bytes(row.iban_hash), row.currency): row.id for row in rows}


async def _recognised(
    unit: Unit, consent: Row[Any], account: FoundAccount, known: _Known
) -> UUID | None:
    """Which row it is. One that had only a provider's word for a name gets its number now."""
    (name, *earlier), currency = _names(unit.vault, consent, account), _currency(account)
    for before in earlier:
        if (name, currency) not in known and (before, currency) in known:
            await rename(unit, before, name)
            known[name, currency] = known.pop((before, currency))
    return known.get((name, currency))


def _name_in(vault: Vault, consent: Row[Any], account: FoundAccount) -> tuple[bytes, str]:
    """What makes it the same account next time, the best of it."""
    return _names(vault, consent, account)[0], _currency(account)


def _names(vault: Vault, consent: Row[Any], account: FoundAccount) -> list[bytes]:
    """Its number, the provider's lasting word for it, and the provider's id; best first."""
    words = [account.ref] if account.lasting is None else [account.lasting, account.ref]
    place = f"{consent.connector}|{consent.bank_id}"
    names = [vault.digest(_REF_HASH, f"{place}|{word.reveal()}") for word in words]
    return names if account.number is None else [name_hash(vault, account.number), *names]


def _currency(account: FoundAccount) -> str:
    return account.currency or SEVERAL


async def _insert(unit: Unit, now: datetime, consent: Row[Any], account: FoundAccount) -> UUID:
    row_id = new_id()
    name, currency = _name_in(unit.vault, consent, account)
    await unit.conn.execute(
        insert(accounts).values(
            id=row_id,
            lender_id=consent.lender_id,
            borrower_id=consent.borrower_id,
            iban_hash=name,
            currency=currency,
            created_at=now,
            **_from_bank(unit, consent, account, row_id),
        )
    )
    return row_id


async def _take_over(unit: Unit, consent: Row[Any], account: FoundAccount, row_id: UUID) -> None:
    await unit.conn.execute(
        update(accounts)
        .where(accounts.c.id == row_id)
        .values(failures=0, leased_until=None, **_from_bank(unit, consent, account, row_id))
    )


def _from_bank(
    unit: Unit, consent: Row[Any], account: FoundAccount, row_id: UUID
) -> dict[str, Any]:
    number, lender = account.number, consent.lender_id
    known: dict[str, Any] = {}
    if number is not None:
        known["iban_masked"] = canonical(number).masked
    if isinstance(number, Iban):  # one that was stated before stays where this provider has none
        known["iban_enc"] = unit.seal("accounts.iban_enc", row_id, number.reveal(), lender)
    return {
        **known,
        "consent_id": consent.id,
        "connector": consent.connector,
        "bank_id": consent.bank_id,
        "ref_enc": unit.seal("accounts.ref_enc", row_id, account.ref.reveal(), lender),
        "usable": account.usable,
        "why_unusable": account.why_unusable,
    }
