"""What a collector does with a task: take it, give it back, say what came of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Invalid
from app.domain.roles import Act
from app.domain.task import TaskOutcome
from app.flows.work_task import finish_task, release_task, take_task
from app.web.desk import back_to
from app.web.forms import read_uuid
from app.web.seats import Seat, local_path, needs
from app.web.site import site_of

router = APIRouter()


@router.post("/tasks/{task_id}/take")
async def take(
    request: Request, task_id: str, seat: Annotated[Seat, Depends(needs(Act.WORK_TASK))]
) -> Response:
    """Take a task off the board."""
    site = site_of(request)
    await take_task(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        task_id=read_uuid(task_id),
        user_id=seat.user_id,
        actor=seat.actor,
    )
    return _back(seat, "taken")


@router.post("/tasks/{task_id}/release")
async def release(
    request: Request, task_id: str, seat: Annotated[Seat, Depends(needs(Act.WORK_TASK))]
) -> Response:
    """Give a task back to the board."""
    site = site_of(request)
    await release_task(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        task_id=read_uuid(task_id),
        user_id=seat.user_id,
        actor=seat.actor,
    )
    return _back(seat, "released")


@router.post("/tasks/{task_id}/finish")
async def finish(
    request: Request, task_id: str, seat: Annotated[Seat, Depends(needs(Act.WORK_TASK))]
) -> Response:
    """Say what came of a task, with a note for whoever reads it next."""
    site, form = site_of(request), seat.posted
    outcome = form.text("outcome")
    if outcome not in {one.value for one in TaskOutcome}:
        raise Invalid("outcome", "is missing.", mend="Say what came of the task.")
    await finish_task(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        task_id=read_uuid(task_id),
        user_id=seat.user_id,
        actor=seat.actor,
        outcome=TaskOutcome(outcome),
        note=form.text("note", longest=2000),
        called=form.ticked("called"),
    )
    return _back(seat, "finished")


def _back(seat: Seat, done: str) -> Response:
    """To the page the button stood on."""
    path, _, query = local_path(seat.posted.text("back", longest=300)).partition("?")
    pile = query.removeprefix("pile=") if query.startswith("pile=") else ""
    return back_to(path, done, **({"pile": pile} if pile else {}))
