"""Payments that borrowers made from their own banks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.api.caller import ByKey
from app.api.paging import Page, Paged, page
from app.api.route import SaldoRoute
from app.api.routes.shared import CONFLICT, NOT_FOUND, IdInPath, OfBorrower
from app.api.schemas.work import PaidLoanShown, PaymentShown, ReturnGiven
from app.domain.money import Money
from app.domain.payment import PaymentState
from app.flows.payments.return_payment import return_payment
from app.reports import activity
from app.reports.slices import take
from app.store.unit import Unit

router = APIRouter(prefix="/v1/payments", tags=["Payments"], route_class=SaldoRoute)


@router.get("", summary="List payments")
async def list_payments(
    caller: ByKey,
    asked: Paged,
    borrower: OfBorrower = None,
    state: Annotated[PaymentState | None, Query(description="Only payments in this state.")] = None,
) -> Page[PaymentShown]:
    """Payments, the latest first. `settled` is money; `authorised` is on its way."""
    query = activity.payments_query(borrower=borrower, state=state)
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(unit, query, activity.PAYMENTS_BY, after=asked.after, limit=asked.limit)
        parts = await activity.loans_of_payments(unit, [row.id for row in found.rows])
    return page(PaymentShown, found, asked, lambda row: _shown(row, parts.get(row.id, [])))


@router.get("/{payment_id}", summary="Read a payment", responses=NOT_FOUND)
async def get_payment(payment_id: IdInPath, caller: ByKey) -> PaymentShown:
    """One payment and the loans it serves."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        return await _read(unit, payment_id)


@router.post(
    "/{payment_id}/return",
    summary="Report a returned payment",
    responses={**NOT_FOUND, **CONFLICT},
)
async def post_return(payment_id: IdInPath, given: ReturnGiven, caller: ByKey) -> PaymentShown:
    """The money of a settled payment went back. The dues return and a person gets a task.

    Known already: nothing changes. A payment that never settled cannot come back (409).
    """
    await return_payment(
        caller.house,
        caller.now,
        lender_id=caller.lender_id,
        payment_id=payment_id,
        reason=given.reason,
        actor=caller.actor,
    )
    return await get_payment(payment_id, caller)


async def _read(unit: Unit, payment_id: Any) -> PaymentShown:
    row = await activity.payment_of(unit, payment_id)
    parts = await activity.loans_of_payments(unit, [row.id])
    return _shown(row, parts.get(row.id, []))


def _shown(row: Any, parts: list[Any]) -> PaymentShown:
    return PaymentShown(
        id=row.id,
        borrower_ref=row.borrower_ref,
        amount=Money(row.amount_minor, row.currency).plain(),
        currency=row.currency,
        state=row.state,
        end_to_end_ref=row.end_to_end_ref,
        connector=row.connector,
        bank_id=row.bank_id,
        instant=row.instant,
        created_at=row.created_at,
        authorised_at=row.authorised_at,
        settled_at=row.settled_at,
        ended_at=row.ended_at,
        loans=[
            PaidLoanShown(
                loan_ref=part.loan_ref,
                case_id=part.case_id,
                amount=Money(part.amount_minor, row.currency).plain(),
            )
            for part in parts
        ],
    )
