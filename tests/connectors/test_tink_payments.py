"""Payments through Tink: a request that has no state, never ends, and can be paid twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from structlog.testing import capture_logs

from app.domain.errors import Declined, Misconfigured, OutcomeUnknown, ProviderError, TryLater
from app.domain.ids import Secret
from app.domain.money import Money
from app.pay_ports import CancelResult, PaymentHandle, PayStatus
from connectors._http import client
from connectors.tink.hooks import events_in
from connectors.tink.payments import request_now
from connectors.tink.settings import Provider
from sandbox import psu
from sandbox.faces.tink_wire import CLIENT_SECRET
from tests.connectors.answers import answering
from tests.connectors.registry import refused
from tests.connectors.rig_tink import TinkRig
from tests.connectors.scene import ORIGIN

pytestmark = pytest.mark.anyio

BANK = Provider(id="luz", name="L", country="ES", provider_name="es-luz", locale="es_ES")
HANDLE = PaymentHandle("luz", Secret("R1"))


@pytest.fixture
def rig(tmp_path: Path) -> TinkRig:
    return TinkRig(tmp_path)


async def test_the_order_on_the_wire(rig: TinkRig) -> None:
    order = rig.order(rig.person(), amount=Money(123_450, "EUR"), instant=True)
    begun = await rig.payments.create_payment(order)
    token, made, _page = rig.seen
    assert b"scope=payment%3Awrite%2Cpayment%3Aread" in token.body
    assert b'"amount":1234.50' in made.body
    assert orjson.loads(made.body) == {
        "amount": 1234.5,
        "currency": "EUR",
        "market": "ES",
        "recipient": {"accountNumber": order.creditor_account.reveal(), "accountType": "iban"},
        "recipientName": "Préstamos Sol SL",
        "remittanceInformation": {"type": "UNSTRUCTURED", "value": "SALDO-0001"},
        "paymentScheme": "SEPA_INSTANT_CREDIT_TRANSFER",
    }
    page = urlsplit(begun.redirect_url)
    assert page.path.endswith("/pay/")
    said = {name: value for name, (value,) in parse_qs(page.query).items()}
    assert said["payment_request_id"] == begun.handle.ref.reveal()
    assert said["redirect_uri"] == "https://saldo.example/paid"
    assert (said["market"], said["locale"]) == ("ES", "es_ES")
    assert begun.handle.ref.reveal() not in repr(begun)
    assert all(CLIENT_SECRET not in f"{one.url}" for one in rig.seen)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Money(0, "EUR")},
        {"amount": Money(100, "PLN")},
        {"bank_id": "unknown"},
        {"end_to_end_ref": "S" * 36},
        {"end_to_end_ref": "ñ"},
    ],
)
async def test_orders_that_are_not_sent(rig: TinkRig, changes: dict[str, Any]) -> None:
    order = rig.order(rig.person(), **changes)
    assert isinstance(await refused(rig.payments.create_payment(order)), Declined)
    assert rig.seen == []


async def test_a_page_that_is_paid_twice_is_two_payments(rig: TinkRig) -> None:
    person = rig.person(opening_minor=100_000)
    begun = await rig.payments.create_payment(rig.order(person))
    rig.pay(begun, person)
    first = await rig.payments.payment_now(begun.handle)
    assert (first.status, first.raw_status, first.again) == (PayStatus.AUTHORISED, "SENT", ())
    rig.watch.on(minutes=1)
    await rig.visit(begun)  # he kept the address
    now = await rig.payments.payment_now(begun.handle)
    assert now.again == ()  # a second one that nobody has authorised is none
    rig.pay(begun, person)
    now = await rig.payments.payment_now(begun.handle)
    (second,) = now.again
    assert second.ref.reveal().startswith(f"{begun.handle.ref.reveal()}/")
    assert (await rig.payments.payment_now(second)).status is PayStatus.AUTHORISED
    rig.watch.on(days=1)
    assert (await rig.payments.payment_now(second)).status is PayStatus.SETTLED
    assert (await rig.payments.payment_now(begun.handle)).status is PayStatus.SETTLED
    assert await rig.payments.cancel_payment(second) is CancelResult.IMPOSSIBLE
    other = PaymentHandle("luz", Secret(f"{begun.handle.ref.reveal()}/other"))
    assert isinstance(await refused(rig.payments.payment_now(other)), TryLater)


async def test_a_no_leaves_the_page_as_it_is(rig: TinkRig) -> None:
    person = rig.person(opening_minor=100_000)
    begun = await rig.payments.create_payment(rig.order(person))
    rig.refuse_to_pay(begun, person)
    now = await rig.payments.payment_now(begun.handle)
    assert (now.status, now.raw_status, now.repeats) == (PayStatus.CANCELLED, "CANCELLED", True)
    rig.watch.on(minutes=1)
    await rig.visit(begun)
    assert (await rig.payments.payment_now(begun.handle)).status is PayStatus.OPEN
    rig.pay(begun, person)
    now = await rig.payments.payment_now(begun.handle)
    assert (now.status, now.again) == (PayStatus.AUTHORISED, ())


async def test_sent_is_money_only_where_the_list_says_so(tmp_path: Path) -> None:
    rig = TinkRig(tmp_path, "foerde")
    person = rig.person(opening_minor=100_000)
    begun = await rig.payments.create_payment(rig.order(person))
    rig.pay(begun, person)
    assert (await rig.payments.payment_now(begun.handle)).status is PayStatus.SETTLED
    lines = rig.bank_list.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("settled_at")]
    rig.bank_list.write_text("\n".join(kept), encoding="utf-8")
    rig.watch.on(days=30)
    careful = await rig.payments_over(None).payment_now(begun.handle)
    assert (careful.status, careful.raw_status) == (PayStatus.AUTHORISED, "SENT")
    rig.bank_list.write_text("\n".join([*kept, 'settled_at = ["FAILED"]']), encoding="utf-8")
    with pytest.raises(Misconfigured):
        rig.payments_over(None)


def transfer(number: int, status: Any, **more: Any) -> dict[str, Any]:
    return {"id": f"t{number}", "status": status, "created": 1_700_000_000_000 + number, **more}


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("CREATED", PayStatus.OPEN),
        ("AWAITING_CREDENTIALS", PayStatus.OPEN),
        ("SENT", PayStatus.AUTHORISED),
        ("SETTLED_PAYER", PayStatus.AUTHORISED),
        ("SETTLED_PAYEE", PayStatus.SETTLED),
        ("SETTLED", PayStatus.SETTLED),
        ("FAILED", PayStatus.REJECTED),
        ("CANCELLED", PayStatus.CANCELLED),
        ("TELEPORTED", PayStatus.OPEN),
        ("Sent for Ana 44", PayStatus.OPEN),
        (None, PayStatus.OPEN),
    ],
)
def test_the_words_of_a_transfer(word: Any, status: PayStatus) -> None:
    with capture_logs() as logs:
        now = request_now([transfer(1, word)], HANDLE, BANK)
    assert (now.status, now.repeats) == (status, True)
    # A code word is shown to whoever mends the list, of anything else only the shape.
    shown = {"TELEPORTED": "TELEPORTED", "Sent for Ana 44": "xxxx xxx xxx 99", None: "NoneType"}
    assert [line["word"] for line in logs] == ([shown[word]] if word in shown else [])


@pytest.mark.parametrize(
    ("words", "status", "again"),
    [
        ((), PayStatus.OPEN, 0),
        (("CANCELLED", "AWAITING_CREDENTIALS"), PayStatus.OPEN, 0),
        (("AWAITING_CREDENTIALS", "CANCELLED"), PayStatus.OPEN, 0),
        (("CANCELLED", "FAILED"), PayStatus.REJECTED, 0),
        (("FAILED", "SENT"), PayStatus.AUTHORISED, 0),
        (("SENT", "FAILED"), PayStatus.AUTHORISED, 0),
        (("SENT", "SETTLED_PAYEE"), PayStatus.AUTHORISED, 1),
        (("SETTLED_PAYEE", "SENT", "AWAITING_CREDENTIALS", "SENT"), PayStatus.SETTLED, 2),
    ],
)
def test_several_transfers_of_one_request(
    words: tuple[str, ...], status: PayStatus, again: int
) -> None:
    listed = [transfer(number, word) for number, word in enumerate(words)]
    for order in (listed, listed[::-1]):
        now = request_now(order, HANDLE, BANK)
        assert (now.status, len(now.again)) == (status, again)
        refs = {one.ref.reveal() for one in now.again}
        assert now.ours is None or now.ours.reveal() not in refs


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error_code": "INVALID_REQUEST", "error_message": "IBAN ES91"}, Declined),
        (403, {"error_code": "forbidden"}, Declined),
        (429, {"error_code": "limit"}, TryLater),
        (200, {"id": "../x"}, OutcomeUnknown),
        (200, [], OutcomeUnknown),
    ],
)
async def test_refused_orders(
    rig: TinkRig, status: int, body: Any, expected: type[ProviderError]
) -> None:
    payments = rig.payments_over(answering(status, body))
    error = await refused(payments.create_payment(rig.order(rig.person())))
    assert type(error) is expected
    assert "ES91" not in f"{error} {error.detail}"


def test_a_call_about_a_transfer_names_its_request() -> None:
    said = {
        "context": {},
        "event": "payment:updated",
        "content": {"id": "t1", "paymentRequestId": "R1", "status": "SENT"},
    }
    (event,) = events_in(orjson.dumps(said))
    assert event.payment_ref == Secret("R1")
    assert event.consent_key is None
    said["content"] = {"id": "t1", "paymentRequestId": "../x"}
    assert events_in(orjson.dumps(said)) == ()


async def test_the_sandboxs_page_leads_to_the_bank(rig: TinkRig) -> None:
    person = rig.person(opening_minor=100_000)
    begun = await rig.payments.create_payment(rig.order(person))
    assert psu.payment_at(rig.scene.world, rig.at_bank).remittance == "SALDO-0001"
    http = client(transport=rig.scene.recorder)
    again = await http.get(begun.redirect_url)
    assert f"{ORIGIN}{again.headers['location']}" == rig.at_bank
    refused_page = await http.get(begun.redirect_url.replace("es-luz", "de-luz"))
    assert refused_page.status_code == 400
