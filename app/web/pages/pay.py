"""Click & Pay: the page behind a text message. GET only shows; each POST is one flow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.errors import Conflict, IllegalTransition, Invalid, NotAllowed, ProviderError
from app.domain.money import Money
from app.flows.consents.check_person import Outcome, check_person
from app.flows.messages.open_link import LinkPage, LinkView, open_link
from app.flows.payments.start_payment import PayStep, Tap, start_payment
from app.flows.work.borrower_says import LONGEST_PAUSE, Says, borrower_says
from app.reference import formats
from app.web.banks import BankChoices, bank_choices
from app.web.borrower import (
    ShownLender,
    borrower_page,
    looks_again,
    may_lead_to,
    onward,
    way,
    words_for,
)
from app.web.client import presence_of
from app.web.codes import code_of_token
from app.web.forms import Form
from app.web.linkpass import (
    csrf_of,
    form_of,
    give_pass,
    guessing_counted,
    pass_of,
    remember_link,
)
from app.web.pages.another import FREE, KEPT, LEFT
from app.web.pages.paid import paid_page
from app.web.render import see_other
from app.web.site import Site, site_of
from app.web.throttle import Door
from app.web.wording import Wording

router = APIRouter(prefix="/p")

_WRITTEN_DAY: Final = re.compile(r"(\d{1,2})[./\- ](\d{1,2})[./\- ](\d{4})\Z", re.ASCII)

# What the page says after a tap that led nowhere; the address carries only the code.
_NOTES: Final = {
    "unreachable": "paying.unreachable_text",
    "failed": "paying.failed_text",
    "stale": "owed.stale",
    "halted": "owed.halted",
    FREE: "paying.free_text",
    LEFT: "paying.left_text",
}


@dataclass(frozen=True, slots=True)
class Part:
    """What is due in one currency: one payment pays one currency."""

    total: Money
    dues: tuple[Any, ...]
    typed: str
    sign: str
    choices: BankChoices


@router.get("/{token}")
async def show(request: Request, token: str) -> Response:
    """Whatever stands behind the link now, for this browser."""
    site = site_of(request)
    with guessing_counted(site, request, token):
        view = await open_link(site.house, site.now(), token, session=pass_of(site, request, token))
    said = request.query_params.get("said", "")
    if said in {one.value for one in Says}:
        return _thanks(site, request, token, view, Says(said))
    return await _page(site, request, token, view)


async def _page(
    site: Site, request: Request, token: str, view: LinkView, trouble: str = ""
) -> Response:
    match view.page:
        case LinkPage.CHECK:
            return _check(site, request, token, view, trouble)
        case LinkPage.PAY:
            return _owed(site, request, token, view, trouble)
        case LinkPage.PAID | LinkPage.ON_ITS_WAY:
            return await paid_page(site, request, token, view)
        case LinkPage.COMING:
            return borrower_page(
                site,
                request,
                "borrower/coming.html",
                words_for(request, view.language),
                coming=view.coming,
                **_frame(site, request, token, view),
            )
        case _:
            return _message(site, request, token, view)


def _check(site: Site, request: Request, token: str, view: LinkView, trouble: str = "") -> Response:
    """Who asks, and who are you? Nothing about a debt."""
    return borrower_page(
        site,
        request,
        "borrower/check.html",
        words_for(request, view.language),
        trouble=trouble,
        asks_birth_date=view.asks_birth_date or not view.asks_document,
        asks_document=view.asks_document,
        latest_birth=site.now().date(),
        **_frame(site, request, token, view),
    )


def _owed(site: Site, request: Request, token: str, view: LinkView, trouble: str = "") -> Response:
    words = words_for(request, view.language)
    note = _NOTES.get(request.query_params.get("note", ""), "")
    if not note and view.refused:
        note = "paying.failed_text"
    today = site.now().astimezone(ZoneInfo(view.time_zone)).date()
    zone = ZoneInfo(view.time_zone)
    choices = {
        currency: bank_choices(banks, view.bank_id, view.away, words, zone)
        for currency, banks in view.banks.items()
    }
    parts = [
        Part(
            total=total,
            dues=tuple(due for due in view.dues if due.amount.currency == total.currency),
            typed=formats.plain_amount(total, words.language),
            sign=formats.currency_sign(total.currency, words.language),
            choices=choices[total.currency],
        )
        for total in view.totals
    ]
    return borrower_page(
        site,
        request,
        "borrower/owed.html",
        words,
        trouble=trouble,
        notice=words(note, lender=view.asker.name) if note else "",
        said=view.said,
        parts=parts,
        away_text=next((one.away_text for one in choices.values() if one.away_text), ""),
        in_peace=view.in_peace,
        messages_stopped=view.messages_stopped,
        soonest=today + timedelta(days=1),
        latest=today + LONGEST_PAUSE,
        **_frame(site, request, token, view),
    )


def _message(site: Site, request: Request, token: str, view: LinkView) -> Response:
    """One sentence where there is nothing to fill in."""
    words = words_for(request, view.language)
    lender, here = view.asker.name, f"/p/{token}?lang={words.language}"
    text: dict[str, Any] = {
        "look_again": "",
        "also": "",
        "ways": [],
        "again_to_bank": False,
        "another": "",
    }
    match view.page:
        case LinkPage.LOCKED:
            text |= _said(words, "check.locked", "lock", "warn", lender=lender)
        case LinkPage.TO_BANK:
            text |= _said(words, "paying.open", "bank", "wait")
            kept = request.query_params.get("note") == KEPT
            text |= {
                "also": words("paying.kept_text") if kept else "",
                "begun": view.payment,
                "again_to_bank": True,
                "another": "paying.another_text",
                "ways": [way(words("paying.look"), here, plain=True)],
                **_stays(site, words, view),
            }
        case LinkPage.AT_BANK:
            text |= _said(words, "paying.at_bank", "bank", "wait")
            text |= {"begun": view.payment, "ways": [way(words("paying.look"), here, plain=True)]}
            text["look_again"] = looks_again(request, words, f"/p/{token}")
        case LinkPage.STAYS:
            text |= _said(words, "paying.stays", "info", "warn")
            text |= {"begun": view.payment, "ways": [way(words("paying.look"), here, plain=True)]}
            text |= _stays(site, words, view)
        case LinkPage.PREPARING:
            text |= _said(words, "paying.preparing", "clock", "wait")
            text["look_again"] = looks_again(request, words, f"/p/{token}")
            text["ways"] = [way(words("paying.look"), here, plain=True)]
        case LinkPage.NOTHING_DUE:
            text |= _said(words, "owed.nothing", "check", "")
        case _:
            text |= _said(words, "ended", "clock", "off", lender=lender)
    return borrower_page(
        site, request, "borrower/message.html", words, **text, **_frame(site, request, token, view)
    )


def _stays(site: Site, words: Wording, view: LinkView) -> dict[str, Any]:
    """From when on he can choose anew, where nobody can take back the payment he has begun."""
    if view.free_at is None:
        return {}
    if site.now() >= view.free_at:
        return {"also": "", "another": "paying.another_left_text"}
    at = formats.near_time(view.free_at, site.now(), ZoneInfo(view.time_zone), words.language)
    return {"also": words("paying.free_at_text", at=at), "another": ""}


def _said(words: Wording, key: str, sign: str, tone: str, **values: object) -> dict[str, Any]:
    if key == "ended":
        title, text = words("ended.title"), words("ended.text", **values)
    else:
        title, text = words(key), words(f"{key}_text", **values)
    return {"title": title, "text": text, "sign": sign, "tone": tone}


def _thanks(site: Site, request: Request, token: str, view: LinkView, said: Says) -> Response:
    words = words_for(request, view.language)
    return borrower_page(
        site,
        request,
        "borrower/message.html",
        words,
        title=words("says.thanks"),
        text=words(f"says.thanks_{said.value}", lender=view.asker.name),
        sign="check",
        tone="",
        look_again="",
        also="",
        again_to_bank=False,
        another="",
        ways=[way(words("frame.back"), f"/p/{token}?lang={words.language}", plain=True)],
        **_frame(site, request, token, view),
    )


def _frame(site: Site, request: Request, token: str, view: LinkView) -> dict[str, Any]:
    asker = view.asker
    return {
        "lender": ShownLender(asker.name, asker.contact_phone, asker.contact_url),
        "stop_address": f"/p/{token}/stop",
        "base": f"/p/{token}",
        "csrf": csrf_of(site, request, token),
        "code": code_of_token(site.house.store.vault, token),
    }


# ------------------------------------------------------------------ taps


@router.post("/{token}/check")
async def check(request: Request, token: str) -> Response:
    """Compare the answer. A right one gives this browser a pass for half an hour."""
    site = site_of(request)
    with guessing_counted(site, request, token):
        view = await open_link(site.house, site.now(), token)
        form = await form_of(site, request, token)
        words = words_for(request, view.language)
        site.knock(request, Door.CHECK_PER_IP)
        typed = form.text("birth_date", longest=40)
        born = read_day(typed)
        if typed and born is None:
            return _check(site, request, token, view, words("check.unreadable"))
        try:
            checked = await check_person(
                site.house,
                site.now(),
                token,
                birth_date=born,
                document_last4=form.text("document_last4", longest=40) or None,
            )
        except Invalid:
            key = "check.wrong" if form.text("document_last4", longest=40) else "check.missing"
            return _check(site, request, token, view, words(key))
        except NotAllowed:
            return onward(f"/p/{token}", words)
    if checked.outcome is Outcome.WRONG:
        return _check(site, request, token, view, words("check.wrong"))
    answer = onward(f"/p/{token}", words)
    if checked.outcome is Outcome.PASSED:
        give_pass(site, answer, token, checked.session)
    return answer


def read_day(text: str) -> date | None:
    """A day as a date field sends it (1985-01-31), or as people write it (31/01/1985)."""
    written = _WRITTEN_DAY.match(text.strip())
    try:
        if written:
            return date(int(written[3]), int(written[2]), int(written[1]))
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        return None


@router.post("/{token}/pay")
async def pay(request: Request, token: str) -> Response:
    """Begin the payment, or find the one that has begun, and go to the bank."""
    site = site_of(request)
    with guessing_counted(site, request, token):
        session = pass_of(site, request, token)
        view = await open_link(site.house, site.now(), token, session=session)
        words = words_for(request, view.language)
        form = await form_of(site, request, token)
        try:
            tap = Tap(
                presence=presence_of(request, site.settings.trusted_proxies),
                amount=_amount(form, view),
                bank_id=form.text("bank_id", longest=100) or None,
            )
            started = await start_payment(site.house, site.now(), token, session=session, tap=tap)
        except Invalid as error:
            if view.page is not LinkPage.PAY:
                return onward(f"/p/{token}", words)
            trouble = _amount_trouble(error, form, view, words)
            return _owed(site, request, token, view, trouble)
        except NotAllowed as error:
            paused = error.code in {"Halted", "NoAccount"}
            return onward(f"/p/{token}", words, **({"note": "halted"} if paused else {}))
        except (ProviderError, Conflict, IllegalTransition):
            return onward(f"/p/{token}", words, note="unreachable")
    return _after_tap(site, token, words, started.step, started.redirect_url)


def _after_tap(
    site: Site, token: str, words: Wording, step: PayStep, redirect_url: str
) -> Response:
    match step:
        case PayStep.TO_BANK if may_lead_to(redirect_url, local=not site.settings.secure):
            answer = see_other(redirect_url)
            remember_link(site, answer, token)
            return answer
        case PayStep.TO_BANK | PayStep.TRY_LATER:
            return onward(f"/p/{token}", words, note="unreachable")
        case PayStep.DECLINED:
            return onward(f"/p/{token}", words, note="failed")
        case PayStep.CHECKING:
            return onward(f"/p/{token}", words, note="stale")
        case _:
            return onward(f"/p/{token}", words)


def _amount(form: Form, view: LinkView) -> Money | None:
    """What was typed; None (all that is due) for a form without an amount."""
    typed = form.text("amount", longest=40)
    if not typed:
        return None
    currencies = [total.currency for total in view.totals] or ["EUR"]
    wanted = form.text("currency", longest=3)
    return formats.read_amount(typed, wanted if wanted in currencies else currencies[0])


def _amount_trouble(error: Invalid, form: Form, view: LinkView, words: Wording) -> str:
    """The mistake in the borrower's own words and language."""
    if error.field == "bank_id":
        return words("owed.no_bank")
    try:
        amount = _amount(form, view)
    except Invalid:
        return words("owed.unreadable")
    if amount is None or amount.minor <= 0:
        return words("owed.too_little")
    total = next((one for one in view.totals if one.currency == amount.currency), amount)
    return words("owed.too_much", amount=formats.money(total, words.language))


@router.post("/{token}/wrong")
async def wrong(request: Request, token: str) -> Response:
    """This is not right, or not for me: everything rests until a person has looked."""
    return await _says(request, token, Says.WRONG)


@router.post("/{token}/cannot")
async def cannot(request: Request, token: str) -> Response:
    """I cannot pay now: everything rests for a while and a person looks for a way."""
    return await _says(request, token, Says.CANNOT)


@router.post("/{token}/paid")
async def paid(request: Request, token: str) -> Response:
    """I have paid already: a person looks it up."""
    return await _says(request, token, Says.PAID)


async def _says(request: Request, token: str, says: Says) -> Response:
    site = site_of(request)
    with guessing_counted(site, request, token):
        session = pass_of(site, request, token)
        view = await open_link(site.house, site.now(), token, session=session)
        words = words_for(request, view.language)
        form = await form_of(site, request, token)
        typed = form.text("until", longest=40)
        try:
            await borrower_says(
                site.house,
                site.now(),
                token,
                says=says,
                session=session,
                until=_later_day(typed) if says is Says.CANNOT else None,
            )
        except Invalid:
            return await _page(site, request, token, view, words("says.cannot_bad"))
        except NotAllowed:
            return onward(f"/p/{token}", words)
    return onward(f"/p/{token}", words, said=says.value)


def _later_day(typed: str) -> date | None:
    day = read_day(typed)
    if typed and day is None:
        raise Invalid("until", "is not a day.", mend="Choose one in the calendar.")
    return day
