"""Payments through Enable Banking: an order, its page, and words that banks mean differently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from app.domain.errors import Declined, Misconfigured, OutcomeUnknown, ProviderError, TryLater
from app.domain.ids import Secret
from app.domain.money import Money
from app.pay_ports import CancelResult, PaymentHandle, PayStatus
from connectors._http import client
from connectors.enable_banking.payments import Payments, status_of
from connectors.enable_banking.settings import BankProfile, BankRoute, Settings
from sandbox.faces.eb_wire import ROOT
from tests.connectors.answers import answering
from tests.connectors.registry import refused
from tests.connectors.rig_enable_banking import EnableBankingRig
from tests.connectors.scene import CREDITOR, ORIGIN

pytestmark = pytest.mark.anyio

PLAIN = {
    "id": "b",
    "name": "B",
    "country": "ES",
    "aspsp_name": "B",
    "maximum_consent_validity": 86_400,
}


@pytest.fixture
def rig(tmp_path: Path) -> EnableBankingRig:
    return EnableBankingRig(tmp_path)


async def test_the_order_on_the_wire(rig: EnableBankingRig) -> None:
    person = rig.person()
    order = rig.order(person, instant=True, amount=Money(123_450, "EUR"))
    begun = await rig.payments.create_payment(order)
    (made,) = rig.seen
    said = orjson.loads(made.body)
    assert said == {
        "payment_type": "INST_SEPA",
        "payment_request": {
            "credit_transfer_transaction": [
                {
                    "instructed_amount": {"amount": "1234.50", "currency": "EUR"},
                    "beneficiary": {
                        "creditor": {"name": "Préstamos Sol SL"},
                        "creditor_account": {
                            "scheme_name": "IBAN",
                            "identification": CREDITOR.reveal(),
                        },
                    },
                    "payment_id": {"end_to_end_id": "SALDO-0001"},
                    "remittance_information": ["Cuota préstamo 17 ñ/ł"],
                }
            ],
            "debtor_account": {"scheme_name": "IBAN", "identification": person.iban},
        },
        "aspsp": {"name": "Banco Luz", "country": "ES"},
        "state": "t0k3n",
        "redirect_url": "https://saldo.example/p/back",
        "psu_type": "personal",
    }
    assert begun.redirect_url not in repr(begun)
    (payment,) = rig.scene.world.payments.all()
    assert (payment.end_to_end, payment.amount_minor) == ("SALDO-0001", 123_450)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Money(0, "EUR")},
        {"amount": Money(100, "GBP")},
        {"bank_id": "unknown"},
        {"end_to_end_ref": "S" * 36},
    ],
)
async def test_orders_that_are_not_sent(rig: EnableBankingRig, changes: dict[str, Any]) -> None:
    order = rig.order(rig.person(), **changes)
    assert isinstance(await refused(rig.payments.create_payment(order)), Declined)
    assert rig.seen == []


async def test_a_bank_that_wants_the_payers_account(tmp_path: Path) -> None:
    rig = EnableBankingRig(tmp_path, "ribera")
    (bank,) = [one for one in rig.payments.banks() if one.id == "ribera"]
    if bank.needs_debtor_iban:
        order = rig.order(rig.person(), debtor_iban=None)
        assert isinstance(await refused(rig.payments.create_payment(order)), Declined)
    wanted = BankRoute.of(BankProfile.model_validate({**PLAIN, "needs_debtor_iban": True}))
    assert wanted.bank.needs_debtor_iban


@pytest.mark.parametrize(
    ("word", "careful"),
    [
        ("RCVD", PayStatus.OPEN), ("PDNG", PayStatus.OPEN), ("ACTC", PayStatus.OPEN),
        ("ACCP", PayStatus.OPEN), ("ACSP", PayStatus.AUTHORISED), ("ACWP", PayStatus.AUTHORISED),
        ("ACSC", PayStatus.AUTHORISED), ("ACCC", PayStatus.SETTLED), ("RJCT", PayStatus.REJECTED),
        ("CNCL", PayStatus.CANCELLED), ("PART", PayStatus.OPEN), ("NULL", PayStatus.OPEN),
        (None, PayStatus.OPEN),
    ],
)  # fmt: skip
def test_the_words_of_a_payment(word: Any, careful: PayStatus) -> None:
    route = BankRoute.of(BankProfile.model_validate(PLAIN))
    assert status_of({"status": word}, route).status is careful
    trusting = {**PLAIN, "settled_at": ("ACSC", "ACCC"), "authorised_at": ("ACTC", "ACSP")}
    route = BankRoute.of(BankProfile.model_validate(trusting))
    expected = {"ACSC": PayStatus.SETTLED, "ACTC": PayStatus.AUTHORISED}.get(word, careful)
    assert status_of({"status": word}, route).status is expected


def test_settings_that_cannot_be(rig: EnableBankingRig) -> None:
    given = rig.given()
    del given["payment_page_minutes"]
    with pytest.raises(Misconfigured, match="PAYMENT_PAGE_MINUTES"):
        Payments(Settings.model_validate(given), rig.scene.wire())
    text = rig.bank_list.read_text(encoding="utf-8").replace('"ACSC"', '"RCVD"')
    rig.bank_list.write_text(text, encoding="utf-8")
    with pytest.raises(Misconfigured):
        rig.payments_over(None)


async def test_an_open_payment_cannot_even_be_deleted(rig: EnableBankingRig) -> None:
    person = rig.person(opening_minor=100_000)
    begun = await rig.payments.create_payment(rig.order(person))
    http = client(transport=rig.scene.recorder)
    headers = {"Authorization": rig.seen[0].headers["authorization"]}
    address = f"{ORIGIN}{ROOT}/payments/{begun.handle.ref.reveal()}"
    answer = await http.delete(address, headers=headers)
    assert answer.json()["error"] == "PAYMENT_NOT_FINALIZED"
    assert await rig.payments.cancel_payment(begun.handle) is CancelResult.IMPOSSIBLE
    rig.pay(begun, person)
    rig.watch.on(days=1)
    assert (await http.get(address, headers=headers)).json()["final_status"] is True
    assert (await http.delete(address, headers=headers)).status_code == 200
    assert isinstance(await refused(rig.payments.payment_now(begun.handle)), TryLater)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (422, "INVALID_PAYMENT", Declined),
        (422, "PAYMENT_LIMIT_EXCEEDED", Declined),
        (403, "UNTRUSTED_PAYMENT_PARTY", TryLater),
        (401, "UNAUTHORIZED_ACCESS", TryLater),
        (400, "ASPSP_ERROR", OutcomeUnknown),
        (408, "ASPSP_TIMEOUT", OutcomeUnknown),
        (429, "ASPSP_RATE_LIMIT_EXCEEDED", TryLater),
    ],
)
async def test_refused_orders(
    rig: EnableBankingRig, status: int, code: str, expected: type[ProviderError]
) -> None:
    said = {"message": "IBAN ES91", "code": status, "error": code}
    payments = rig.payments_over(answering(status, said))
    error = await refused(payments.create_payment(rig.order(rig.person())))
    assert type(error) is expected
    assert "ES91" not in f"{error} {error.detail}"
    handle = PaymentHandle("luz", Secret("p1"))
    assert isinstance(await refused(payments.payment_now(handle)), TryLater)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"payment_id": "p1", "status": "RCVD", "url": "javascript:alert(1)"}, OutcomeUnknown),
        (
            {"payment_id": "../p", "status": "RCVD", "url": "https://tilisy.enablebanking.com/"},
            OutcomeUnknown,
        ),
        (
            {"payment_id": "p1", "status": "RJCT", "url": "https://tilisy.enablebanking.com/"},
            Declined,
        ),
    ],
)
async def test_answers_that_lead_nowhere(
    rig: EnableBankingRig, body: Any, expected: type[ProviderError]
) -> None:
    payments = rig.payments_over(httpx.MockTransport(lambda _: httpx.Response(200, json=body)))
    error = await refused(payments.create_payment(rig.order(rig.person())))
    assert type(error) is expected
