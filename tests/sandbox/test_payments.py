"""Payments at the banks: made once, authorised once, booked once, seen to their end."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from sandbox import psu
from sandbox.banks import BY_ID, IN_EURO, Bank
from sandbox.faces.wire import AnswerLost, euros, parse_amount
from sandbox.modes import BankMode, Mode
from sandbox.payments import Outcome
from tests.sandbox.rig import Town

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("bank", IN_EURO, ids=lambda bank: bank.id)
async def test_the_steps_come_when_the_bank_takes_them(town: Town, bank: Bank) -> None:
    ana = town.world.add_person("Ana", bank_id=bank.id, opening_minor=50_000)
    made = await town.payment(ana)
    assert made.json()["transactionStatus"] == "RCVD"
    assert town.pay(ana, made) == "http://saldo.test/back"
    begun = town.clock.at
    for step in bank.steps:
        town.clock.at = begun + step.after
        assert await town.pay_status(made) == step.status
    assert bank.steps[-1].status in bank.settled_at
    assert town.world.town.balance(ana.iban) == 50_000 - 12_050


async def test_an_instant_payment_is_there_in_seconds(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=50_000)
    made = await town.payment(ana, product="instant-sepa-credit-transfers")
    town.pay(ana, made)
    town.clock.forward(seconds=10)
    assert await town.pay_status(made) == "ACSC"


async def test_a_second_yes_moves_no_money(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=50_000)
    made = await town.payment(ana)
    payment = psu.payment_at(town.world, town.online(ana, "payments", made.json()["paymentId"]))
    yes = [
        town.world.payments.authorise(payment, ana, ana.iban, town.clock.forward(minutes=1))
        for _ in range(3)
    ]
    assert yes == [Outcome.DONE, Outcome.ALREADY, Outcome.ALREADY]
    assert town.world.town.balance(ana.iban) == 37_950
    assert town.world.wrong() == []


async def test_the_ledger_sees_one_reference_authorised_twice(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=50_000)
    for _ in range(2):
        town.pay(ana, await town.payment(ana, "10.00", reference="SALDO-9"))
        town.clock.forward(hours=1)
    wrong = town.world.ledger()["wrong"]
    assert [(one["kind"], one["end_to_end"]) for one in wrong] == [("authorised_twice", "SALDO-9")]


async def test_an_unfinished_payment_is_rejected_after_the_banks_time(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=50_000)
    made = await town.payment(ana)
    town.clock.at += BY_ID["luz"].authorise_within - timedelta(seconds=1)
    assert await town.pay_status(made) == "RCVD"
    town.clock.forward(seconds=1)
    assert await town.pay_status(made) == "RJCT"
    assert town.pay(ana, made) == "http://saldo.test/no"
    assert town.world.town.balance(ana.iban) == 50_000


async def test_a_refused_payment_is_over(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=50_000)
    made = await town.payment(ana)
    online = town.online(ana, "payments", made.json()["paymentId"])
    assert psu.refuse_to_pay(town.world, online, ana) == "http://saldo.test/no"
    assert await town.pay_status(made) == "RJCT"
    assert town.pay(ana, made) == "http://saldo.test/no"


async def test_a_cancelled_payment_can_no_longer_be_authorised(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=50_000)
    made = await town.payment(ana)
    path = made.json()["_links"]["self"]["href"]
    assert (await town.ask("DELETE", path)).status_code == 204
    assert (await town.ask("DELETE", path)).status_code == 204
    assert town.pay(ana, made) == "http://saldo.test/no"
    assert town.world.town.balance(ana.iban) == 50_000


async def test_without_money_the_bank_rejects(town: Town) -> None:
    poor = town.world.add_person("Poor", opening_minor=12_049)
    with_limit = town.world.add_person("Limit", opening_minor=0, limit_minor=12_050)
    for person, ends in ((poor, "RJCT"), (with_limit, "ACTC")):
        made = await town.payment(person)
        town.pay(person, made)
        assert await town.pay_status(made) == ends


async def test_somebody_elses_account_cannot_pay(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=50_000)
    eva = town.world.add_person("Eva", opening_minor=50_000)
    made = await town.payment(ana)
    assert town.pay(eva, made) == "http://saldo.test/no"
    assert await town.pay_status(made) == "RCVD"


async def test_banks_differ_in_needing_the_payers_account(town: Town) -> None:
    for bank in IN_EURO:
        person = town.world.add_person("P", bank_id=bank.id, opening_minor=50_000)
        made = await town.payment(person, debtor=False)
        assert made.status_code == (400 if bank.needs_debtor_iban else 201)
        if made.status_code == 201:
            town.pay(person, made)
            assert town.world.town.balance(person.iban) == 37_950


async def test_a_bank_may_repeat_its_answer_for_the_same_request_id(town: Town) -> None:
    same = "6f1c5a8e-2f7b-4c3f-9f55-2c8b8c1f4a10"
    for bank_id, payments in (("luz", 1), ("foerde", 2)):
        ana = town.world.add_person("Ana", bank_id=bank_id, opening_minor=50_000)
        made = [await town.payment(ana, X_Request_ID=same) for _ in range(2)]
        assert len({one.json()["paymentId"] for one in made}) == payments


@pytest.mark.parametrize(
    ("mode", "after", "ends"),
    [
        (Mode.PAYMENT_REJECTED, timedelta(minutes=6), "RJCT"),
        (Mode.PAYMENT_PENDING_LONG, timedelta(days=2), "ACTC"),
        (Mode.PAYMENT_PENDING_LONG, timedelta(days=3, hours=1), "ACSC"),
        (Mode.PAYMENT_RETURNED, timedelta(hours=1), "ACSC"),
        (Mode.PAYMENT_RETURNED, timedelta(hours=30), "RJCT"),
    ],
)
async def test_payments_that_take_another_way(
    town: Town, mode: Mode, after: timedelta, ends: str
) -> None:
    ana = town.world.add_person("Ana", opening_minor=50_000)
    town.world.set_mode(ana.id, mode)
    made = await town.payment(ana)
    town.pay(ana, made)
    town.clock.at += after
    assert await town.pay_status(made) == ends
    gone = mode is not Mode.PAYMENT_REJECTED and ends != "RJCT"
    assert town.world.town.balance(ana.iban) == (37_950 if gone else 50_000)


async def test_an_answer_is_lost_and_the_payment_is_made(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=50_000)
    town.world.set_mode(ana.id, Mode.PAYMENT_ANSWER_LOST, 2)
    for _ in range(2):
        with pytest.raises(AnswerLost):
            await town.payment(ana)
    assert (await town.payment(ana)).status_code == 201
    town.world.town.set_bank_mode("luz", BankMode.PAYMENT_ANSWER_LOST, 1)
    with pytest.raises(httpx.ReadError):
        await town.payment(ana, debtor=False)
    assert len(town.world.payments.all()) == 4


@pytest.mark.parametrize(
    ("text", "minor"),
    [("1", 100), ("1.5", 150), ("0.05", 5), ("12345678901234.99", 1234567890123499)],
)
def test_amounts_of_the_wire(text: str, minor: int) -> None:
    assert parse_amount(text) == minor
    assert parse_amount(euros(minor)) == minor


@pytest.mark.parametrize("text", ["", "-1", "1,5", "1.", ".5", "1.234", "1e3", "١", None, 1.5])
def test_what_is_no_amount_of_the_wire(text: object) -> None:
    assert parse_amount(text) is None


def test_negative_balances_are_written_with_their_sign() -> None:
    assert [euros(minor) for minor in (-5, -12_345, 0)] == ["-0.05", "-123.45", "0.00"]


async def test_the_ledger_sees_two_payments_under_way_at_once(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=90_000)
    first = await town.payment(ana, "10.00", reference="R-1")
    second = await town.payment(ana, "10.00", reference="R-2")
    town.pay(ana, first)
    assert town.world.wrong() == [], "a second one that nobody authorises does no harm"
    town.clock.forward(hours=1)
    assert await town.pay_status(first) == "ACSC"
    third = await town.payment(ana, "10.00", reference="R-3")
    town.pay(ana, third)
    assert town.world.wrong() == [], "one after the other"
    town.clock.forward(hours=1)
    town.pay(ana, second)
    assert [one["kind"] for one in town.world.wrong()] == ["two_at_once"]
