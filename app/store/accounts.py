"""Bank accounts as rows: which of them are to be read at all."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    any_,
    case,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    update,
)

from app.domain.case import CaseState
from app.domain.consent import ConsentState, Purpose
from app.domain.provider_setup import provider_of
from app.store.arrays import among
from app.store.health import BankKey
from app.store.tables import accounts, cases, consents, funds_signals
from app.store.unit import Unit

# An account that is to be read but has no place in the day yet. The planning tick sees a read
# that was missed long ago and gives it the account's own next slot: it is never read on the spot.
UNPLANNED: Final = datetime(2000, 1, 1, tzinfo=UTC)


async def schedule_reads(unit: Unit, borrower_ids: Iterable[UUID], now: datetime) -> None:
    """Put these borrowers' accounts on the reading plan, or take them off it.

    On it: usable accounts under an active consent for `repayment_monitoring` that has not ended
    at `now`, of a borrower with a case that is not closed. All others have no next read. An
    account already on the plan keeps its place.
    """
    worth_reading = and_(
        accounts.c.usable,
        exists().where(
            cases.c.borrower_id == accounts.c.borrower_id,
            cases.c.state != CaseState.CLOSED.value,
        ),
        exists().where(
            consents.c.id == accounts.c.consent_id,
            consents.c.state == ConsentState.ACTIVE.value,
            literal(Purpose.REPAYMENT_MONITORING.value) == any_(consents.c.purposes),
            or_(consents.c.ends_at.is_(None), consents.c.ends_at > now),
        ),
    )
    owned = among(accounts.c.borrower_id, borrower_ids)
    await unit.conn.execute(
        select(accounts.c.id).where(owned).order_by(accounts.c.id).with_for_update(key_share=True)
    )
    await unit.conn.execute(
        update(accounts)
        .where(owned)
        .values(
            next_read_at=case(
                (worth_reading, func.coalesce(accounts.c.next_read_at, UNPLANNED)), else_=null()
            ),
            leased_until=case((worth_reading, accounts.c.leased_until), else_=null()),
        )
    )


async def forgive_failures(unit: Unit, bank: BankKey, borrower_ids: Iterable[UUID]) -> None:
    """Take back one failed read each: it was the bank's. Rows that are being read are left alone.

    Whoever reads one now will find out the same, and waiting for him could be for ever.
    """
    theirs = (
        select(accounts.c.id)
        .where(
            among(accounts.c.borrower_id, borrower_ids),
            accounts.c.connector == bank[0],
            accounts.c.bank_id == bank[1],
            accounts.c.failures > 0,
        )
        .with_for_update(skip_locked=True)
    )
    await unit.conn.execute(
        update(accounts).where(accounts.c.id.in_(theirs)).values(failures=accounts.c.failures - 1)
    )


def of_provider(connector: str) -> ColumnElement[bool]:
    """Of this provider, whoever's contract: its banks go by the same ids."""
    return func.split_part(accounts.c.connector, "-", 1) == provider_of(connector)


async def payer_accounts(
    unit: Unit, borrower_id: UUID, *, connector: str, signal_id: UUID | None
) -> dict[str, Row[Any]]:
    """From which account of his (`id`, `iban_enc`) he could pay at each bank, by the bank's id.

    Where money was seen, that one; elsewhere the one read last of those he lets us read.
    """
    query = (
        select(accounts.c.bank_id, accounts.c.id, accounts.c.iban_enc)
        .join(consents, consents.c.id == accounts.c.consent_id)
        .outerjoin(
            funds_signals,
            and_(funds_signals.c.account_id == accounts.c.id, funds_signals.c.id == signal_id),
        )
        .where(
            accounts.c.borrower_id == borrower_id,
            of_provider(connector),
            accounts.c.iban_enc.is_not(None),
            or_(
                funds_signals.c.id.is_not(None),
                consents.c.state == ConsentState.ACTIVE.value,
            ),
        )
        .order_by(
            funds_signals.c.id.nulls_last(),
            accounts.c.last_read_at.desc().nulls_last(),
            accounts.c.id.desc(),
        )
    )
    rows: list[Row[Any]] = list(await unit.conn.execute(query))
    found: dict[str, Row[Any]] = {}
    for row in rows:
        found.setdefault(row.bank_id, row)
    return found


async def unread_borrowers(unit: Unit, borrower_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the borrowers none of whose accounts is on the reading plan."""
    wanted = set(borrower_ids)
    rows = await unit.conn.execute(
        select(accounts.c.borrower_id)
        .distinct()
        .where(among(accounts.c.borrower_id, wanted), accounts.c.next_read_at.is_not(None))
    )
    return wanted - {row.borrower_id for row in rows}


async def rearm(unit: Unit, borrower_ids: Iterable[UUID]) -> None:
    """Let the detector speak of these accounts again: something new is due.

    What is due now was never asked for, so money that was there before counts as new. The rest
    after the last signal still holds.
    """
    await unit.conn.execute(
        update(accounts)
        .where(among(accounts.c.borrower_id, borrower_ids), ~accounts.c.armed)
        .values(armed=True, last_signal_kind=None)
    )
