"""The words we send: what is in force, how to write one's own, and how it comes into force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.approval import ApprovalKind
from app.domain.edition import EditionState
from app.domain.errors import Conflict, Invalid, NotAllowed, NotFound
from app.domain.message import Channel
from app.domain.roles import Act
from app.domain.template import CHANNELS, LANGUAGES, Template
from app.flows.approvals.decide_approval import Word, decide_approval
from app.flows.messages.write_template import propose_template, write_template
from app.reports.template_list import PreviewCase, preview_case, some_cases, text_groups
from app.store.approvals import waiting
from app.store.template_editions import edition_of, editions_of, template_of
from app.web.desk import back_to, brakes_in_force, desk_page
from app.web.forms import read_uuid
from app.web.seats import Seat, needs
from app.web.site import Site, site_of
from app.web.text_views import check, compare, longest, places_for, show

router = APIRouter()

HERE: Final = "/templates"
_LONGEST_TYPED: Final = 9_000
_SHIPPED: Final = "shipped"


@dataclass(frozen=True, slots=True)
class _Which:
    """One text: its name, channel and language, as an address carries them."""

    name: str
    channel: Channel
    language: str

    def address(self, page: str = "text", **more: str) -> str:
        """A page about this text."""
        query = {"name": self.name, "channel": self.channel.value, "language": self.language}
        return f"{HERE}/{page}?{urlencode({**query, **more})}"


@router.get("/templates")
async def listed(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_STRATEGIES))]
) -> Response:
    """Every text, by what it is for."""
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        groups = await text_groups(unit, site.house.templates)
    return desk_page(
        site, request, seat, "desk/templates.html", banners=banners, here=HERE,
        groups=groups, channels=CHANNELS, languages=LANGUAGES,
    )  # fmt: skip


@router.get("/templates/text")
async def text(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_STRATEGIES))]
) -> Response:
    """One text: in force, on a real case, and its editions."""
    return await _text(request, seat, _which(request.query_params))


async def _text(request: Request, seat: Seat, which: _Which, trouble: str = "") -> Response:
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        editions = await editions_of(unit, which.name, which.channel, which.language)
        waits = {
            row.id: await waiting(unit, ApprovalKind.TEMPLATE, row.id)
            for row in editions
            if row.state in (EditionState.PROPOSED.value, EditionState.PUBLISHED.value)
        }
        cases = await some_cases(unit)
        case = await _case(site, unit, request, cases, which)
    shipped = site.house.templates.find(which.name, which.channel, which.language)
    if not editions and shipped is None:
        raise NotFound("There is no such text.")
    published = [row for row in editions if row.state == EditionState.PUBLISHED.value]
    force = template_of(published[0]) if published else shipped
    picked = _picked(request, editions)
    looked_at = template_of(picked) if picked is not None else force
    if request.query_params.get("edition") == _SHIPPED and shipped is not None:
        looked_at = shipped
    against = force if looked_at is not None and force is not None and looked_at != force else None
    cause = site.house.templates.cause_of(which.name)
    return desk_page(
        site, request, seat, "desk/template.html",
        banners=banners, here=HERE,
        which=which, shipped=shipped, force=force, published=bool(published), editions=editions,
        picked=picked, looked_at=looked_at, waits=waits, cases=cases, case=case,
        shown=None if case is None or looked_at is None else show(looked_at, case.values),
        checked=None if looked_at is None else check(looked_at, cause),
        change=None if against is None or looked_at is None else _change(against, looked_at),
        against=against, states=EditionState, trouble=trouble,
    )  # fmt: skip


@router.get("/templates/edit")
async def edit(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.WRITE_TEMPLATE))]
) -> Response:
    """Write one's own words; they begin with those in force."""
    site, which = site_of(request), _which(request.query_params)
    async with site.house.store.unit(seat.lender_id) as unit:
        editions = await editions_of(unit, which.name, which.channel, which.language)
    picked = _picked(request, editions)
    begin = template_of(picked) if picked is not None else None
    if begin is None:
        published = [row for row in editions if row.state == EditionState.PUBLISHED.value]
        shipped = site.house.templates.find(which.name, which.channel, which.language)
        begin = template_of(published[0]) if published else shipped
    begin = begin or Template(which.name, which.channel, which.language, 1, "")
    return await _editor(request, seat, which, begin.subject, begin.body)


async def _editor(
    request: Request, seat: Seat, which: _Which, subject: str, body: str, trouble: str = ""
) -> Response:
    site = site_of(request)
    cause = site.house.templates.cause_of(which.name)
    typed = Template(which.name, which.channel, which.language, 1, body, subject, own=True)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        cases = await some_cases(unit)
        case = await _case(site, unit, request, cases, which)
    return desk_page(
        site, request, seat, "desk/template_edit.html",
        banners=banners, here=HERE,
        which=which, subject=subject, body=body, cases=cases, case=case,
        places=places_for(cause), longest=longest(which.channel),
        shown=None if case is None or not body else show(typed, case.values),
        checked=check(typed, cause) if body else None, trouble=trouble,
    )  # fmt: skip


@router.post("/templates/save")
async def save(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.WRITE_TEMPLATE))]
) -> Response:
    """Keep the words as a draft, or say everything that is wrong with them."""
    site, form = site_of(request), seat.posted
    fields = {name: form.text(name) for name in ("name", "channel", "language")}
    which = _which(fields)
    subject = form.text("subject", longest=300)
    body = form.text("body", longest=_LONGEST_TYPED).replace("\r\n", "\n")
    try:
        edition_id = await write_template(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            name=which.name,
            channel=which.channel,
            language=which.language,
            subject=subject,
            body=body,
            actor=seat.actor,
        )
    except (Invalid, Conflict) as error:
        return await _editor(request, seat, which, subject, body, error.message)
    return _onward(which, "text_saved", edition_id)


@router.post("/templates/propose")
async def propose(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.WRITE_TEMPLATE))]
) -> Response:
    """Put an edition before a second person: to come into force, or to go out of it."""
    site, form = site_of(request), seat.posted
    edition_id = read_uuid(form.text("edition"))
    which = await _which_edition(site, seat, edition_id)
    try:
        await propose_template(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            edition_id=edition_id,
            reason=form.text("reason", longest=1000),
            user_id=seat.user_id,
            actor=seat.actor,
        )
    except (Invalid, Conflict) as error:
        return await _text(request, seat, which, error.message)
    return _onward(which, "text_proposed", edition_id)


@router.post("/templates/decide")
async def decide(request: Request, seat: Annotated[Seat, Depends(needs(Act.PUBLISH))]) -> Response:
    """A second person says yes or no."""
    word = seat.posted.text("word")
    if word not in (Word.APPROVE.value, Word.REFUSE.value):
        raise Invalid("word", "is neither yes nor no.", mend="Use the buttons on the page.")
    return await _say(request, seat, Word(word), f"text_{word}d")


@router.post("/templates/withdraw")
async def withdraw(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.WRITE_TEMPLATE))]
) -> Response:
    """Who proposed it takes it back."""
    return await _say(request, seat, Word.WITHDRAW, "text_withdrawn")


async def _say(request: Request, seat: Seat, word: Word, done: str) -> Response:
    site, form = site_of(request), seat.posted
    edition_id = read_uuid(form.text("edition"))
    which = await _which_edition(site, seat, edition_id)
    async with site.house.store.unit(seat.lender_id) as unit:
        approval_id = await waiting(unit, ApprovalKind.TEMPLATE, edition_id)
    if approval_id is None:
        return await _text(request, seat, which, "This was decided meanwhile.")
    try:
        await decide_approval(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            approval_id=approval_id,
            user_id=seat.user_id,
            actor=seat.actor,
            word=word,
            note=form.text("note", longest=1000),
        )
    except (Invalid, Conflict, NotAllowed) as error:
        return await _text(request, seat, which, error.message)
    return _onward(which, done)


# ------------------------------------------------------------------ pieces


def _which(fields: Any) -> _Which:
    """From an address or a form. Raises `NotFound` for a channel that carries no words."""
    name, channel = fields.get("name", ""), fields.get("channel", "")
    if channel not in {one.value for one in CHANNELS}:
        raise NotFound("There is no such text.")
    return _Which(name.strip()[:60], Channel(channel), fields.get("language", "").strip()[:5])


async def _which_edition(site: Site, seat: Seat, edition_id: UUID) -> _Which:
    async with site.house.store.unit(seat.lender_id) as unit:
        row = await edition_of(unit, edition_id)
    return _Which(row.name, Channel(row.channel), row.language)


def _onward(which: _Which, done: str, edition_id: UUID | None = None) -> Response:
    query = {"name": which.name, "channel": which.channel.value, "language": which.language}
    if edition_id is not None:
        query["edition"] = str(edition_id)
    return back_to(f"{HERE}/text", done, **query)


def _picked(request: Request, editions: list[Any]) -> Any:
    wanted = request.query_params.get("edition", "")
    return next((row for row in editions if str(row.id) == wanted), None)


async def _case(
    site: Site, unit: Any, request: Request, cases: list[tuple[UUID, str]], which: _Which
) -> PreviewCase | None:
    """The case chosen for the preview, else the newest; None for a lender without any."""
    wanted = request.query_params.get("case", "")
    chosen = next((one for one, _ in cases if str(one) == wanted), cases[0][0] if cases else None)
    if chosen is None:
        return None
    return await preview_case(unit, site.house, site.now(), chosen, which.language)


def _change(old: Template, new: Template) -> dict[str, Any]:
    return {"subject": compare(old.subject, new.subject), "body": compare(old.body, new.body)}
