"""A payment page was paid a second time: the further payment becomes one of its own.

Our page sends nobody to a provider's page once something is pending there; but who kept its address
can go back. What he pays then is followed like any other payment of his, booked when it has
arrived, and what no instalment takes of it is a person's task.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, insert
from sqlalchemy.dialects.postgresql import insert as insert_or_ignore

from app.domain.ids import derive_key
from app.domain.payment import PaymentState
from app.pay_ports import PaymentHandle
from app.store.keys import new_id, new_token
from app.store.payments import RETURN_HASH, handle_columns, parts_of
from app.store.tables import payment_cases, payments
from app.store.unit import Unit

log = structlog.get_logger("payments")


async def take_second(
    unit: Unit, now: datetime, payment: Row[Any], handle: PaymentHandle
) -> UUID | None:
    """Write down that `payment`'s page was paid again; None where that is known already.

    The caller has locked the borrower. Its amount is that of the page. Nothing is known of it yet
    but that it is there: it is looked at next.
    """
    payment_id, back = new_id(), new_token()
    copied = ("lender_id", "borrower_id", "link_id", "connector", "bank_id", "currency", "instant")
    payer = unit.open("payments.payer_enc", payment.id, payment.payer_enc)
    made = await unit.conn.execute(
        insert_or_ignore(payments)
        .values(
            id=payment_id,
            key=derive_key(payment.id, f"again:{handle.ref.reveal()}"),
            amount_minor=payment.amount_minor,
            state=PaymentState.LEFT_OPEN.value,
            end_to_end_ref=f"S{payment_id.hex.upper()}",
            return_hash=unit.vault.digest(RETURN_HASH, back),
            return_enc=unit.seal("payments.return_enc", payment_id, back),
            payer_enc=unit.seal("payments.payer_enc", payment_id, payer),
            created_at=now,
            left_at=now,
            next_look_at=now,
            **{name: getattr(payment, name) for name in copied},
            **handle_columns(unit, payment_id, payment.connector, handle),
        )
        .on_conflict_do_nothing(index_elements=["lender_id", "key"])
        .returning(payments.c.id)
    )
    if made.first() is None:
        return None
    log.error("payment_page_paid_again", payment_id=str(payment.id), second=str(payment_id))
    await unit.conn.execute(
        insert(payment_cases),
        [
            {
                "lender_id": payment.lender_id,
                "payment_id": payment_id,
                "case_id": part.case_id,
                "loan_id": part.loan_id,
                "amount_minor": part.amount.minor,
                "live": False,
            }
            for part in await parts_of(unit, payment.id)
        ],
    )
    return payment_id
