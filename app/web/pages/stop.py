"""Stop the reading, stop the messages: from any link of ours, over or not, without a question."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from app.domain.errors import Invalid
from app.domain.message import Channel
from app.flows.consents.open_consent import open_consent
from app.flows.consents.withdraw_consent import withdraw_by_consent_link, withdraw_by_payment_link
from app.flows.messages.open_link import open_link
from app.flows.messages.stop_messages import stop_messages_of_consent, stop_messages_of_link
from app.web.borrower import ShownLender, borrower_page, onward, words_for
from app.web.linkpass import csrf_of, form_of, guessing_counted, link_name
from app.web.render import see_other
from app.web.site import Site, site_of
from app.web.throttle import Door
from app.web.wording import Wording

router = APIRouter()


@router.get("/p/{token}/stop")
async def show_of_link(request: Request, token: str) -> Response:
    """Behind the link of a text message. Says nothing of a debt."""
    site = site_of(request)
    with guessing_counted(site, request, token):
        view = await open_link(site.house, site.now(), token)
    asker = view.asker
    return _page(
        site,
        request,
        words_for(request, view.language),
        f"/p/{token}",
        token,
        ShownLender(asker.name, asker.contact_phone, asker.contact_url),
        messages_stopped=view.messages_stopped,
        emails_stopped=view.emails_stopped,
        reading_stopped=False,
    )


@router.get("/c/{token}/stop")
async def show_of_consent(request: Request, token: str) -> Response:
    """Behind a consent link."""
    site = site_of(request)
    with guessing_counted(site, request, token):
        page = await open_consent(site.house, site.now(), token)
    asker = page.lender
    return _page(
        site,
        request,
        words_for(request, page.language),
        f"/c/{token}",
        token,
        ShownLender(asker.name, asker.contact_phone, asker.contact_url),
        messages_stopped=page.messages_stopped,
        emails_stopped=page.emails_stopped,
        reading_stopped=page.reading_stopped,
    )


def _page(
    site: Site,
    request: Request,
    words: Wording,
    base: str,
    token: str,
    lender: ShownLender,
    *,
    messages_stopped: bool,
    emails_stopped: bool | None,
    reading_stopped: bool,
) -> Response:
    return borrower_page(
        site,
        request,
        "borrower/stop.html",
        words,
        lender=lender,
        base=base,
        csrf=csrf_of(site, request, token),
        messages_stopped=messages_stopped,
        emails_stopped=emails_stopped,
        # What was just done is said, also where the page does not know how it stood before.
        reading_stopped=reading_stopped or request.query_params.get("done") == "reading",
    )


@router.post("/p/{token}/stop")
async def stop_of_link(request: Request, token: str) -> Response:
    """Stop one of the three, at once."""
    site = site_of(request)
    with guessing_counted(site, request, token):
        view = await open_link(site.house, site.now(), token)
        form = await form_of(site, request, token)
        what = _what(form.text("what"))
        if what == "messages":
            await stop_messages_of_link(site.house, site.now(), token)
        elif what == "emails":
            await stop_messages_of_link(site.house, site.now(), token, channel=Channel.EMAIL)
        else:
            await withdraw_by_payment_link(site.house, site.now(), token)
    return onward(f"/p/{token}/stop", words_for(request, view.language), done=what)


@router.post("/c/{token}/stop")
async def stop_of_consent(request: Request, token: str) -> Response:
    """The same behind a consent link."""
    site = site_of(request)
    with guessing_counted(site, request, token):
        page = await open_consent(site.house, site.now(), token)
        form = await form_of(site, request, token)
        what = _what(form.text("what"))
        if what == "messages":
            await stop_messages_of_consent(site.house, site.now(), token)
        elif what == "emails":
            await stop_messages_of_consent(site.house, site.now(), token, channel=Channel.EMAIL)
        else:
            await withdraw_by_consent_link(site.house, site.now(), token)
    return onward(f"/c/{token}/stop", words_for(request, page.language), done=what)


@router.get("/p/{token}/stop/email")
async def email_for_people(request: Request, token: str) -> Response:
    """The address in an e-mail's header, opened by a person: to the page with the buttons."""
    with guessing_counted(site_of(request), request, token):
        return see_other(f"/p/{token}/stop")


@router.post("/p/{token}/stop/email")
async def stop_emails_at_once(request: Request, token: str) -> Response:
    """One-Click (RFC 8058): the mailbox itself sends it, with no page of ours before it.

    It can do nothing but stop e-mails, and whoever has the token may do that anyway; so it needs
    no token of a form. It answers without a redirect, as the standard wants it.
    """
    site = site_of(request)
    with guessing_counted(site, request, token):
        site.knock(request, Door.BORROWER_POST_PER_LINK, who=link_name(site, token))
        form = await request.form(max_files=0, max_fields=4)
        if form.get("List-Unsubscribe") != "One-Click":
            raise Invalid("List-Unsubscribe", "must be One-Click.")
        await stop_messages_of_link(site.house, site.now(), token, channel=Channel.EMAIL)
    return PlainTextResponse("No more e-mails.")


def _what(text: str) -> str:
    if text not in {"messages", "emails", "reading"}:
        raise Invalid(
            "what",
            "is neither the messages nor the e-mails nor the reading.",
            mend="Use the buttons on the page.",
        )
    return text
