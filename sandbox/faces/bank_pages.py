"""The banks' own pages: login, the question for a consent, a payment, and "my permissions".

The login asks for the customer's code alone, and the page says which code; this is a stage set.
A session is a cookie that carries the customer's id under a hash with a key of this world.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.banks import BY_ID, Bank
from sandbox.faces.bg_errors import Refusal
from sandbox.faces.bg_reads import check_open
from sandbox.faces.pages import is_robot, page, see_other
from sandbox.payments import Outcome, status_at
from sandbox.people import Person
from sandbox.records import Consent, ConsentStatus, Payment
from sandbox.world import World

Handler = Callable[[Request, Bank], Awaitable[Response]]

_WHY = {
    Outcome.ALREADY: "This payment was authorised before. Nothing was paid twice.",
    Outcome.TOO_LATE: "The time for this payment is over.",
    Outcome.CANCELLED: "This payment was withdrawn by the company that asked for it.",
    Outcome.NO_FUNDS: "There is not enough money on this account. The payment was rejected.",
    Outcome.NOT_YOURS: "This account is not yours.",
}

# How many codes a login page names at most.
_HINTS_AT_MOST = 8


def touch(presence: Path | None) -> None:
    """Tell the clock's keeper that a person is looking."""
    if presence is not None:
        presence.touch()


class BankPages:
    """The online banking of all banks over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        root = "/banks/{bank}/online"
        both = ["GET", "POST"]
        return [
            Route(f"{root}/", self._opened(self._home), methods=["GET"]),
            Route(f"{root}/login", self._opened(self._login), methods=both),
            Route(f"{root}/logout", self._opened(self._logout), methods=["POST"]),
            Route(f"{root}/consents/{{id}}", self._opened(self._consent), methods=both),
            Route(f"{root}/payments/{{id}}", self._opened(self._payment), methods=both),
            Route(f"{root}/permissions", self._opened(self._permissions), methods=["GET"]),
            Route(f"{root}/permissions/{{id}}", self._opened(self._revoke), methods=["POST"]),
        ]

    def _opened(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def opened(request: Request) -> Response:
            bank = BY_ID.get(request.path_params["bank"])
            if bank is None:
                return Response("no such bank", 404)
            if not is_robot(request):
                touch(self._world.paths.presence)
            try:
                check_open(self._world, bank, self._world.now())
            except Refusal:
                return self._message(
                    bank, "We are sorry", "Online banking is not available now.", status=503
                )
            return await handler(request, bank)

        return opened

    # ------------------------------------------------------------ session

    def _sign(self, bank: Bank, person_id: str) -> str:
        key = f"sandbox session {self._world.town.begin.seed}".encode()
        mark = hmac.new(key, f"{bank.id}/{person_id}".encode(), sha256).hexdigest()
        return f"{person_id}.{mark}"

    def _customer(self, request: Request, bank: Bank) -> Person | None:
        cookie = request.cookies.get(f"bank_{bank.id}", "")
        person_id, _, _ = cookie.partition(".")
        person = self._world.people.get(person_id)
        if person is None or not hmac.compare_digest(cookie, self._sign(bank, person_id)):
            return None
        return person

    def _login_page(
        self, bank: Bank, onward: str, expected: Person | None, wrong: str = ""
    ) -> Response:
        """The login; it names the codes of the people whose phones are in somebody's hands."""
        in_hands = [
            person
            for person in self._world.people.values()
            if person.bank_id == bank.id and self._world.town.settings(person.id).paused
        ]
        return page(
            "bank_login.html",
            422 if wrong else 200,
            bank=bank,
            onward=onward,
            expected=expected,
            in_hands=in_hands[:_HINTS_AT_MOST],
            wrong=wrong,
        )

    def _inside(self, bank: Bank, onward: str) -> str:
        """An address to go on to after the login: a page of this bank, never another place."""
        home = f"/banks/{bank.id}/online/"
        return onward if onward.startswith(home) and onward != f"{home}login" else home

    def _ask_login(self, request: Request, bank: Bank, expected: Person | None) -> Response:
        return self._login_page(bank, request.url.path, expected)

    async def _login(self, request: Request, bank: Bank) -> Response:
        if request.method == "GET":
            return self._login_page(bank, self._inside(bank, ""), None)
        form = await request.form()
        onward = self._inside(bank, str(form.get("next", "")))
        person = self._world.town.by_code(str(form.get("code", "")).strip())
        if person is None or person.bank_id != bank.id:
            return self._login_page(bank, onward, None, "This code is not known at this bank.")
        answer = see_other(onward)
        answer.set_cookie(
            f"bank_{bank.id}",
            self._sign(bank, person.id),
            httponly=True,
            samesite="lax",
            path=f"/banks/{bank.id}/online",
        )
        return answer

    async def _logout(self, request: Request, bank: Bank) -> Response:
        form = await request.form()
        answer = see_other(self._inside(bank, str(form.get("next", ""))))
        answer.delete_cookie(f"bank_{bank.id}", path=f"/banks/{bank.id}/online")
        return answer

    def _message(
        self, bank: Bank, title: str, text: str, onward: str = "", status: int = 200
    ) -> Response:
        return page("bank_message.html", status, bank=bank, title=title, text=text, onward=onward)

    # ------------------------------------------------------------ home and permissions

    async def _home(self, request: Request, bank: Bank) -> Response:
        person = self._customer(request, bank)
        if person is None:
            return self._ask_login(request, bank, None)
        return page(
            "bank_home.html",
            bank=bank,
            person=person,
            accounts=self._accounts(person),
            payments=self._recent(person),
            status_at=status_at,
            now=self._world.now(),
        )

    def _accounts(self, person: Person) -> list[dict[str, Any]]:
        now = self._world.now()
        return [
            {"plan": plan, "minor": self._world.town.balance(plan.iban, now)}
            for plan in person.accounts
        ]

    def _recent(self, person: Person) -> list[Payment]:
        return self._world.payments.of_person(person.id)[:10]

    async def _permissions(self, request: Request, bank: Bank) -> Response:
        person = self._customer(request, bank)
        if person is None:
            return self._ask_login(request, bank, None)
        now = self._world.now()
        rows = [
            {"consent": c, "status": self._world.consents.status(c, now).value}
            for c in self._world.consents.of_person(person.id)
            if c.bank_id == bank.id
        ]
        return page("bank_permissions.html", bank=bank, person=person, rows=rows)

    async def _revoke(self, request: Request, bank: Bank) -> Response:
        person = self._customer(request, bank)
        consent = self._world.consents.get(bank.id, request.path_params["id"])
        if person is None or consent is None or consent.person_id != person.id:
            return self._message(bank, "Not found", "There is no such permission.", status=404)
        self._world.consents.revoke(consent, self._world.now())
        return see_other(f"/banks/{bank.id}/online/permissions")

    # ------------------------------------------------------------ consent

    def _expected(self, ibans: tuple[str, ...]) -> Person | None:
        return self._world.town.owner(ibans[0]) if ibans else None

    async def _consent(self, request: Request, bank: Bank) -> Response:
        consent = self._world.consents.get(bank.id, request.path_params["id"])
        if consent is None:
            return self._message(bank, "Not found", "There is no such request.", status=404)
        status = self._world.consents.status(consent, self._world.now())
        if status is not ConsentStatus.RECEIVED:
            onward = consent.redirect_url if status is ConsentStatus.VALID else consent.refused_url
            return self._message(
                bank, "Already answered", f"This request is {status.value}.", onward
            )
        expected = self._expected(consent.asked_ibans)
        person = self._customer(request, bank)
        if person is None or (expected is not None and expected.id != person.id):
            return self._ask_login(request, bank, expected)
        if request.method == "GET":
            return page(
                "bank_consent.html",
                bank=bank,
                person=person,
                consent=consent,
                company=_company(consent.redirect_url),
            )
        return await self._decide_consent(request, bank, consent, person)

    async def _decide_consent(
        self, request: Request, bank: Bank, consent: Consent, person: Person
    ) -> Response:
        form = await request.form()
        now = self._world.now()
        if form.get("decision") == "no":
            self._world.consents.refuse(consent, person, now)
            return see_other(consent.refused_url)
        chosen = [str(iban) for iban in form.getlist("account")]
        allowed = consent.asked_ibans or tuple(plan.iban for plan in person.accounts)
        chosen = [iban for iban in chosen if iban in allowed]
        if form.get("decision") != "yes" or not chosen:
            return page(
                "bank_consent.html",
                422,
                bank=bank,
                person=person,
                consent=consent,
                company=_company(consent.redirect_url),
            )
        if not self._world.consents.approve(consent, person, chosen, now):
            return self._message(
                bank,
                "Too late",
                "The time for this request is over.",
                consent.refused_url,
                status=409,
            )
        return see_other(consent.redirect_url)

    # ------------------------------------------------------------ payment

    async def _payment(self, request: Request, bank: Bank) -> Response:
        payment = self._world.payments.get(bank.id, request.path_params["id"])
        if payment is None:
            return self._message(bank, "Not found", "There is no such payment.", status=404)
        status = status_at(payment, self._world.now())
        if status != "RCVD":
            return self._message(
                bank, "Already answered", f"This payment is {status}.", payment.redirect_url
            )
        expected = self._world.town.owner(payment.debtor_iban) if payment.debtor_iban else None
        person = self._customer(request, bank)
        if person is None or (expected is not None and expected.id != person.id):
            return self._ask_login(request, bank, expected)
        if request.method == "GET":
            return page(
                "bank_payment.html",
                bank=bank,
                person=person,
                payment=payment,
                accounts=self._accounts(person),
            )
        return await self._decide_payment(request, bank, payment, person)

    async def _decide_payment(
        self, request: Request, bank: Bank, payment: Payment, person: Person
    ) -> Response:
        form = await request.form()
        now = self._world.now()
        if form.get("decision") == "no":
            self._world.payments.refuse(payment, person, now)
            return see_other(payment.refused_url)
        if form.get("decision") != "yes":
            return page(
                "bank_payment.html",
                422,
                bank=bank,
                person=person,
                payment=payment,
                accounts=self._accounts(person),
            )
        iban = str(form.get("account") or person.iban)
        outcome = self._world.payments.authorise(payment, person, iban, now)
        if outcome is Outcome.DONE:
            return see_other(payment.redirect_url)
        onward = payment.refused_url if outcome is Outcome.NO_FUNDS else payment.redirect_url
        return self._message(bank, "Not paid", _WHY[outcome], onward, status=409)


def _company(url: str) -> str:
    """Who asks, as far as a bank without certificates can tell: the host it returns to."""
    return quote(url.partition("://")[2].partition("/")[0], safe=".:-[]")
