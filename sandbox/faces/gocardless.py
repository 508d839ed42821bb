"""GoCardless Bank Account Data as the sandbox's aggregator speaks it, over the same four banks.

Under `/gocardless/api/v2`: tokens, institutions, agreements, requisitions, accounts. Trailing
slashes are part of the paths. A requisition is one consent at a bank, and its `link` leads to that
bank's own page; the aggregator is told nothing when somebody takes his consent back there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.banks import BANKS, BY_ID, Bank, institution_id
from sandbox.faces import gocardless_accounts
from sandbox.faces.bg_requests import origin_of
from sandbox.faces.gocardless_errors import (
    Fault,
    answer_json,
    field_fault,
    json_object,
    not_found,
)
from sandbox.faces.gocardless_tokens import Handler, TokenDesk
from sandbox.faces.wire import LostResponse
from sandbox.modes import BankMode
from sandbox.records import Consent, ConsentStatus
from sandbox.world import World

_LONGEST_DAYS = 180
_STATUS = {
    ConsentStatus.RECEIVED: "CR",
    ConsentStatus.REJECTED: "RJ",
    ConsentStatus.EXPIRED: "EX",
    # The aggregator does not learn of these two; the account answers for them.
    ConsentStatus.VALID: "LN",
    ConsentStatus.REVOKED: "LN",
}


@dataclass(slots=True)
class Agreement:
    """An end user agreement: what may be read, and for how long after it is accepted."""

    id: str
    bank_id: str
    days: int
    historical_days: int
    scope: list[str]
    created_at: datetime


@dataclass(slots=True)
class Requisition:
    """What the aggregator adds to a consent at a bank; both have the same id."""

    id: str
    bank_id: str
    agreement_id: str
    reference: str
    redirect: str
    created_at: datetime
    deleted: bool = False


BY_INSTITUTION = {institution_id(bank): bank for bank in BANKS}


class GoCardless:
    """The aggregator over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._agreements = {one.id: one for one in world.store.all_of("gc_agreement", Agreement)}
        self._requisitions = {
            one.id: one for one in world.store.all_of("gc_requisition", Requisition)
        }
        self._accounts = gocardless_accounts.Accounts(world, self.consent_with, self._history_of)
        self._desk = TokenDesk(world)

    def routes(self) -> list[Route]:
        """Everything below /gocardless."""
        table: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "/institutions/", self._institutions),
            ("GET", "/institutions/{id}/", self._institution),
            ("POST", "/agreements/enduser/", self._agree),
            ("GET", "/agreements/enduser/{id}/", self._agreement),
            ("POST", "/requisitions/", self._require),
            ("GET", "/requisitions/{id}/", self._requisition),
            ("DELETE", "/requisitions/{id}/", self._delete),
            ("GET", "/accounts/{id}/", self._accounts.metadata),
            ("GET", "/accounts/{id}/details/", self._accounts.details),
            ("GET", "/accounts/{id}/balances/", self._accounts.balances),
            ("GET", "/accounts/{id}/transactions/", self._accounts.transactions),
        )
        root = "/gocardless/api/v2"
        return [
            Route(f"{root}/token/new/", _faulty(self._desk.new), methods=["POST"]),
            Route(f"{root}/token/refresh/", _faulty(self._desk.refresh), methods=["POST"]),
            *(
                Route(root + p, _faulty(self._desk.inside(h)), methods=[verb])
                for verb, p, h in table
            ),
            Route("/gocardless/psd2/start/{id}/{institution}", _faulty(self._start)),
        ]

    # ------------------------------------------------------------ institutions

    async def _institutions(self, request: Request) -> Response:
        country = request.query_params.get("country", "").upper()
        found = [_institution_view(bank) for bank in BANKS if country in ("", bank.country)]
        return answer_json(found)

    async def _institution(self, request: Request) -> Response:
        bank = BY_INSTITUTION.get(request.path_params["id"])
        if bank is None:
            raise not_found()
        more: dict[str, Any] = {
            "supported_features": [],
            "identification_codes": [],
            "supported_payments": {},
        }
        return answer_json({**_institution_view(bank), **more})

    # ------------------------------------------------------------ agreements

    async def _agree(self, request: Request) -> Response:
        content = await json_object(request)
        bank = _bank_in(content)
        days = content.get("access_valid_for_days", 90)
        most = min(_LONGEST_DAYS, bank.consent_days)
        if isinstance(days, bool) or not isinstance(days, int) or not 0 < days <= most:
            name = "access_valid_for_days"
            raise field_fault(name, f"Incorrect {name}", f"{name} must be > 0 and <= {most}")
        history = content.get("max_historical_days", 90)
        if isinstance(history, bool) or not isinstance(history, int) or not 0 < history <= 90:
            name = "max_historical_days"
            words = f"{name} must be > 0 and <= {institution_id(bank)} transaction_total_days (90)"
            raise field_fault(name, f"Incorrect {name}", words)
        scope = content.get("access_scope", ["balances", "details", "transactions"])
        now = self._world.now()
        made = Agreement(str(uuid4()), bank.id, days, history, list(scope), now)
        self._world.store.put("gc_agreement", made.id, made)
        self._agreements[made.id] = made
        return answer_json(self._agreement_view(made), 201)

    async def _agreement(self, request: Request) -> Response:
        found = self._agreements.get(request.path_params["id"])
        if found is None:
            raise not_found()
        return answer_json(self._agreement_view(found))

    def _agreement_view(self, agreement: Agreement) -> dict[str, Any]:
        consents = [
            self._world.consents.get(one.bank_id, one.id)
            for one in self._requisitions.values()
            if one.agreement_id == agreement.id
        ]
        accepted = [c.authorised_at for c in consents if c is not None and c.authorised_at]
        return {
            "id": agreement.id,
            "created": agreement.created_at.isoformat(),
            "institution_id": institution_id(BY_ID[agreement.bank_id]),
            "max_historical_days": agreement.historical_days,
            "access_valid_for_days": agreement.days,
            "access_scope": agreement.scope,
            "accepted": accepted[0].isoformat() if accepted else None,
            "reconfirmation": False,
        }

    # ------------------------------------------------------------ requisitions

    async def _require(self, request: Request) -> Response:
        content = await json_object(request)
        bank, redirect = _bank_in(content), content.get("redirect")
        if not isinstance(redirect, str) or not 0 < len(redirect) <= 1024:
            raise Fault(400, body={"redirect": ["This field is required."], "status_code": 400})
        agreement = self._agreements.get(str(content.get("agreement", "")))
        if agreement is None or agreement.bank_id != bank.id:
            raise field_fault("agreement", "Incorrect Institution ID", "it does not match the EUA")
        if content.get("account_selection"):
            words = f"Account selection not supported for {institution_id(bank)}"
            raise field_fault("account_selection", "Account selection not supported", words)
        reference = str(content.get("reference") or uuid4())
        if any(one.reference == reference for one in self._requisitions.values()):
            words = "Client reference must be unique"
            raise field_fault("reference", words, f"{reference} already exists")
        made = self._keep(bank, agreement, reference, redirect)
        if self._world.town.take_bank(bank.id, BankMode.CONSENT_ANSWER_LOST):
            return LostResponse()
        return answer_json(self._view(request, made), 201)

    def _keep(self, bank: Bank, agreement: Agreement, reference: str, redirect: str) -> Requisition:
        now = self._world.now()
        today = now.astimezone(bank.zone).date()
        joint = "&" if "?" in redirect else "?"
        back = f"{redirect}{joint}{urlencode({'ref': reference})}"
        refused = {"error": "UserCancelledSession", "details": "User cancelled the session"}
        with self._world.store.together():
            consent = self._world.consents.create(
                bank,
                recurring=True,
                frequency=4,
                valid_until=today + timedelta(days=agreement.days),
                redirect_url=back,
                refused_url=f"{back}&{urlencode(refused)}",
                asked_ibans=(),
                balances="balances" in agreement.scope,
                transactions="transactions" in agreement.scope,
                request_key=reference,
                now=now,
            )
            made = Requisition(consent.id, bank.id, agreement.id, reference, redirect, now)
            self._world.store.put("gc_requisition", made.id, made)
        self._requisitions[made.id] = made
        return made

    def _find(self, request: Request) -> Requisition:
        found = self._requisitions.get(request.path_params["id"])
        if found is None or found.deleted:
            raise not_found()
        return found

    def _consent(self, requisition: Requisition) -> Consent:
        consent = self._world.consents.get(requisition.bank_id, requisition.id)
        if consent is None:
            raise not_found()
        return consent

    async def _requisition(self, request: Request) -> Response:
        return answer_json(self._view(request, self._find(request)))

    def _view(self, request: Request, requisition: Requisition) -> dict[str, Any]:
        consent = self._consent(requisition)
        status = _STATUS[self._world.consents.status(consent, self._world.now())]
        institution = institution_id(BY_ID[requisition.bank_id])
        return {
            "id": requisition.id,
            "created": requisition.created_at.isoformat(),
            "redirect": requisition.redirect,
            "status": "GA" if consent.stuck else status,
            "institution_id": institution,
            "agreement": requisition.agreement_id,
            "reference": requisition.reference,
            "accounts": list(consent.resources),
            "link": f"{origin_of(request)}/gocardless/psd2/start/{requisition.id}/{institution}",
            "ssn": None,
            "account_selection": False,
            "redirect_immediate": False,
        }

    async def _delete(self, request: Request) -> Response:
        found = self._find(request)
        self._world.consents.terminate(self._consent(found), self._world.now())
        found.deleted = True
        self._world.store.put("gc_requisition", found.id, found)
        words = f"Requisition {found.id} deleted with all its End User Agreements"
        return answer_json({"summary": "Requisition deleted", "detail": words})

    async def _start(self, request: Request) -> Response:
        """The hosted page: it sends the person on to his bank at once."""
        found = self._find(request)
        return RedirectResponse(f"/banks/{found.bank_id}/online/consents/{found.id}", 303)

    def _history_of(self, consent: Consent) -> int:
        return self._agreements[self._requisitions[consent.id].agreement_id].historical_days

    def consent_with(self, account_id: str) -> Consent | None:
        """The newest consent, not deleted, that gives this account; a valid one before others."""
        now, best = self._world.now(), None
        for requisition in reversed(self._requisitions.values()):
            if requisition.deleted:
                continue
            consent = self._world.consents.get(requisition.bank_id, requisition.id)
            if consent is None or account_id not in consent.resources:
                continue
            if self._world.consents.status(consent, now) is ConsentStatus.VALID:
                return consent
            best = best or consent
        return best


def _institution_view(bank: Bank) -> dict[str, Any]:
    return {
        "id": institution_id(bank),
        "name": bank.name,
        "bic": bank.bic,
        "transaction_total_days": "90",
        "max_access_valid_for_days": str(min(_LONGEST_DAYS, bank.consent_days)),
        "countries": [bank.country],
        "logo": "",
    }


def _bank_in(content: dict[str, Any]) -> Bank:
    if "institution_id" not in content:
        raise Fault(400, body={"institution_id": ["This field is required."], "status_code": 400})
    name = str(content["institution_id"])
    bank = BY_INSTITUTION.get(name)
    if bank is None:
        words = "Get Institution IDs from /institutions/?country={$COUNTRY_CODE}"
        raise field_fault("institution_id", f"Unknown Institution ID {name}", words)
    return bank


def _faulty(handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        try:
            return await handler(request)
        except Fault as fault:
            return fault.answer()

    return guarded
