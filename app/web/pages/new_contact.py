"""A new number or e-mail address of a borrower, as a collector has heard it."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Invalid
from app.domain.roles import Act
from app.flows.work.enter_contact import ContactHeard, enter_contact
from app.web.desk import back_to
from app.web.forms import read_uuid
from app.web.pages.cases import MissedEntry, case_page
from app.web.seats import Seat, needs
from app.web.site import site_of

router = APIRouter()

# No field of the form takes more.
_LONGEST: Final = 254
_NOT_ENTERED: Final = "Nothing is entered: see under the borrower what is wrong."


@router.post("/cases/{case_id}/new-contact")
async def enter(
    request: Request, case_id: str, seat: Annotated[Seat, Depends(needs(Act.ENTER_CONTACT))]
) -> Response:
    """Take it down: it is called, and not written to before it is confirmed."""
    site, wanted, form = site_of(request), read_uuid(case_id), seat.posted
    heard = ContactHeard(
        phone=form.text("phone", longest=_LONGEST),
        email=form.text("email", longest=_LONGEST),
        source=form.text("source", longest=_LONGEST),
    )
    try:
        await enter_contact(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            case_id=wanted,
            user_id=seat.user_id,
            actor=seat.actor,
            heard=heard,
        )
    except Invalid as error:
        missed = MissedEntry(heard.phone, heard.email, heard.source, error.field, error.said)
        return await case_page(request, case_id, seat, _NOT_ENTERED, error.status, missed)
    return back_to(f"/cases/{wanted}", "entered")
