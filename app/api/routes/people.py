"""People's work through the API: promises, outcomes of tasks, contacts made elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.api.caller import ByKey
from app.api.paging import Page, Paged, page
from app.api.route import SaldoRoute
from app.api.routes.shared import CONFLICT, NOT_FOUND, IdInPath, OfBorrower
from app.api.schemas.people import (
    CallWindowShown,
    CancelGiven,
    ContactGiven,
    ContactShown,
    OutcomeGiven,
    PartShown,
    PromiseGiven,
    PromiseShown,
    RuleAsked,
)
from app.api.schemas.work import TaskShown
from app.api.wire import money_of
from app.domain.promise import PromiseState
from app.domain.promise_terms import Part, PromiseSource
from app.flows.work.call_window import ask_to_call
from app.flows.work.cancel_promise import cancel_promise
from app.flows.work.record_contact import ContactMade, record_contact
from app.flows.work.take_promise import take_promise
from app.flows.work.work_task import finish_task
from app.reports import activity, promise_records
from app.reports.slices import take
from app.store.promises import parts_of
from app.store.unit import Unit

router = APIRouter(prefix="/v1", route_class=SaldoRoute)


@router.get("/promises", summary="List promises", tags=["Promises"])
async def list_promises(
    caller: ByKey,
    asked: Paged,
    borrower: OfBorrower = None,
    state: Annotated[PromiseState | None, Query(description="Only promises in this state.")] = None,
) -> Page[PromiseShown]:
    """Promises to pay, the latest first."""
    query = promise_records.promises_query(borrower=borrower, state=state)
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(
            unit, query, promise_records.PROMISES_BY, after=asked.after, limit=asked.limit
        )
        shown = await _shown(unit, found.rows)
    return page(PromiseShown, found, asked, lambda row: shown[row.id])


@router.get(
    "/promises/{promise_id}", summary="Read a promise", tags=["Promises"], responses=NOT_FOUND
)
async def get_promise(promise_id: IdInPath, caller: ByKey) -> PromiseShown:
    """One promise with its parts, and what became of it."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        row = await promise_records.promise_of(unit, promise_id)
        return (await _shown(unit, [row]))[row.id]


@router.post(
    "/promises/{promise_id}/cancel",
    summary="Cancel a promise",
    tags=["Promises"],
    responses={**NOT_FOUND, **CONFLICT},
)
async def post_cancel(promise_id: IdInPath, given: CancelGiven, caller: ByKey) -> PromiseShown:
    """End an open promise without a verdict. What was broken stays broken."""
    await cancel_promise(
        caller.house,
        caller.now,
        lender_id=caller.lender_id,
        promise_id=promise_id,
        reason=given.reason,
        actor=caller.actor,
    )
    return await get_promise(promise_id, caller)


@router.post(
    "/tasks/{task_id}/outcome",
    summary="Say what came of a task",
    tags=["Tasks"],
    responses={**NOT_FOUND, **CONFLICT, 403: {"description": "Somebody at the desk has it."}},
)
async def post_outcome(task_id: IdInPath, given: OutcomeGiven, caller: ByKey) -> TaskShown:
    """End a task that nobody at the desk has taken. Each outcome has its consequence at once.

    A promise stops calls; a dispute and hardship set a hold; a wrong number is not used again.
    """
    await finish_task(
        caller.house,
        caller.now,
        lender_id=caller.lender_id,
        task_id=task_id,
        user_id=None,
        actor=caller.actor,
        outcome=given.outcome,
        note=given.note,
        called=given.called,
        parts=[] if given.promise is None else _parts(given.promise, "promise."),
        call_at=given.call_at,
    )
    async with caller.house.store.unit(caller.lender_id) as unit:
        return TaskShown.model_validate(await activity.task_of(unit, task_id))


@router.post(
    "/cases/{case_id}/contacts",
    status_code=201,
    summary="Note a contact made elsewhere",
    tags=["Cases"],
    responses={**NOT_FOUND, **CONFLICT},
)
async def post_contact(case_id: IdInPath, given: ContactGiven, caller: ByKey) -> ContactShown:
    """Count a call or message that Saldo did not make; its outcome has its consequence."""
    contact_id = await record_contact(
        caller.house,
        caller.now,
        lender_id=caller.lender_id,
        case_id=case_id,
        made=contact_made(given),
        user_id=None,
        actor=caller.actor,
    )
    return ContactShown(id=contact_id)


@router.get(
    "/cases/{case_id}/call-window",
    summary="Ask whether the borrower may be called",
    tags=["Cases"],
    responses=NOT_FOUND,
)
async def get_call_window(
    case_id: IdInPath,
    caller: ByKey,
    at_work: Annotated[
        bool, Query(description="The call would reach the borrower at work.")
    ] = False,
    asked_for: Annotated[
        bool, Query(description="The borrower asked for it in the last seven days.")
    ] = False,
) -> CallWindowShown:
    """Hours, limits, holds and the place of work, before anybody dials. Nothing is counted.

    A no is kept as an attempt for the compliance report, once an hour.
    """
    window = await ask_to_call(
        caller.house,
        caller.now,
        lender_id=caller.lender_id,
        case_id=case_id,
        actor=caller.actor,
        at_work=at_work,
        asked_for=asked_for,
    )
    return CallWindowShown(
        allowed=window.allowed,
        because=window.because,
        opens_at=window.opens_at,
        until=window.until,
        time_zone=window.zone,
        used=window.used,
        rules=[RuleAsked.model_validate(one) for one in window.checks],
        pack=window.pack,
    )


@router.post(
    "/cases/{case_id}/promises",
    status_code=201,
    summary="Take a promise",
    tags=["Promises"],
    responses={
        **NOT_FOUND,
        **CONFLICT,
        403: {
            "description": "The last promise was broken, or the last two kept only in part: "
            "a person has to agree to another."
        },
    },
)
async def post_promise(
    case_id: IdInPath, given: PromiseGiven, caller: ByKey, response: Response
) -> PromiseShown:
    """Write down what the borrower promised; calls and queued messages stop.

    Within the limits of the case's strategy, and not after a promise that was broken, or two that
    were kept only in part.
    """
    promise_id = await take_promise(
        caller.house,
        caller.now,
        lender_id=caller.lender_id,
        case_id=case_id,
        parts=_parts(given),
        source=PromiseSource.API,
        made_by=caller.actor,
        note=given.note,
    )
    response.headers["Location"] = f"/v1/promises/{promise_id}"
    return await get_promise(promise_id, caller)


def contact_made(given: ContactGiven) -> ContactMade:
    """What somebody reports, as the flow takes it."""
    return ContactMade(
        channel=given.channel,
        outbound=given.direction == "outbound",
        made_at=given.made_at,
        conversation=given.conversation,
        note=given.note,
        outcome=given.outcome,
        asked_for=given.asked_for,
        connected=given.connected,
        at_work=given.at_work,
    )


def _parts(given: PromiseGiven, where: str = "") -> list[Part]:
    return [
        Part(
            part.due_on,
            money_of(part.amount, given.currency, field=f"{where}parts[{place}].amount"),
        )
        for place, part in enumerate(given.parts)
    ]


async def _shown(unit: Unit, rows: Iterable[Any]) -> dict[UUID, PromiseShown]:
    listed = list(rows)
    parts = await parts_of(unit, listed)
    return {
        row.id: PromiseShown(
            id=row.id,
            borrower_ref=row.borrower_ref,
            loan_ref=row.loan_ref,
            case_id=row.case_id,
            state=row.state,
            parts=[
                PartShown(due_on=part.due_on, amount=part.amount.plain()) for part in parts[row.id]
            ],
            currency=row.currency,
            source=row.source,
            made_by=row.made_by,
            made_at=row.made_at,
            note=row.note,
            ended_at=row.ended_at,
            ended_why=row.ended_why,
        )
        for row in listed
    }
