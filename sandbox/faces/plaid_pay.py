"""Plaid's payment initiation over the same banks: recipients, users, payments, their pages.

A page ends when its maker said so. A payment cannot be taken back, and at some banks INITIATED is
its last word. What nobody authorises in time stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox.bank_list import plaid_id
from sandbox.banks import BANKS, BY_ID
from sandbox.faces.bg_requests import origin_of
from sandbox.faces.plaid_wire import ROOT, No, iso, said
from sandbox.faces.wire import LostResponse
from sandbox.ibans import british, is_valid
from sandbox.modes import BankMode
from sandbox.payments import status_at
from sandbox.records import Payment, PayPlan
from sandbox.world import World

KIND = "plaid_payment"
NOTIFY = "plaid"
WORD = "PAYMENT_STATUS_"
INITIATED_IS_LAST = ("foerde",)
"""Banks that never tell that money has moved."""
_LONGEST_REFERENCE = 18
_MOST_LISTED = 200
_PRODUCTS = {
    "SEPA_CREDIT_TRANSFER": "sepa-credit-transfers",
    "SEPA_CREDIT_TRANSFER_INSTANT": "instant-sepa-credit-transfers",
}


_AT_HOME = {"GBP": "faster-payments", "PLN": "polish-domestic"}


@dataclass(slots=True)
class Recipient:
    """Whom is paid: an IBAN, or a sort code and an account number in one."""

    id: str
    name: str
    iban: str
    british: bool = False


@dataclass(slots=True)
class PlaidPayment:
    """One payment and its newest page. `at_bank`: the payment at the bank, once he is there."""

    id: str
    recipient_id: str
    reference: str
    amount_minor: int
    product: str
    created_at: datetime
    currency: str = "EUR"
    bank_id: str = ""
    at_bank: str = ""
    page: str = ""
    page_until: datetime | None = None
    redirect: str = ""
    webhook: str = ""


class PlaidPay:
    """The payments part of Plaid over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._recipients = {one.id: one for one in world.store.all_of("plaid_payee", Recipient)}
        self._payments = {one.id: one for one in world.store.all_of(KIND, PlaidPayment)}

    async def recipient(self, content: dict[str, Any], _: Request) -> Response:
        """The same account is the same recipient."""
        name, iban, bacs = content.get("name"), content.get("iban"), content.get("bacs")
        if not isinstance(name, str) or not name or not (iban or isinstance(bacs, dict)):
            raise No(400, "INVALID_REQUEST", "MISSING_FIELDS")
        if isinstance(bacs, dict):
            account = british(bacs.get("sort_code"), bacs.get("account"))
        else:
            account = iban if isinstance(iban, str) and is_valid(iban) else ""
        if not account:
            raise No(400, "INVALID_REQUEST", "INVALID_FIELD")
        key = uuid5(NAMESPACE_URL, f"{name}/{account}")
        made = Recipient(
            f"recipient-id-sandbox-{key}", name, account, british=isinstance(bacs, dict)
        )
        self._world.store.put("plaid_payee", made.id, made)
        self._recipients[made.id] = made
        return said(recipient_id=made.id)

    async def user(self, content: dict[str, Any], _: Request) -> Response:
        """Somebody with a name, and an address or a number."""
        identity = content.get("identity")
        identity = identity if isinstance(identity, dict) else {}
        if not content.get("client_user_id") or not identity.get("name"):
            raise No(400, "INVALID_REQUEST", "MISSING_FIELDS")
        if not (identity.get("emails") or identity.get("phone_numbers")):
            raise No(400, "INVALID_REQUEST", "MISSING_FIELDS")
        return said(user_id=f"usr_{uuid4().hex[:16]}")

    async def create(self, content: dict[str, Any], _: Request) -> Response:
        """Raises `No` for a payment that does not fit."""
        amount, reference = content.get("amount"), content.get("reference")
        amount = amount if isinstance(amount, dict) else {}
        value, options = amount.get("value"), content.get("options") or {}
        if content.get("recipient_id") not in self._recipients:
            raise No(400, "PAYMENT_ERROR", "PAYMENT_INVALID_RECIPIENT")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 1:
            raise No(400, "INVALID_REQUEST", "INVALID_FIELD")
        fits = isinstance(reference, str) and 0 < len(reference) <= _LONGEST_REFERENCE
        if not fits or not str(reference).replace(" ", "").isalnum():
            raise No(400, "PAYMENT_ERROR", "PAYMENT_INVALID_REFERENCE")
        currency = str(amount.get("currency"))
        product = _product_of(currency, options.get("scheme"))
        payee = self._recipients[str(content["recipient_id"])]
        if not product or payee.british != (currency == "GBP"):
            raise No(400, "PAYMENT_ERROR", "PAYMENT_SCHEME_NOT_SUPPORTED")
        made = PlaidPayment(
            f"payment-id-sandbox-{uuid4()}",
            str(content["recipient_id"]),
            str(reference),
            round(value * 100),
            product,
            self._world.now(),
            currency,
        )
        self._keep(made)
        return said(payment_id=made.id, status=f"{WORD}INPUT_NEEDED")

    async def open_page(self, content: dict[str, Any], request: Request) -> Response:
        """/link/token/create for a payment."""
        about, hosted = content.get("payment_initiation"), content.get("hosted_link")
        about = about if isinstance(about, dict) else {}
        found = self._payments.get(str(about.get("payment_id")))
        bank = next((one for one in BANKS if plaid_id(one) == content.get("institution_id")), None)
        if found is None or bank is None or not isinstance(hosted, dict):
            raise No(400, "INVALID_REQUEST", "INVALID_FIELD")
        if bank.currency != found.currency:
            raise No(400, "INVALID_REQUEST", "INVALID_FIELD")
        now, lasts = self._world.now(), hosted.get("url_lifetime_seconds", 1800)
        found.bank_id, found.page = bank.id, f"link-sandbox-{uuid4()}"
        found.page_until = now + timedelta(seconds=lasts)
        found.redirect = str(hosted.get("completion_redirect_uri") or "")
        found.webhook = str(content.get("webhook") or "")
        self._keep(found)
        if self._world.town.take_bank(bank.id, BankMode.PAYMENT_ANSWER_LOST):
            return LostResponse()
        return said(
            link_token=found.page,
            expiration=iso(found.page_until),
            hosted_link_url=f"{origin_of(request)}{ROOT}/pay/{found.page}",
        )

    async def page(self, request: Request) -> Response:
        """The hosted page: it knows the bank and sends the payer on at once, while it is open."""
        token, now = request.path_params["token"], self._world.now()
        found = next((one for one in self._payments.values() if one.page == token), None)
        if found is None or found.page_until is None or now >= found.page_until:
            return Response("This page is over.", 410)
        if not found.at_bank:
            payee = self._recipients[found.recipient_id]
            payment = self._world.payments.create(
                BY_ID[found.bank_id],
                product=found.product,
                amount_minor=found.amount_minor,
                currency=found.currency,
                creditor_name=payee.name,
                creditor_iban=payee.iban,
                redirect_url=found.redirect,
                refused_url=found.redirect,
                end_to_end=found.reference,
                remittance=found.reference,
                now=now,
            )
            payment.notify = NOTIFY if found.webhook else ""
            self._world.store.put("payment", payment.id, payment)
            found.at_bank = payment.id
            self._keep(found)
        return RedirectResponse(f"/banks/{found.bank_id}/online/payments/{found.at_bank}", 303)

    async def get(self, content: dict[str, Any], _: Request) -> Response:
        """/payment_initiation/payment/get."""
        found = self._payments.get(str(content.get("payment_id")))
        if found is None:
            raise No(400, "INVALID_INPUT", "INVALID_PAYMENT_ID")
        return said(**self._told(found))

    async def listed(self, content: dict[str, Any], _: Request) -> Response:
        """/payment_initiation/payment/list: the newest first, before the cursor if there is one."""
        count, cursor = content.get("count") or 10, content.get("cursor")
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MOST_LISTED:
            raise No(400, "INVALID_REQUEST", "INVALID_FIELD")
        try:
            before = datetime.fromisoformat(cursor) if cursor is not None else None
        except (TypeError, ValueError):
            raise No(400, "INVALID_REQUEST", "INVALID_FIELD") from None
        newest = sorted(self._payments.values(), key=lambda one: one.created_at, reverse=True)
        older = [one for one in newest if before is None or one.created_at < before]
        shown = older[:count]
        # Only what was made before the cursor comes next, so it stands just behind that.
        more = older[count].created_at + timedelta(microseconds=1) if older[count:] else None
        return said(
            payments=[self._told(one) for one in shown],
            next_cursor=None if more is None else more.isoformat(),
        )

    def _told(self, found: PlaidPayment) -> dict[str, Any]:
        payment = self._world.payments.get(found.bank_id, found.at_bank)
        word = word_of(payment, self._world.now()) if payment else "INPUT_NEEDED"
        return {
            "payment_id": found.id,
            "amount": {"currency": found.currency, "value": found.amount_minor / 100},
            "status": f"{WORD}{word}",
            "recipient_id": found.recipient_id,
            "reference": found.reference,
            "adjusted_reference": None,
            "last_status_update": iso(found.created_at),
            "bacs": None,
            "iban": None,
            "refund_ids": None,
            "wallet_id": None,
            "consent_id": None,
            "transaction_id": None,
            "end_to_end_id": None,
        }

    def _keep(self, payment: PlaidPayment) -> None:
        self._world.store.put(KIND, payment.id, payment)
        self._payments[payment.id] = payment


def _product_of(currency: str, scheme: str | None) -> str:
    """What the bank makes of it; empty for what Plaid does not move."""
    if currency == "EUR":
        return _PRODUCTS.get(scheme or "SEPA_CREDIT_TRANSFER", "")
    return _AT_HOME.get(currency, "") if scheme is None else ""


def word_of(payment: Payment, now: datetime) -> str:
    """The status of a payment whose payer has been at his bank."""
    stands = status_at(payment, now)
    if payment.refused_at is not None:
        return "INSUFFICIENT_FUNDS" if "money" in payment.refused_why else "CANCELLED"
    if payment.authorised_at is None:
        return "AUTHORISING" if stands == "RCVD" else "INPUT_NEEDED"
    if stands == "RJCT" and payment.plan is not PayPlan.RETURNED:
        return "REJECTED"
    if payment.bank_id in INITIATED_IS_LAST:
        return "INITIATED"
    moved = stands == "RJCT" or stands in BY_ID[payment.bank_id].settled_at
    return "EXECUTED" if moved else "INITIATED"
