"""Cases with their timelines, and the signals behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from app.api.caller import ByKey, Caller
from app.api.paging import Page, Paged, page
from app.api.route import SaldoRoute
from app.api.routes.shared import NOT_FOUND, IdInPath, OfBorrower
from app.api.schemas.work import (
    CaseReachShown,
    CaseShown,
    NextStepShown,
    SignalShown,
    StandingShown,
    TimelineShown,
)
from app.api.wire import money
from app.domain.case import CaseState
from app.domain.stage_plan import Step
from app.reports import activity, book
from app.reports.next_step import StrategyLine, strategy_lines
from app.reports.slices import take
from app.store.unit import Unit

router = APIRouter(prefix="/v1", route_class=SaldoRoute)


@router.get("/cases", summary="List cases", tags=["Cases"])
async def list_cases(
    caller: ByKey,
    asked: Paged,
    borrower: OfBorrower = None,
    state: Annotated[CaseState | None, Query(description="Only cases in this state.")] = None,
) -> Page[CaseShown]:
    """Overdue loans being worked, the latest first, each with its stage and next step."""
    query = book.cases_query(caller.now, borrower=borrower, state=state)
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(unit, query, book.CASES_BY, after=asked.after, limit=asked.limit)
        standing = await _standing(unit, caller, found.rows)
    return page(CaseShown, found, asked, lambda row: _case(row, standing.get(row.id)))


@router.get("/cases/{case_id}", summary="Read a case", tags=["Cases"], responses=NOT_FOUND)
async def get_case(case_id: IdInPath, caller: ByKey) -> CaseShown:
    """One case, where it stands in its strategy, and the next step: what and when.

    What happened to it stands in its timeline.
    """
    async with caller.house.store.unit(caller.lender_id) as unit:
        row = await book.case_of(unit, case_id, caller.now)
        standing = await _standing(unit, caller, [row])
    return _case(row, standing.get(row.id))


@router.get(
    "/cases/{case_id}/timeline",
    summary="Read a case's timeline",
    tags=["Cases"],
    responses=NOT_FOUND,
)
async def get_timeline(case_id: IdInPath, caller: ByKey, asked: Paged) -> Page[TimelineShown]:
    """Everything that happened and why, in order: readings, decisions, verdicts, money."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        case = await book.case_of(unit, case_id, caller.now)
        found = await take(
            unit,
            book.timeline_query(case.borrower_id, case.id),
            book.TIMELINE_BY,
            after=asked.after,
            limit=asked.limit,
            newest_first=False,
        )
    return page(TimelineShown, found, asked)


@router.get("/signals", summary="List funds signals", tags=["Signals"])
async def list_signals(
    caller: ByKey,
    asked: Paged,
    borrower: OfBorrower = None,
    live: Annotated[bool, Query(description="true: only signals that count now.")] = False,
) -> Page[SignalShown]:
    """That there was money, and how far it reached; never how much it was. The latest first."""
    query = activity.signals_query(borrower=borrower, live=live)
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(unit, query, activity.SIGNALS_BY, after=asked.after, limit=asked.limit)
        reach = await activity.cases_of_signals(unit, [row.id for row in found.rows])

    def show(row: Any) -> SignalShown:
        return SignalShown(
            id=row.id,
            borrower_ref=row.borrower_ref,
            raised_at=row.raised_at,
            covers=row.covers,
            decided_at=row.decided_at,
            ended_at=row.ended_at,
            ended_why=row.ended_why,
            cases=[CaseReachShown.model_validate(part) for part in reach.get(row.id, [])],
        )

    return page(SignalShown, found, asked, show)


async def _standing(unit: Unit, caller: Caller, rows: Sequence[Any]) -> Mapping[UUID, StrategyLine]:
    """Where those that are still worked stand; a closed case stands nowhere."""
    worked = [row.id for row in rows if row.state != CaseState.CLOSED.value]
    return await strategy_lines(unit, caller.now, worked)


def _case(row: Any, line: StrategyLine | None) -> CaseShown:
    return CaseShown(
        id=row.id,
        loan_ref=row.loan_ref,
        borrower_ref=row.borrower_ref,
        state=row.state,
        due=money(int(row.due_minor), row.currency),
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        close_reason=row.close_reason,
        calls_made=row.calls_made,
        promised_on=row.promised_on,
        standing=None if line is None else _shown(line),
    )


def _shown(line: StrategyLine) -> StandingShown:
    step = line.next_step
    return StandingShown(
        strategy=line.name,
        version=line.number,
        stage=line.plan.stage,
        days_past_due=line.days_past_due,
        waits_for=line.plan.waits_for,
        next_step=None if step is None else _next(step),
        looks_at=line.looks_at,
    )


def _next(step: Step) -> NextStepShown:
    return NextStepShown(
        kind=step.kind,
        on_day=step.on_day,
        channel=step.notice.channel if step.notice else None,
        template=step.notice.template if step.notice else None,
        attempt=step.attempt or None,
    )
