"""Messages and tasks: what went out, and what a person has to do."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.caller import ByKey
from app.api.paging import Page, Paged, page
from app.api.route import SaldoRoute
from app.api.routes.shared import CONFLICT, NOT_FOUND, IdInPath, OfBorrower
from app.api.schemas.work import MessageShown, PushedShown, PushShown, TaskShown
from app.domain.message import MessageState
from app.domain.task import TaskReason, TaskState
from app.flows.messages.push_messages import confirm_pushed, push_words
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


@router.get(
    "/messages/{message_id}/push",
    summary="Fetch a message for your app",
    tags=["Messages"],
    responses=NOT_FOUND,
)
async def get_push(message_id: IdInPath, caller: ByKey) -> PushShown:
    """What your app shows, after `message.push_requested` and until it is confirmed."""
    found = await push_words(caller.house, lender_id=caller.lender_id, message_id=message_id)
    return PushShown(id=found.message_id, body=found.body, link=found.link, language=found.language)


@router.post(
    "/messages/{message_id}/pushed",
    summary="Confirm that your app showed a message",
    tags=["Messages"],
    responses={**NOT_FOUND, **CONFLICT},
)
async def post_pushed(message_id: IdInPath, caller: ByKey) -> PushedShown:
    """It does not go out as a text any more. Twice is harmless; 409 when it has left already."""
    state = await confirm_pushed(
        caller.house, caller.now, lender_id=caller.lender_id, message_id=message_id
    )
    return PushedShown(id=message_id, state=state.value)


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
