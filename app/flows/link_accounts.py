"""Attach the accounts of a consent to their rows: recognised by IBAN, never doubled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update

from app.domain.balance import SEVERAL
from app.ports import FoundAccount
from app.store.keys import new_id
from app.store.tables import accounts
from app.store.unit import Unit
from app.store.vault import Vault

_IBAN_HASH = "iban"
_REF_HASH = "account_ref"


def identity_of(vault: Vault, consent: Row[Any], account: FoundAccount) -> bytes:
    """What makes it the same account next time: the IBAN; only without one, the bank's id."""
    if account.iban is not None:
        return vault.digest(_IBAN_HASH, account.iban.reveal())
    return vault.digest(_REF_HASH, f"{consent.connector}|{consent.bank_id}|{account.ref.reveal()}")


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
    known = {
        (bytes(row.iban_hash), row.currency): row.id
        for row in await unit.conn.execute(
            select(accounts.c.id, accounts.c.iban_hash, accounts.c.currency).where(
                accounts.c.borrower_id == consent.borrower_id
            )
        )
    }
    linked: list[UUID] = []
    for account in found:
        identity = identity_of(unit.vault, consent, account)
        currency = account.currency or SEVERAL
        row_id = known.get((identity, currency))
        if row_id is None:
            row_id = await _insert(unit, now, consent, account, identity, currency)
            known[identity, currency] = row_id
        elif take_over:
            await _take_over(unit, consent, account, row_id)
        linked.append(row_id)
    return linked


async def known_account(unit: Unit, consent: Row[Any], account: FoundAccount) -> Row[Any] | None:
    """The row of a found account; None when it was never linked."""
    return (
        await unit.conn.execute(
            select(accounts).where(
                accounts.c.borrower_id == consent.borrower_id,
                accounts.c.iban_hash == identity_of(unit.vault, consent, account),
                accounts.c.currency == (account.currency or SEVERAL),
            )
        )
    ).one_or_none()


async def _insert(
    unit: Unit,
    now: datetime,
    consent: Row[Any],
    account: FoundAccount,
    identity: bytes,
    currency: str,
) -> UUID:
    row_id = new_id()
    await unit.conn.execute(
        insert(accounts).values(
            id=row_id,
            lender_id=consent.lender_id,
            borrower_id=consent.borrower_id,
            iban_hash=identity,
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
    iban, lender = account.iban, consent.lender_id
    return {
        "consent_id": consent.id,
        "connector": consent.connector,
        "bank_id": consent.bank_id,
        "ref_enc": unit.seal("accounts.ref_enc", row_id, account.ref.reveal(), lender),
        "iban_enc": None
        if iban is None
        else unit.seal("accounts.iban_enc", row_id, iban.reveal(), lender),
        "iban_masked": "" if iban is None else iban.masked,
        "usable": account.usable,
        "why_unusable": account.why_unusable,
    }
