"""Where lenders are paid: the euro account on the lender's row, one row for each other currency."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, insert, select, update

from app.domain.account import BankAccount, UkAccount
from app.domain.ids import Iban
from app.domain.payee import EUR, AccountForm
from app.store.keys import new_id
from app.store.tables import lenders, payees
from app.store.unit import Unit

_EUR_PLACE: Final = "lenders.creditor_iban_enc"
_PLACE: Final = "payees.account_enc"


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
    """Keep where a currency other than EUR is paid to, in the place of what was said before."""
    form = AccountForm.IBAN if isinstance(account, Iban) else AccountForm.SORT_CODE
    ours = (payees.c.lender_id == lender_id) & (payees.c.currency == currency)
    known = await unit.conn.scalar(select(payees.c.id).where(ours).with_for_update())
    row_id = known or new_id()
    values = {
        "form": form.value,
        "account_enc": unit.seal(_PLACE, row_id, account.reveal(), lender_id),
        "said_at": now,
    }
    if known is not None:
        await unit.conn.execute(update(payees).where(ours).values(values))
        return
    await unit.conn.execute(
        insert(payees).values(id=row_id, lender_id=lender_id, currency=currency, **values)
    )


def _account(unit: Unit, row: Row[Any]) -> BankAccount:
    plain = unit.open(_PLACE, row.id, row.account_enc)
    if row.form == AccountForm.IBAN.value:
        return Iban(plain)
    return UkAccount(plain[:6], plain[6:])
