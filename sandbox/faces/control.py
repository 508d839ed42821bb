"""The control page and its JSON twin: people and what can go wrong for each, banks, the ledger.

`GET` answers HTML, or JSON where the caller accepts only that. `POST` takes a form or JSON; what
is not named stays as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import history
from sandbox.banks import BANKS, BY_ID
from sandbox.faces.pages import page, see_other
from sandbox.faces.wire import euros, parse_amount
from sandbox.mails import address_of
from sandbox.modes import BANK_MEANING, MEANING, BankMode, Mode
from sandbox.moods import ConsentMood, Reaction
from sandbox.people import Person
from sandbox.world import WRONG_KINDS, World

Handler = Callable[[Request], Awaitable[Response]]

_WAYS = ("modes", "paused", "reactions", "consent_mood", "delay_minutes")


def _answer(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


def _wants_json(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


async def _given(request: Request) -> tuple[Mapping[str, Any], bool]:
    """The body as a mapping, and whether it was JSON. Raises ValueError when unreadable."""
    if "json" in request.headers.get("content-type", ""):
        content = orjson.loads(await request.body() or b"{}")
        if not isinstance(content, dict):
            raise ValueError("the body is not an object")
        return content, True
    form = await request.form()
    return {key: form.getlist(key) if key == "mode" else form[key] for key in form}, False


class Control:
    """Everything a person (or a test over HTTP) may switch."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """All routes below /_sandbox."""
        table: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "", self._overview),
            ("GET", "/people", self._people),
            ("POST", "/people", self._new_person),
            ("GET", "/people/{id}", self._person),
            ("POST", "/people/{id}", self._change_person),
            ("POST", "/people/{id}/text", self._text),
            ("POST", "/banks/{id}", self._change_bank),
            ("POST", "/twilio", self._change_twilio),
            ("POST", "/history/{name}", self._history),
            ("GET", "/ledger", self._ledger),
        )
        return [
            Route(f"/_sandbox{path}", self._own_pages_only(handler), methods=[verb])
            for verb, path, handler in table
        ]

    def _own_pages_only(self, handler: Handler) -> Handler:
        async def checked(request: Request) -> Response:
            if request.method == "POST" and request.headers.get("sec-fetch-site") == "cross-site":
                return _answer({"wrong": "not from another site"}, 403)
            try:
                return await handler(request)
            except (ValueError, KeyError) as wrong:
                return _answer({"wrong": str(wrong)}, 422)

        return checked

    # ------------------------------------------------------------ looking

    async def _overview(self, _: Request) -> Response:
        world = self._world
        return page(
            "control.html",
            now=world.now(),
            people=[self._line(p) for p in world.people.values()],
            banks=[
                {"bank": bank, "modes": world.town.bank_settings(bank.id).modes} for bank in BANKS
            ],
            bank_modes=BANK_MEANING,
            wrong=Counter(one["kind"] for one in world.wrong()),
            never=WRONG_KINDS,
            outcomes=world.mind.outcomes(),
            payments=len(world.payments.all()),
            authorised=sum(p.authorised_at is not None for p in world.payments.all()),
            texts=sum(not s.inbound for s in world.texts.all()),
        )

    def _line(self, person: Person) -> dict[str, Any]:
        settings = self._world.town.settings(person.id)
        return {
            "person": person,
            "minor": self._world.town.balance(person.iban),
            "modes": sorted(settings.modes),
            "mood": self._world.town.mood(person.id),
            "paused": settings.paused,
        }

    def _shown(self, person: Person) -> dict[str, Any]:
        settings = self._world.town.settings(person.id)
        mood = self._world.town.mood(person.id)
        return {
            "id": person.id,
            "name": person.name,
            "birth_date": person.birth_date.isoformat(),
            "document_last4": person.document_last4,
            "phone": person.phone,
            "email": address_of(person),
            "language": person.language,
            "country": person.country,
            "time_zone": person.time_zone,
            "bank": person.bank_id,
            "bank_code": person.code,
            "accounts": [
                {
                    "iban": plan.iban,
                    "currency": plan.currency,
                    "balance": euros(self._world.town.balance(plan.iban)),
                }
                for plan in person.accounts
            ],
            "modes": settings.modes,
            "paused": settings.paused,
            "reactions": [reaction.value for reaction in mood.reactions],
            "consent_mood": mood.consent.value,
            "delay_minutes": mood.delay_minutes,
            "consents": [
                {"id": c.id, "status": self._world.consents.status(c, self._world.now()).value}
                for c in self._world.consents.of_person(person.id)
            ],
        }

    async def _people(self, _: Request) -> Response:
        return _answer([self._shown(person) for person in self._world.people.values()])

    async def _person(self, request: Request) -> Response:
        person = self._world.people.get(request.path_params["id"])
        if person is None:
            return Response("no such person", 404)
        if _wants_json(request):
            return _answer(self._shown(person))
        return page(
            "control_person.html",
            person=person,
            bank=BY_ID[person.bank_id],
            shown=self._shown(person),
            settings=self._world.town.settings(person.id),
            meaning=MEANING,
            reactions=list(Reaction),
            consent_moods=list(ConsentMood),
            zone=person.time_zone,
            salary=person.accounts[0].salary,
        )

    async def _ledger(self, _: Request) -> Response:
        return _answer(self._world.ledger())

    # ------------------------------------------------------------ changing

    async def _new_person(self, request: Request) -> Response:
        given, as_json = await _given(request)
        # The balance is the account's opening; everything else is as in a later change.
        ways = {name: given[name] for name in _WAYS if as_json and name in given}
        _check_ways(ways)
        name = str(given.get("name") or "Somebody New")
        opening = _minor(given.get("balance", "0.00"))
        person = self._world.town.add_person(
            name,
            bank_id=BY_ID[str(given.get("bank") or "luz")].id,
            birth_date=date.fromisoformat(str(given.get("birth_date") or "1990-05-17")),
            document_last4=str(given.get("document_last4") or "1234"),
            phone=str(given["phone"]) if given.get("phone") else None,
            language=str(given.get("language") or "es"),
            opening_minor=opening,
            second=bool(given.get("second")),
            replays=str(given.get("replays") or ""),
        )
        self._apply(person, ways)
        if as_json:
            return _answer(self._shown(person), 201)
        return see_other(f"/_sandbox/people/{person.id}")

    async def _change_person(self, request: Request) -> Response:
        person = self._world.people.get(request.path_params["id"])
        if person is None:
            return Response("no such person", 404)
        given, as_json = await _given(request)
        if not as_json:
            given = _from_form(given)
        self._apply(person, given)
        if as_json:
            return _answer(self._shown(person))
        return see_other(f"/_sandbox/people/{person.id}")

    def _apply(self, person: Person, given: Mapping[str, Any]) -> None:
        town = self._world.town
        for name, value in dict(given.get("modes") or {}).items():
            off = value is False or value is None
            mode = Mode(name)
            number = None if value is True or off else float(value)
            if off or number is None or town.mode(person.id, mode) != number:
                town.set_mode(person.id, mode, number, on=not off)
        if given.get("balance") not in (None, ""):
            iban = str(given.get("iban") or person.iban)
            if town.owner(iban) != person:
                raise ValueError("this account is somebody else's")
            town.set_balance(iban, _minor(given["balance"]))
        settings = town.settings(person.id)
        if "paused" in given:
            settings.paused = bool(given["paused"])
        if "reactions" in given:
            settings.reactions = tuple(Reaction(str(r)).value for r in given["reactions"])
        if "consent_mood" in given:
            mood = str(given["consent_mood"] or "")
            settings.consent_mood = ConsentMood(mood).value if mood else ""
        if given.get("delay_minutes") not in (None, ""):
            settings.delay_minutes = int(given["delay_minutes"])
        town.save_settings(settings)
        if given.get("revoke"):
            self._world.revoke_all(person.id)

    async def _text(self, request: Request) -> Response:
        """The person sends a text to the last number that wrote to him."""
        person = self._world.people.get(request.path_params["id"])
        if person is None:
            return Response("no such person", 404)
        given, as_json = await _given(request)
        body = str(given.get("body") or "STOP")
        texts = self._world.texts.on_phone(person.phone, self._world.now())
        senders = [sms.sender for sms in texts if not sms.inbound]
        to = senders[-1] if senders else self._world.texts.account.numbers[0]
        sms = self._world.texts.from_phone(person.phone, to, body)
        if as_json:
            return _answer({"sid": sms.sid, "to": to}, 201)
        return see_other(f"/_sandbox/people/{person.id}")

    async def _change_bank(self, request: Request) -> Response:
        bank = BY_ID[request.path_params["id"]]
        given, as_json = await _given(request)
        if as_json:
            modes = dict(given.get("modes") or {})
        else:
            on = set(given.get("mode") or ())
            modes = {
                mode.value: _number(given.get(f"value_{mode}")) if mode.value in on else False
                for mode in BankMode
            }
        for name, value in modes.items():
            off = value is False or value is None
            number = None if value is True or off else float(value)
            self._world.town.set_bank_mode(bank.id, BankMode(name), number, on=not off)
        if as_json:
            return _answer({"id": bank.id, "modes": self._world.town.bank_settings(bank.id).modes})
        return see_other("/_sandbox")

    async def _change_twilio(self, request: Request) -> Response:
        given, _ = await _given(request)
        if "inbound_url" in given:
            self._world.texts.set_inbound_url(str(given["inbound_url"]))
        account = self._world.texts.account
        return _answer({"sid": account.sid, "inbound_url": account.inbound_url})

    async def _history(self, request: Request) -> Response:
        """Keep recorded histories from CSV (`account,date[,time],amount,balance`) for replay,
        each as `name/account`, its first day laid on today.
        """
        zone = ZoneInfo(request.query_params.get("zone", "Europe/Madrid"))
        lines = (await request.body()).decode("utf-8-sig").splitlines()
        name, now = request.path_params["name"], self._world.now()
        found = history.read_csv(lines, zone)
        for account, balances in found.items():
            self._world.town.keep_history(f"{name}/{account}", history.shifted(balances, now, zone))
        return _answer({"kept": [f"{name}/{account}" for account in found]}, 201)


def _check_ways(ways: Mapping[str, Any]) -> None:
    """Raise ValueError for a word nobody knows, before anybody is made."""
    for mode in dict(ways.get("modes") or {}):
        Mode(mode)
    for reaction in ways.get("reactions") or ():
        Reaction(str(reaction))
    if ways.get("consent_mood"):
        ConsentMood(str(ways["consent_mood"]))
    int(ways.get("delay_minutes") or 0)


def _minor(value: Any) -> int:
    text = str(value).strip()
    sign = -1 if text.startswith("-") else 1
    minor = parse_amount(text.removeprefix("-"))
    if minor is None:
        raise ValueError(f"{text!r} is not an amount such as 120.00")
    return sign * minor


def _number(value: Any) -> float | bool:
    """A mode's value from a form field: a number, or True for its default."""
    return float(value) if str(value or "").strip() else True


def _from_form(form: Mapping[str, Any]) -> dict[str, Any]:
    """What a form of the person's page means."""
    given: dict[str, Any] = {}
    if form.get("part") == "modes":
        on = set(form.get("mode") or ())
        given["modes"] = {
            mode.value: _number(form.get(f"value_{mode}")) if mode.value in on else False
            for mode in Mode
        }
    if form.get("part") == "mood":
        given["reactions"] = [str(form["reaction"])] if form.get("reaction") else []
        given["consent_mood"] = form.get("consent_mood", "")
        given["delay_minutes"] = form.get("delay_minutes", "")
        given["paused"] = form.get("paused") == "yes"
    for name in ("balance", "iban", "revoke"):
        if name in form:
            given[name] = form[name]
    return given
