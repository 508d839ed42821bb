"""Sent to his bank, and he thinks better of it: another amount, or another bank."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.errors import Conflict, IllegalTransition, NotAllowed, ProviderError
from app.flows.messages.open_link import open_link
from app.flows.payments.cancel_payment import give_up_payment
from app.web.borrower import onward, words_for
from app.web.linkpass import form_of, guessing_counted, pass_of
from app.web.site import site_of

router = APIRouter(prefix="/p")

# What the payment page says afterwards, by the code in the address.
FREE: Final = "free"
KEPT: Final = "kept"
LEFT: Final = "left"


@router.post("/{token}/another")
async def another(request: Request, token: str) -> Response:
    """Take back the payment nobody has authorised; the page then asks for an amount anew. One that
    nobody can take back is left open, once he has had time to finish it.

    Only the bank's word frees the way. Where it says anything else, or he has authorised it in the
    meantime, the page shows the payment as it stands, and no second one can begin.
    """
    site = site_of(request)
    with guessing_counted(site, request, token):
        session = pass_of(site, request, token)
        view = await open_link(site.house, site.now(), token, session=session)
        words = words_for(request, view.language)
        await form_of(site, request, token)
        try:
            free = await give_up_payment(site.house, site.now(), token, session=session)
        except (NotAllowed, Conflict, IllegalTransition):
            return onward(f"/p/{token}", words)
        except ProviderError:
            return onward(f"/p/{token}", words, note=KEPT)
    gone = FREE if view.free_at is None else LEFT
    return onward(f"/p/{token}", words, note=gone if free else KEPT)
