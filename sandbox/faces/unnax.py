"""Unnax as far as it is public, over the same banks: reader session, token, encrypted reads.

Under `/unnax`. Envelope, events, authorisation and encryption follow Unnax's help centre and
programs of others. What no public text says is made up here and marked so; a client has to be told
of it (`bank_list.as_unnax_reference`), and that they agree proves nothing about the real Unnax.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.balances import said_by_bank
from sandbox.bank_list import UNNAX_READ, UNNAX_TOKEN
from sandbox.banks import BY_ID
from sandbox.faces.bg_errors import Refusal
from sandbox.faces.bg_reads import Reads
from sandbox.faces.bg_requests import origin_of
from sandbox.faces.gateway_calls import Prepared
from sandbox.faces.unnax_wire import (
    API_ID,
    HOOK_KEY,
    ROOT,
    Handler,
    No,
    answer_json,
    encrypted,
    envelope,
    guarded,
    merchant_signature,
    refreshed,
)
from sandbox.faces.wire import LostResponse
from sandbox.modes import BankMode
from sandbox.records import Consent, ConsentStatus
from sandbox.world import World

_TOKEN_MADE = "event_credential_token_creation"  # noqa: S105 - the name of an event
_ABANDONED = "event_reader_lockstep_cancelled"
_READ = "fitnance_read"
EVENTS = (_TOKEN_MADE, _ABANDONED, _READ)


def hook_urls(saldo: str) -> dict[str, str]:
    """Where it calls a customer at this address, as if he had registered each event."""
    url = f"{saldo}/hooks/unnax?{urlencode({'key': HOOK_KEY})}"
    return {f"unnax {event}": url for event in EVENTS}


@dataclass(slots=True)
class Session:
    """One widget and the token that comes of it. Its id is the consent's at the bank."""

    id: str
    bank_id: str
    code: str
    sid: str
    token: str
    told: bool = False
    deleted: bool = False
    asked: list[str] = field(default_factory=list)
    """Codes of reads that are still to be called about."""


class Unnax:
    """Unnax over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reads = Reads(world)

    def routes(self) -> list[Route]:
        """Everything below /unnax."""
        table: tuple[tuple[str, str, Handler], ...] = (
            ("POST", "/api/v3/reader/lockstep/init/", self._init),
            ("POST", "/api/v3/webhooks/", self._register),
            ("POST", UNNAX_READ, self._read),
            ("DELETE", UNNAX_TOKEN, self._delete),
        )
        return [
            *(Route(ROOT + path, guarded(do), methods=[verb]) for verb, path, do in table),
            Route(f"{ROOT}/api/v3/auth/jwt_token/refresh", refreshed, methods=["POST"]),
            Route(f"{ROOT}/widget/reader/", self._widget, methods=["GET"]),
        ]

    # ------------------------------------------------------------ the session

    async def _init(self, content: dict[str, Any], request: Request) -> Response:
        code = content.get("request_code")
        if not isinstance(code, str) or content.get("merchant_id") != API_ID:
            raise No(400, "a request code and the merchant's id")
        if content.get("merchant_signature") != merchant_signature(code):
            raise No(403, "the merchant's signature is wrong")
        bank = BY_ID.get(str(content.get("bank_id")))  # made up: how a bank is chosen beforehand
        back = content.get("callback_ok")
        if bank is None or not isinstance(back, str):
            raise No(400, "a bank and where to come back to")
        now = self._world.now()
        consent = self._world.consents.create(
            bank,
            recurring=True,
            frequency=4,
            valid_until=now.astimezone(bank.zone).date() + timedelta(days=bank.consent_days),
            redirect_url=back,
            refused_url=back,
            asked_ibans=(),
            balances=True,
            request_key=code,
            now=now,
        )
        made = Session(consent.id, bank.id, code, f"s_{uuid4().hex}", uuid4().hex)
        self._keep(made)
        if self._world.town.take_bank(bank.id, BankMode.CONSENT_ANSWER_LOST):
            return LostResponse()
        url = f"{origin_of(request)}{ROOT}/widget/reader/?sid={made.sid}"
        found = {"banks": [], "products": ["fitnance"], "widget_url": url, "sid": made.sid}
        return answer_json({"data": found})

    async def _widget(self, request: Request) -> Response:
        """The widget: it knows the bank and sends the person on at once."""
        sid = request.query_params.get("sid", "")
        found = next((one for one in self._sessions() if one.sid == sid), None)
        if found is None:
            return Response("not found", 404)
        return RedirectResponse(f"/banks/{found.bank_id}/online/consents/{found.id}", 303)

    async def _register(self, content: dict[str, Any], _: Request) -> Response:
        event, target = content.get("event"), content.get("target")
        if content.get("client") != "callback" or event not in EVENTS or not target:
            raise No(400, "client, event and target")
        self._world.hooks.urls[f"unnax {event}"] = str(target)
        made = {"id": EVENTS.index(str(event)) + 1, "state": 1, **content}
        return answer_json(made, 201)

    # ------------------------------------------------------------ with a token (made up)

    async def _read(self, content: dict[str, Any], _: Request) -> Response:
        session, code = self._by_token(content), content.get("request_code")
        if not isinstance(code, str) or not code:
            raise No(400, "a request code")
        session.asked.append(code)
        self._keep(session)
        return answer_json({"data": {"request_code": code}})

    async def _delete(self, content: dict[str, Any], _: Request) -> Response:
        session = self._by_token(content)
        session.deleted = True
        self._keep(session)
        self._world.consents.terminate(self._consent(session), self._world.now())
        return answer_json({"data": {}})

    def _by_token(self, content: dict[str, Any]) -> Session:
        token = content.get("token")
        for one in self._sessions():
            if one.token == token and one.told and not one.deleted:
                return one
        raise No(404, "no such token")

    # ------------------------------------------------------------ calls

    def calls(self) -> list[Prepared]:
        """What there is to call about by now, each thing once."""
        made = [call for one in self._sessions() for call in self._of(one)]
        return [call for call in made if call.url]

    async def make_due_calls(self, http: httpx.AsyncClient) -> None:
        """Make every call that is due, once: when Unnax calls again is not known."""
        for made in self.calls():
            with suppress(httpx.HTTPError):
                await http.post(made.url, content=made.content, headers=made.headers, timeout=5.0)

    def _of(self, session: Session) -> list[Prepared]:
        standing = self._world.consents.status(self._consent(session), self._world.now())
        if not session.told and standing is not ConsentStatus.RECEIVED:
            session.told = True
            self._keep(session)
            if standing is not ConsentStatus.VALID:
                return [self._call(_ABANDONED, session.code, {})]
            token = self._call(_TOKEN_MADE, session.code, {"token": session.token})
            return [token, self._figures(session, session.code)]
        asked, session.asked = session.asked, []
        if asked:
            self._keep(session)
        return [self._figures(session, code) for code in asked]

    def _figures(self, session: Session, code: str) -> Prepared:
        """A read. One that the bank refuses brings no figures: what Unnax does then is made up."""
        world, consent = self._world, self._consent(session)
        listed: list[dict[str, Any]] = []
        for ref, iban in consent.resources.items():
            try:
                self._reads.balances(
                    BY_ID[session.bank_id], ref, consent.id, f"{ROOT}/{ref}", attended=False
                )
            except Refusal:
                continue
            account = world.town.accounts[iban]
            stated = said_by_bank(world.town, world.payments, account, world.now())
            booked = [one.minor for one in stated if one.kind.endswith("Booked")]
            listed.append(
                {
                    "account": iban,  # made up: the field that names the account
                    "currency": account.plan.currency,
                    "current_balance": booked[0] if booked else None,
                    "by_month": [],
                }
            )
        content = {"customers": [], "accounts": [], "summary": {"by_account": listed}}
        return self._call(_READ, code, encrypted(orjson.dumps(content)))

    def _call(self, event: str, code: str, content: dict[str, Any] | str) -> Prepared:
        # Made up: where a call repeats the request code.
        said = {**envelope(event, self._world.now()), "request_code": code, "data": content}
        headers = {"Content-Type": "application/json"}
        url = self._world.hooks.urls.get(f"unnax {event}", "")
        return Prepared(url, headers, orjson.dumps(said))

    def _keep(self, session: Session) -> None:
        self._world.store.put("unnax_session", session.id, session)

    def _sessions(self) -> list[Session]:
        return list(self._world.store.all_of("unnax_session", Session))

    def _consent(self, session: Session) -> Consent:
        found = self._world.consents.get(session.bank_id, session.id)
        if found is None:
            raise No(404, "no such session")
        return found
