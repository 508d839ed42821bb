"""Accounts as the aggregator gives them: kept metadata, and details and balances read at the bank.

What the bank refuses comes out in the aggregator's words. Details and balances are counted apart,
and only reads that succeed count.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.banks import BY_ID, Bank, institution_id
from sandbox.faces.bg_errors import Refusal
from sandbox.faces.bg_moved import moved_on_wire
from sandbox.faces.bg_reads import (
    Reads,
    account_under,
    check_open,
    listed_account,
    modes_of,
    slowed,
    usable_consent,
)
from sandbox.faces.gocardless_errors import Fault, answer_json, field_fault, limit_headers
from sandbox.faces.numbers import numbers_of
from sandbox.modes import Mode
from sandbox.money_life import moved
from sandbox.records import Consent, ConsentStatus
from sandbox.world import World

_NAMES = {
    "balances": "account balances",
    "details": "account details",
    "transactions": "account transactions",
}


class Accounts:
    """The account endpoints over one world.

    `consent_with` finds the consent behind an account, `history_of` the days of past it may show.
    """

    def __init__(
        self,
        world: World,
        consent_with: Callable[[str], Consent | None],
        history_of: Callable[[Consent], int],
    ) -> None:
        self._world = world
        self._history_of = history_of
        self._consent_with = consent_with
        self._reads = Reads(world)

    def _find(self, request: Request) -> tuple[str, Consent]:
        account_id = request.path_params["id"]
        try:
            UUID(account_id)
        except ValueError:
            words = f"{account_id} is not a valid Account UUID. "
            raise Fault(400, "Invalid Account ID", words) from None
        consent = self._consent_with(account_id)
        if consent is None:
            words = "Please check whether you specified a valid Account ID"
            raise Fault(404, f"Account ID {account_id} not found", words)
        return account_id, consent

    async def metadata(self, request: Request) -> Response:
        """GET /accounts/{id}/: what the aggregator knows by itself; no bank is asked."""
        account_id, consent = self._find(request)
        world, iban = self._world, consent.resources[account_id]
        person = world.town.people[consent.person_id]
        status = "READY"
        if world.consents.status(consent, world.now()) is not ConsentStatus.VALID:
            status = "EXPIRED"
        elif world.town.mode(person.id, Mode.BALANCE_ERROR_500) is not None:
            status = "ERROR"
        body = {
            "id": account_id,
            "created": consent.created_at.isoformat(),
            "last_accessed": None,
            "iban": numbers_of(world, iban).iban or None,
            "status": status,
            "institution_id": institution_id(BY_ID[consent.bank_id]),
            "owner_name": person.name,
        }
        return answer_json(body, headers=limit_headers())

    async def details(self, request: Request) -> Response:
        """GET /accounts/{id}/details/: one read of the details at the bank."""
        account_id, consent = self._find(request)
        world, now, bank = self._world, self._world.now(), BY_ID[consent.bank_id]
        iban, path = consent.resources[account_id], request.url.path
        modes = modes_of(world, consent.person_id)
        try:
            check_open(world, bank, now)
            usable_consent(world, bank, consent.id, now)
            self._reads.count(bank, consent, iban, "details", path, modes, attended=False, now=now)
        except Refusal as refusal:
            raise self._translated(refusal, "details", consent, modes) from None
        shown = listed_account(world.town.accounts[iban], account_id, "", modes, world)
        shown.pop("_links")
        numbers = numbers_of(world, iban)
        if numbers.sort_code:
            shown["scan"] = f"{numbers.sort_code}{numbers.number}"
        if not numbers.iban:
            shown.pop("iban")
        shown["resourceId"] = f"{bank.id}-{account_id[:8]}"  # the bank's own id, not the API's
        return slowed(answer_json({"account": shown}, headers=limit_headers()), modes)

    async def balances(self, request: Request) -> Response:
        """GET /accounts/{id}/balances/: one read of the balances at the bank."""
        account_id, consent = self._find(request)
        bank, path = BY_ID[consent.bank_id], request.url.path
        try:
            body, modes = self._reads.balances(bank, account_id, consent.id, path, attended=False)
        except Refusal as refusal:
            modes = modes_of(self._world, consent.person_id)
            raise self._translated(refusal, "balances", consent, modes) from None
        said = orjson.loads(body)["balances"]
        return slowed(answer_json({"balances": said}, headers=limit_headers()), modes)

    async def transactions(self, request: Request) -> Response:
        """GET /accounts/{id}/transactions/: one read of them at the bank, all on one page."""
        account_id, consent = self._find(request)
        world, now, bank = self._world, self._world.now(), BY_ID[consent.bank_id]
        path, modes = request.url.path, modes_of(self._world, consent.person_id)
        try:
            _, account = account_under(world, bank, account_id, consent.id, now, "transactions")
            self._reads.count(
                bank, consent, account.iban, "transactions", path, modes, attended=False, now=now
            )
            self._reads._faults(account, consent, modes, now)
        except Refusal as refusal:
            raise self._translated(refusal, "transactions", consent, modes) from None
        today = now.astimezone(bank.zone).date()
        since = _first_day(request, today, self._history_of(consent))
        midnight = datetime.combine(since, time(0), bank.zone) - timedelta(microseconds=1)
        booked = [
            moved_on_wire(minor, account.plan.currency, at.astimezone(bank.zone).date())
            for at, minor in reversed(moved(account.life, midnight, now))
        ]
        listed = {"booked": booked, "pending": []}
        body = {"transactions": listed, "last_updated": now.isoformat()}
        return slowed(answer_json(body, headers=limit_headers()), modes)

    # ------------------------------------------------------------ refusals

    def _translated(
        self,
        refusal: Refusal,
        scope: str,
        consent: Consent,
        modes: dict[str, float],
    ) -> Fault:
        """The bank's refusal in the aggregator's words."""
        summary = f"Couldn't update {_NAMES[scope]}"
        if refusal.status == 429:
            return _too_many(summary, refusal.free_in, modes)
        if refusal.code == "CONSENT_EXPIRED" and Mode.EXPIRED_AS_401 not in modes:
            return self._agreement_over(refusal.status, consent, BY_ID[consent.bank_id])
        if refusal.code == "RESOURCE_BLOCKED":
            words = "Account has been deactivated or it no longer exists."
            return Fault(401, summary, words, kind="AccountInactiveError")
        if refusal.status == 503:
            words = "Institution service unavailable"
            return Fault(503, summary, words, kind="ServiceError")
        if refusal.status == 500 or refusal.code == "UNAUTHORIZED":
            words = "Request to Institution returned an error"
            return Fault(500, summary, words, kind="UnknownRequestError")
        words = (
            "Access has expired or it has been revoked. To restore access reconnect the account."
        )
        return Fault(401, summary, words, kind="AccessExpiredError")

    def _agreement_over(self, status: int, consent: Consent, bank: Bank) -> Fault:
        days = (consent.valid_until - consent.created_at.astimezone(bank.zone).date()).days
        ended = consent.ended_at or consent.expires_at
        return Fault(
            status,
            f"End User Agreement (EUA) {consent.id} has expired",
            f"EUA was valid for {days} days and it expired at {ended}. The end user must connect "
            "the account once more with new EUA and Requisition",
        )


def _first_day(request: Request, today: date, days: int) -> date:
    """`date_from`, or the first of the agreed days. Raises `Fault`."""
    first = today - timedelta(days=days)
    try:
        since = date.fromisoformat(request.query_params.get("date_from") or first.isoformat())
    except ValueError:
        since = date.min
    if not first <= since <= today:
        words = f"date_from must be between {first} and {today}"
        raise field_fault("date_from", "Incorrect date", words)
    return since


def _too_many(summary: str, free_in: int, modes: dict[str, Any]) -> Fault:
    """One of the two bodies the daily limit comes in, with or without a time that can be used."""
    if Mode.LIMIT_OWN_SHAPE in modes:
        words = f"The rate limit for this resource is 4/day. Please try again in {free_in} seconds"
        return Fault(429, "Rate limit exceeded", words)
    words = "Daily request limit set by the Institution has been exceeded."
    reset: int | None = free_in
    if Mode.LIMIT_RESET_NEGATIVE in modes:
        reset = -1_875_538
    elif Mode.LIMIT_RESET_MISSING in modes:
        reset = None
    headers = limit_headers(0, reset)
    return Fault(429, summary, words, kind="RateLimitError", headers=headers)
