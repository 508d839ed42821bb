"""Say where a lender is paid in one currency. At the desk it takes two (change_payee.py)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app.domain.account import BankAccount
from app.domain.errors import Invalid, NotFound
from app.domain.ids import LenderId
from app.domain.money import KNOWN_CURRENCIES
from app.domain.payee import parse_payee
from app.flows.house import House
from app.store import audit
from app.store.payees import payee_of, put_payee
from app.store.tables import lenders
from app.store.unit import Unit


async def set_payee(
    house: House,
    now: datetime,
    lender_id: LenderId,
    currency: str,
    *,
    actor: str,
    iban: str = "",
    sort_code: str = "",
    account_number: str = "",
) -> BankAccount:
    """Keep the account for one currency (ISO 4217). For whoever runs the installation.

    Payments that have begun go where they were ordered to. Raises `Invalid` naming `currency`,
    `iban`, `sort_code` or `account_number`, and `NotFound`.
    """
    account = read_payee(currency, iban=iban, sort_code=sort_code, account_number=account_number)
    async with house.store.engine_unit() as unit:
        await unit.keys((lender_id,))
        await replace_payee(unit, now, lender_id, currency, account, actor=actor)
    return account


def read_payee(
    currency: str, *, iban: str = "", sort_code: str = "", account_number: str = ""
) -> BankAccount:
    """The account as somebody typed it. Raises `Invalid` naming the field."""
    if currency not in KNOWN_CURRENCIES:
        raise Invalid("currency", "is not a currency Saldo knows.", mend='Write it like "GBP".')
    return parse_payee(currency, iban=iban, sort_code=sort_code, account_number=account_number)


async def lock_payees(unit: Unit, lender_id: UUID) -> None:
    """Where a lender is paid changes one after another. Raises `NotFound` without such a lender."""
    known = await unit.conn.scalar(
        select(lenders.c.id).where(lenders.c.id == lender_id).with_for_update(key_share=True)
    )
    if known is None:
        raise NotFound("There is no such lender.")


async def replace_payee(
    unit: Unit,
    now: datetime,
    lender_id: UUID,
    currency: str,
    account: BankAccount,
    *,
    actor: str,
    reason: str = "",
) -> None:
    """Put it in the place of the one before. The audit has both, masked."""
    await lock_payees(unit, lender_id)
    before = await payee_of(unit, lender_id, currency)
    await put_payee(unit, now, lender_id, currency, account)
    await audit.record(
        unit,
        now,
        actor=actor,
        act="set_payee",
        subject=str(lender_id),
        before={} if before is None else {"currency": currency, "account": before.masked},
        after={"currency": currency, "account": account.masked},
        reason=reason,
        lender_id=lender_id,
    )
