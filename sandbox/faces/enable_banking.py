"""Enable Banking as its customers see it, over the same banks: sessions, accounts, balances.

Under `/enablebanking`. Facts come from the vendor's published OpenAPI description; where it is
silent (which status goes with which error code, how a refusal comes back in the browser, what a
session lists of a blocked account) this face does what seems likely and its client may not rely
on it. Payments are in `eb_pay`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.balances import said_by_bank
from sandbox.banks import BANKS, BY_ID, Bank, LimitWord
from sandbox.faces.bg_errors import Refusal
from sandbox.faces.bg_reads import Reads, slowed
from sandbox.faces.eb_pay import EbPay, kinds_of
from sandbox.faces.eb_sessions import Session, Sessions
from sandbox.faces.eb_wire import (
    APP_ID,
    ROOT,
    No,
    answer_json,
    check_token,
    json_in,
    moved_on_wire,
    on_wire,
)
from sandbox.faces.wire import LostResponse, euros
from sandbox.ibans import is_valid
from sandbox.modes import BankMode, Mode
from sandbox.money_life import moved
from sandbox.records import ConsentStatus
from sandbox.town import Account
from sandbox.world import World

Handler = Callable[[Request], Awaitable[Response]]

_NEEDED = ("psu-ip-address", "psu-user-agent")
# So much of the past a bank shows, today with it.
_LONGEST_DAYS = 90
_KINDS = ("CACC", "CASH", "CARD", "LOAN", "SVGS")
_PAGE = 100
_CODE_LASTS = timedelta(hours=8)


class EnableBanking:
    """The vendor over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reads = Reads(world)
        self._sessions = Sessions(world)
        self._pay = EbPay(world)

    def routes(self) -> list[Route]:
        table: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "/application", self._application),
            ("GET", "/aspsps", self._aspsps),
            ("POST", "/auth", self._auth),
            ("POST", "/sessions", self._open),
            ("GET", "/sessions/{id}", self._session),
            ("DELETE", "/sessions/{id}", self._close),
            ("GET", "/accounts/{id}/balances", self._balances),
            ("GET", "/accounts/{id}/transactions", self._transactions),
            ("POST", "/payments", self._pay.create),
            ("GET", "/payments/{id}", self._pay.get),
            ("DELETE", "/payments/{id}", self._pay.delete),
        )
        return [
            Route(f"{ROOT}{path}", self._guarded(handler), methods=[verb])
            for verb, path, handler in table
        ]

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            try:
                check_token(request.headers.get("authorization", ""))
                return await handler(request)
            except No as no:
                return no.answer()

        return guarded

    # ------------------------------------------------------------ the vendor itself

    async def _application(self, _: Request) -> Response:
        return answer_json(
            {
                "name": "Sandbox lender",
                "kid": APP_ID,
                "environment": "SANDBOX",
                "redirect_urls": ["http://127.0.0.1:8200/c/back"],
                "active": True,
                "countries": sorted({bank.country for bank in BANKS}),
                "services": ["AIS", "PIS"],
            }
        )

    async def _aspsps(self, request: Request) -> Response:
        country = request.query_params.get("country")
        listed = [
            {
                "name": bank.name,
                "country": bank.country,
                "logo": f"https://{bank.id}.example/logo.png",
                "psu_types": ["personal"],
                "auth_methods": [],
                "maximum_consent_validity": bank.consent_days * 86_400,
                "required_psu_headers": ["Psu-Ip-Address", "Psu-User-Agent"],
                "beta": False,
                "bic": bank.bic,
                "payments": [
                    {
                        "payment_type": kind,
                        "psu_type": "personal",
                        "currencies": [bank.currency],
                        "creditor_account_schemas": ["IBAN"],
                    }
                    for kind in kinds_of(bank)
                ],
            }
            for bank in BANKS
            if country in (None, bank.country)
        ]
        return answer_json({"aspsps": listed})

    # ------------------------------------------------------------ sessions

    async def _auth(self, request: Request) -> Response:
        content = await json_in(request)
        bank = _bank_in(content.get("aspsp"))
        access = content.get("access")
        state, redirect = content.get("state"), content.get("redirect_url")
        if not isinstance(access, dict) or not isinstance(state, str):
            raise No("WRONG_REQUEST_PARAMETERS")
        if not isinstance(redirect, str) or not redirect.startswith(("http://", "https://")):
            raise No("WRONG_REQUEST_PARAMETERS")
        now = self._world.now()
        until = _instant_in(access.get("valid_until"))
        if not now < until <= now + timedelta(days=bank.consent_days):
            raise No("WRONG_REQUEST_PARAMETERS")
        ibans = self._ibans_in(access.get("accounts"), bank)
        consent = self._world.consents.create(
            bank,
            recurring=True,
            frequency=4,
            valid_until=until.astimezone(bank.zone).date(),
            redirect_url="",
            refused_url=f"{redirect}?{urlencode({'error': 'access_denied', 'state': state})}",
            asked_ibans=ibans,
            balances=access.get("balances", True) is True,
            transactions=(shows := access.get("transactions", True) is True),
            request_key="",
            now=now,
        )
        session = Session(consent.id, bank.id, until, now, transactions=shows)
        consent.redirect_url = f"{redirect}?{urlencode({'code': session.code, 'state': state})}"
        self._world.store.put("consent", consent.id, consent)
        self._sessions.keep(session)
        person = self._world.town.owner(ibans[0]) if ibans else None
        if person is not None and self._world.town.take(person.id, Mode.CONSENT_ANSWER_LOST):
            return LostResponse()
        origin = f"{request.url.scheme}://{request.url.netloc}"
        return answer_json(
            {
                "url": f"{origin}/banks/{bank.id}/online/consents/{consent.id}",
                "authorization_id": session.id,
                "psu_id_hash": session.person_hash,
            }
        )

    def _ibans_in(self, listed: Any, bank: Bank) -> list[str]:
        found: list[str] = []
        for one in listed if isinstance(listed, list) else []:
            iban = one.get("iban") if isinstance(one, dict) else None
            account = self._world.town.accounts.get(iban) if isinstance(iban, str) else None
            if account is None or not is_valid(account.iban) or account.bank.id != bank.id:
                raise No("WRONG_REQUEST_PARAMETERS")
            found.append(account.iban)
        return found

    async def _open(self, request: Request) -> Response:
        session = self._sessions.of_code((await json_in(request)).get("code"))
        if session.opened_at is not None:
            raise No("ALREADY_AUTHORIZED")
        consent, now = self._sessions.consent(session), self._world.now()
        if self._world.consents.status(consent, now) is not ConsentStatus.VALID:
            raise No("WRONG_SESSION_STATUS")
        if consent.authorised_at is not None and now - consent.authorised_at > _CODE_LASTS:
            raise No("EXPIRED_AUTHORIZATION_CODE")
        session.opened_at = now
        self._sessions.keep(session)
        bank = BY_ID[session.bank_id]
        accounts = [self._account(session, iban) for iban in consent.resources.values()]
        return answer_json(
            {
                "session_id": session.session_id,
                "accounts": accounts,
                "aspsp": {"name": bank.name, "country": bank.country},
                "psu_type": "personal",
                "access": session.access,
            }
        )

    def _account(self, session: Session, iban: str) -> dict[str, Any]:
        account = self._world.town.accounts[iban]
        plan = account.plan
        hashed = _hash_of(iban)
        found: dict[str, Any] = {
            "uid": session.uid(iban),
            "account_id": {"iban": iban},
            "all_account_ids": [{"identification": iban, "scheme_name": "IBAN"}],
            "name": self._world.town.people[account.person_id].name,
            "details": plan.name,
            "usage": "PRIV",
            "cash_account_type": plan.cash_account_type
            if plan.cash_account_type in _KINDS
            else "OTHR",
            "product": plan.name,
            "currency": plan.currency,
            "identification_hash": hashed,
            "identification_hashes": [hashed],
        }
        if self._blocked(account):
            del found["uid"]
        if account.bank.limit_word is LimitWord.STATED:
            found["credit_limit"] = {"amount": euros(plan.limit_minor), "currency": plan.currency}
        return found

    def _blocked(self, account: Account) -> bool:
        return self._world.town.mode(account.person_id, Mode.ACCOUNT_BLOCKED) is not None

    async def _session(self, request: Request) -> Response:
        session = self._sessions.opened(request.path_params["id"])
        town, bank = self._world.town, BY_ID[session.bank_id]
        ibans = [
            iban
            for iban in self._sessions.consent(session).resources.values()
            if not self._blocked(town.accounts[iban])
        ]
        body: dict[str, Any] = {
            "status": self._sessions.status(session),
            "accounts": [session.uid(iban) for iban in ibans],
            "accounts_data": [
                {
                    "uid": session.uid(iban),
                    "identification_hash": _hash_of(iban),
                    "identification_hashes": [_hash_of(iban)],
                }
                for iban in ibans
            ],
            "aspsp": {"name": bank.name, "country": bank.country},
            "psu_type": "personal",
            "psu_id_hash": session.person_hash,
            "access": session.access,
            "created": session.created_at.isoformat(),
        }
        for name, at in (("authorized", session.opened_at), ("closed", session.closed_at)):
            if at is not None:
                body[name] = at.isoformat()
        return answer_json(body)

    async def _close(self, request: Request) -> Response:
        session = self._sessions.opened(request.path_params["id"])
        self._sessions.check(session)
        session.closed_at = self._world.now()
        self._world.consents.terminate(self._sessions.consent(session), session.closed_at)
        self._sessions.keep(session)
        return answer_json({"message": "OK"})

    # ------------------------------------------------------------ accounts

    async def _balances(self, request: Request) -> Response:
        account, _, modes = self._reached(request, "balances")
        said = said_by_bank(self._world.town, self._world.payments, account, self._world.now())
        currency = account.plan.currency
        body = {"balances": [on_wire(one, currency) for one in said]}
        return slowed(answer_json(body), modes)

    async def _transactions(self, request: Request) -> Response:
        """The oldest first, a hundred on a page."""
        account, session, modes = self._reached(request, "transactions")
        if not session.transactions:
            raise No("ACCESS_DENIED")
        now, zone = self._world.now(), account.bank.zone
        try:
            since = date.fromisoformat(request.query_params.get("date_from", ""))
            begin = int(request.query_params.get("continuation_key", "0"))
        except ValueError:
            raise No("WRONG_REQUEST_PARAMETERS") from None
        if since <= now.astimezone(zone).date() - timedelta(days=_LONGEST_DAYS):
            raise No("WRONG_TRANSACTIONS_PERIOD")
        midnight = datetime.combine(since, time(0), zone) - timedelta(microseconds=1)
        all_of_them = moved(account.life, midnight, now)
        listed = [
            moved_on_wire(minor, account.plan.currency, at.astimezone(zone).date())
            for at, minor in all_of_them[begin : begin + _PAGE]
        ]
        more = {"continuation_key": str(begin + _PAGE)} if len(all_of_them) > begin + _PAGE else {}
        return slowed(answer_json({"transactions": listed, **more}), modes)

    def _reached(
        self, request: Request, endpoint: str
    ) -> tuple[Account, Session, dict[str, float]]:
        """The account that is asked for, the question counted, and its person's faults.

        Raises `No`.
        """
        world = self._world
        session, iban = self._sessions.of_account(request.path_params["id"])
        self._sessions.check(session)
        given = [name for name in request.headers if name.startswith("psu-")]
        if given and not set(_NEEDED) <= set(given):
            raise No("PSU_HEADER_NOT_PROVIDED")
        now, account = world.now(), world.town.accounts[iban]
        for mode, code in (
            (BankMode.OUTAGE_503, "ASPSP_TIMEOUT"),
            (BankMode.OUTAGE_401, "ASPSP_ERROR"),
        ):
            if world.town.bank_mode(session.bank_id, mode, now):
                raise No(code)
        modes = world.town.settings(account.person_id).modes
        consent = self._sessions.consent(session)
        try:
            self._reads.count(
                account.bank, consent, iban, endpoint, request.url.path, modes,
                attended=bool(given), now=now,
            )  # fmt: skip
            self._reads._faults(account, consent, modes, now)
        except Refusal as refusal:
            raise _translated(refusal) from None
        world.consents.acted(consent, now)
        return account, session, modes


def _translated(refusal: Refusal) -> No:
    """A bank's refusal in the vendor's words."""
    if refusal.status == 429:
        plain = refusal.body is not None
        return No("ASPSP_RATE_LIMIT_EXCEEDED", headers=refusal.headers, plain=plain)
    if refusal.code == "RESOURCE_BLOCKED":
        return No("ASPSP_ACCOUNT_NOT_ACCESSIBLE")
    return No("ASPSP_ERROR")


def _hash_of(iban: str) -> str:
    return sha256(f"identification/{iban}".encode()).hexdigest()


def _bank_in(aspsp: Any) -> Bank:
    wanted = (aspsp.get("name"), aspsp.get("country")) if isinstance(aspsp, dict) else None
    found = next((bank for bank in BANKS if (bank.name, bank.country) == wanted), None)
    if found is None:
        raise No("WRONG_ASPSP_PROVIDED")
    return found


def _instant_in(text: Any) -> datetime:
    """RFC 3339 with an offset. Raises `No`."""
    try:
        found = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise No("WRONG_REQUEST_PARAMETERS") from None
    if found.tzinfo is None:
        raise No("WRONG_REQUEST_PARAMETERS")
    return found
