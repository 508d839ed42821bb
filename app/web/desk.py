"""The frame around every page of the desk: navigation by rights, brakes in sight, notices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.domain.roles import Act, Role, may
from app.reports.book import lender_of, switches
from app.store.brakes import Brake
from app.store.unit import Unit
from app.web import words
from app.web.forms import FIELD
from app.web.render import page, see_other
from app.web.seats import Seat
from app.web.site import Site


@dataclass(frozen=True, slots=True)
class _Item:
    name: str
    href: str
    icon: str
    act: Act


_ITEMS: Final = (
    _Item("Board", "/", "board", Act.SEE_BOARD),
    _Item("Cases", "/cases", "cases", Act.SEE_CASE),
    _Item("Promises", "/promises", "heart", Act.SEE_CASE),
    _Item("Hand over", "/hand-over", "out", Act.HAND_OVER),
    _Item("Not done", "/undone", "warn", Act.WORK_TASK),
    _Item("Who gets what", "/assignment", "task", Act.SEE_ASSIGNMENT),
    _Item("Approvals", "/approvals", "scale", Act.SEE_APPROVALS),
    _Item("Agencies", "/agencies", "out", Act.SEE_AGENCIES),
    _Item("Portfolio", "/portfolio", "chart", Act.SEE_REPORTS),
    _Item("Performance", "/performance", "gauge", Act.SEE_REPORTS),
    _Item("Consents", "/consents", "consent", Act.SEE_CONSENTS),
    _Item("Strategies", "/strategies", "strategy", Act.SEE_STRATEGIES),
    _Item("Texts", "/templates", "text", Act.SEE_STRATEGIES),
    _Item("Contact rules", "/rules", "clock", Act.SEE_STRATEGIES),
    _Item("Experiments", "/experiments", "lift", Act.SEE_REPORTS),
    _Item("Banks", "/health", "bank", Act.SEE_HEALTH),
    _Item("Providers", "/providers", "plug", Act.SEE_PROVIDERS),
    _Item("Paid to", "/payees", "coin", Act.SEE_PAYEES),
    _Item("Controls", "/controls", "controls", Act.SEE_CONTROLS),
    _Item("Book files", "/book", "files", Act.SEE_BOOK_FILES),
    _Item("Would have sent", "/observe", "eye", Act.SEE_OBSERVE_REPORT),
    _Item("Audit", "/audit", "search", Act.SEE_AUDIT),
    _Item("Team", "/team", "team", Act.MANAGE_USERS),
)

# What a page says after a form was carried out. The address carries only the code.
NOTICES: Final[Mapping[str, str]] = {
    "draft": "A new draft. Nothing changes before another person publishes it.",
    "saved": "Saved. Nothing changes before another person publishes it.",
    "compared": "The draft stands against the version in force now.",
    "chosen": "New cases follow this choice. Running cases stay where they are.",
    "moved": "The cases are moved. Each says so in its timeline.",
    "moved_back": "Done. Whichever could not be moved back is named.",
    "text_saved": "Saved as a draft. Nothing changes before another person publishes it.",
    "text_proposed": "Proposed. Another person has to agree.",
    "text_approved": "Done. These are the words from now on.",
    "text_refused": "Refused. The words in force stay.",
    "text_withdrawn": "Taken back. The words in force stay.",
    "drawing": "Every case that opens from now on is drawn.",
    "drawn": "Ended. No more cases are drawn, and nobody is left alone for it any more.",
    "taken": "The task is yours.",
    "released": "The task is back on the board.",
    "finished": "Noted. The task is finished.",
    "arrived": "Noted. The money is booked.",
    "not_arrived": "Noted. The payment is ended and the loan is open again.",
    "served": "This is the next case. Say what came of it, or give it back.",
    "in_hand": "You still have this one. Say what came of it, or give it back, then go on.",
    "nothing_to_do": "Nothing can be done right now. What waits for its time is under Later.",
    "promised": "The promise is written down. Calls and messages stop until its day.",
    "unpromised": "The promise is cancelled.",
    "entered": "Entered. What is new is not written to before it is confirmed.",
    "noted": "Noted. It counts in the contact limits.",
    "unheard": "Noted. The call was not connected, so it counts in no contact limit.",
    "reminding": "You will be reminded.",
    "forgotten": "The reminder is dropped.",
    "handed_over": "Handed over.",
    "rules_set": "Saved. What is given by these rules changes within a minute.",
    "profile_set": "Saved. What he has and cannot do any more goes back to the board.",
    "away": "Noted. What waits with him goes to others on the first day.",
    "not_away": "Called off. He gets work on these days.",
    "back_again": "Welcome back. You get work again.",
    "held": "The hold is set and what was queued is cancelled.",
    "lifted": "The hold is lifted.",
    "ending": "The hold ends 30 days after the treatment.",
    "withdrawn": "The permission is withdrawn. Nothing is read any more.",
    "stopped": "Noted: from now on the borrower is left alone that way.",
    "halted": "Halted. Nothing leaves through this switch any more.",
    "going": "Running again.",
    "observing": "Observe-only mode is on. Nothing is sent.",
    "sending": "Observe-only mode is off. Saldo sends from now on.",
    "floor": "The protected floor is changed.",
    "loaded": "Checked and kept. Nothing is in the book before somebody releases it.",
    "let-in": "Released. It is being loaded, person by person.",
    "dropped": "Dropped, with everything it said about people.",
    "confirmed": "Confirmed. His word counts from now on.",
    "added": "The user can sign in now.",
    "changed": "Changed. The user has to sign in again.",
    "disabled": "The user can no longer sign in.",
    "enabled": "The user can sign in again.",
    "proposed": "Proposed. Somebody else decides.",
    "waits": "This waits for a decision already.",
    "approved": "Approved, and done.",
    "one_more": "Your yes is noted. The amount needs one more person’s yes.",
    "refused": "Refused. Whoever proposed it can read why.",
    "taken_back": "The proposal is withdrawn.",
    "endorsed": "Your name stands behind it. Somebody else decides.",
    "tiers": "The amounts are changed.",
    "agency": "Written down.",
    "recalled": "The case is back. The strategy looks at it anew.",
    "provider_waits": "It works and is kept. It is used once a second person agrees.",
    "provider_gone": "Taken away. What is open with it is still followed with it.",
    "provider_going": "Proposed. It is taken away once a second person agrees.",
    "payee_waits": "Proposed. Nothing changes before a second person agrees.",
    "payee_back": "Taken back. The account stays as it is.",
    "rests": "Written down. No read is planned into it, and the payment page says so.",
    "awake": "Taken back. The bank is asked again as ever.",
    "password": "The new password is set. All other sessions are ended.",
}


@dataclass(frozen=True, slots=True)
class Banner:
    """One line above the page."""

    text: str
    tone: str
    icon: str
    href: str = ""
    link: str = ""


_UNCONFIRMED: Final = Banner(
    "An admin changed your access. Until compliance confirms it you decide nothing, and let "
    "nothing go on that somebody stopped. If he gave you a password, choose one of your own first, "
    "under Account.",
    "note",
    "lock",
)


def csrf_field(token: str) -> Markup:
    """The hidden field that belongs into every form."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, token)


async def brakes_in_force(unit: Unit) -> list[Banner]:
    """What a collector must know about before anything else: the lender's brakes."""
    lender = await lender_of(unit)
    found: list[Banner] = []
    halted = [name for name, row in (await switches(unit)).items() if row.halted]
    if halted:
        names = ", ".join(words.BRAKES[Brake(name)][0].lower() for name in sorted(halted))
        found.append(Banner(f"Stopped: {names}.", "bad", "stop", "/controls", "See the switches"))
    if lender.observe_only:
        found.append(
            Banner(
                "Observe-only mode: Saldo reads and decides, and sends nothing.",
                "note",
                "eye",
                "/observe",
                "See what it would have sent",
            )
        )
    return found


def desk_page(
    site: Site,
    request: Request,
    seat: Seat,
    name: str,
    *,
    banners: list[Banner],
    here: str,
    status: int | None = None,
    trouble: str = "",
    **context: Any,
) -> HTMLResponse:
    """One page inside the desk's frame. `here` is the address of its item in the navigation.

    `trouble` says why a form on it was not carried out; then the page answers 422, unless `status`
    says otherwise.
    """
    if status is None:
        status = 422 if trouble else 200
    notice = NOTICES.get(request.query_params.get("done", ""))
    shown = list(banners)
    if notice:
        shown.insert(0, Banner(notice, "good", "check"))
    if not seat.confirmed:
        shown.append(_UNCONFIRMED)
    allowed = [
        Banner(one.text, one.tone, one.icon, one.href, one.link)
        if not one.href or _may_open(seat, one.href)
        else Banner(one.text, one.tone, one.icon)
        for one in shown
    ]
    frame = {
        "menu": [item for item in _ITEMS if may(seat.role, item.act)],
        "here": here,
        "home": home_of(seat.role),
        "role": words.ROLES[seat.role],
        "csrf": csrf_field(seat.csrf),
        "banners": allowed,
    }
    whole = {
        "seat": seat,
        "frame": frame,
        "now": site.now(),
        "zone": zone_of_seat(seat),
        "words": words,
        "trouble": trouble,
        **context,
    }
    return page(site.templates, name, whole, status=status)


def home_of(role: Role) -> str:
    """The first page of a role; one's own account if there is no other.

    Whoever is there to decide begins with what waits, not with the collectors' board.
    """
    if role is Role.APPROVER:
        return "/approvals"
    return next((item.href for item in _ITEMS if may(role, item.act)), "/account")


def _may_open(seat: Seat, href: str) -> bool:
    return any(item.href == href and may(seat.role, item.act) for item in _ITEMS)


def zone_of_seat(seat: Seat) -> ZoneInfo:
    """The lender's time zone: the desk's clocks show it."""
    return ZoneInfo(seat.session.lender_zone)


def back_to(path: str, done: str = "", **query: str) -> Response:
    """303 to a page of the desk, with the notice of what was done."""
    values = {**query, **({"done": done} if done else {})}
    return see_other(path + (f"?{urlencode(values)}" if values else ""))
