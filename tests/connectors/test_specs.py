"""Every exchange of a whole walk, held against the providers' published descriptions."""

from __future__ import annotations

import os
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.domain.errors import ProviderError
from app.domain.ids import Iban
from app.side_ports import TransactionsPort
from sandbox.modes import Mode
from sandbox.money_life import Salary, Spending
from sandbox.people import Person
from tests.connectors.rig_twilio import TwilioRig
from tests.connectors.rigs import BankRig
from tests.connectors.scene import HERE, Exchange
from tests.specs.openapi import Spec

pytestmark = pytest.mark.anyio

SPECS = Path(__file__).resolve().parents[1] / "specs"
BANKS = ("luz", "ribera", "wisla", "foerde")


@pytest.fixture(scope="module")
def berlin_group() -> Spec:
    return Spec(SPECS / "berlin_group_1.3.11.yaml")


def problems(spec: Spec, seen: list[Exchange], prefix: str) -> list[str]:
    """What does not fit, of requests and answers, each with where it was found."""
    found = []
    for one in seen:
        parts = urlsplit(one.url)
        path = parts.path.removeprefix(prefix) + (f"?{parts.query}" if parts.query else "")
        wrong = spec.wrong_in_request(one.method, path, one.headers, one.body)
        if one.answer is not None:
            kind = one.answer.headers.get("content-type", "")
            wrong += spec.wrong_in_answer(
                one.method, path, one.answer.status_code, kind, one.answer.content
            )
        found += [f"{one.method} {parts.path}: {problem}" for problem in wrong]
    return found


async def walk(rig: BankRig) -> None:
    """Everything the connector can ask of a bank, with the usual refusals."""
    # He lives on it, so that there are transactions.
    born = rig.watch.now() - timedelta(days=200)
    habits: dict[str, Any] = {"salary": Salary(150_000), "spending": Spending(), "born": born}
    person = rig.person(opening_minor=100_000, limit_minor=50_000, second=True, **habits)
    for consent in (
        await rig.begin(),
        await rig.begin(iban=Iban.parse(person.iban), recurring=False),
    ):
        await rig.aggregation.grant_now(consent.grant)
        rig.allow(consent, person)
        await rig.aggregation.grant_now(consent.grant)
        for presence in (None, HERE):
            for account in await rig.aggregation.accounts(consent.grant, presence):
                await rig.aggregation.balances(consent.grant, account.ref, presence)
        account, *_ = await rig.aggregation.accounts(consent.grant, HERE)
        with pytest.raises(ProviderError):
            for _ in range(5):
                rig.watch.on(minutes=10)
                await rig.aggregation.balances(consent.grant, account.ref, None)
        await rig.aggregation.end_consent(consent.grant)
        with pytest.raises(ProviderError):
            await rig.aggregation.balances(consent.grant, account.ref, None)
    await look(rig, person)
    for instant in (False, True):
        begun = await rig.payments.create_payment(rig.order(person, instant=instant))
        await rig.payments.payment_now(begun.handle)
        rig.pay(begun, person)
        await rig.payments.payment_now(begun.handle)
        await rig.payments.cancel_payment(begun.handle)
        open_one = await rig.payments.create_payment(rig.order(person, instant=instant))
        await rig.payments.cancel_payment(open_one.handle)


async def look(rig: BankRig, person: Person) -> None:
    """Transactions over several pages, with and without the right to them."""
    assert isinstance(rig.aggregation, TransactionsPort)
    since = rig.watch.now().date() - timedelta(days=89)
    for ticked in (True, False):
        begun = await rig.begin(transactions=ticked)
        rig.allow(begun, person)
        account, *_ = await rig.aggregation.accounts(begun.grant, HERE)
        with nullcontext() if ticked else pytest.raises(ProviderError):
            assert await rig.aggregation.transactions(begun.grant, account.ref, since, HERE)


@pytest.mark.parametrize("bank", BANKS)
async def test_berlin_group_exchanges_fit_the_specification(
    berlin_group: Spec, tmp_path: Path, bank: str
) -> None:
    rig = BankRig(tmp_path, bank)
    await walk(rig)
    assert len(rig.seen) > 30
    assert problems(berlin_group, rig.seen, f"/banks/{bank}/psd2") == []


async def test_the_check_finds_what_does_not_fit(berlin_group: Spec, tmp_path: Path) -> None:
    """A check that cannot fail would be worth nothing."""
    rig = BankRig(tmp_path)
    await rig.begin()
    (good,) = rig.seen
    headers = dict(good.headers)
    body = good.body
    path = "/v1/consents"
    check = berlin_group.wrong_in_request
    assert check("POST", path, headers, body) == []
    for header in ("x-request-id", "psu-ip-address"):
        broken = {name: value for name, value in headers.items() if name != header}
        assert check("POST", path, broken, body) == [f"header {header} is missing"]
    assert check("POST", path, {**headers, "psu-address": "x"}, body)
    assert check("POST", path, {**headers, "x-request-id": "7"}, body)
    assert check("POST", path + "?a=1", headers, body) == ["query a is unknown"]
    assert check("POST", path, headers, body.replace(b"validUntil", b"validTill"))
    assert check("POST", path, headers, b"{}")
    assert berlin_group.wrong_in_answer("POST", path, 201, "application/json", b"{}")
    assert berlin_group.wrong_in_answer("POST", path, 418, "application/json", b"{}")
    with pytest.raises(KeyError):
        check("GET", "/v1/trusted-beneficiaries", headers, b"")


async def test_twilio_exchanges_fit_the_specification() -> None:
    folder = os.environ.get("SALDO_SPECS_DIR", "")
    if not folder:
        # Twilio's description may not be copied into the project.
        pytest.skip("SALDO_SPECS_DIR names no folder with twilio-messages.json")
    rig = TwilioRig()
    person, landline = rig.person(), rig.person()
    rig.fault(landline, Mode.SMS_LANDLINE)
    sms = rig.sms(person)
    sent = await rig.messages.send(sms)
    await rig.messages.message_now(sent.ref)
    assert await rig.messages.find(sms) is not None
    with pytest.raises(ProviderError):
        await rig.messages.send(rig.sms(landline))
    described = Spec(Path(folder) / "twilio-messages.json")
    refusals = [one for one in rig.seen if one.answer is not None and not one.answer.is_success]
    for one in refusals:
        one.answer = None  # Twilio describes no error answers
    assert problems(described, rig.seen, "/twilio") == []
