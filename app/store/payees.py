"""Where lenders are paid: the euro account on the lender's row, one row for each other currency.

Another account waits in `payee_changes` for a second person, and is erased there afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, insert, select, update

from app.domain.account import BankAccount, UkAccount
from app.domain.errors import NotFound
from app.domain.ids import Iban
from app.domain.payee import EUR, AccountForm
from app.store.keys import new_id
from app.store.tables import lenders, payee_changes, payees
from app.store.unit import Unit

_EUR_PLACE: Final = "lenders.creditor_iban_enc"
_PLACE: Final = "payees.account_enc"
_CHANGE_PLACE: Final = "payee_changes.account_enc"


async def payees_of(
    unit: Unit, lender: Row[Any], currencies: Iterable[str]
) -> Mapping[str, BankAccount]:
    """The lender's accounts for these currencies; one without is absent. `lender` is its row."""
    wanted = set(currencies)
    found: dict[str, BankAccount] = {}
    if EUR in wanted and lender.creditor_iban_enc is not None:
        found[EUR] = Iban(unit.open(_EUR_PLACE, lender.id, lender.creditor_iban_enc))
    others = wanted - {EUR}
    if not others:
        return found
    rows = await unit.conn.execute(
        select(payees).where(payees.c.lender_id == lender.id, payees.c.currency.in_(others))
    )
    return found | {row.currency: _account(unit, row) for row in rows}


async def payee_of(unit: Unit, lender_id: UUID, currency: str) -> BankAccount | None:
    """Where the lender is paid in one currency; None: he has not said."""
    lender = (await unit.conn.execute(select(lenders).where(lenders.c.id == lender_id))).one()
    return (await payees_of(unit, lender, (currency,))).get(currency)


async def every_payee(unit: Unit, lender: Row[Any]) -> Mapping[str, BankAccount]:
    """All of the lender's accounts, by currency."""
    said = await unit.conn.scalars(select(payees.c.currency).where(payees.c.lender_id == lender.id))
    return await payees_of(unit, lender, (EUR, *said))


async def put_payee(
    unit: Unit, now: datetime, lender_id: UUID, currency: str, account: BankAccount
) -> None:
    """Keep where a currency is paid to, in the place of what was said before."""
    if currency == EUR:
        sealed = unit.seal(_EUR_PLACE, lender_id, account.reveal(), lender_id)
        await unit.conn.execute(
            update(lenders).where(lenders.c.id == lender_id).values(creditor_iban_enc=sealed)
        )
        return
    ours = (payees.c.lender_id == lender_id) & (payees.c.currency == currency)
    known = await unit.conn.scalar(select(payees.c.id).where(ours).with_for_update())
    row_id = known or new_id()
    values = {
        "form": _form_of(account).value,
        "account_enc": unit.seal(_PLACE, row_id, account.reveal(), lender_id),
        "said_at": now,
    }
    if known is not None:
        await unit.conn.execute(update(payees).where(ours).values(values))
        return
    await unit.conn.execute(
        insert(payees).values(id=row_id, lender_id=lender_id, currency=currency, **values)
    )


def _form_of(account: BankAccount) -> AccountForm:
    return AccountForm.IBAN if isinstance(account, Iban) else AccountForm.SORT_CODE


def _account(unit: Unit, row: Row[Any], place: str = _PLACE) -> BankAccount:
    plain = unit.open(place, row.id, row.account_enc)
    if row.form == AccountForm.IBAN.value:
        return Iban(plain)
    return UkAccount(plain[:6], plain[6:])


# ------------------------------------------------------------------ what waits


async def add_change(
    unit: Unit, now: datetime, currency: str, account: BankAccount, *, replaces: str, made_by: str
) -> UUID:
    """Keep another account of the unit's lender until somebody has decided about it."""
    row_id = new_id()
    await unit.conn.execute(
        insert(payee_changes).values(
            id=row_id,
            lender_id=unit.lender_id,
            currency=currency,
            form=_form_of(account).value,
            account_enc=unit.seal(_CHANGE_PLACE, row_id, account.reveal()),
            replaces=replaces,
            made_by=made_by,
            made_at=now,
        )
    )
    return row_id


async def waiting_changes(unit: Unit) -> dict[str, tuple[Row[Any], BankAccount]]:
    """What waits for a second person, by currency."""
    rows = await unit.conn.execute(select(payee_changes).where(payee_changes.c.ended_at.is_(None)))
    return {row.currency: (row, _account(unit, row, _CHANGE_PLACE)) for row in rows}


async def end_change(unit: Unit, now: datetime, change_id: UUID) -> tuple[Row[Any], BankAccount]:
    """Take what waits, and erase it. Raises `NotFound` when it waits no more."""
    row = (
        await unit.conn.execute(
            select(payee_changes)
            .where(payee_changes.c.id == change_id, payee_changes.c.ended_at.is_(None))
            .with_for_update()
        )
    ).one_or_none()
    if row is None:
        raise NotFound("This account waits no more.")
    account = _account(unit, row, _CHANGE_PLACE)
    await unit.conn.execute(
        update(payee_changes)
        .where(payee_changes.c.id == change_id)
        .values(account_enc=None, ended_at=now)
    )
    return row, account
