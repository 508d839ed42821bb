"""Payments through Plaid: a page that ends, words that prove little, and the vendor's client."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import orjson
import plaid
import pytest
from plaid.api.plaid_api import PlaidApi
from plaid.model.client_user_identity import ClientUserIdentity
from plaid.model.client_user_identity_email import ClientUserIdentityEmail
from plaid.model.client_user_identity_name import ClientUserIdentityName
from plaid.model.country_code import CountryCode
from plaid.model.link_token_create_hosted_link import LinkTokenCreateHostedLink
from plaid.model.link_token_create_request import LinkTokenCreateRequest
from plaid.model.link_token_create_request_payment_initiation import (
    LinkTokenCreateRequestPaymentInitiation,
)
from plaid.model.link_token_create_request_user import LinkTokenCreateRequestUser
from plaid.model.payment_amount import PaymentAmount
from plaid.model.payment_amount_currency import PaymentAmountCurrency
from plaid.model.payment_initiation_payment_create_request import (
    PaymentInitiationPaymentCreateRequest,
)
from plaid.model.payment_initiation_payment_get_request import PaymentInitiationPaymentGetRequest
from plaid.model.payment_initiation_payment_list_request import PaymentInitiationPaymentListRequest
from plaid.model.payment_initiation_recipient_create_request import (
    PaymentInitiationRecipientCreateRequest,
)
from plaid.model.products import Products
from plaid.model.user_create_request import UserCreateRequest

from app.domain.errors import (
    Declined,
    Misconfigured,
    OutcomeUnknown,
    ProviderError,
    TryLater,
    Unreadable,
)
from app.domain.ids import Secret
from app.domain.money import Money
from app.pay_ports import CancelResult, PaymentHandle, PaymentWithoutPage, PayStatus
from app.side_ports import FindingPort
from connectors._http import client
from connectors.plaid.payments import status_of
from connectors.plaid.settings import Institution
from sandbox import psu
from sandbox.bank_list import plaid_id
from sandbox.banks import BY_ID
from sandbox.faces.plaid_wire import CLIENT_ID, ROOT, SECRET
from tests.connectors.answers import answering
from tests.connectors.registry import refused
from tests.connectors.rig_plaid import PlaidRig
from tests.connectors.scene import CREDITOR, ORIGIN
from tests.connectors.test_over_http import listening

pytestmark = pytest.mark.anyio

BANK = Institution(id="luz", name="L", country="ES", institution_id="ins_1", language="es")
HANDLE = PaymentHandle("luz", Secret("payment-id-1"))


@pytest.fixture
def rig(tmp_path: Path) -> PlaidRig:
    return PlaidRig(tmp_path)


async def test_the_order_on_the_wire(rig: PlaidRig) -> None:
    person = rig.person()
    order = rig.order(person, amount=Money(123_450, "EUR"), instant=True)
    begun = await rig.payments.create_payment(order)
    payee, user, made, page, _visit = rig.seen
    assert orjson.loads(payee.body) == {"name": "Préstamos Sol SL", "iban": CREDITOR.reveal()}
    said = orjson.loads(user.body)
    assert said["client_user_id"] == str(order.key)
    assert set(said["identity"]) == {"name", "emails", "phone_numbers"}
    assert b'"value":1234.50' in made.body
    said = orjson.loads(made.body)
    assert said["reference"] == "SALDO0001"
    assert said["options"] == {"scheme": "SEPA_CREDIT_TRANSFER_INSTANT"}
    assert said["user_id"].startswith("usr_")
    said = orjson.loads(page.body)
    assert said["payment_initiation"] == {"payment_id": begun.handle.ref.reveal()}
    assert said["hosted_link"] == {
        "completion_redirect_uri": order.return_url,
        "url_lifetime_seconds": 1800,
    }
    assert SECRET not in f"{rig.payments!r}{begun!r}"
    # The lender's account is made known once; without users nobody else is told who pays.
    settings = {**rig.given(), "payment_users": False}
    rig.given = lambda: settings  # type: ignore[method-assign]
    payments = rig.payments_over(None)
    seen = len(rig.seen)
    for _ in range(2):
        await payments.create_payment(rig.order(person, payer_name="", payer_phone=None))
    paths = [one.url.removeprefix(f"{ORIGIN}{ROOT}").split("/pay/")[0] for one in rig.seen[seen:]]
    assert [one for one in paths if one.startswith("/payment_")] == [
        "/payment_initiation/recipient/create",
        "/payment_initiation/payment/create",
        "/payment_initiation/payment/create",
    ]
    (bank,) = [one for one in payments.banks() if one.id == "luz"]
    assert (bank.longest_reference, bank.needs_payer_name) == (18, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Money(99, "EUR")},
        {"amount": Money(100, "PLN")},
        {"bank_id": "unknown"},
        {"end_to_end_ref": "S" * 19},
        {"end_to_end_ref": "S-1"},
        {"payer_name": " "},
        {"payer_phone": None, "payer_email": None},
    ],
)
async def test_orders_that_are_not_sent(rig: PlaidRig, changes: dict[str, Any]) -> None:
    order = rig.order(rig.person(), **changes)
    assert isinstance(await refused(rig.payments.create_payment(order)), Declined)
    assert rig.seen == []


async def test_the_page_ends_and_the_payment_stays(rig: PlaidRig) -> None:
    begun = await rig.payments.create_payment(rig.order(rig.person()))
    http = client(transport=rig.scene.recorder)
    assert (await http.get(begun.redirect_url)).status_code == 303
    rig.watch.on(minutes=30)
    assert (await http.get(begun.redirect_url)).status_code == 410
    rig.watch.on(days=30)
    assert (await rig.payments.payment_now(begun.handle)).status is PayStatus.OPEN
    assert await rig.payments.cancel_payment(begun.handle) is CancelResult.IMPOSSIBLE


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("INPUT_NEEDED", PayStatus.OPEN),
        ("AUTHORISING", PayStatus.OPEN),
        ("INITIATED", PayStatus.AUTHORISED),
        ("EXECUTED", PayStatus.AUTHORISED),
        ("SETTLED", PayStatus.SETTLED),
        ("INSUFFICIENT_FUNDS", PayStatus.REJECTED),
        ("FAILED", PayStatus.REJECTED),
        ("BLOCKED", PayStatus.REJECTED),
        ("REJECTED", PayStatus.REJECTED),
        ("CANCELLED", PayStatus.CANCELLED),
        ("ESTABLISHED", PayStatus.OPEN),
        ("UNKNOWN", PayStatus.OPEN),
    ],
)
def test_the_words_of_a_payment(word: str, status: PayStatus) -> None:
    now = status_of({"status": f"PAYMENT_STATUS_{word}"}, BANK)
    assert (now.status, now.raw_status) == (status, word)
    trusting = BANK.model_copy(update={"settled_at": ("PAYMENT_STATUS_INITIATED",)})
    if word == "INITIATED":
        assert status_of({"status": f"PAYMENT_STATUS_{word}"}, trusting).status is PayStatus.SETTLED
    for odd in (None, 7, "", word):
        assert status_of({"status": odd}, BANK).status is PayStatus.OPEN


async def test_no_money_is_a_no(rig: PlaidRig) -> None:
    person = rig.person(opening_minor=100)
    begun = await rig.payments.create_payment(rig.order(person))
    psu.pay(rig.scene.world, rig.at_bank, person)
    now = await rig.payments.payment_now(begun.handle)
    assert (now.status, now.raw_status) == (PayStatus.REJECTED, "INSUFFICIENT_FUNDS")


@pytest.mark.parametrize(
    ("status", "kind", "code", "expected"),
    [
        (400, "PAYMENT_ERROR", "PAYMENT_INVALID_RECIPIENT", Declined),
        (400, "INVALID_INPUT", "INVALID_API_KEYS", TryLater),
        (400, "INVALID_INPUT", "PRODUCT_NOT_ENABLED", TryLater),
        (429, "RATE_LIMIT_EXCEEDED", "PAYMENT_INITIATION_LIMIT", TryLater),
        (500, "API_ERROR", "INTERNAL_SERVER_ERROR", OutcomeUnknown),
        (400, "INSTITUTION_ERROR", "INSTITUTION_DOWN", Declined),
    ],
)
async def test_refused_orders(
    rig: PlaidRig, status: int, kind: str, code: str, expected: type[ProviderError]
) -> None:
    said = {"error_type": kind, "error_code": code, "error_message": "IBAN ES91", "request_id": "r"}
    payments = rig.payments_over(answering(status, said))
    error = await refused(payments.create_payment(rig.order(rig.person())))
    assert type(error) is expected
    assert "ES91" not in f"{error} {error.detail}"
    assert isinstance(await refused(payments.payment_now(HANDLE)), TryLater)


async def test_a_page_that_is_not_safe_is_never_given(rig: PlaidRig) -> None:
    def say(_: httpx.Request) -> httpx.Response:
        ids = dict.fromkeys(("recipient_id", "user_id", "payment_id"), "x1")
        return httpx.Response(200, json={**ids, "hosted_link_url": "javascript:alert(1)"})

    payments = rig.payments_over(httpx.MockTransport(say))
    error = await refused(payments.create_payment(rig.order(rig.person())))
    assert isinstance(error, OutcomeUnknown)


@pytest.mark.parametrize(
    "page",
    [
        httpx.Response(429, json={"error_type": "RATE_LIMIT_EXCEEDED", "error_code": "X"}),
        httpx.Response(400, json={"error_type": "INVALID_REQUEST", "error_code": "INVALID_FIELD"}),
        httpx.Response(500),
        httpx.Response(200, content=b"<html>"),
        httpx.ConnectError("nobody is there"),
        httpx.ReadError("it died"),
    ],
)
async def test_a_payment_whose_page_was_not_made_is_not_made_again(
    rig: PlaidRig, page: Any
) -> None:
    """It stands at Plaid whatever the page's answer is: to ask once more would make another."""

    def say(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/link/token/create"):
            ids = dict.fromkeys(("recipient_id", "user_id", "payment_id"), "x1")
            return httpx.Response(200, json=ids)
        if isinstance(page, httpx.Response):
            return page
        raise page

    payments = rig.payments_over(httpx.MockTransport(say))
    error = await refused(payments.create_payment(rig.order(rig.person())))
    assert isinstance(error, PaymentWithoutPage)
    assert error.handle == PaymentHandle("luz", Secret("x1"))


async def test_an_order_is_found_by_its_reference(
    rig: PlaidRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.plaid.payments._LISTED_AT_ONCE", 2)
    person, found = rig.person(), rig.payments
    assert isinstance(found, FindingPort)
    begun = await rig.payments.create_payment(rig.order(person, end_to_end_ref="SALDO1"))
    for later in range(2, 7):
        # Two at a time, within one moment.
        rig.watch.on(seconds=later % 2)
        await rig.payments.create_payment(rig.order(person, end_to_end_ref=f"SALDO{later}"))
    lists = len(rig.seen)
    assert await found.find_payment(rig.order(person, end_to_end_ref="SALDO1")) == begun.handle
    assert len(rig.seen) - lists == 3
    none = await refused(found.find_payment(rig.order(person, end_to_end_ref="SALDO7")))
    assert isinstance(none, Declined)
    # Whoever has made more than can be looked through is not told that there is none.
    monkeypatch.setattr("connectors.plaid.payments._MOST_LISTS", 2)
    first = await refused(found.find_payment(rig.order(person, end_to_end_ref="SALDO1")))
    assert isinstance(first, TryLater)


@pytest.mark.parametrize("body", [{}, {"payments": None}, [], {"payments": {}}, b"<html>"])
async def test_a_list_that_is_none_says_nothing_of_the_order(rig: PlaidRig, body: Any) -> None:
    payments = rig.payments_over(answering(200, body))
    assert isinstance(payments, FindingPort)
    assert isinstance(await refused(payments.find_payment(rig.order(rig.person()))), Unreadable)
    no = {"error_type": "INVALID_REQUEST", "error_code": "INVALID_FIELD"}
    payments = rig.payments_over(answering(400, no))
    assert isinstance(payments, FindingPort)
    assert isinstance(await refused(payments.find_payment(rig.order(rig.person()))), TryLater)


def test_settings_that_cannot_be(rig: PlaidRig) -> None:
    text = rig.bank_list.read_text(encoding="utf-8")
    wrong = text.replace("PAYMENT_STATUS_EXECUTED", "PAYMENT_STATUS_FAILED")
    rig.bank_list.write_text(wrong, encoding="utf-8")
    with pytest.raises(Misconfigured):
        rig.payments_over(None)


async def test_the_vendors_own_client_pays(rig: PlaidRig) -> None:
    """plaid-python checks each answer against the vendor's own models."""
    person = rig.person(opening_minor=100_000)
    async with listening(rig.scene.world) as origin:
        keys = {"clientId": CLIENT_ID, "secret": SECRET, "plaidVersion": "2020-09-14"}
        api = PlaidApi(plaid.ApiClient(plaid.Configuration(f"{origin}{ROOT}", api_key=keys)))
        payee = PaymentInitiationRecipientCreateRequest(name="Sol", iban=CREDITOR.reveal())
        known = [
            (await asyncio.to_thread(api.payment_initiation_recipient_create, payee)).recipient_id
            for _ in range(2)
        ]
        assert known[0] == known[1]
        identity = ClientUserIdentity(
            name=ClientUserIdentityName(given_name="Ana", family_name="Núñez"),
            emails=[ClientUserIdentityEmail(data="ana@correo.example", primary=True)],
        )
        asked = UserCreateRequest(client_user_id="u", identity=identity)
        user = await asyncio.to_thread(api.user_create, asked)
        amount = PaymentAmount(currency=PaymentAmountCurrency("EUR"), value=50.0)
        wanted = PaymentInitiationPaymentCreateRequest(
            recipient_id=known[0], reference="SALDO 1", amount=amount, user_id=user.user_id
        )
        made = await asyncio.to_thread(api.payment_initiation_payment_create, wanted)
        assert str(made.status) == "PAYMENT_STATUS_INPUT_NEEDED"
        link = LinkTokenCreateRequest(
            client_name="Lender",
            language="es",
            country_codes=[CountryCode("ES")],
            user=LinkTokenCreateRequestUser(client_user_id="u"),
            products=[Products("payment_initiation")],
            payment_initiation=LinkTokenCreateRequestPaymentInitiation(payment_id=made.payment_id),
            institution_id=plaid_id(BY_ID["luz"]),
            hosted_link=LinkTokenCreateHostedLink(
                completion_redirect_uri="https://a.example/p", url_lifetime_seconds=600
            ),
        )
        page = await asyncio.to_thread(api.link_token_create, link)
        async with client() as http:
            sent_on = await http.get(page.hosted_link_url)
        psu.pay(rig.scene.world, f"{origin}{sent_on.headers['location']}", person)
        about = PaymentInitiationPaymentGetRequest(payment_id=made.payment_id)
        now = await asyncio.to_thread(api.payment_initiation_payment_get, about)
        assert str(now.status) == "PAYMENT_STATUS_INITIATED"
        assert (now.reference, now.amount.value) == ("SALDO 1", 50.0)
        few = PaymentInitiationPaymentListRequest(count=1)
        listed = await asyncio.to_thread(api.payment_initiation_payment_list, few)
        assert [one.reference for one in listed.payments] == ["SALDO 1"]
        assert listed.next_cursor is None
        rig.watch.on(days=1)
        now = await asyncio.to_thread(api.payment_initiation_payment_get, about)
        assert str(now.status) == "PAYMENT_STATUS_EXECUTED"
        bad = PaymentInitiationPaymentCreateRequest(
            recipient_id="nobody", reference="SALDO 1", amount=amount
        )
        with pytest.raises(plaid.ApiException) as caught:
            await asyncio.to_thread(api.payment_initiation_payment_create, bad)
        assert b"PAYMENT_INVALID_RECIPIENT" in str(caught.value.body).encode()
