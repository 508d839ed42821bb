"""TrueLayer: signed orders, one key for one payment, and what the vendor's words mean."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import httpx
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP521R1,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from truelayer_signing import HttpMethod, TlSigningException, verify_with_pem

from app.domain.errors import Declined, Misconfigured, OutcomeUnknown, ProviderError, TryLater
from app.domain.ids import EmailAddress, Iban, Secret
from app.domain.money import Money
from app.pay_ports import CancelResult, PaymentHandle, PayStatus
from connectors.truelayer.payments import payment_body, status_of
from connectors.truelayer.settings import BankProfile, BankRoute
from connectors.truelayer.signing import Signer
from sandbox import psu
from sandbox.faces import tl_signature
from sandbox.faces.tl_payments import RETURN_URI
from sandbox.faces.tl_signature import KEY_ID, customer_key
from sandbox.faces.tl_wire import API, HOSTED
from sandbox.modes import Mode
from sandbox.walker import Walker
from tests.connectors.answers import answering
from tests.connectors.registry import refused
from tests.connectors.rig_truelayer import TrueLayerRig
from tests.connectors.scene import ORIGIN, Exchange
from tests.connectors.test_specs import problems
from tests.specs.openapi import Spec

# Key and signatures that TrueLayer publishes with its library; the README there says more.
PUBLISHED = Path(__file__).resolve().parents[1] / "fixtures" / "truelayer_signing"

pytestmark = pytest.mark.anyio


@pytest.fixture
def rig(tmp_path: Path) -> TrueLayerRig:
    return TrueLayerRig(tmp_path)


# ---------------------------------------------------------------- signatures


def _public() -> str:
    key = load_pem_private_key(customer_key(), None).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_the_vendors_library_verifies_what_we_sign(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.touch(0o600)
    file.write_bytes(customer_key())
    signer = Signer(KEY_ID, file)
    body, key = '{"currency":"EUR","name":"Ñandú"}'.encode(), str(uuid4())
    for _ in range(20):  # numbers of a signature are sometimes shorter than their place
        jws = signer.sign("POST", "/v3/payments", key, body)

        def check(path: str, given: str, content: bytes, jws: str = jws) -> None:
            verifier = verify_with_pem(_public()).set_method(HttpMethod.POST).set_path(path)
            verifier.add_header("Idempotency-Key", given).set_body(content.decode())
            verifier.add_required_header("Idempotency-Key").verify(jws)

        check("/v3/payments", key, body)
        for wrong in (
            ("/v3/payouts", key, body),
            ("/v3/payments", str(uuid4()), body),
            ("/v3/payments", key, body + b" "),
        ):
            with pytest.raises(TlSigningException):
                check(*wrong)
    assert KEY_ID not in repr(signer)


def test_the_published_vectors() -> None:
    public = load_pem_public_key((PUBLISHED / "ec512-public.pem").read_bytes())
    assert isinstance(public, EllipticCurvePublicKey)
    account = "a61acaef-ee05-4077-92f3-25543a11bd8d"
    request = (
        "POST",
        f"/merchant_accounts/{account}/sweeping",
        {"idempotency-key": "idemp-2076717c-9005-4811-a321-9e0787fa0382"},
        b'{"currency":"GBP","max_amount_in_minor":5000000,"name":"Foo???"}',
    )
    webhook = (
        "POST",
        "/tl-webhook",
        {
            "x-tl-webhook-timestamp": "2021-11-29T11:42:55Z",
            "content-type": "application/json",
        },
        b'{"event_type":"example","event_id":"18b2842b-a57b-4887-a0a6-d3c7c36f1020"}',
    )
    for name, (method, path, headers, body) in (
        ("tl-signature.txt", request),
        ("webhook-signature.txt", webhook),
    ):
        jws = (PUBLISHED / name).read_text().strip()
        check = tl_signature.verifies
        assert check(public, jws, method, path, headers, body)
        assert check(public, jws, method, f"{path}/", headers, body)
        assert not check(public, jws, method, path, headers, body + b" ")
        assert not check(public, jws, "PUT", path, headers, body)
        assert not check(public, jws, method, path, {}, body)


def test_we_sign_as_the_published_key_would(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.touch(0o600)
    key.write_bytes(customer_key())
    signer = Signer("45fc75cf-5649-4134-84b3-192c2c78e990", key)
    theirs = (PUBLISHED / "tl-signature.txt").read_text().strip()
    ours = signer.sign("POST", "/x", "k", b"")
    assert ours.split(".")[0] == theirs.split(".")[0]  # the same header, letter by letter


def test_a_key_that_cannot_sign_is_refused_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.touch(0o600)
    small = generate_private_key(SECP256R1())
    pem = small.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (b"secret words", pem):
        file.write_bytes(content)
        with pytest.raises(Misconfigured) as caught:
            Signer(KEY_ID, file)
        assert "secret words" not in str(caught.value)
    file.write_bytes(customer_key())
    Signer(KEY_ID, file)
    file.chmod(0o644)
    for key_id, path in (
        ("", file), (KEY_ID, file), (KEY_ID, None), (KEY_ID, tmp_path / "none.pem"),
    ):  # fmt: skip
        with pytest.raises(Misconfigured):
            Signer(key_id, path)


async def test_another_key_is_refused_and_nothing_is_made(rig: TrueLayerRig) -> None:
    other = generate_private_key(SECP521R1())
    rig.key.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    payments = rig.payments_over(None)
    error = await refused(payments.create_payment(rig.order(rig.person())))
    assert isinstance(error, TryLater)
    assert rig.scene.world.payments.all() == []


# ---------------------------------------------------------------- orders


def route(**about: Any) -> BankRoute:
    plain = {"id": "b", "name": "Bank", "country": "ES", "provider_id": "xs2a-b"}
    return BankRoute.of(BankProfile.model_validate({**plain, **about}))


def test_the_order(rig: TrueLayerRig) -> None:
    order = rig.order(rig.person(), payer_email=EmailAddress.parse("ana@correo.example"))
    body = payment_body(order, route())
    assert (body["amount_in_minor"], body["currency"]) == (5_000, "EUR")
    to = body["payment_method"]["beneficiary"]
    assert (to["type"], to["reference"]) == ("external_account", "SALDO-0001")
    assert set(body["user"]) == {"name", "phone", "email"}
    assert "metadata" not in body
    instant = payment_body(rig.order(rig.person(), instant=True), route())
    chosen = instant["payment_method"]["provider_selection"]["scheme_selection"]
    assert chosen["scheme_id"] == "sepa_credit_transfer_instant"


def test_orders_that_are_not_sent(rig: TrueLayerRig) -> None:
    person = rig.person()
    for changes, about in (
        ({"amount": Money(100, "GBP")}, {}),
        ({"amount": Money(0, "EUR")}, {}),
        ({"end_to_end_ref": "ñ"}, {}),
        ({"end_to_end_ref": "x" * 36}, {}),
        ({"payer_name": " "}, {}),
        ({"payer_phone": None}, {}),
        ({"debtor_iban": None}, {"needs_debtor_iban": True}),
    ):
        with pytest.raises(Declined):
            payment_body(rig.order(person, **changes), route(**about))


async def test_a_lost_answer_is_found_again_under_its_key(rig: TrueLayerRig) -> None:
    person = rig.person(opening_minor=100_000)
    rig.scene.world.set_mode(person.id, Mode.PAYMENT_ANSWER_LOST, 1)
    order = rig.order(person)
    begun = await rig.payments.create_payment(order)
    first, second = [one for one in rig.seen if one.url.endswith("/v3/payments")]
    assert first.answer is None
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == str(order.key)
    assert first.body == second.body
    assert len(rig.scene.world.payments.all()) == 1
    rig.pay(begun, person)
    rig.watch.on(days=1)
    assert (await rig.payments.payment_now(begun.handle)).status is PayStatus.SETTLED
    again = await rig.payments.create_payment(order)
    assert again.handle == begun.handle
    other = rig.order(person, key=order.key, amount=Money(1, "EUR"))
    assert isinstance(await refused(rig.payments.create_payment(other)), OutcomeUnknown)
    assert len(rig.scene.world.payments.all()) == 1


@pytest.mark.parametrize("second", [400, 401, 404, 429, 503])
async def test_what_a_second_try_says_of_a_lost_first_one(rig: TrueLayerRig, second: int) -> None:
    asked = 0

    def once_lost(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise httpx.ReadTimeout("broken on purpose", request=request)
        return httpx.Response(second)

    payments = rig.payments_over(httpx.MockTransport(once_lost))
    error = await refused(payments.create_payment(rig.order(rig.person())))
    assert isinstance(error, OutcomeUnknown)
    assert asked == 2


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, "invalid-parameters", Declined),
        (401, "unauthenticated", TryLater),
        (422, "idempotency-key-reuse", OutcomeUnknown),
        (409, "idempotency-key-concurrency-conflict", OutcomeUnknown),
        (429, "rate-limit-exceeded", TryLater),
        (500, "internal-server-error", OutcomeUnknown),
    ],
)
async def test_refused_orders(
    rig: TrueLayerRig, status: int, kind: str, expected: type[ProviderError]
) -> None:
    problem = {
        "type": f"https://docs.truelayer.com/docs/error-types#{kind}",
        "detail": "IBAN ES9121000418450200051332",
    }
    payments = rig.payments_over(answering(status, problem))
    error = await refused(payments.create_payment(rig.order(rig.person())))
    assert type(error) is expected
    assert "ES91" not in f"{error} {error.detail}"


# ---------------------------------------------------------------- states


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"status": "authorization_required"}, PayStatus.OPEN),
        ({"status": "authorizing"}, PayStatus.OPEN),
        ({"status": "attempt_failed"}, PayStatus.OPEN),
        ({"status": "authorized"}, PayStatus.AUTHORISED),
        ({"status": "executed"}, PayStatus.AUTHORISED),  # taken by the bank is no proof of money
        ({"status": "settled"}, PayStatus.SETTLED),
        ({"status": "failed", "failure_reason": "expired"}, PayStatus.REJECTED),
        ({"status": "failed", "failure_reason": "canceled"}, PayStatus.CANCELLED),
        ({"status": "failed", "failure_reason": ["x"]}, PayStatus.REJECTED),
        ({"status": "teleported"}, PayStatus.OPEN),
        ({"status": 7}, PayStatus.OPEN),
    ],
)
def test_the_vendors_words(document: Any, status: PayStatus) -> None:
    assert status_of(document, route()).status is status
    if document["status"] == "executed":
        trusted = route(executed_is_settled=True)
        assert status_of(document, trusted).status is PayStatus.SETTLED


async def test_only_the_status_makes_a_payment_cancelled(rig: TrueLayerRig) -> None:
    handle = PaymentHandle("luz", Secret("p-1"))

    def stays(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(202)
        return httpx.Response(200, json={"id": "p-1", "status": "authorizing"})

    error = await refused(rig.payments_over(httpx.MockTransport(stays)).cancel_payment(handle))
    assert isinstance(error, OutcomeUnknown)
    begun = await rig.payments.create_payment(rig.order(rig.person()))
    assert await rig.payments.cancel_payment(begun.handle) is CancelResult.CANCELLED
    assert await rig.payments.cancel_payment(begun.handle) is CancelResult.CANCELLED


async def test_one_token_serves_many_calls_until_it_is_nearly_over(rig: TrueLayerRig) -> None:
    person = rig.person()
    begun = await rig.payments.create_payment(rig.order(person))
    for _ in range(3):
        await rig.payments.create_payment(rig.order(person))
        await rig.payments.payment_now(begun.handle)

    def tokens() -> list[Exchange]:
        return [one for one in rig.seen if one.url.endswith("/connect/token")]

    assert len(tokens()) == 1
    rig.watch.on(minutes=59)
    await rig.payments.payment_now(begun.handle)
    assert len(tokens()) == 2


# ---------------------------------------------------------------- the vendor's description


async def test_exchanges_fit_the_vendors_description(rig: TrueLayerRig) -> None:
    folder = os.environ.get("SALDO_SPECS_DIR", "")
    if not folder:
        pytest.skip("SALDO_SPECS_DIR names no folder with truelayer-payments.yaml")
    person = rig.person(opening_minor=100_000)
    order = rig.order(person, debtor_iban=Iban.parse(person.iban))
    begun = await rig.payments.create_payment(order)
    await rig.payments.payment_now(begun.handle)
    rig.pay(begun, person)
    await rig.payments.payment_now(begun.handle)
    rig.watch.on(days=1)
    await rig.payments.payment_now(begun.handle)
    refused_one = await rig.payments.create_payment(rig.order(person))
    rig.refuse_to_pay(refused_one, person)
    await rig.payments.payment_now(refused_one.handle)
    await refused(rig.payments.payment_now(PaymentHandle("luz", Secret(str(uuid4())))))
    described = Spec(Path(folder) / "truelayer-payments.yaml")
    seen = [one for one in rig.seen if "/v3/" in one.url]
    for one in seen:
        if one.answer is not None and one.answer.status_code == 201:
            one.answer.status_code = 200  # recorded answers say 201, the description says 200
        if one.answer is not None and not one.answer.is_success:
            one.answer.headers["content-type"] = "application/json"  # recorded as problem+json
    assert len(seen) == 7
    assert problems(described, seen, API) == []
    good = seen[0]
    path = urlsplit(good.url).path.removeprefix(API)
    for broken in (b"{}", good.body.replace(b'"EUR"', b'"XXX"')):
        assert described.wrong_in_request("POST", path, good.headers, broken)
    bare = {k: v for k, v in good.headers.items() if k != "tl-signature"}
    assert described.wrong_in_request("POST", path, bare, good.body)
    assert orjson.loads(good.body)["user"]["name"] == person.name
    assert dict(parse_qsl(urlsplit(begun.redirect_url).fragment))["resource_token"]


async def test_the_hosted_page_hands_the_payer_on_to_his_bank(rig: TrueLayerRig) -> None:
    """The robots do what its script does: what stands behind the # becomes a form."""
    settings = {**rig.given(), "hosted_url": f"{ORIGIN}{HOSTED}"}
    rig.given = lambda: settings  # type: ignore[method-assign]
    person = rig.person(opening_minor=100_000)
    begun = await rig.payments_over(None).create_payment(rig.order(person))
    walker = Walker(rig.scene.recorder)
    hosted = (await walker.open(begun.redirect_url)).form("hosted")
    assert hosted is not None
    at_bank = await walker.submit(hosted)
    assert at_bank.form("bank-login") is not None
    back = psu.pay(rig.scene.world, at_bank.url, person)
    assert back == f"{RETURN_URI}?payment_id={begun.handle.ref.reveal()}"
    assert (await rig.payments.payment_now(begun.handle)).status is PayStatus.AUTHORISED
    # Nobody gets there with another token, and it leads back to no script.
    assert (await walker.submit(hosted, {"resource_token": "guessed"})).status == 404
    assert (await walker.submit(hosted, {"return_uri": "javascript:alert(1)"})).status == 422
