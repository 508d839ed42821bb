"""TrueLayer's Payments API (v3): single payments to an external account, authorised at the bank.

Every order is signed and carries an idempotency key; the same order under the same key gets the
first answer again. Where the published description and recorded answers differ (200 or 201 for a
new payment), the recorded ones are followed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.banks import BY_ID
from sandbox.faces import tl_signature
from sandbox.faces.tl_news import KEYS
from sandbox.faces.tl_wire import API, BY_PROVIDER, No, answer_json, resource_token
from sandbox.faces.wire import LostResponse
from sandbox.ibans import british, is_valid
from sandbox.modes import BankMode, Mode
from sandbox.payments import Cancel, status_at
from sandbox.people import Person
from sandbox.records import Payment
from sandbox.world import World

Handler = Callable[[Request], Awaitable[Response]]

CLIENT_TOKEN = "sandbox-payments-token"  # noqa: S105 - opens nothing but this sandbox
RETURN_URI = "https://saldo.example/p/back"
_SCHEMES = {
    "sepa_credit_transfer": ("EUR", "sepa-credit-transfers"),
    "sepa_credit_transfer_instant": ("EUR", "instant-sepa-credit-transfers"),
    "faster_payments_service": ("GBP", "faster-payments"),
    "polish_domestic_standard": ("PLN", "polish-domestic"),
}
_LONGEST_REFERENCE = {"GBP": 18}


class Problem(Exception):
    """A refused request in the vendor's problem form."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(kind)
        self.body = {
            "type": f"https://docs.truelayer.com/docs/error-types#{kind}",
            "title": kind.replace("-", " ").capitalize(),
            "status": status,
            "detail": detail,
            "trace_id": "19b0baf32dc01e40",
        }
        self.status = status


@dataclass(slots=True)
class UsedKey:
    """An idempotency key, what came under it, and the payment it made."""

    id: str
    digest: str
    payment_id: str


class PaymentFace:
    """The payment addresses over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        root = f"{API}/v3/payments"
        return [
            Route(root, _guarded(self._create), methods=["POST"]),
            Route(f"{root}/{{id}}", _guarded(self._payment), methods=["GET"]),
            Route(f"{root}/{{id}}/actions/cancel", _guarded(self._cancel), methods=["POST"]),
            Route(f"{API}/test-signature", _guarded(_check_signature), methods=["POST"]),
            Route(KEYS, _keys, methods=["GET"]),
        ]

    async def _create(self, request: Request) -> Response:
        return self._created(request.headers["idempotency-key"], await _signed(request))

    def _created(self, key: str, body: bytes) -> Response:
        digest = sha256(body).hexdigest()
        used = self._world.store.one("tl_key", key, UsedKey)
        if used is not None and used.digest != digest:
            raise Problem(422, "idempotency-key-reuse", "the key was used for something else")
        payment = self._find(used.payment_id) if used else self._make(self._order_in(body))
        if used is None:
            self._world.store.put("tl_key", key, UsedKey(key, digest, payment.id))
        town, payer = self._world.town, self._payer(body)
        lost = town.take_bank(payment.bank_id, BankMode.PAYMENT_ANSWER_LOST)
        if lost or (payer and town.take(payer.id, Mode.PAYMENT_ANSWER_LOST)):
            return LostResponse()
        made = {
            "id": payment.id,
            "user": {"id": str(UUID(int=1))},
            "resource_token": resource_token(payment.id),
            "status": "authorization_required",
        }
        return answer_json(made, 201)

    def _payer(self, body: bytes) -> Person | None:
        """Who pays, by the number that the order names."""
        return self._world.town.by_phone(orjson.loads(body)["user"].get("phone", ""))

    def _order_in(self, body: bytes) -> dict[str, Any]:
        return _order_in(body, self._world.town.accounts)

    def _make(self, order: dict[str, Any]) -> Payment:
        payment = self._world.payments.create(
            order["bank"],
            product=order["product"],
            amount_minor=order["amount"],
            currency=order["currency"],
            creditor_name=order["name"],
            creditor_iban=order["account"],
            redirect_url="",
            refused_url="",
            debtor_iban=order["debtor"],
            end_to_end=order["reference"],
            now=self._world.now(),
        )
        back = f"{RETURN_URI}?{urlencode({'payment_id': payment.id})}"
        payment.redirect_url = payment.refused_url = back
        payment.notify = "truelayer"
        self._world.store.put("payment", payment.id, payment)
        return payment

    def _find(self, payment_id: str) -> Payment:
        found = next((p for p in self._world.payments.all() if p.id == payment_id), None)
        if found is None:
            raise Problem(404, "not-found", "there is no such payment")
        return found

    async def _payment(self, request: Request) -> Response:
        _check_token(request)
        return answer_json(self._view(self._find(request.path_params["id"])))

    def _view(self, payment: Payment) -> dict[str, Any]:
        body: dict[str, Any] = {
            "id": payment.id,
            "amount_in_minor": payment.amount_minor,
            "currency": payment.currency,
            "user": {"id": str(UUID(int=1))},
            "payment_method": {"type": "bank_transfer"},
            "created_at": payment.created_at.isoformat(),
        }
        now, word = self._world.now(), status_at(payment, self._world.now())
        if word == "CANC":
            failed = {"failure_stage": "authorization_required", "failure_reason": "canceled"}
            return {**body, "status": "failed", "failed_at": now.isoformat(), **failed}
        if word == "RJCT":
            reason = "canceled" if payment.refused_at else "provider_rejected"
            stage = "authorized" if payment.authorised_at else "authorizing"
            failed = {"failure_stage": stage, "failure_reason": reason}
            return {**body, "status": "failed", "failed_at": now.isoformat(), **failed}
        if word == "RCVD":
            return {**body, "status": "authorization_required"}
        if word in BY_ID[payment.bank_id].settled_at:
            return {**body, "status": "executed", "executed_at": now.isoformat()}
        return {**body, "status": "authorized"}

    async def _cancel(self, request: Request) -> Response:
        await _signed(request)
        payment = self._find(request.path_params["id"])
        if self._world.payments.cancel(payment, self._world.now()) is not Cancel.DONE:
            raise Problem(409, "invalid-state", "the payment can no longer be cancelled")
        return Response(status_code=202)


async def _check_signature(request: Request) -> Response:
    """Whether the customer signs as he should; nothing else happens."""
    await _signed(request)
    return Response(status_code=204)


async def _keys(_: Request) -> Response:
    """The keys of the vendor's webhooks, for everybody."""
    return answer_json(tl_signature.key_set())


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        try:
            return await handler(request)
        except Problem as problem:
            kind = "application/problem+json"
            return Response(orjson.dumps(problem.body), problem.status, media_type=kind)

    return guarded


def _check_token(request: Request) -> None:
    if request.headers.get("authorization") != f"Bearer {CLIENT_TOKEN}":
        raise Problem(401, "unauthenticated", "The provided token is invalid or expired.")


async def _signed(request: Request) -> bytes:
    """The body of a request with our token, an idempotency key and the customer's signature."""
    _check_token(request)
    body, path = await request.body(), request.url.path
    try:
        UUID(request.headers.get("idempotency-key", ""))
    except ValueError:
        raise Problem(400, "invalid-parameters", "Idempotency-Key must be a UUID") from None
    signature = request.headers.get("tl-signature", "")
    if not tl_signature.of_customer(signature, request.method, path, request.headers, body):
        raise Problem(401, "unauthenticated", "Invalid request signature.")
    return body


def _order_in(body: bytes, ibans: Iterable[str]) -> dict[str, Any]:
    """What is needed of an order; `ibans` are all there are. Raises `Problem` for a bad one."""
    try:
        order = orjson.loads(body)
        method, user = order["payment_method"], order["user"]
        selection, to = method["provider_selection"], method["beneficiary"]
        currency, product = _SCHEMES[selection["scheme_selection"]["scheme_id"]]
        remitter = selection.get("remitter")
        payer = _account_in(remitter["account_identifier"], currency) if remitter else ""
        found = {
            "bank": BY_PROVIDER[selection["provider_id"]],
            "product": product,
            "currency": currency,
            "amount": order["amount_in_minor"],
            "name": to["account_holder_name"],
            "account": _account_in(to["account_identifier"], currency),
            "reference": to["reference"],
            "debtor": next((one for one in ibans if payer and one.endswith(payer)), payer),
        }
        fits = (
            method["type"] == "bank_transfer"
            and selection["type"] == "preselected"
            and to["type"] == "external_account"
            and found["account"]
            and (found["debtor"] or not found["bank"].needs_debtor_iban)
            and isinstance(found["amount"], int)
            and found["amount"] > 0
            and order["currency"] == currency == found["bank"].currency
            and len(found["reference"]) <= _LONGEST_REFERENCE.get(currency, 35)
            and user["name"]
            and (user.get("email") or user.get("phone"))
        )
    except (orjson.JSONDecodeError, KeyError, TypeError):
        fits, found = False, {}
    if not fits:
        raise Problem(400, "invalid-parameters", "the order does not fit")
    return found


def _account_in(named: dict[str, str], currency: str) -> str:
    """The account in the one form that its currency takes; empty for every other."""
    if currency == "GBP":
        fits = named["type"] == "sort_code_account_number"
        return british(named["sort_code"], named["account_number"]) if fits else ""
    if currency == "PLN":
        iban = f"PL{named['nrb']}" if named["type"] == "nrb" else ""
    else:
        iban = named["iban"] if named["type"] == "iban" else ""
    return iban if is_valid(iban) else ""


def client_token(form: dict[str, str]) -> dict[str, Any]:
    """The answer to a client that asks for its own token."""
    if form.get("scope") != "payments":
        raise No("invalid_request")
    return {
        "access_token": CLIENT_TOKEN,
        "expires_in": 3600,
        "token_type": "Bearer",
        "scope": "payments",
    }
