"""Single payments from the borrower's bank to the lender's account, authorised on a hosted page.

Payments and not payment links: an open payment can be taken back and ends by itself after fifteen
minutes, while a link cannot be taken back and could be paid after the loan was.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import orjson
import structlog

from app.domain.account import BankAccount, as_iban, as_uk_account
from app.domain.errors import Declined, OutcomeUnknown, ProviderError, TryLater
from app.domain.ids import Secret, derive_key
from app.domain.payee import EUR, FASTER_PAYMENTS_REFERENCE, GBP, PLN
from app.pay_ports import (
    CancelResult,
    PaymentBegun,
    PaymentHandle,
    PaymentNow,
    PaymentOrder,
    PayStatus,
)
from app.ports import Bank, Wire
from connectors._bank_list import listed
from connectors._exchange import Call, exchange, read_json, status_error, unreadable
from connectors._ids import Ids
from connectors._json import try_json
from connectors._paying import stated, take_back, trouble_with, twice
from connectors._tokens import is_token
from connectors._words import pay_status
from connectors.truelayer.settings import NAME, BankRoute, Settings
from connectors.truelayer.signing import KEY_HEADER, Signer
from connectors.truelayer.tokens import ClientToken

_IDS = Ids(NAME, re.compile(r"[A-Za-z0-9-]{1,64}"))
_REFERENCE = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]{1,35}")
_STATUS = {
    "authorization_required": PayStatus.OPEN,
    "authorizing": PayStatus.OPEN,
    "attempt_failed": PayStatus.OPEN,
    "authorized": PayStatus.AUTHORISED,
    "executed": PayStatus.AUTHORISED,
    "settled": PayStatus.SETTLED,
    "failed": PayStatus.REJECTED,
}
_TAKEN_BACK = ("canceled", "cancelled")
_LONGEST_NAME = 70
_LONGEST_REFERENCE = {GBP: FASTER_PAYMENTS_REFERENCE}
_SCHEMES = {
    (EUR, False): "sepa_credit_transfer",
    (EUR, True): "sepa_credit_transfer_instant",
    (GBP, False): "faster_payments_service",
    (PLN, False): "polish_domestic_standard",
}

log = structlog.get_logger(NAME)


class Payments:
    """`PaymentPort` and `FindingPort` over the Payments API (v3)."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when credentials, the signing key or the banks are missing."""
        self._routes = settings.routes()
        self._signer = Signer(settings.key_id, settings.signing_key)
        self._token = ClientToken(settings, wire)
        self._api, self._hosted = settings.api_url, settings.hosted_url
        self._setup = settings.http_setup()
        self._http: httpx.AsyncClient = wire.http
        self._now = wire.now

    def banks(self) -> tuple[Bank, ...]:
        """The banks of the operator's list."""
        return tuple(route.bank for route in self._routes.values())

    async def create_payment(self, order: PaymentOrder) -> PaymentBegun:
        """Create the payment and give the vendor's page where the payer authorises it.

        The vendor answers a repetition under the same key with the first answer, so one whose
        answer was lost is asked for once more, exactly as it was. What is still lost then is
        OutcomeUnknown: the payment may exist, and its page is known to nobody.
        """
        operation = "create_payment"
        route = self._route(order.bank_id, operation)
        body = orjson.dumps(payment_body(order, route))
        key = str(order.key)
        answer, call = await twice(lambda: self._post(operation, "/v3/payments", key, body))
        made, payment_id = _made(answer, call)
        token = made.get("resource_token")
        if not is_token(token):
            log.error("payment_without_page", reference=call.reference)
            raise unreadable("the answer gives no page to go to", call, answer.content)
        page = {
            "payment_id": payment_id,
            "resource_token": token,
            "return_uri": registered(order.return_url),
        }
        handle = PaymentHandle(route.bank.id, Secret(payment_id), order.instant)
        return PaymentBegun(
            handle, f"{self._hosted}/payments#{urlencode(page)}", status_of(made, route)
        )

    async def find_payment(self, order: PaymentOrder) -> PaymentHandle:
        """The payment of this order, by sending it again under its key."""
        operation = "find_payment"
        route = self._route(order.bank_id, operation)
        body = orjson.dumps(payment_body(order, route))
        answer, call = await self._post(operation, "/v3/payments", str(order.key), body)
        return PaymentHandle(route.bank.id, Secret(_made(answer, call)[1]), order.instant)

    async def payment_now(self, handle: PaymentHandle) -> PaymentNow:
        """The payment's status. One the vendor does not know (yet) is TryLater, not failed."""
        operation = "payment_now"
        route = self._route(handle.bank_id, operation)
        url = f"{self._api}/v3/payments/{_IDS.segment(handle.ref.reveal(), operation)}"
        headers = {"Authorization": await self._token.header(operation)}
        call = Call(NAME, operation, "GET", url, headers, setup=self._setup)
        answer = await exchange(self._http, call)
        if not answer.is_success:
            raise self._refused(answer, call)
        return status_of(stated(answer, call), route)

    async def cancel_payment(self, handle: PaymentHandle) -> CancelResult:
        """Take the payment back. The vendor only takes the wish in: until the payment's own status
        says so it is OutcomeUnknown.
        """
        operation = "cancel_payment"
        self._route(handle.bank_id, operation)
        ref = _IDS.segment(handle.ref.reveal(), operation)
        key = str(derive_key(ref, "cancel"))
        path = f"/v3/payments/{ref}/actions/cancel"
        return await take_back(
            lambda: self._post(operation, path, key, b""), lambda: self.payment_now(handle), NAME
        )

    async def _post(
        self, operation: str, path: str, key: str, body: bytes
    ) -> tuple[httpx.Response, Call]:
        url = f"{self._api}{path}"
        headers = {
            "Authorization": await self._token.header(operation),
            KEY_HEADER: key,
            "Tl-Signature": self._signer.sign("POST", urlsplit(url).path, key, body),
            "Content-Type": "application/json",
        }
        call = Call(NAME, operation, "POST", url, headers, body, True, key, self._setup)
        answer = await exchange(self._http, call)
        if not answer.is_success:
            raise self._refused(answer, call)
        return answer, call

    def _refused(self, answer: httpx.Response, call: Call) -> ProviderError:
        kind = problem_of(answer.content)
        said = f"HTTP {answer.status_code} {kind}".rstrip()
        if kind == "unauthenticated":
            # Our token or our signature: nothing was made, and a person mends the second.
            self._token.forget()
            log.error("credentials_refused", operation=call.operation)
            return TryLater(said, after=None, **call.where)
        if kind == "idempotency-key-reuse" or "concurrency" in kind:
            return OutcomeUnknown(said, **call.where)
        return status_error(answer, call, reason=kind, now=self._now())

    def _route(self, bank_id: str, operation: str) -> BankRoute:
        return listed(self._routes, bank_id, NAME, operation)


def payment_body(order: PaymentOrder, route: BankRoute) -> dict[str, Any]:
    """The JSON of the order. Declined for what must not be asked for."""
    operation = "create_payment"
    trouble = trouble_with(order, route.bank.pays)
    if trouble is not None:
        raise _declined(*trouble, operation)
    currency = order.amount.currency
    fits = len(order.end_to_end_ref) <= _LONGEST_REFERENCE.get(currency, 35)
    if not fits or not _REFERENCE.fullmatch(order.end_to_end_ref):
        # It comes back on the lender's statement and must be the same there.
        raise _declined("the reference does not fit", "END_TO_END_REFERENCE", operation)
    user = {"name": order.payer_name.strip()[:_LONGEST_NAME]}
    if order.payer_phone is not None:
        user["phone"] = order.payer_phone.reveal()
    if order.payer_email is not None:
        user["email"] = order.payer_email.reveal()
    if not user["name"] or len(user) == 1:
        raise _declined("the vendor wants to know who pays", "PAYER_UNKNOWN", operation)
    payer = _identifier(order.debtor_iban, currency) if order.debtor_iban else None
    if route.profile.needs_debtor_iban and payer is None:
        raise _declined("the bank wants the payer's account", "DEBTOR_IBAN_NEEDED", operation)
    payee = _identifier(order.creditor_account, currency)
    if payee is None:
        raise _declined("zloty go to a Polish account", "CREDITOR", operation)
    selection: dict[str, Any] = {
        "type": "preselected",
        "provider_id": route.profile.provider_id,
        "scheme_selection": {"type": "preselected", "scheme_id": _SCHEMES[currency, order.instant]},
    }
    if payer is not None:
        selection["remitter"] = {
            "account_holder_name": user["name"],
            "account_identifier": payer,
        }
    return {
        "amount_in_minor": order.amount.minor,
        "currency": currency,
        "payment_method": {
            "type": "bank_transfer",
            "provider_selection": selection,
            "beneficiary": {
                "type": "external_account",
                "account_holder_name": order.creditor_name[:_LONGEST_NAME],
                "account_identifier": payee,
                "reference": order.end_to_end_ref,
            },
        },
        "user": user,
    }


def _identifier(account: BankAccount, currency: str) -> dict[str, str] | None:
    """An account in the words for this currency; None where it has no name in them."""
    if currency == GBP:
        uk, kind = as_uk_account(account), "sort_code_account_number"
        if uk is None:
            return None
        return {"type": kind, "sort_code": uk.sort_code, "account_number": uk.number}
    iban = as_iban(account)
    if iban is None or (currency == PLN and iban.country != "PL"):
        return None
    if currency == PLN:
        return {"type": "nrb", "nrb": iban.reveal()[2:]}
    return {"type": "iban", "iban": iban.reveal()}


def status_of(document: dict[str, Any], route: BankRoute) -> PaymentNow:
    """The status by the vendor's word. One we do not know is open, with an alarm.

    `executed` means that the bank took the order, and settled only where the operator's list
    says so of the bank.
    """
    word = document.get("status", "authorization_required")
    status, raw = pay_status(_STATUS, word, log, bank=route.bank.id)
    reason = document.get("failure_reason")
    if status is PayStatus.REJECTED and isinstance(reason, str):
        raw = f"{raw}: {reason}"[:60] if re.fullmatch(r"[a-z_]{1,50}", reason) else raw
        if reason in _TAKEN_BACK:
            status = PayStatus.CANCELLED
    if raw == "executed" and route.profile.executed_is_settled:
        status = PayStatus.SETTLED
    return PaymentNow(status, raw)


def registered(return_url: str) -> str:
    """The address that is registered with the vendor: ours without the borrower's own token."""
    return return_url.rpartition("/")[0]


def problem_of(body: bytes) -> str:
    """The last part of a problem's `type`; empty where there is none."""
    decoded = try_json(body)
    kind = decoded.get("type") if isinstance(decoded, dict) else None
    found = re.search(r"#([a-z-]{3,60})$", kind) if isinstance(kind, str) else None
    return found.group(1) if found else ""


def _made(answer: httpx.Response, call: Call) -> tuple[dict[str, Any], str]:
    """The new payment and its id. Declined for one that was refused at once."""
    made = read_json(answer, call)
    made = made if isinstance(made, dict) else {}
    if made.get("status") == "failed":
        raise Declined("the payment was refused", reason="FAILED", **call.where)
    payment_id = made.get("id")
    if not _IDS.fits(payment_id):
        raise unreadable("the answer names no payment", call, answer.content)
    return made, payment_id


def _declined(detail: str, reason: str, operation: str) -> Declined:
    return Declined(detail, reason=reason, connector=NAME, operation=operation)
