"""The consent page behind a lender's link, and the way to the borrower's bank and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.consent import ConsentState, Purpose, RequestState, meant
from app.domain.errors import IllegalTransition, Invalid, NotAllowed, NotFound, ProviderError
from app.flows.consents.begin_bank_consent import begin_bank_consent
from app.flows.consents.choose_consent import choose_consent
from app.flows.consents.finish_bank_consent import Back, finish_bank_consent
from app.flows.consents.open_consent import ConsentPage, ConsentSeen, open_consent, open_return
from app.reference import formats
from app.web.banks import bank_choices, bank_name
from app.web.borrower import (
    ShownLender,
    borrower_page,
    may_lead_to,
    onward,
    way,
    words_for,
)
from app.web.client import presence_of
from app.web.linkpass import (
    csrf_of,
    form_of,
    guessing_counted,
    remember_link,
    remembered_link,
)
from app.web.render import see_other
from app.web.site import Site, site_of
from app.web.wording import Wording

router = APIRouter(prefix="/c")

_CHOOSING: Final = (RequestState.OPEN, RequestState.REJECTED)
_BROUGHT: Final = ("code", "error")
_LONGEST_BROUGHT: Final = 2000
_AT_THE_BANK: Final = (RequestState.CHOSEN, RequestState.AT_BANK)


@router.get("/back")
async def back_with_state(request: Request) -> Response:
    """The same for providers that redirect to one registered address and name him in `state`."""
    site = site_of(request)
    return_token = request.query_params.get("state", "")
    with guessing_counted(site, request, return_token):
        await open_return(site.house, site.now(), return_token)
    brought = urlencode(_brought(request.query_params))
    return see_other(f"/c/back/{return_token}" + (f"?{brought}" if brought else ""))


def _brought(given: Mapping[str, str]) -> dict[str, str]:
    """What the provider sent along with the borrower. It is a hint, and nothing is believed."""
    short = {name: given.get(name, "") for name in _BROUGHT}
    return {name: value for name, value in short.items() if 0 < len(value) <= _LONGEST_BROUGHT}


@router.get("/back/{return_token}")
async def back(request: Request, return_token: str) -> Response:
    """Where the bank sends the borrower back to. One more tap asks the bank for its word."""
    site = site_of(request)
    with guessing_counted(site, request, return_token):
        page = await open_return(site.house, site.now(), return_token)
    site = await site.of(page.lender.id)
    words = words_for(request, page.language)
    token = await _own_link(site, request, page)
    consent = page.consent
    if consent and consent.state is ConsentState.ACTIVE and not consent.waits_for_him:
        return _agreed(site, request, words, page, token)
    # In force already, because we asked the bank before he was back: a look that needs him still
    # waits for his tap.
    waiting = (ConsentState.PENDING, ConsentState.ABANDONED, ConsentState.ACTIVE)
    if consent is None or consent.state not in waiting:
        return _bank_said_no(site, request, words, page, token)
    asked = request.query_params.get("asked") == "1"
    key = "waiting" if asked else ""
    return borrower_page(
        site,
        request,
        "borrower/returned.html",
        words,
        title=words(f"returned.{key}" if key else "returned.title"),
        text=words(f"returned.{key}_text" if key else "returned.lead"),
        asked=asked,
        brought=_brought(request.query_params),
        **_frame(site, request, f"/c/back/{return_token}", return_token, page, stop=""),
    )


@router.post("/back/{return_token}")
async def finish(request: Request, return_token: str) -> Response:
    """Ask the bank what was decided there."""
    site = site_of(request)
    with guessing_counted(site, request, return_token):
        page = await open_return(site.house, site.now(), return_token)
        words = words_for(request, page.language)
        form = await form_of(site, request, return_token)
        given = {name: form.text(f"brought_{name}", longest=_LONGEST_BROUGHT) for name in _BROUGHT}
        done = await finish_bank_consent(
            site.house,
            site.now(),
            return_token=return_token,
            presence=presence_of(request, site.settings.trusted_proxies),
            returned=_brought(given),
        )
    again = {"asked": "1", **_brought(given)} if done.back is Back.WAITING else {}
    return onward(f"/c/back/{return_token}", words, **again)


async def _own_link(site: Site, request: Request, page: ConsentPage) -> str:
    """The consent link this browser came from, if it is the one of this request."""
    token = remembered_link(site, request)
    if not token:
        return ""
    try:
        known = await open_consent(site.house, site.now(), token)
    except NotFound:
        return ""
    return token if known.request_id == page.request_id else ""


@router.get("/{token}")
async def show(request: Request, token: str) -> Response:
    """What is asked, or how far it has come."""
    site = site_of(request)
    with guessing_counted(site, request, token):
        page = await open_consent(site.house, site.now(), token)
    site = await site.of(page.lender.id)
    words = words_for(request, page.language)
    again = request.query_params.get("again") == "1"
    if page.state in _CHOOSING or (again and page.state in _AT_THE_BANK):
        return _choose(site, request, words, page, token)
    if page.state in _AT_THE_BANK:
        return _bank(site, request, words, page, token)
    if page.state is RequestState.COMPLETED:
        return _completed(site, request, words, page, token)
    return _said(site, request, words, page, token, "ended", "clock", "off")


def _choose(
    site: Site, request: Request, words: Wording, page: ConsentPage, token: str, trouble: str = ""
) -> Response:
    return borrower_page(
        site,
        request,
        "borrower/choose.html",
        words,
        trouble=trouble,
        purposes=[purpose.value for purpose in page.purposes],
        until=formats.day(page.until, words.language),
        kept_days=site.settings.reading_expiry_days,
        basis=site.settings.tpp_basis,
        **_frame(site, request, f"/c/{token}", token, page),
    )


def _bank(
    site: Site, request: Request, words: Wording, page: ConsentPage, token: str, trouble: str = ""
) -> Response:
    """Which bank? The list is short and a plain one: it works on any phone."""
    if not trouble and request.query_params.get("note") == "unreachable":
        trouble = words("bank.unreachable")
    half_way = page.state is RequestState.AT_BANK
    port = site.house.aggregation(site.house.aggregation_name)
    return borrower_page(
        site,
        request,
        "borrower/bank.html",
        words,
        trouble=trouble,
        title=words("returned.at_bank" if half_way else "bank.title"),
        text=words("returned.at_bank_text" if half_way else "bank.lead"),
        choices=bank_choices(
            port.banks(),
            page.consent.bank_id if page.consent else None,
            page.away,
            words,
            ZoneInfo(page.time_zone),
        ),
        **_frame(site, request, f"/c/{token}", token, page),
    )


def _completed(
    site: Site, request: Request, words: Wording, page: ConsentPage, token: str
) -> Response:
    consent = page.consent
    if consent is not None and consent.state is ConsentState.ACTIVE:
        return _agreed(site, request, words, page, token)
    if any(page.choices.values()):
        return _said(site, request, words, page, token, "ended.consent", "check", "off")
    also = ""
    if Purpose.REPAYMENT_MONITORING in page.purposes:
        also = words("declined.monitoring_text")
    return _said(site, request, words, page, token, "declined", "check", "", also=also)


def _agreed(
    site: Site, request: Request, words: Wording, page: ConsentPage, token: str
) -> Response:
    consent = page.consent
    monitored = consent is not None and Purpose.REPAYMENT_MONITORING in consent.purposes
    text = words("agreed.scoring_only")
    if monitored:
        until = _last_day(consent)
        text = words("agreed.text", until=formats.day(until, words.language)) if until else ""
        text = text or words("agreed.text_short")
    accounts = None
    if monitored and consent is not None:
        accounts = [
            {"bank": bank_name(site.house, one.bank_id), "masked": one.iban_masked}
            for one in consent.accounts
            if one.usable
        ]
    stop = f"/c/{token}/stop" if token and monitored else ""
    return borrower_page(
        site,
        request,
        "borrower/agreed.html",
        words,
        text=text,
        accounts=accounts,
        return_url=_to_lender(site, page),
        keep=bool(token) and monitored,
        **_frame(site, request, f"/c/{token}", token, page, stop=stop),
    )


def _last_day(consent: ConsentSeen | None) -> Any:
    if consent is None:
        return None
    return consent.valid_until or (consent.ends_at.date() if consent.ends_at else None)


def _bank_said_no(
    site: Site, request: Request, words: Wording, page: ConsentPage, token: str
) -> Response:
    """Refused there, or it came to nothing; the same link lets him try again until it ends."""
    refused = page.consent is not None and page.consent.state is ConsentState.REJECTED
    key = "declined.bank" if refused else "declined.failed"
    if page.consent is not None and page.consent.state is ConsentState.WITHDRAWN:
        key = "ended.consent"
    ways = []
    if token and page.state is not RequestState.COMPLETED and key != "ended.consent":
        href = f"/c/{token}?lang={words.language}&again=1"
        ways.append(way(words("declined.again"), href, plain=True))
    sign = "check" if refused else "info"
    return _said(site, request, words, page, token, key, sign, "off", ways=ways)


def _said(
    site: Site,
    request: Request,
    words: Wording,
    page: ConsentPage,
    token: str,
    key: str,
    sign: str,
    tone: str,
    **more: Any,
) -> Response:
    """One thing said, and the way back to the lender."""
    split = {"ended": "ended.title", "declined": "declined.title"}
    title = split.get(key, f"{key}_title")
    text = {"ended": "ended.text", "declined": "declined.text"}.get(key, f"{key}_text")
    ways = list(more.pop("ways", []))
    if back_there := _to_lender(site, page):
        ways.append(way(words("agreed.to_lender", lender=page.lender.name), back_there))
    return borrower_page(
        site,
        request,
        "borrower/message.html",
        words,
        title=words(title),
        text=words(text, lender=page.lender.name),
        sign=sign,
        tone=tone,
        also=more.get("also", ""),
        look_again="",
        again_to_bank=False,
        another="",
        ways=ways,
        **_frame(site, request, f"/c/{token}", token, page, stop="" if not token else None),
    )


def _to_lender(site: Site, page: ConsentPage) -> str:
    """The lender's own page, where the borrower came from; empty unless it is safe to lead to."""
    local = not site.settings.secure
    return page.return_url if may_lead_to(page.return_url, local=local) else ""


def _frame(
    site: Site,
    request: Request,
    base: str,
    token: str,
    page: ConsentPage,
    *,
    stop: str | None = None,
) -> dict[str, Any]:
    asker = page.lender
    return {
        "lender": ShownLender(asker.name, asker.contact_phone, asker.contact_url),
        "base": base,
        "csrf": csrf_of(site, request, token),
        "stop_address": f"{base}/stop" if stop is None else stop,
    }


# ------------------------------------------------------------------ choices


@router.post("/{token}/choose")
async def choose(request: Request, token: str) -> Response:
    """Record each choice with the wording it was made on. Saying no is one tap, like saying yes."""
    site = site_of(request)
    with guessing_counted(site, request, token):
        page = await open_consent(site.house, site.now(), token)
        words = words_for(request, page.language)
        form = await form_of(site, request, token)
        ticked = set(form.every("purpose")) if form.text("answer") != "no" else set()
        granted = [purpose for purpose in page.purposes if purpose.value in ticked]
        if not meant(granted) and form.text("answer") != "no":
            trouble = words("consent.bills_alone" if granted else "consent.nothing_ticked")
            return _choose(site, request, words, page, token, trouble)
        try:
            await choose_consent(
                site.house,
                site.now(),
                token=token,
                granted=granted,
                wording_version=words.consent_version,
                language=words.language,
            )
        except (NotAllowed, IllegalTransition):
            return onward(f"/c/{token}", words)
    return onward(f"/c/{token}", words)


@router.post("/{token}/bank")
async def bank(request: Request, token: str) -> Response:
    """Make the consent at the chosen bank and go there."""
    site = site_of(request)
    with guessing_counted(site, request, token):
        page = await open_consent(site.house, site.now(), token)
        words = words_for(request, page.language)
        form = await form_of(site, request, token)
        try:
            address = await begin_bank_consent(
                site.house,
                site.now(),
                token=token,
                bank_id=form.text("bank_id", longest=100),
                presence=presence_of(request, site.settings.trusted_proxies),
            )
        except Invalid:
            return _bank(site, request, words, page, token, words("bank.missing"))
        except (NotAllowed, IllegalTransition):
            return onward(f"/c/{token}", words)
        except ProviderError:
            return onward(f"/c/{token}", words, note="unreachable")
    if not may_lead_to(address, local=not site.settings.secure):
        return onward(f"/c/{token}", words, note="unreachable")
    answer = see_other(address)
    remember_link(site, answer, token)
    return answer
