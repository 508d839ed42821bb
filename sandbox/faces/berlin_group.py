"""Berlin Group XS2A 1.3.11 as the sandbox's banks speak it (redirect approach only).

Under `/banks/{bank}/psd2/v1`: consents here, accounts and balances in `bg_reads`, payments in
`bg_payments`. Facts of the standard come from its published OpenAPI file (CC BY 4.0).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.banks import BY_ID, Bank
from sandbox.faces.bg_errors import Refusal, request_id_of, some_request_id
from sandbox.faces.bg_moved import Moved
from sandbox.faces.bg_payments import PaymentFace
from sandbox.faces.bg_reads import Reads, check_open, slowed
from sandbox.faces.bg_requests import (
    access_in,
    answer_json,
    authorisation_started,
    day_in,
    json_object,
    named_person,
    needed_header,
    waits_for_person,
    with_faults,
)
from sandbox.faces.wire import LostResponse
from sandbox.modes import Mode
from sandbox.records import Consent, ConsentStatus
from sandbox.world import World

Handler = Callable[[Request, Bank, str], Awaitable[Response]]


class BerlinGroup:
    """The face of all banks over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.reads = Reads(world)
        self._moved = Moved(world, self.reads)
        self._payments = PaymentFace(world)

    def routes(self) -> list[Route]:
        """Everything below /banks/{bank}/psd2/v1 but the balances, which go a shorter way."""
        consent, payment = "/consents/{id}", "/{service}/{product}/{id}"
        table: tuple[tuple[str, str, Handler], ...] = (
            ("POST", "/consents", self._create),
            ("GET", consent, self._consent),
            ("DELETE", consent, self._end),
            ("GET", f"{consent}/status", self._status),
            ("POST", f"{consent}/authorisations", self._start),
            ("GET", "/accounts", self._accounts),
            ("GET", "/accounts/{id}/transactions", self._transactions),
            ("POST", "/{service}/{product}", self._payments.create),
            ("DELETE", payment, self._payments.cancel),
            ("GET", f"{payment}/status", self._payments.status),
            ("POST", f"{payment}/authorisations", self._payments.start),
        )
        return [
            Route(f"/banks/{{bank}}/psd2/v1{path}", self._guarded(handler), methods=[verb])
            for verb, path, handler in table
        ]

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            bank = BY_ID.get(request.path_params["bank"])
            if bank is None:
                return Response("no such bank", 404)
            given = request.headers.get("x-request-id")
            try:
                check_open(self._world, bank, self._world.now())
                return await handler(request, bank, request_id_of(given))
            except Refusal as refusal:
                return refusal.answer(bank, some_request_id(given))

        return guarded

    # ------------------------------------------------------------ consents

    async def _create(self, request: Request, bank: Bank, request_id: str) -> Response:
        needed_header(request, "PSU-IP-Address")
        redirect_url = needed_header(request, "TPP-Redirect-URI")
        content = await json_object(request)
        asked, kinds = access_in(content.get("access"))
        recurring, frequency = content.get("recurringIndicator"), content.get("frequencyPerDay")
        if not isinstance(recurring, bool):
            raise Refusal(400, "FORMAT_ERROR", "recurringIndicator: true or false")
        if not isinstance(frequency, int) or isinstance(frequency, bool) or frequency < 1:
            raise Refusal(400, "FORMAT_ERROR", "frequencyPerDay: a number from 1")
        if not recurring and frequency != 1:
            raise Refusal(400, "FORMAT_ERROR", "frequencyPerDay must be 1 for a one-off consent")
        if not isinstance(content.get("combinedServiceIndicator"), bool):
            raise Refusal(400, "FORMAT_ERROR", "combinedServiceIndicator: true or false")
        now = self._world.now()
        valid_until = day_in(content.get("validUntil"))
        if valid_until < now.astimezone(bank.zone).date():
            raise Refusal(400, "PERIOD_INVALID", "validUntil is in the past")
        for iban in asked:
            account = self._world.town.accounts.get(iban)
            if account is None or account.bank.id != bank.id:
                raise Refusal(400, "CONSENT_UNKNOWN", "the account is not kept at this bank")
        consent = self._again(bank, request_id) or self._world.consents.create(
            bank,
            recurring=recurring,
            frequency=frequency,
            valid_until=valid_until,
            redirect_url=redirect_url,
            refused_url=request.headers.get("tpp-nok-redirect-uri", redirect_url),
            asked_ibans=asked,
            balances="balances" in kinds,
            transactions="transactions" in kinds,
            request_key=request_id,
            now=now,
        )
        person = named_person(self._world, request, asked[0] if asked else "")
        if person is not None and self._world.town.take(person.id, Mode.CONSENT_ANSWER_LOST):
            return LostResponse()
        body = {
            "consentStatus": self._world.consents.status(consent, now).value,
            "consentId": consent.id,
        }
        path = f"/banks/{bank.id}/psd2/v1/consents/{consent.id}"
        made = waits_for_person(request, bank, "consents", consent.id, path, body, request_id)
        return with_faults(self._world, made, person)

    async def _start(self, request: Request, bank: Bank, request_id: str) -> Response:
        consent = self._find(request, bank)
        status = self._world.consents.status(consent, self._world.now())
        if status is not ConsentStatus.RECEIVED:
            raise Refusal(409, "STATUS_INVALID", "the consent waits for nobody")
        return authorisation_started(request, bank, "consents", consent.id, request_id)

    def _again(self, bank: Bank, request_id: str) -> Consent | None:
        if not bank.repeats_answer:
            return None
        return self._world.consents.by_request(bank.id, request_id)

    def _find(self, request: Request, bank: Bank) -> Consent:
        consent = self._world.consents.get(bank.id, request.path_params["id"])
        if consent is None:
            status, code = bank.unknown_consent
            raise Refusal(status, code, "there is no such consent")
        return consent

    async def _consent(self, request: Request, bank: Bank, request_id: str) -> Response:
        consent = self._find(request, bank)
        status = self._world.consents.status(consent, self._world.now())
        ibans = list(consent.resources.values()) or list(consent.asked_ibans)
        kinds = ["balances" if consent.balances else "accounts"]
        kinds += ["transactions"] if consent.transactions else []
        body = {
            "access": {kind: [{"iban": iban} for iban in ibans] for kind in kinds},
            "recurringIndicator": consent.recurring,
            "validUntil": consent.valid_until.isoformat(),
            "frequencyPerDay": consent.frequency,
            "lastActionDate": (
                consent.last_action_on or consent.created_at.astimezone(bank.zone).date()
            ).isoformat(),
            "consentStatus": status.value,
            "_links": {"account": {"href": f"/banks/{bank.id}/psd2/v1/accounts"}},
        }
        return answer_json(body, 200, request_id)

    async def _status(self, request: Request, bank: Bank, request_id: str) -> Response:
        consent = self._find(request, bank)
        status = self._world.consents.status(consent, self._world.now())
        return answer_json({"consentStatus": status.value}, 200, request_id)

    async def _end(self, request: Request, bank: Bank, request_id: str) -> Response:
        consent = self._find(request, bank)
        if not self._world.consents.terminate(consent, self._world.now()):
            raise Refusal(401, "CONSENT_INVALID", f"the consent is {consent.status.value}")
        return Response(status_code=204, headers={"X-Request-ID": request_id})

    async def _accounts(self, request: Request, bank: Bank, request_id: str) -> Response:
        body, modes = self.reads.accounts(
            bank,
            request.headers.get("consent-id"),
            request.url.query,
            f"/banks/{bank.id}/psd2/v1",
            attended="psu-ip-address" in request.headers,
        )
        return slowed(answer_json(body, 200, request_id), modes)

    async def _transactions(self, request: Request, bank: Bank, request_id: str) -> Response:
        body, modes = self._moved.transactions(
            bank,
            request.path_params["id"],
            request.headers.get("consent-id"),
            request.url.path,
            request.query_params,
            attended="psu-ip-address" in request.headers,
        )
        return slowed(answer_json(body, 200, request_id), modes)
