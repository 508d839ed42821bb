"""Payments and the cases they are for, as rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select, update

from app.domain.errors import NotFound
from app.domain.ids import LenderId, Secret
from app.domain.money import Money
from app.domain.payment import IN_FLIGHT_STATES, LIVE_STATES, WATCHED_STATES
from app.pay_ports import PaymentHandle
from app.store.locks import lock_borrower
from app.store.tables import payment_cases, payments
from app.store.unit import Unit

RETURN_HASH: Final = "payment_return"
_REF_HASH: Final = "payment_ref"
_IN_FLIGHT: Final = [state.value for state in IN_FLIGHT_STATES]


@dataclass(frozen=True, slots=True)
class CasePart:
    """The share of a payment that is meant for one case."""

    case_id: UUID
    loan_id: UUID
    amount: Money


async def live_payment(unit: Unit, borrower_id: UUID) -> Row[Any] | None:
    """The borrower's payment that may still become money; the caller holds his lock.

    There is at most one: start_payment makes no second while one is live, and the unique index
    on live cases would refuse it. One that was left open may be authorised all the same: then there
    are two, and the one that moves counts.
    """
    return (
        await unit.conn.execute(
            select(payments)
            .where(
                payments.c.borrower_id == borrower_id,
                payments.c.state.in_([state.value for state in LIVE_STATES]),
            )
            .order_by(
                payments.c.state.in_(_IN_FLIGHT).desc(),
                payments.c.created_at.desc(),
            )
            .limit(1)
        )
    ).one_or_none()


async def in_flight(unit: Unit, borrower_id: UUID) -> bool:
    """Has he authorised a payment that has not ended yet?"""
    found = await unit.conn.scalar(
        select(payments.c.id)
        .where(payments.c.borrower_id == borrower_id, payments.c.state.in_(_IN_FLIGHT))
        .limit(1)
    )
    return found is not None


async def load_payment(unit: Unit, payment_id: UUID) -> Row[Any]:
    """The payment's row as it is, without a lock."""
    return (await unit.conn.execute(select(payments).where(payments.c.id == payment_id))).one()


async def lock_payment(unit: Unit, payment_id: UUID) -> Row[Any]:
    """Lock the payment's borrower, then the payment, and return it. Raises `NotFound`."""
    owner = await unit.conn.scalar(
        select(payments.c.borrower_id).where(payments.c.id == payment_id)
    )
    if owner is None:
        raise NotFound("There is no such payment.")
    await lock_borrower(unit, owner)
    return (
        await unit.conn.execute(
            select(payments).where(payments.c.id == payment_id).with_for_update(key_share=True)
        )
    ).one()


async def parts_of(unit: Unit, payment_id: UUID) -> tuple[CasePart, ...]:
    """What the payment is for, case by case."""
    rows = await unit.conn.execute(
        select(
            payment_cases.c.case_id,
            payment_cases.c.loan_id,
            payment_cases.c.amount_minor,
            payments.c.currency,
        )
        .join(payments, payments.c.id == payment_cases.c.payment_id)
        .where(payment_cases.c.payment_id == payment_id)
        .order_by(payment_cases.c.case_id)
    )
    return tuple(CasePart(row[0], row[1], Money(row[2], row[3])) for row in rows)


async def let_cases_go(unit: Unit, payment_id: UUID) -> None:
    """The payment can no longer become money: its cases may be paid by another one."""
    await unit.conn.execute(
        update(payment_cases).where(payment_cases.c.payment_id == payment_id).values(live=False)
    )


async def look_soon(unit: Unit, now: datetime, payment_id: UUID) -> None:
    """Have the sweep look at the payment at the next tick."""
    await unit.conn.execute(
        update(payments).where(payments.c.id == payment_id).values(next_look_at=now)
    )


async def watch(unit: Unit, payment_id: UUID, until: datetime | None) -> None:
    """Look at a payment that has ended once more; None: no more."""
    await unit.conn.execute(
        update(payments)
        .where(
            payments.c.id == payment_id,
            payments.c.state.in_([state.value for state in WATCHED_STATES]),
        )
        .values(next_look_at=until)
    )


async def note_sent(unit: Unit, now: datetime, payment_id: UUID) -> None:
    """The borrower is sent to the bank's page once more."""
    await unit.conn.execute(update(payments).where(payments.c.id == payment_id).values(sent_at=now))


async def lenders_of(unit: Unit, payment_ids: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """(payment, lender) of each payment that exists; for jobs, which carry ids alone."""
    rows = await unit.conn.execute(
        select(payments.c.id, payments.c.lender_id).where(payments.c.id.in_(payment_ids))
    )
    return [(row.id, row.lender_id) for row in rows]


# ------------------------------------------------------------------ sealed fields


def seal_handle(unit: Unit, payment_id: UUID, handle: PaymentHandle) -> bytes:
    """The provider's way to find the payment again, sealed for its row."""
    plain = {
        "bank_id": handle.bank_id,
        "ref": handle.ref.reveal(),
        "instant": handle.instant,
    }
    return unit.seal("payments.handle_enc", payment_id, json.dumps(plain))


def open_handle(unit: Unit, payment: Row[Any]) -> PaymentHandle | None:
    """The handle of a payment row; None while its answer has not come."""
    if payment.handle_enc is None:
        return None
    plain = json.loads(unit.open("payments.handle_enc", payment.id, payment.handle_enc))
    return PaymentHandle(plain["bank_id"], Secret(plain["ref"]), plain["instant"])


def handle_columns(
    unit: Unit, payment_id: UUID, connector: str, handle: PaymentHandle
) -> dict[str, bytes]:
    """The columns by which a payment is found at its provider, and by its provider's calls."""
    return {
        "handle_enc": seal_handle(unit, payment_id, handle),
        "ref_hash": ref_hash(unit, connector, handle.ref),
    }


async def keep_handle(unit: Unit, payment_id: UUID, connector: str, handle: PaymentHandle) -> None:
    """Keep the handle of a payment that has none yet."""
    await unit.conn.execute(
        update(payments)
        .where(payments.c.id == payment_id, payments.c.handle_enc.is_(None))
        .values(**handle_columns(unit, payment_id, connector, handle))
    )


def ref_hash(unit: Unit, connector: str, ref: Secret) -> bytes:
    """The keyed hash by which a payment is found from what its provider calls it."""
    return unit.vault.digest(_REF_HASH, f"{connector}|{ref.reveal()}")


async def name_ref(unit: Unit, payment_id: UUID, connector: str, ref: Secret) -> None:
    """From now on the provider's calls name the payment by this."""
    hashed = ref_hash(unit, connector, ref)
    await unit.conn.execute(
        update(payments)
        .where(payments.c.id == payment_id, payments.c.ref_hash.is_distinct_from(hashed))
        .values(ref_hash=hashed)
    )


async def find_by_ref(unit: Unit, connector: str, ref: Secret) -> tuple[LenderId, UUID] | None:
    """The lender and the payment that a provider means; the newest where it used an id twice."""
    row = (
        await unit.conn.execute(
            select(payments.c.lender_id, payments.c.id)
            .where(payments.c.ref_hash == ref_hash(unit, connector, ref))
            .order_by(payments.c.created_at.desc())
            .limit(1)
        )
    ).one_or_none()
    return None if row is None else (LenderId(row.lender_id), row.id)


async def find_by_reference(unit: Unit, borrower_id: UUID, reference: str) -> UUID | None:
    """The borrower's payment with this end-to-end reference, as a bank statement shows it."""
    found: UUID | None = await unit.conn.scalar(
        select(payments.c.id).where(
            payments.c.borrower_id == borrower_id, payments.c.end_to_end_ref == reference
        )
    )
    return found


def seal_redirect(unit: Unit, payment_id: UUID, url: str) -> bytes:
    """The bank's page for this payment, sealed for its row."""
    return unit.seal("payments.redirect_enc", payment_id, url)


def open_redirect(unit: Unit, payment: Row[Any]) -> str:
    """The bank's page for this payment; empty while there is none."""
    if payment.redirect_enc is None:
        return ""
    return unit.open("payments.redirect_enc", payment.id, payment.redirect_enc)


def amount_of(payment: Row[Any]) -> Money:
    """The payment's amount."""
    return Money(payment.amount_minor, payment.currency)
