"""Loans, what is owed on them, and repayments made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from app.api.caller import ByKey
from app.api.paging import Page, Paged, page
from app.api.route import SaldoRoute
from app.api.routes.shared import CONFLICT, NOT_FOUND, OfBorrower, RefInPath
from app.api.schemas.loans import (
    BookedShown,
    InstalmentGiven,
    InstalmentShown,
    LoanGiven,
    LoanInFullShown,
    LoanShown,
    OwedGiven,
    RepaymentGiven,
)
from app.api.wire import money, money_of
from app.domain.money import Money
from app.flows.books.register_loan import LoanWanted, register_loan
from app.flows.money.confirm_owed import confirm_owed
from app.flows.money.report_repayment import RepaymentWanted, report_repayment
from app.reports import book
from app.reports.delinquency import loan_standing
from app.reports.slices import take
from app.store.loans import Scheduled

router = APIRouter(prefix="/v1/loans", tags=["Loans"], route_class=SaldoRoute)


@router.post(
    "",
    status_code=201,
    summary="Register a loan",
    responses={
        200: {"description": "Known before; a newer `as_of` was taken.", "model": LoanInFullShown},
        **NOT_FOUND,
        **CONFLICT,
    },
)
async def post_loan(given: LoanGiven, caller: ByKey, response: Response) -> LoanInFullShown:
    """Create a loan, or take a newer state of it. The same again, or an older one, does nothing."""
    wanted = LoanWanted(
        borrower_ref=given.borrower_ref,
        external_ref=given.external_ref,
        product=given.product,
        currency=given.currency,
        as_of=given.as_of or caller.now,
        schedule=_schedule(given.instalments, given.currency),
    )
    done = await register_loan(caller.house, caller.now, caller.lender_id, wanted)
    if not done.created:
        response.status_code = 200
    response.headers["Location"] = f"/v1/loans/{given.external_ref}"
    return await get_loan(given.external_ref, caller)


@router.get("", summary="List loans")
async def list_loans(
    caller: ByKey,
    asked: Paged,
    borrower: OfBorrower = None,
    due: Annotated[bool, Query(description="true: only loans with an open case.")] = False,
) -> Page[LoanShown]:
    """All loans, in the order of your references, without their instalments."""
    query = book.loans_query(caller.now, borrower=borrower, due=due)
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(
            unit,
            query,
            book.LOANS_BY,
            after=asked.after,
            limit=asked.limit,
            newest_first=False,
        )
    return page(LoanShown, found, asked, lambda row: LoanShown(**_shown(row)))


@router.get("/{external_ref}", summary="Read a loan", responses=NOT_FOUND)
async def get_loan(external_ref: RefInPath, caller: ByKey) -> LoanInFullShown:
    """One loan with its instalments, and how late it is at this moment."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        row = await book.loan_of(unit, external_ref, caller.now)
        parts = await book.instalments_of(unit, row.id)
        stands = await loan_standing(unit, row.id, caller.house.settings.buckets, caller.now)
    listed = [
        InstalmentShown(
            number=part.number,
            due_on=part.due_on,
            amount=Money(part.amount_minor, row.currency).plain(),
            paid=Money(part.paid_minor, row.currency).plain(),
        )
        for part in parts
    ]
    return LoanInFullShown(
        **_shown(row),
        days_past_due=stands.lateness.days_past_due,
        days_since_due=stands.lateness.days_since_due,
        bucket=stands.cell,
        instalments=listed,
    )


@router.put(
    "/{external_ref}/owed",
    summary="Say what is owed",
    responses={**NOT_FOUND, **CONFLICT},
)
async def put_owed(external_ref: RefInPath, given: OwedGiven, caller: ByKey) -> LoanInFullShown:
    """Replace the whole schedule by your ledger's. Nothing due any more closes the case.

    What fell since your last word, and no reported repayment explains, counts towards a promise.
    """
    before = await get_loan(external_ref, caller)
    schedule = _schedule(given.instalments, before.due.currency)
    await confirm_owed(
        caller.house,
        caller.now,
        caller.lender_id,
        external_ref,
        as_of=given.as_of,
        schedule=schedule,
        closed=given.closed,
    )
    return await get_loan(external_ref, caller)


@router.post(
    "/{external_ref}/repayments",
    status_code=201,
    summary="Report a repayment",
    responses={
        200: {"description": "Counted before; nothing changed.", "model": BookedShown},
        **NOT_FOUND,
        **CONFLICT,
    },
)
async def post_repayment(
    external_ref: RefInPath, given: RepaymentGiven, caller: ByKey, response: Response
) -> BookedShown:
    """Money that reached you. It is counted once, whoever of us reports it first.

    Money paid before the `as_of` of your last word on what is owed lowers what is asked for all the
    same, until your next word: asking for too little is mended, asking twice is not. Leave out
    what that word counted already.
    """
    wanted = RepaymentWanted(
        external_ref=given.external_ref,
        amount=money_of(given.amount, given.currency),
        paid_at=given.paid_at,
        payment_id=given.payment_id,
        end_to_end_ref=given.end_to_end_ref,
    )
    done = await report_repayment(caller.house, caller.now, caller.lender_id, external_ref, wanted)
    if not done.counted:
        response.status_code = 200
    return BookedShown(
        loan_id=done.loan_id,
        counted=done.counted,
        overpaid=money(done.overpaid.minor, done.overpaid.currency),
        remaining_due=money(done.remaining_due.minor, done.remaining_due.currency),
    )


# ------------------------------------------------------------------ shapes


def _schedule(given: Sequence[InstalmentGiven], currency: str) -> tuple[Scheduled, ...]:
    """Instalments in minor units. Raises `Invalid` naming the instalment."""
    return tuple(
        Scheduled(
            number=one.number,
            due_on=one.due_on,
            amount_minor=money_of(one.amount, currency, field=f"instalments[{place}].amount").minor,
            paid_minor=money_of(one.paid, currency, field=f"instalments[{place}].paid").minor,
        )
        for place, one in enumerate(given)
    )


def _shown(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "external_ref": row.external_ref,
        "borrower_ref": row.borrower_ref,
        "product": row.product,
        "state": row.state,
        "due": money(int(row.due_minor), row.currency),
        "outstanding": money(int(row.outstanding_minor), row.currency),
        "next_due_on": row.next_due_on,
        "owed_as_of": row.owed_as_of,
        "case_id": row.case_id,
        "created_at": row.created_at,
    }
