"""Tink as its customers see it, over the same banks: users, Tink Link, accounts, refreshes.

Under `/tink`. Facts come from Tink's published reference and its own examples; where they are
silent (the status of a connection that was taken back, the place of a 429) this face does what
seems likely and its client may not rely on it. Payments are in `tink_pay`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from urllib.parse import urlencode
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.bank_list import tink_name
from sandbox.banks import BANKS, Bank
from sandbox.faces.tink_moved import TinkMoved
from sandbox.faces.tink_pay import TinkPay
from sandbox.faces.tink_reads import TinkReads, TinkUser
from sandbox.faces.tink_wire import (
    CLIENT_ID,
    TINK_LINK,
    No,
    Rights,
    answer_json,
    form_in,
    json_in,
)
from sandbox.faces.wire import LostResponse
from sandbox.modes import BankMode
from sandbox.world import World

ROOT = "/tink"
LINK = f"{ROOT}/link/1.0/account-check/connect"
LOOK_LINK = f"{ROOT}/link/1.0/transactions/connect-accounts"
PAY_LINK = f"{ROOT}/link/1.0/pay"
Handler = Callable[[Request], Awaitable[Response]]

_MARKETS = frozenset(bank.country for bank in BANKS)


class Tink:
    """Tink over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rights = Rights(world)
        self._users = {one.id: one for one in world.store.all_of("tink_user", TinkUser)}
        self._reads = TinkReads(world)
        self._moved = TinkMoved(world, self._reads)
        self._pay = TinkPay(world, self._rights)

    def routes(self) -> list[Route]:
        """Everything below /tink."""
        table: tuple[tuple[str, str, Handler], ...] = (
            ("POST", "/api/v1/oauth/token", self._rights.token),
            ("POST", "/api/v1/oauth/authorization-grant", self._grant),
            ("POST", "/api/v1/oauth/authorization-grant/delegate", self._delegate),
            ("POST", "/api/v1/user/create", self._create),
            ("POST", "/api/v1/user/delete", self._delete),
            ("GET", "/api/v1/provider-consents", self._consents),
            ("POST", "/api/v1/balance-refresh", self._refresh),
            ("GET", "/api/v1/balance-refresh/{id}", self._refresh_state),
            ("GET", "/data/v2/accounts", self._accounts),
            ("GET", "/data/v2/accounts/{id}/balances", self._balances),
            ("GET", "/data/v2/transactions", self._transactions),
            ("POST", "/api/v1/payments/requests", self._pay.create),
            ("GET", "/api/v1/payments/requests/{id}", self._pay.request),
            ("GET", "/api/v1/payments/requests/{id}/transfers", self._pay.transfers),
        )
        return [
            *(Route(ROOT + path, _guarded(do), methods=[verb]) for verb, path, do in table),
            Route(LINK, _guarded(self._link), methods=["GET"]),
            Route(LOOK_LINK, _guarded(self._link), methods=["GET"]),
            Route(f"{PAY_LINK}/", _guarded(self._pay.page), methods=["GET"]),
        ]

    # ------------------------------------------------------------ users

    async def _create(self, request: Request) -> Response:
        self._rights.of(request, "user:create")
        content = await json_in(request)
        external, market = content.get("external_user_id"), content.get("market")
        if not isinstance(external, str) or not external or market not in _MARKETS:
            raise No(400, "user.invalid_request", "external_user_id and market are needed")
        if any(one.external_id == external and not one.deleted for one in self._users.values()):
            raise No(409, "user.external_user_id_already_exists", "the user exists")
        made = TinkUser(uuid4().hex, external, str(market))
        self._keep(made)
        banks = [bank for bank in BANKS if bank.country == market]
        lost = [self._world.town.take_bank(one.id, BankMode.CONSENT_ANSWER_LOST) for one in banks]
        if any(lost):
            return LostResponse()
        return answer_json({"external_user_id": external, "user_id": made.id})

    async def _delete(self, request: Request) -> Response:
        user = self._user(self._rights.of(request, "user:delete", user=True))
        consent = self._reads.consent(user)
        if consent is not None:
            self._world.consents.terminate(consent, self._world.now())
        user.deleted = True
        self._keep(user)
        return Response(status_code=204)

    def _keep(self, user: TinkUser) -> None:
        self._world.store.put("tink_user", user.id, user)
        self._users[user.id] = user

    def _user(self, user_id: str) -> TinkUser:
        found = self._users.get(user_id)
        if found is None or found.deleted:
            raise No(404, "user.not_found", "there is no such user")
        return found

    # ------------------------------------------------------------ codes and Tink Link

    async def _grant(self, request: Request) -> Response:
        self._rights.of(request, "authorization:grant")
        given = await form_in(request)
        user = self._user(given.get("user_id", ""))
        return answer_json({"code": self._rights.code(user.id, given.get("scope", ""))})

    async def _delegate(self, request: Request) -> Response:
        self._rights.of(request, "authorization:grant")
        given = await form_in(request)
        user = self._user(given.get("user_id", ""))
        if given.get("actor_client_id") != TINK_LINK or not given.get("id_hint"):
            raise No(400, "bad_request", "actor_client_id and id_hint are needed")
        return answer_json({"code": self._rights.code(user.id, given.get("scope", ""))})

    async def _link(self, request: Request) -> Response:
        """The hosted flow. It knows the bank already and sends the person there at once."""
        given = request.query_params
        redirect, state = given.get("redirect_uri", ""), given.get("state", "")
        if given.get("client_id") != CLIENT_ID or not redirect.startswith(("http://", "https://")):
            raise No(400, "bad_request", "unknown client or redirect address")
        right = self._rights.spend(given.get("authorization_code", ""))
        user = self._user(right.user_id)
        bank = _bank_in(given.get("input_provider", ""), user.market)
        now = self._world.now()
        credentials = uuid4().hex
        good = urlencode({"credentialsId": credentials, "state": state})
        bad = urlencode({"error": "USER_CANCELLED", "error_reason": "CANCELLED", "state": state})
        consent = self._world.consents.create(
            bank,
            recurring=True,
            frequency=4,
            valid_until=now.astimezone(bank.zone).date() + timedelta(days=bank.consent_days),
            redirect_url=f"{redirect}?{good}",
            refused_url=f"{redirect}?{bad}",
            asked_ibans=(),
            balances=True,
            transactions=request.url.path == LOOK_LINK,
            request_key=user.external_id,
            now=now,
        )
        user.bank_id, user.consent_id, user.credentials_id = bank.id, consent.id, credentials
        self._keep(user)
        return RedirectResponse(f"/banks/{bank.id}/online/consents/{consent.id}", 303)

    # ------------------------------------------------------------ reading

    async def _consents(self, request: Request) -> Response:
        user = self._user(self._rights.of(request, "provider-consents:read", user=True))
        return answer_json({"providerConsents": self._reads.connections(user)})

    async def _accounts(self, request: Request) -> Response:
        user = self._user(self._rights.of(request, "accounts:read", user=True))
        return answer_json(self._reads.accounts(user))

    async def _refresh(self, request: Request) -> Response:
        user = self._user(self._rights.of(request, "balance-refresh", user=True))
        account_id = (await json_in(request)).get("accountId")
        if not isinstance(account_id, str) or not account_id:
            raise No(400, "bad_request", "accountId is empty")
        return answer_json(self._reads.refresh(user, account_id, request.url.path))

    async def _refresh_state(self, request: Request) -> Response:
        user = self._user(self._rights.of(request, "balance-refresh:readonly", user=True))
        return self._reads.refresh_state(user, request.path_params["id"])

    async def _balances(self, request: Request) -> Response:
        scopes = ("accounts:read", "accounts.balances:readonly")
        user = self._user(self._rights.of(request, *scopes, user=True))
        return self._reads.balances(user, request.path_params["id"])

    async def _transactions(self, request: Request) -> Response:
        user = self._user(self._rights.of(request, "transactions:read", user=True))
        return answer_json(self._moved.page(user, request.query_params))


def _bank_in(name: str, market: str) -> Bank:
    found = next((one for one in BANKS if tink_name(one) == name and one.country == market), None)
    if found is None:
        raise No(400, "provider.not_found", "there is no such provider in this market")
    return found


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        try:
            return await handler(request)
        except No as no:
            return no.answer()

    return guarded
