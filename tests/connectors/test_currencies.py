"""Payments in pounds and zloty: who moves them, to which account, and who refuses beforehand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from plaid.model.payment_amount_currency import PaymentAmountCurrency
from plaid.model.payment_initiation_recipient_create_request import (
    PaymentInitiationRecipientCreateRequest,
)
from plaid.model.recipient_bacs_nullable import RecipientBACSNullable

import connectors
from app.domain.account import BankAccount
from app.domain.errors import Declined
from app.domain.ids import Iban
from app.domain.money import Money
from app.pay_ports import PaymentOrder, PayStatus
from sandbox.faces.eb_wire import ROOT
from sandbox.faces.tl_wire import API
from sandbox.ibans import make
from sandbox.people import Person
from tests.connectors.registry import BANK_RIGS, refused
from tests.connectors.rigs import BankRig
from tests.connectors.scene import BRITISH, CREDITOR
from tests.connectors.test_specs import problems
from tests.specs.openapi import Spec

pytestmark = pytest.mark.anyio

POLISH = Iban.parse("PL61 1090 1014 0000 0712 1981 2874")
ACCOUNTS: dict[str, BankAccount] = {"EUR": CREDITOR, "GBP": BRITISH, "PLN": POLISH}
PAYING = sorted(name for name in BANK_RIGS if connectors.discover()[name].payments is not None)
BANKS = {"wharf": "GBP", "odra": "PLN"}
# Whose documents say so; everybody else refuses.
CARRIED = {
    "berlin_group": ("odra",),
    "enable_banking": ("odra",),
    "gocardless_pay": ("wharf",),
    "plaid": ("wharf", "odra"),
    "tink": ("wharf", "odra"),
    "truelayer": ("wharf", "odra"),
}


def order(rig: BankRig, person: Person, currency: str, **changes: Any) -> PaymentOrder:
    plain: dict[str, Any] = {
        "amount": Money(12_345, currency),
        "creditor_account": ACCOUNTS[currency],
        "end_to_end_ref": "S2345678901234567A",
    }
    return rig.order(person, **{**plain, **changes})


@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize("name", PAYING)
async def test_from_the_order_to_the_money_or_refused_before_it(
    name: str, bank: str, tmp_path: Path
) -> None:
    rig, currency = BANK_RIGS[name](tmp_path, bank), BANKS[bank]
    person = rig.person(opening_minor=100_000)
    listed = {one.id: one for one in rig.payments.banks()}
    if bank not in CARRIED[name]:
        assert bank not in listed or listed[bank].pays == ()
        error = await refused(rig.payments.create_payment(order(rig, person, currency)))
        assert isinstance(error, Declined)
        assert rig.seen == []
        return
    (carried,) = listed[bank].pays
    assert carried.currency == currency
    begun = await rig.payments.create_payment(order(rig, person, currency))
    assert (await rig.payments.payment_now(begun.handle)).status is PayStatus.OPEN
    rig.pay(begun, person)
    rig.watch.on(days=1)
    assert (await rig.payments.payment_now(begun.handle)).status is PayStatus.SETTLED
    (payment,) = rig.scene.world.payments.all()
    assert (payment.amount_minor, payment.currency) == (12_345, currency)
    if name != "gocardless_pay":
        assert payment.creditor_iban == ACCOUNTS[currency].reveal()
    assert rig.scene.world.town.balance(person.iban) == 100_000 - 12_345


@pytest.mark.parametrize("name", PAYING)
async def test_what_is_not_asked_for(name: str, tmp_path: Path) -> None:
    """The other currency, a reference too long for Faster Payments, an account of another form."""
    for bank, currency in BANKS.items():
        if bank not in CARRIED[name]:
            continue
        rig = BANK_RIGS[name](tmp_path, bank)
        person = rig.person(opening_minor=100_000)
        wrong: list[dict[str, Any]] = [
            {"amount": Money(0, currency)},
            {"amount": Money(5_000, "EUR"), "creditor_account": CREDITOR},
            {"creditor_account": CREDITOR if currency == "GBP" else BRITISH},
            {"instant": True},
        ]
        if currency == "GBP" and name != "gocardless_pay":
            wrong.append({"end_to_end_ref": "S23456789012345678"[:17] + "AB"})
            assert {one.id: one for one in rig.payments.banks()}[bank].longest_reference == 18
        for changes in wrong:
            attempt = rig.payments.create_payment(order(rig, person, currency, **changes))
            assert isinstance(await refused(attempt), Declined), (bank, changes)
        assert rig.scene.world.payments.all() == []


async def test_a_british_iban_holds_the_sort_code(tmp_path: Path) -> None:
    rig = BANK_RIGS["truelayer"](tmp_path, "wharf")
    person = rig.person(opening_minor=100_000)
    account = Iban.parse(make("GB", "WHRF200000", 55_779_911))
    await rig.payments.create_payment(order(rig, person, "GBP", creditor_account=account))
    (payment,) = rig.scene.world.payments.all()
    assert payment.creditor_iban == BRITISH.reveal()


# ---------------------------------------------------------------- the vendors' own word


def described(name: str) -> Spec:
    folder = os.environ.get("SALDO_SPECS_DIR", "")
    if not folder:
        pytest.skip(f"SALDO_SPECS_DIR names no folder with {name}")
    return Spec(Path(folder) / name)


@pytest.mark.parametrize(
    ("name", "bank", "file", "root"),
    [
        ("truelayer", "wharf", "truelayer-payments.yaml", API),
        ("enable_banking", "odra", "enable-banking.yaml", ROOT),
    ],
)
async def test_orders_fit_the_vendors_description(
    name: str, bank: str, file: str, root: str, tmp_path: Path
) -> None:
    spec, rig = described(file), BANK_RIGS[name](tmp_path, bank)
    person = rig.person(opening_minor=100_000)
    await rig.payments.create_payment(order(rig, person, BANKS[bank]))
    seen = [one for one in rig.seen if one.url.endswith("/payments")]
    for one in seen:
        if one.answer is not None and one.answer.status_code == 201:
            one.answer.status_code = 200  # recorded answers say 201, the description says 200
    assert len(seen) == 1
    assert problems(spec, seen, root) == []


@pytest.mark.parametrize("bank", BANKS)
async def test_plaids_own_models_take_what_we_send(bank: str, tmp_path: Path) -> None:
    rig, currency = BANK_RIGS["plaid"](tmp_path, bank), BANKS[bank]
    await rig.payments.create_payment(order(rig, rig.person(), currency))
    asked_for = [(urlsplit(one.url).path, one.body) for one in rig.seen if one.body]
    sent = {path.rsplit("/", 2)[1]: orjson.loads(body) for path, body in asked_for}
    amount, recipient = sent["payment"]["amount"], sent["recipient"]
    assert PaymentAmountCurrency(amount["currency"]).value == currency
    if currency == "GBP":
        bacs = RecipientBACSNullable(**recipient["bacs"])
        assert (bacs.sort_code, bacs.account) == ("200000", "55779911")
    asked = {key: value for key, value in recipient.items() if key in ("name", "iban")}
    PaymentInitiationRecipientCreateRequest(**asked)
