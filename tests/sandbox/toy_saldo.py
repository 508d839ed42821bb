"""A toy of the pages and the API that robots and lender meet: just enough to be walked.

It marks its forms as borrower pages do, and speaks to the sandbox's banks as a TPP would.
"""

from __future__ import annotations

from html import escape
from typing import Any
from uuid import uuid4

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from sandbox.people import Person
from tests.sandbox.rig import Town

SALDO = "http://saldo.test"


class ToySaldo:
    """One consent link and one pay link for one person."""

    def __init__(self, town: Town, person: Person) -> None:
        self.town = town
        self.person = person
        self.said: list[str] = []
        self.purposes: list[str] | None = None
        self.consent_id = ""
        self.payment_link = ""
        self.proved = False
        self.tries = 0
        self.origins: set[str | None] = set()
        self.broken = False
        self.finished = False
        self.prepares = 0
        self.app = Starlette(
            routes=[
                Route("/c/x", self._consent, methods=["GET", "POST"]),
                Route("/back", self._back, methods=["GET", "POST"]),
                Route("/p/x", self._pay, methods=["GET", "POST"]),
                Route("/p/x/{word}", self._say, methods=["POST"]),
                Route("/p/done", self._done),
            ]
        )

    def transport(self) -> httpx.AsyncBaseTransport:
        """The toy and the sandbox side by side, by host."""
        saldo, sandbox = httpx.ASGITransport(self.app), self.town.http._transport

        class Both(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                inner = saldo if request.url.host == "saldo.test" else sandbox
                return await inner.handle_async_request(request)

        return Both()

    def _page(self, *forms: str, status: int = 200) -> Response:
        return HTMLResponse("<main>" + "".join(forms) + "</main>", status)

    async def _consent(self, request: Request) -> Response:
        form = await request.form()
        if request.method == "GET":
            return self._page(
                '<form data-step="consent" method="post">'
                '<input type="hidden" name="csrf" value="t">'
                '<input type="checkbox" name="purpose" value="scoring">'
                '<input type="checkbox" name="purpose" value="repayment_monitoring">'
                '<button name="answer" value="yes">Agree</button>'
                '<button name="answer" value="no">Refuse</button></form>'
            )
        if form.get("csrf") == "t" and "bank_id" not in form:
            self.purposes = [str(value) for value in form.getlist("purpose")]
            assert form["answer"] == ("yes" if self.purposes else "no")
            if not self.purposes:
                return self._page("<p>Nothing is read.</p>")
            return self._page(
                '<form data-step="bank" method="post" action="/c/x"><select name="bank_id">'
                '<option value="other">Other</option><option value="luz">Luz</option></select>'
                "<button>Go</button></form>"
            )
        assert form["bank_id"] == self.person.bank_id
        self.consent_id = await self.town.consent(self.person, allow=False)
        online = self.town.online(self.person, "consents", self.consent_id)
        return Response(status_code=303, headers={"Location": online})

    async def _back(self, request: Request) -> Response:
        if request.method == "GET":
            form = '<form data-step="consent" method="post"><button>Go on</button></form>'
            return self._page(form)
        self.finished = True
        return self._page('<form data-step="again" method="post"><button>Again</button></form>')

    async def _pay(self, request: Request) -> Response:
        if self.broken:
            return Response("broken", 503)
        self.origins.add(request.headers.get("origin"))
        form = await request.form()
        if "birth_date" in form:
            self.tries += 1
            self.proved = form["birth_date"] == self.person.birth_date.isoformat()
        if not self.proved and self.tries >= 5:
            return self._page("<p>Too many tries.</p>")
        if not self.proved:
            return self._page(
                '<form data-step="check" method="post" action="/p/x">'
                '<input name="birth_date"><button>Go on</button></form>'
            )
        if self.prepares:
            self.prepares -= 1
            return self._page('<meta http-equiv="refresh" content="6; url=/p/x">')
        if "amount" in form:
            return await self._start(str(form["amount"]))
        if self.payment_link:
            return self._page("<p>We are checking.</p>")
        words = "".join(
            f'<form data-step="{word}" method="post" action="/p/x/{word}"><button>x</button></form>'
            for word in ("wrong", "cannot", "paid", "stop")
        )
        return self._page(
            '<form data-step="pay" method="post" action="/p/x">'
            '<input name="amount" value="120.50"><button>Pay</button></form>' + words
        )

    async def _start(self, amount: str) -> Response:
        self.said.append(f"pays {amount}")
        made = await self.town.payment(self.person, amount, reference=f"T-{uuid4().hex[:8]}")
        self.payment_link = self.town.online(self.person, "payments", made.json()["paymentId"])
        return Response(status_code=303, headers={"Location": self.payment_link})

    async def _say(self, request: Request) -> Response:
        self.said.append(escape(request.path_params["word"]))
        return self._page("<p>Noted.</p>")

    async def _done(self, _: Request) -> Response:
        return self._page("<p>We are checking.</p>")


class ToyApi:
    """The few addresses of the API that the lender's system calls; keeps what it was told."""

    def __init__(self) -> None:
        self.borrowers: dict[str, Any] = {}
        self.loans: dict[str, Any] = {}
        self.owed: dict[str, Any] = {}
        self.links = 0
        self.settled: list[dict[str, Any]] = []
        self.with_the_app: dict[str, str] = {}
        self.purposes: list[list[str]] = []
        self.shows_transactions = True
        self.pushed: list[str] = []
        self.calls = 0
        self.busy_until = 0
        self.app = Starlette(
            routes=[
                Route("/v1/borrowers", self._borrower, methods=["POST"]),
                Route("/v1/loans", self._loan, methods=["POST"]),
                Route("/v1/consent-requests", self._ask, methods=["POST"]),
                Route("/v1/loans/{ref}/owed", self._owed, methods=["PUT"]),
                Route("/v1/payments", self._payments),
                Route("/v1/messages/{id}/push", self._push),
                Route("/v1/messages/{id}/pushed", self._pushed, methods=["POST"]),
            ]
        )

    def _enter(self, request: Request) -> Response | None:
        self.calls += 1
        if request.headers.get("authorization") != "Bearer sk_demo":
            return Response(status_code=401)
        if self.calls <= self.busy_until:
            return Response(status_code=429, headers={"Retry-After": "0"})
        return None

    async def _borrower(self, request: Request) -> Response:
        if (refused := self._enter(request)) is not None:
            return refused
        given = await request.json()
        self.borrowers[given["external_ref"]] = given
        return JSONResponse({}, 201)

    async def _loan(self, request: Request) -> Response:
        if (refused := self._enter(request)) is not None:
            return refused
        given = await request.json()
        self.loans[given["external_ref"]] = given
        return JSONResponse({}, 201)

    async def _ask(self, request: Request) -> Response:
        if (refused := self._enter(request)) is not None:
            return refused
        purposes = (await request.json())["purposes"]
        self.purposes.append(purposes)
        if "bills" in purposes and not self.shows_transactions:
            return JSONResponse({"title": "purposes"}, 422)
        self.links += 1
        return JSONResponse({"link": f"{SALDO}/c/{self.links}"}, 201)

    async def _owed(self, request: Request) -> Response:
        if (refused := self._enter(request)) is not None:
            return refused
        self.owed[request.path_params["ref"]] = await request.json()
        return JSONResponse({})

    async def _payments(self, request: Request) -> Response:
        if (refused := self._enter(request)) is not None:
            return refused
        wanted = request.query_params["borrower"]
        at = int(request.query_params.get("cursor", "0"))
        found = [one for one in self.settled if one["borrower_ref"] == wanted]
        more = str(at + 1) if at + 1 < len(found) else None
        return JSONResponse({"items": found[at : at + 1], "next_cursor": more})

    async def _push(self, request: Request) -> Response:
        if (refused := self._enter(request)) is not None:
            return refused
        message_id = request.path_params["id"]
        if message_id not in self.with_the_app:
            return Response(status_code=404)
        return JSONResponse({"body": self.with_the_app[message_id], "link": f"{SALDO}/p/x"})

    async def _pushed(self, request: Request) -> Response:
        if (refused := self._enter(request)) is not None:
            return refused
        message_id = request.path_params["id"]
        if message_id not in self.with_the_app:
            return Response(status_code=409)
        self.pushed.append(message_id)
        return JSONResponse({"state": "delivered"})
