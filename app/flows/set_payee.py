"""Say where a lender is paid in one currency."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from app.domain.account import BankAccount
from app.domain.errors import Invalid, NotFound
from app.domain.ids import Iban, LenderId
from app.domain.money import KNOWN_CURRENCIES
from app.domain.payee import EUR, parse_payee
from app.flows.house import House
from app.flows.make_lender import set_lender
from app.store import audit
from app.store.payees import put_payee
from app.store.tables import lenders


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
    """Keep the account for one currency (ISO 4217); the audit says that it changed, masked.

    Payments that have begun go where they were ordered to. Raises `Invalid` naming `currency`,
    `iban`, `sort_code` or `account_number`, and `NotFound`.
    """
    if currency not in KNOWN_CURRENCIES:
        raise Invalid("currency", "is not a currency Saldo knows.", mend='Write it like "GBP".')
    account = parse_payee(currency, iban=iban, sort_code=sort_code, account_number=account_number)
    if currency == EUR and isinstance(account, Iban):
        # Where it has stood since there were euros alone.
        await set_lender(house, now, lender_id, {"creditor_iban": account.reveal()}, actor=actor)
        return account
    async with house.store.engine_unit() as unit:
        known = await unit.conn.scalar(
            select(lenders.c.id).where(lenders.c.id == lender_id).with_for_update()
        )
        if known is None:
            raise NotFound("There is no such lender.")
        await unit.keys((lender_id,))
        await put_payee(unit, now, lender_id, currency, account)
        await audit.record(
            unit,
            now,
            actor=actor,
            act="set_payee",
            subject=str(lender_id),
            after={"currency": currency, "account": account.masked},
            lender_id=lender_id,
        )
    return account
