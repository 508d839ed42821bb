"""TrueLayer as its customers see it, over the same banks: connections, tokens, accounts, balances.

Its payments are in tl_payments.py.

Under `/truelayer/auth` (the vendor's auth host) and `/truelayer/api` (its API host). A refresh
token is spent by its exchange, and a connection that is over is known by that alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.balances import said_by_bank
from sandbox.banks import BY_ID, provider_id
from sandbox.faces.bg_errors import Refusal
from sandbox.faces.bg_reads import Reads, slowed
from sandbox.faces.numbers import Numbers, numbers_of
from sandbox.faces.tl_connections import Connection, Connections, bank_page
from sandbox.faces.tl_hosted import HostedPage
from sandbox.faces.tl_payments import PaymentFace, client_token
from sandbox.faces.tl_wire import (
    API,
    AUTH,
    CLIENT_ID,
    CLIENT_SECRET,
    No,
    answer_json,
    moved_on_wire,
    on_wire,
)
from sandbox.faces.wire import LostResponse
from sandbox.modes import BankMode, Mode
from sandbox.money_life import moved
from sandbox.town import Account
from sandbox.world import World

Handler = Callable[[Request], Awaitable[Response]]

_TYPES = {"CACC": "TRANSACTION", "SVGS": "SAVINGS"}


class TrueLayer:
    """The vendor over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reads = Reads(world)
        self._connections = Connections(world)

    def routes(self) -> list[Route]:
        table: tuple[tuple[str, str, Handler], ...] = (
            ("GET", f"{AUTH}/", self._link),
            ("POST", f"{AUTH}/connect/token", self._token),
            ("DELETE", f"{AUTH}/api/delete", self._delete),
            ("GET", f"{API}/data/v1/accounts", self._accounts),
            ("GET", f"{API}/data/v1/accounts/{{id}}/balance", self._balance),
            ("GET", f"{API}/data/v1/accounts/{{id}}/transactions", self._booked),
            ("GET", f"{API}/data/v1/accounts/{{id}}/transactions/pending", self._pending),
        )
        return [
            *(Route(path, self._guarded(handler), methods=[verb]) for verb, path, handler in table),
            *PaymentFace(self._world).routes(),
            *HostedPage(self._world).routes(),
        ]

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)
            except No as no:
                return no.answer()

        return guarded

    # ------------------------------------------------------------ connections

    async def _link(self, request: Request) -> Response:
        """The auth link: it sends the person on to his bank at once."""
        made = self._connections.open_link(request.query_params)
        return RedirectResponse(bank_page(made), 303)

    async def _token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise No("invalid_client")
        if form.get("grant_type") == "client_credentials":
            return answer_json(client_token(form))
        match form.get("grant_type"):
            case "authorization_code":
                made = self._connections.of_code(form.get("code", ""), form.get("redirect_uri", ""))
            case "refresh_token":
                made = self._connections.of_refresh(form.get("refresh_token", ""))
            case _:
                raise No("invalid_request")
        person_id = self._connections.consent(made).person_id
        if self._world.town.take(person_id, Mode.CONSENT_ANSWER_LOST):
            return LostResponse()
        return answer_json(self._connections.pair(made))

    async def _delete(self, request: Request) -> Response:
        connection = self._connections.of_access(request.headers.get("authorization", ""))
        if connection.deleted:
            raise No("invalid_token")
        self._world.consents.terminate(self._connections.consent(connection), self._world.now())
        connection.deleted = True
        self._connections.keep(connection)
        return Response(status_code=200)

    # ------------------------------------------------------------ accounts and balances

    def _begin(self, request: Request, endpoint: str, iban: str = "*") -> Connection:
        """Check and count one read at the bank. Raises `No`."""
        world, now = self._world, self._world.now()
        connection = self._connections.of_access(request.headers.get("authorization", ""))
        if not self._connections.alive(connection):
            raise No("access_denied")
        for mode in (BankMode.OUTAGE_503, BankMode.OUTAGE_401):
            if world.town.bank_mode(connection.bank_id, mode, now):
                raise No("provider_error")
        consent = self._connections.consent(connection)
        if iban != "*":
            iban = consent.resources.get(iban, "")
            if not iban:
                raise No("account_not_found")
        try:
            self._reads.count(
                BY_ID[connection.bank_id], consent, iban, endpoint, request.url.path,
                world.town.settings(consent.person_id).modes,
                attended="x-psu-ip" in request.headers, now=now,
            )  # fmt: skip
        except Refusal as refusal:
            raise _translated(refusal) from None
        world.consents.acted(consent, now)
        return connection

    async def _accounts(self, request: Request) -> Response:
        connection = self._begin(request, "accounts")
        consent = self._connections.consent(connection)
        listed = [self._listed(key, iban) for key, iban in consent.resources.items()]
        modes = self._world.town.settings(consent.person_id).modes
        return slowed(answer_json({"results": listed, "status": "Succeeded"}), modes)

    def _listed(self, key: str, iban: str) -> dict[str, Any]:
        account = self._world.town.accounts[iban]
        plan, bank = account.plan, account.bank
        return {
            "update_timestamp": self._world.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "account_id": key,
            "account_type": _TYPES.get(plan.cash_account_type, "TRANSACTION"),
            "display_name": plan.name,
            "currency": plan.currency,
            "account_number": _account_number(numbers_of(self._world, iban), bank.bic),
            "provider": {
                "display_name": bank.name,
                "provider_id": provider_id(bank),
                "logo_uri": f"https://{bank.id}.example/logo.svg",
            },
        }

    def _reached(self, request: Request, endpoint: str) -> tuple[Account, dict[str, float]]:
        """The account that is asked for, the question counted, and its person's faults.

        Raises `No`.
        """
        key = request.path_params["id"]
        connection = self._begin(request, endpoint, key)
        world, now = self._world, self._world.now()
        consent = self._connections.consent(connection)
        if not getattr(consent, endpoint):
            raise No("insufficient_scope")
        account = world.town.accounts[consent.resources[key]]
        modes = world.town.settings(account.person_id).modes
        try:
            self._reads._faults(account, consent, modes, now)
        except Refusal as refusal:
            raise _translated(refusal) from None
        return account, modes

    async def _booked(self, request: Request) -> Response:
        """All that was booked between two instants, the latest first, without pages."""
        account, modes = self._reached(request, "transactions")
        try:
            since, until = (datetime.fromisoformat(request.query_params[n]) for n in ("from", "to"))
        except (KeyError, ValueError):
            raise No("invalid_date_range") from None
        if not since <= until <= self._world.now() or not since.tzinfo:
            raise No("invalid_date_range")
        begin = since - timedelta(microseconds=1)
        results = [
            moved_on_wire(minor, account.plan.currency, at)
            for at, minor in reversed(moved(account.life, begin, until))
        ]
        return slowed(answer_json({"results": results, "status": "Succeeded"}), modes)

    async def _pending(self, request: Request) -> Response:
        """None: what is authorised here has moved at once."""
        _, modes = self._reached(request, "transactions")
        return slowed(answer_json({"results": [], "status": "Succeeded"}), modes)

    async def _balance(self, request: Request) -> Response:
        account, modes = self._reached(request, "balances")
        world, now = self._world, self._world.now()
        said = said_by_bank(world.town, world.payments, account, now)
        plan = account.plan
        results = on_wire(said, account.bank, plan.currency, plan.limit_minor, now)
        return slowed(answer_json({"results": results, "status": "Succeeded"}), modes)


def _account_number(numbers: Numbers, bic: str) -> dict[str, str]:
    if not numbers.number:
        return {"iban": numbers.iban, "swift_bic": bic, "number": numbers.iban[-10:]}
    british = {"number": numbers.number, "sort_code": numbers.dashed, "swift_bic": bic}
    return {"iban": numbers.iban, **british} if numbers.iban else british


def _translated(refusal: Refusal) -> No:
    """A bank's refusal in the vendor's words."""
    if refusal.status == 429:
        plain = refusal.body is not None
        return No("provider_too_many_requests", headers=refusal.headers, plain=plain)
    if refusal.code == "RESOURCE_BLOCKED":
        return No("account_not_found")
    return No("provider_error")
