"""Messages and tasks: what went out, and what a person has to do."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.caller import ByKey
from app.api.paging import Page, Paged, page
from app.api.route import SaldoRoute
from app.api.routes.shared import NOT_FOUND, IdInPath, OfBorrower
from app.api.schemas.work import MessageShown, TaskShown
from app.domain.message import MessageState
from app.domain.task import TaskReason, TaskState
from app.reports import activity
from app.reports.slices import take

router = APIRouter(prefix="/v1", route_class=SaldoRoute)


@router.get("/messages", summary="List messages", tags=["Messages"])
async def list_messages(
    caller: ByKey,
    asked: Paged,
    borrower: OfBorrower = None,
    state: Annotated[
        MessageState | None,
        Query(description="Only these; `withheld` is what observe-only mode kept back."),
    ] = None,
) -> Page[MessageShown]:
    """Messages to borrowers, the latest first, without their text."""
    query = activity.messages_query(borrower=borrower, state=state)
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(unit, query, activity.MESSAGES_BY, after=asked.after, limit=asked.limit)
    return page(MessageShown, found, asked)


@router.get(
    "/messages/{message_id}", summary="Read a message", tags=["Messages"], responses=NOT_FOUND
)
async def get_message(message_id: IdInPath, caller: ByKey) -> MessageShown:
    """One message and what the contact gate said about it."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        return MessageShown.model_validate(await activity.message_of(unit, message_id))


@router.get("/tasks", summary="List tasks", tags=["Tasks"])
async def list_tasks(
    caller: ByKey,
    asked: Paged,
    borrower: OfBorrower = None,
    state: Annotated[TaskState | None, Query(description="Only tasks in this state.")] = None,
    reason: Annotated[TaskReason | None, Query(description="Only tasks for this reason.")] = None,
) -> Page[TaskShown]:
    """Work for people, the latest first."""
    query = activity.tasks_query(borrower=borrower, state=state, reason=reason)
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(unit, query, activity.TASKS_BY, after=asked.after, limit=asked.limit)
    return page(TaskShown, found, asked)


@router.get("/tasks/{task_id}", summary="Read a task", tags=["Tasks"], responses=NOT_FOUND)
async def get_task(task_id: IdInPath, caller: ByKey) -> TaskShown:
    """One task: the reason, and the situation in words."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        return TaskShown.model_validate(await activity.task_of(unit, task_id))
