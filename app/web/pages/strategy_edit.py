"""Writing a draft: the plain form, and the whole of it as text for experts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Invalid
from app.domain.roles import Act
from app.domain.stages import WRITTEN, EndAct, parse_body
from app.domain.strategy import SignalsAct
from app.flows.strategies.check_strategy import texts_of
from app.flows.strategies.write_strategy import check_is_draft, save_draft
from app.store.strategy_editions import stamp_of, version_of
from app.web.desk import back_to, brakes_in_force, desk_page
from app.web.forms import read_uuid
from app.web.pages.strategies import HERE
from app.web.seats import Seat, needs
from app.web.site import site_of
from app.web.strategy_form import (
    LONGEST_TEXT,
    PROMISE_FIELDS,
    Typed,
    fields_of,
    place_words,
    read_text,
    read_typed,
    typed_of,
)

router = APIRouter()


@router.get("/strategies/versions/{version_id}/edit")
async def edit(
    request: Request,
    version_id: str,
    seat: Annotated[Seat, Depends(needs(Act.WRITE_STRATEGY))],
) -> Response:
    """The form of a draft."""
    return await _form(request, seat, read_uuid(version_id))


async def _form(
    request: Request,
    seat: Seat,
    version_id: UUID,
    *,
    typed: Typed | None = None,
    text: str | None = None,
    trouble: str = "",
    seen: str | None = None,
) -> Response:
    """What stands there now, or what was typed when it could not be saved."""
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        row = await version_of(unit, version_id)
        check_is_draft(row)
        texts = await texts_of(unit, site.house)
    body = parse_body(row.body)
    plain = {name: value for name, value in row.body.items() if name != "name"}
    return desk_page(
        site,
        request,
        seat,
        "desk/strategy_edit.html",
        banners=banners,
        here=HERE,
        version=row,
        typed=(typed or typed_of(body, row.note)).with_spare_rows(),
        text=text if text is not None else json.dumps(plain, indent=2, ensure_ascii=False),
        as_text=text is not None,
        # What was typed was typed over the body of then: a later save by others still counts.
        stamp=seen if seen is not None else stamp_of(row.body),
        templates=texts.names(),
        channels=WRITTEN,
        ends=list(EndAct),
        signals=list(SignalsAct),
        promise_fields=PROMISE_FIELDS,
        trouble=trouble,
    )


@router.post("/strategies/versions/{version_id}/save")
async def save(
    request: Request,
    version_id: str,
    seat: Annotated[Seat, Depends(needs(Act.WRITE_STRATEGY))],
) -> Response:
    """Save what the form says."""
    typed = read_typed(seat.posted)
    return await _save(
        request, seat, read_uuid(version_id), lambda: fields_of(typed), typed.note, typed=typed
    )


@router.post("/strategies/versions/{version_id}/save-text")
async def save_text(
    request: Request,
    version_id: str,
    seat: Annotated[Seat, Depends(needs(Act.WRITE_STRATEGY))],
) -> Response:
    """Save what an expert typed."""
    text = seat.posted.text("text", longest=LONGEST_TEXT)
    note = seat.posted.text("note", longest=500)
    return await _save(
        request, seat, read_uuid(version_id), lambda: read_text(text), note, text=text
    )


async def _save(
    request: Request,
    seat: Seat,
    version_id: UUID,
    read: Callable[[], Mapping[str, Any]],
    note: str,
    **shown: Any,
) -> Response:
    site = site_of(request)
    seen = seat.posted.text("seen", longest=64)
    try:
        await save_draft(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            version_id=version_id,
            seen=seen,
            fields=read(),
            note=note,
            actor=seat.actor,
        )
    except Invalid as error:
        words = f"{place_words(error.field)} {error.said}"
        return await _form(request, seat, version_id, trouble=words, seen=seen, **shown)
    return back_to(f"/strategies/versions/{version_id}", "saved")
