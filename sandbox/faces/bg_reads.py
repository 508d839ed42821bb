"""Account information as the banks give it: the account list and the balances, counted.

The balances go a short way: no framework between the socket and the answer, because thousands of
them are asked for.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qs

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.allowance import Allowance
from sandbox.balances import Said, said_by_bank
from sandbox.banks import BY_ID, Bank, LimitHeader, Window
from sandbox.faces.bg_errors import Refusal, request_id_of, some_request_id
from sandbox.faces.wire import SlowResponse, euros
from sandbox.modes import BankMode, Mode
from sandbox.records import Consent, ConsentStatus
from sandbox.town import Account
from sandbox.world import World

_NO_MODES: dict[str, float] = {}


def check_open(world: World, bank: Bank, now: datetime) -> None:
    """Raises `Refusal` while the whole bank is down."""
    if world.town.bank_mode(bank.id, BankMode.OUTAGE_503, now):
        raise Refusal(503, "SERVICE_UNAVAILABLE", "the bank is not available")
    if world.town.bank_mode(bank.id, BankMode.OUTAGE_401, now):
        # Seen at a bank: its gateway answered so to everybody for hours.
        raise Refusal(
            401,
            "UNAUTHORIZED",
            "",
            body={
                "httpCode": "401",
                "httpMessage": "Unauthorized",
                "moreInformation": "Not registered to plan",
            },
        )


def modes_of(world: World, person_id: str) -> dict[str, float]:
    return world.town.settings(person_id).modes if person_id else _NO_MODES


def usable_consent(world: World, bank: Bank, consent_id: str | None, now: datetime) -> Consent:
    """The valid consent behind a Consent-ID header. Raises `Refusal` with the bank's reason."""
    if not consent_id:
        raise Refusal(400, "FORMAT_ERROR", "Consent-ID is missing")
    consent = world.consents.get(bank.id, consent_id)
    if consent is None:
        status, code = bank.unknown_consent
        raise Refusal(status, code, "there is no such consent")
    standing = world.consents.status(consent, now)
    if standing is ConsentStatus.VALID:
        return consent
    if standing is ConsentStatus.EXPIRED:
        modes = modes_of(world, consent.person_id)
        status = bank.expired_status_code
        if Mode.EXPIRED_AS_400 in modes:
            status = 400
        elif Mode.EXPIRED_AS_401 in modes:
            status = 401
        ended = consent.ended_at or consent.expires_at
        raise Refusal(status, "CONSENT_EXPIRED", f"the consent expired at {ended.isoformat()}")
    if standing is ConsentStatus.REVOKED:
        raise Refusal(401, bank.revoked_code, "the customer has withdrawn the consent")
    raise Refusal(401, "CONSENT_INVALID", f"the consent is {standing.value}")


def account_under(
    world: World,
    bank: Bank,
    resource_id: str,
    consent_id: str | None,
    now: datetime,
    covers: Literal["balances", "transactions"],
) -> tuple[Consent, Account]:
    """The account by its id in a valid consent that covers this. Raises `Refusal`."""
    check_open(world, bank, now)
    consent = usable_consent(world, bank, consent_id, now)
    iban = consent.resources.get(resource_id)
    if iban is None:
        raise Refusal(404, "RESOURCE_UNKNOWN", "there is no such account in this consent")
    if not getattr(consent, covers):
        raise Refusal(401, "CONSENT_INVALID", f"the consent does not cover {covers}")
    return consent, world.town.accounts[iban]


def _too_many(bank: Bank, modes: dict[str, float], free_in: int) -> Refusal:
    headers: dict[str, str] = {}
    if Mode.LIMIT_RESET_NEGATIVE in modes:
        headers["Retry-After"] = "-1875538"
    elif Mode.LIMIT_RESET_MISSING not in modes and bank.limit_header is LimitHeader.RETRY_AFTER:
        headers["Retry-After"] = str(free_in)
    body = None
    if Mode.LIMIT_OWN_SHAPE in modes:
        body = {"code": 429, "description": "Access limit exceeded"}
    text = "the number of accesses without the customer is used up"
    return Refusal(429, "ACCESS_EXCEEDED", text, headers=headers, body=body, free_in=free_in)


def _window(bank: Bank, modes: dict[str, float]) -> Window:
    if Mode.LIMIT_ROLLING in modes:
        return Window.ROLLING
    if Mode.LIMIT_CALENDAR in modes:
        return Window.CALENDAR
    return bank.window


class Reads:
    """The reading endpoints over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def count(
        self,
        bank: Bank,
        consent: Consent,
        iban: str,
        endpoint: str,
        uri: str,
        modes: dict[str, float],
        *,
        attended: bool,
        now: datetime,
    ) -> None:
        """Count one read and keep it. Raises `Refusal` 429, which is kept too, uncounted."""
        world, at = self._world, now.timestamp()
        counted = False
        refusal: Refusal | None = None
        key = Allowance.key(bank, consent.id, iban, endpoint, uri)
        if not attended:
            verdict = world.allowance.ask(bank, key, consent.frequency, now, _window(bank, modes))
            at_once = Mode.LIMITED_AT_ONCE in modes or world.town.bank_mode(
                bank.id, BankMode.LIMITED_AT_ONCE, now
            )
            if at_once or not verdict.allowed:
                refusal = _too_many(bank, modes, verdict.free_in or 86_400)
            elif verdict.counts:
                counted = True
        status = 429 if refusal else 200
        world.store.add_read(
            consent.id, iban, endpoint, uri, at, int(attended), status, int(counted)
        )
        if counted:
            world.allowance.count(key, at)
        if refusal:
            raise refusal

    # ------------------------------------------------------------ balances

    def balances(
        self, bank: Bank, resource_id: str, consent_id: str | None, uri: str, *, attended: bool
    ) -> tuple[bytes, dict[str, float]]:
        """The body of a balance answer and the person's faults. Raises `Refusal`."""
        world = self._world
        now = world.now()
        consent, account = account_under(world, bank, resource_id, consent_id, now, "balances")
        modes = modes_of(world, account.person_id)
        self.count(bank, consent, account.iban, "balances", uri, modes, attended=attended, now=now)
        world.consents.acted(consent, now)
        if modes:
            self._faults(account, consent, modes, now)
        said = said_by_bank(world.town, world.payments, account, now)
        body = {
            "account": {"iban": account.iban, "currency": account.plan.currency},
            "balances": [on_wire(one, account.plan.currency) for one in said],
        }
        return orjson.dumps(body), modes

    def _faults(
        self, account: Account, consent: Consent, modes: dict[str, float], now: datetime
    ) -> None:
        world = self._world
        if Mode.REVOKED_MIDWAY in modes:
            since = world.town.settings(account.person_id).mode_since[Mode.REVOKED_MIDWAY]
            served = [r for r in world.store.reads(since) if r[0] == consent.id and r[6] == 200]
            if len(served) >= modes[Mode.REVOKED_MIDWAY]:
                world.consents.revoke(consent, now)
        person = world.town.people[account.person_id]
        second = len(person.accounts) > 1 and account.iban == person.accounts[1].iban
        if Mode.BALANCE_ERROR_500 in modes or (second and Mode.SECOND_ACCOUNT_ERROR in modes):
            raise Refusal(500, "INTERNAL_SERVER_ERROR", "the account system did not answer")
        if Mode.ACCOUNT_BLOCKED in modes:
            raise Refusal(400, "RESOURCE_BLOCKED", "the account is blocked")

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET .../accounts/{id}/balances without a framework."""
        parts = scope["path"].split("/")
        bank = BY_ID[parts[2]]
        request_id: str | None = None
        consent_id: str | None = None
        attended = False
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                request_id = value.decode("latin-1")
            elif name == b"consent-id":
                consent_id = value.decode("latin-1")
            elif name == b"psu-ip-address":
                attended = True
        try:
            echoed = request_id_of(request_id)
            body, modes = self.balances(
                bank, parts[-2], consent_id, scope["path"], attended=attended
            )
        except Refusal as refusal:
            await refusal.answer(bank, some_request_id(request_id))(scope, receive, send)
            return
        if modes and (Mode.SLOW in modes or Mode.DRIP in modes):
            inner = Response(body, headers={"X-Request-ID": echoed}, media_type="application/json")
            await slowed(inner, modes)(scope, receive, send)
            return
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", b"application/json"),
                    (b"content-length", str(len(body)).encode()),
                    (b"x-request-id", echoed.encode()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})

    # ------------------------------------------------------------ accounts

    def accounts(
        self, bank: Bank, consent_id: str | None, query: str, root: str, *, attended: bool
    ) -> tuple[dict[str, Any], dict[str, float]]:
        """The account list, with balances where asked for. Raises `Refusal`."""
        world = self._world
        now = world.now()
        check_open(world, bank, now)
        consent = usable_consent(world, bank, consent_id, now)
        with_balance = parse_qs(query).get("withBalance", ["false"])[-1] == "true"
        if with_balance and not consent.balances:
            raise Refusal(401, "CONSENT_INVALID", "the consent does not cover balances")
        modes = modes_of(world, consent.person_id)
        self.count(
            bank, consent, "*", "accounts", f"{root}/accounts", modes, attended=attended, now=now
        )
        world.consents.acted(consent, now)
        listed: list[dict[str, Any]] = []
        for number, (resource_id, iban) in enumerate(consent.resources.items()):
            account = world.town.accounts[iban]
            entry = listed_account(account, resource_id, root, modes, world)
            failing = number == 1 and Mode.SECOND_ACCOUNT_ERROR in modes
            if with_balance and not failing:
                said = said_by_bank(world.town, world.payments, account, now)
                entry["balances"] = [on_wire(one, account.plan.currency) for one in said]
            listed.append(entry)
        return {"accounts": listed}, modes


def listed_account(
    account: Account, resource_id: str, root: str, modes: dict[str, float], world: World
) -> dict[str, Any]:
    blocked = Mode.ACCOUNT_BLOCKED in modes
    return {
        "resourceId": resource_id,
        "iban": account.iban,
        "currency": account.plan.currency,
        "name": account.plan.name,
        "product": account.plan.name,
        "cashAccountType": account.plan.cash_account_type,
        "status": "blocked" if blocked else "enabled",
        "usage": "PRIV",
        "ownerName": world.town.people[account.person_id].name,
        "_links": {"balances": {"href": f"{root}/accounts/{resource_id}/balances"}},
    }


def on_wire(said: Said, currency: str) -> dict[str, Any]:
    """One balance in the words of the standard."""
    entry: dict[str, Any] = {
        "balanceAmount": {"currency": currency, "amount": euros(said.minor)},
        "balanceType": said.kind,
    }
    if said.limit_included is not None:
        entry["creditLimitIncluded"] = said.limit_included
    if said.reference_on is not None:
        entry["referenceDate"] = said.reference_on.isoformat()
    if said.changed_at is not None:
        entry["lastChangeDateTime"] = said.changed_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return entry


def slowed(inner: Response, modes: dict[str, float]) -> Response:
    """The answer, late or dripping where the person's faults say so."""
    if Mode.SLOW in modes:
        return SlowResponse(inner, modes[Mode.SLOW] or 5, drip=False)
    if Mode.DRIP in modes:
        return SlowResponse(inner, modes[Mode.DRIP] or 5, drip=True)
    return inner
