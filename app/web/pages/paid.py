"""After the bank: what became of the payment, in honest words, and the receipt."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.errors import NotFound
from app.domain.payment import PaymentState
from app.flows.messages.open_link import LinkPage, LinkView, last_return, open_link, open_return
from app.reports.receipt import Receipt, receipt_of_link, receipt_of_return
from app.store.links import find_link
from app.web.borrower import ShownLender, borrower_page, looks_again, way, words_for
from app.web.linkpass import guessing_counted, pass_of, remembered_link
from app.web.render import see_other
from app.web.site import Site, site_of
from app.web.wording import Wording

router = APIRouter(prefix="/p")

_WAITING: Final = (PaymentState.REQUESTED, PaymentState.CREATING, PaymentState.OPEN)
_OVER: Final = (PaymentState.REJECTED, PaymentState.CANCELLED, PaymentState.ABANDONED)


@router.get("/back")
async def back_without_token(request: Request) -> Response:
    """The same for providers that redirect to one registered address and name nobody.

    The browser remembers the link it left from; any other one has nothing to see here.
    """
    site = site_of(request)
    token = remembered_link(site, request)
    with guessing_counted(site, request, token):
        return see_other(f"/p/back/{await last_return(site.house, token)}")


@router.get("/back/{return_token}")
async def back(request: Request, return_token: str) -> Response:
    """Where the bank sends the borrower. It proves nothing; the bank's own word is shown.

    The amount and the receipt are shown to the browser that answered the check, nobody else.
    """
    site = site_of(request)
    with guessing_counted(site, request, return_token):
        view = await open_return(site.house, return_token)
    words = words_for(request, view.language)
    token = remembered_link(site, request)
    receipt = await _own_receipt(site, request, token, return_token) if token else None
    return borrower_page(
        site,
        request,
        "borrower/paid.html",
        words,
        lender=ShownLender(view.asker.name, view.asker.contact_phone, view.asker.contact_url),
        stop_address=f"/p/{token}/stop" if receipt else "",
        receipt=receipt,
        **_state_words(request, words, view.state, view.asker.name, token if receipt else ""),
    )


async def paid_page(site: Site, request: Request, token: str, view: LinkView) -> Response:
    """The same behind the link itself: on its way, or paid."""
    words = words_for(request, view.language)
    found = await find_link(site.house.store, token)
    async with site.house.store.unit(found.lender_id) as unit:
        receipt = await receipt_of_link(unit, site.now(), found.link_id)
    state = PaymentState.SETTLED if view.page is LinkPage.PAID else PaymentState.AUTHORISED
    if receipt is not None and receipt.state is PaymentState.UNCLEAR:
        state = PaymentState.UNCLEAR
    return borrower_page(
        site,
        request,
        "borrower/paid.html",
        words,
        lender=ShownLender(view.asker.name, view.asker.contact_phone, view.asker.contact_url),
        stop_address=f"/p/{token}/stop",
        receipt=receipt,
        **_state_words(request, words, state, view.asker.name, ""),
    )


async def _own_receipt(
    site: Site, request: Request, token: str, return_token: str
) -> Receipt | None:
    """The receipt, if this browser passed the check of the link the payment was begun through."""
    try:
        found = await find_link(site.house.store, token)
        view = await open_link(site.house, site.now(), token, session=pass_of(site, request, token))
    except NotFound:
        return None
    if not view.checked:
        return None
    async with site.house.store.unit(found.lender_id) as unit:
        receipt = await receipt_of_return(unit, site.now(), return_token)
    return receipt if receipt is not None and receipt.link_id == found.link_id else None


def _state_words(
    request: Request, words: Wording, state: PaymentState, lender: str, token: str
) -> dict[str, Any]:
    """Title, sentence, sign, and the ways on, for one state of a payment."""
    settled = state is PaymentState.SETTLED
    look_again, ways = "", []
    if state in _WAITING:
        key, sign, tone = "paying.checking", "clock", "wait"
        look_again = looks_again(request, words, request.url.path)
        here = f"{request.url.path}?lang={words.language}"
        ways.append(way(words("paying.look"), here, plain=bool(token)))
    elif state is PaymentState.AUTHORISED:
        key, sign, tone = "paying.on_its_way", "check", "wait"
    elif settled:
        key, sign, tone = "paid.title", "check", ""
    elif state is PaymentState.RETURNED:
        key, sign, tone = "paid.returned", "info", "warn"
    elif state in _OVER:
        key, sign, tone = "paying.failed", "info", "warn"
    else:
        key, sign, tone = "paying.checking", "clock", "wait"
    text_key = "paid.text" if settled else f"{key}_text"
    if state is PaymentState.UNCLEAR:
        text_key = "paying.unclear_text"
    if token and state in (*_WAITING, *_OVER):
        again = words("paying.again" if state in _OVER else "paying.to_bank")
        href = f"/p/{token}?lang={words.language}"
        ways.insert(0, way(again, href))
    return {
        "title": words(key),
        "text": words(text_key, lender=lender),
        "sign": sign,
        "tone": tone,
        "settled": settled,
        "look_again": look_again,
        "ways": ways,
    }
