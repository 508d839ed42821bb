"""What an account is known again by: the keyed hash of its one name, on its rows and attempts.

Rows of one account (of several lenders, in several currencies) have one hash, because the bank
counts reads per account. So a row that is found to bear another name of the account is given the
one, together with all rows and all attempts of that other name.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Row, select, true, update

from app.domain.account import BankAccount, as_uk_account, canonical
from app.domain.ids import Iban
from app.store.tables import accounts, read_attempts
from app.store.unit import Unit
from app.store.vault import Vault

_PLACE: Final = "accounts.iban_enc"
_PAGE: Final = 500


def name_hash(vault: Vault, account: BankAccount) -> bytes:
    """The same for every name of one account."""
    return vault.digest("iban", canonical(account).reveal())


async def rename(unit: Unit, old: bytes, new: bytes) -> None:
    """Give all rows and attempts of `old` that this unit may see the name `new`.

    Where somebody has a row of both (made while two versions of Saldo ran) the older one keeps its.
    """
    twin = accounts.alias("twin")
    doubled = (
        select(twin.c.id)
        .where(
            twin.c.borrower_id == accounts.c.borrower_id,
            twin.c.currency == accounts.c.currency,
            twin.c.iban_hash == new,
        )
        .exists()
    )
    held = select(accounts.c.id).where(accounts.c.iban_hash == old).order_by(accounts.c.id)
    await unit.conn.execute(held.with_for_update(key_share=True))
    await unit.conn.execute(
        update(accounts).where(accounts.c.iban_hash == old, ~doubled).values(iban_hash=new)
    )
    await unit.conn.execute(
        update(read_attempts).where(read_attempts.c.iban_hash == old).values(iban_hash=new)
    )


async def rename_british(unit: Unit, whose: ColumnElement[bool] | None = None) -> int:
    """Give British accounts that are known by an IBAN the name by sort code and number.

    All of them were, until accounts without an IBAN could be recognised. `whose`: these accounts
    alone. Returns how many rows have another name now.
    """
    done, after = 0, None
    while True:
        rows = await _by_iban(unit, true() if whose is None else whose, after)
        await unit.keys({row.lender_id for row in rows})
        for row in rows:
            iban = Iban(unit.open(_PLACE, row.id, row.iban_enc))
            british = as_uk_account(iban)
            if british is None:  # "GB", and not built as British ones are
                continue
            await rename(unit, bytes(row.iban_hash), name_hash(unit.vault, iban))
            await unit.conn.execute(
                update(accounts).where(accounts.c.id == row.id).values(iban_masked=british.masked)
            )
            done += 1
        if len(rows) < _PAGE:
            return done
        after = rows[-1].id


async def _by_iban(unit: Unit, whose: ColumnElement[bool], after: Any) -> list[Row[Any]]:
    query = (
        select(accounts.c.id, accounts.c.lender_id, accounts.c.iban_enc, accounts.c.iban_hash)
        .where(
            accounts.c.iban_masked.like("GB%"),
            accounts.c.iban_enc.is_not(None),
            whose,
            true() if after is None else accounts.c.id > after,
        )
        .order_by(accounts.c.id)
        .limit(_PAGE)
    )
    return list(await unit.conn.execute(query))
