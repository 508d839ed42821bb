"""What a collector does with tasks: take the next, give one back, say what came of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Invalid, NotAllowed
from app.domain.roles import Act
from app.domain.task import TaskOutcome
from app.flows.work.next_case import next_case
from app.flows.work.work_task import finish_task, release_task, take_task
from app.reports.promise_book import currency_of_case
from app.web.desk import back_to, zone_of_seat
from app.web.forms import read_uuid
from app.web.pages.cases import case_page
from app.web.seats import Seat, local_path, needs
from app.web.site import site_of
from app.web.typed import one_of, read_moment, read_parts

router = APIRouter()


@router.post("/next")
async def take_next(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.WORK_TASK))]
) -> Response:
    """Take the best task there is, or go on with the one in hand."""
    site = site_of(request)
    served = await next_case(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        user_id=seat.user_id,
        actor=seat.actor,
    )
    if served is None:
        return back_to("/", "nothing_to_do")
    done = "in_hand" if served.in_hand else "served"
    if served.case_id is None:
        return back_to("/", done, pile="mine")
    return back_to(f"/cases/{served.case_id}", done)


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
    """Say what came of a task, by one button; what follows from it follows at once."""
    case_id = _case_of_page(seat)
    try:
        await _finish(request, task_id, seat, case_id)
    except (Invalid, NotAllowed) as error:
        if not case_id or (isinstance(error, NotAllowed) and error.code == "TaskTaken"):
            raise
        return await case_page(request, case_id, seat, error.message, error.status)
    return _back(seat, "finished")


async def _finish(request: Request, task_id: str, seat: Seat, case_id: str) -> None:
    site, form = site_of(request), seat.posted
    known = {one.value for one in TaskOutcome}
    said = TaskOutcome(one_of(form, "outcome", known, mend="Say what came of the task."))
    parts, call_at = [], None
    if said is TaskOutcome.PROMISE and case_id:
        async with site.house.store.unit(seat.lender_id) as unit:
            currency = await currency_of_case(unit, read_uuid(case_id))
        parts = read_parts(form, currency)
    if said is TaskOutcome.CALL_BACK:
        call_at = read_moment(form, "call_at", zone_of_seat(seat))
    await finish_task(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        task_id=read_uuid(task_id),
        user_id=seat.user_id,
        actor=seat.actor,
        outcome=said,
        note=form.text("note", longest=2000),
        called=form.ticked("called"),
        parts=parts,
        call_at=call_at,
        new_number=form.ticked("new_number"),
    )


def _case_of_page(seat: Seat) -> str:
    """The case whose page the form stood on; empty when it stood on another page."""
    path = local_path(seat.posted.text("back", longest=300)).partition("?")[0]
    return path.removeprefix("/cases/") if path.startswith("/cases/") else ""


def _back(seat: Seat, done: str) -> Response:
    """To the page the button stood on."""
    path, _, query = local_path(seat.posted.text("back", longest=300)).partition("?")
    pile = query.removeprefix("pile=") if query.startswith("pile=") else ""
    return back_to(path, done, **({"pile": pile} if pile else {}))
