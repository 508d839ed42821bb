"""Every answer of the banks against the published Berlin Group description, mechanically.

A checking client stands between test and bank; the walks below make the banks say everything
they can say, faults included.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import httpx
import pytest

from sandbox import psu
from sandbox.banks import IN_EURO
from sandbox.modes import BankMode, Mode
from sandbox.money_life import Salary, Spending
from sandbox.payments import Outcome
from tests.sandbox.rig import ADDRESS, MONDAY, Town
from tests.sandbox.spec import BERLIN_GROUP, Specification

pytestmark = pytest.mark.anyio

EARLIER = MONDAY - timedelta(days=200)

# Bodies that real banks send outside the standard; being different is their point.
OUTSIDE = {Mode.LIMIT_OWN_SHAPE, Mode.UNKNOWN_TYPES}


@cache
def specification() -> Specification:
    return Specification(BERLIN_GROUP)


class Checked(httpx.AsyncBaseTransport):
    """Checks every answer under /psd2 on its way."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.seen: set[tuple[str, int]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        await answer.aread()
        path = request.url.path.partition("/psd2")[2]
        if path:
            specification().check(request.method, path, answer)
            if answer.status_code >= 400 and answer.headers["content-type"] == "application/json":
                # The description leaves the message list out of the required fields.
                assert answer.json()["tppMessages"][0]["category"] == "ERROR"
            self.seen.add((request.method, answer.status_code))
        return answer


@pytest.fixture
def checked(town: Town) -> Checked:
    transport = Checked(town.http._transport)
    town.http._transport = transport
    return transport


def test_the_description_is_the_official_one() -> None:
    described = specification().document
    assert described["info"]["version"].startswith("1.3.11")
    assert specification().operation("GET", "/v1/accounts/a-1/balances") is not None


def test_the_check_sees_what_is_wrong() -> None:
    request = httpx.Request("GET", "http://bank.test")
    headers = {"X-Request-ID": "99391c7e-ad88-49ec-a2ad-99ddcb1f7721"}
    bad: list[Any] = [
        {"balances": [{"balanceAmount": {"currency": "EUR", "amount": 1.5}, "balanceType": "x"}]},
        {"balances": [{"balanceType": "expected"}]},
        {},
    ]
    for body in bad:
        answer = httpx.Response(200, json=body, headers=headers, request=request)
        with pytest.raises(AssertionError):
            specification().check("GET", "/v1/accounts/a-1/balances", answer)
    without_id = httpx.Response(200, json={"balances": []}, request=request)
    with pytest.raises(AssertionError, match="X-Request-ID"):
        specification().check("GET", "/v1/accounts/a-1/balances", without_id)


@pytest.mark.parametrize("bank_id", [bank.id for bank in IN_EURO])
async def test_a_consent_from_beginning_to_end(town: Town, checked: Checked, bank_id: str) -> None:
    ana = town.world.add_person("Ana", bank_id=bank_id, opening_minor=50_000, second=True)
    consent_id = await town.consent(ana)
    path = f"/banks/{bank_id}/psd2/v1/consents/{consent_id}"
    for part in ("", "/status"):
        assert (await town.ask("GET", path + part)).status_code == 200
    assert (await town.accounts(ana, consent_id)).status_code == 200
    listed = await town.ask(
        "GET", f"/banks/{bank_id}/psd2/v1/accounts?withBalance=true", Consent_ID=consent_id
    )
    assert len(listed.json()["accounts"]) == 2
    for _ in range(4):
        assert (await town.balances(ana, consent_id)).status_code == 200
        town.clock.forward(hours=1)
    assert (await town.balances(ana, consent_id)).status_code == 429
    assert (await town.ask("DELETE", path)).status_code == 204
    assert (await town.balances(ana, consent_id)).status_code == 401
    assert (await town.ask("DELETE", path)).status_code == 401
    assert {("POST", 201), ("DELETE", 204), ("GET", 429)} <= checked.seen


@pytest.mark.parametrize("bank_id", [bank.id for bank in IN_EURO])
@pytest.mark.parametrize("product", ["sepa-credit-transfers", "instant-sepa-credit-transfers"])
async def test_a_payment_from_beginning_to_end(
    town: Town, checked: Checked, bank_id: str, product: str
) -> None:
    ana = town.world.add_person("Ana", bank_id=bank_id, opening_minor=50_000)
    made = await town.payment(ana, product=product)
    links = made.json()["_links"]
    if "startAuthorisation" in links:
        started = await town.ask("POST", links["startAuthorisation"]["href"], {})
        assert started.status_code == 201
        assert "scaRedirect" in started.json()["_links"]
    town.pay(ana, made)
    seen = [await town.pay_status(made)]
    for _ in range(40):
        town.clock.forward(minutes=10)
        seen.append(await town.pay_status(made))
    bank = next(bank for bank in IN_EURO if bank.id == bank_id)
    assert list(dict.fromkeys(seen))[-1] == bank.steps_for(product)[-1].status
    late = await town.ask("DELETE", links["self"]["href"])
    assert late.status_code == 405
    unwanted = await town.payment(ana, reference="SALDO-2")
    cancelled = await town.ask("DELETE", unwanted.json()["_links"]["self"]["href"])
    assert cancelled.status_code == 204
    assert await town.pay_status(unwanted) == "CANC"


async def test_a_cancellation_that_wants_the_payer(town: Town, checked: Checked) -> None:
    ewa = town.world.add_person("Ewa", bank_id="wisla", opening_minor=50_000)
    made = await town.payment(ewa)
    town.pay(ewa, made)
    answer = await town.ask("DELETE", made.json()["_links"]["self"]["href"])
    assert answer.status_code == 202
    assert "startAuthorisation" in answer.json()["_links"]


@pytest.mark.parametrize("bank_id", [bank.id for bank in IN_EURO])
async def test_refusals(town: Town, checked: Checked, bank_id: str) -> None:
    ana = town.world.add_person("Ana", bank_id=bank_id, opening_minor=50_000)
    root = f"/banks/{bank_id}/psd2/v1"
    head = {"PSU_IP_Address": ADDRESS, "TPP_Redirect_URI": "http://saldo.test/back"}
    unknown = "00000000-0000-4000-8000-000000000000"
    consent_id = await town.consent(ana)
    waiting = await town.consent(ana, allow=False)
    answers = [
        await town.ask("POST", f"{root}/consents", {}, **head),
        await town.ask(
            "POST", f"{root}/consents", {"access": {}}, TPP_Redirect_URI="https://x.test"
        ),
        await town.ask("GET", f"{root}/consents/{unknown}"),
        await town.ask("GET", f"{root}/consents/{unknown}/status"),
        await town.ask("GET", f"{root}/accounts", Consent_ID=unknown),
        await town.ask("GET", f"{root}/accounts"),
        await town.ask("GET", f"{root}/accounts", Consent_ID=waiting),
        await town.ask("GET", f"{root}/accounts", X_Request_ID="no uuid", Consent_ID=consent_id),
        await town.ask("GET", f"{root}/accounts/{unknown}/balances", Consent_ID=consent_id),
        await town.ask("POST", f"{root}/payments/sepa-credit-transfers", {}, **head),
        await town.ask("POST", f"{root}/payments/target-2-payments", {}, **head),
        await town.ask("POST", f"{root}/bulk-payments/sepa-credit-transfers", {}, **head),
        await town.ask("GET", f"{root}/payments/sepa-credit-transfers/{unknown}/status"),
        await town.payment(ana, amount="0.00"),
        await town.payment(ana, amount="1,50"),
    ]
    assert all(400 <= answer.status_code < 500 for answer in answers), answers
    assert {answer.status_code for answer in answers} >= {400, 401, 404, 405}


@pytest.mark.parametrize("mode", sorted(set(Mode) - OUTSIDE))
@pytest.mark.parametrize("bank_id", ["luz", "ribera"])
async def test_whatever_goes_wrong_keeps_the_standard(
    town: Town, checked: Checked, mode: Mode, bank_id: str
) -> None:
    ana = town.world.add_person(
        "Ana", bank_id=bank_id, opening_minor=50_000, limit_minor=30_000, second=True
    )
    consent_id = await town.consent(ana)
    value = 0.001 if mode in (Mode.SLOW, Mode.DRIP) else None
    town.world.set_mode(ana.id, mode, value)
    for _ in range(6):
        for account in ana.accounts:
            await town.balances(ana, consent_id, account.iban)
        await town.accounts(ana, consent_id)
        town.clock.forward(hours=1)
    if mode in (Mode.CONSENT_ANSWER_LOST, Mode.PAYMENT_ANSWER_LOST):
        return
    renewed = await town.consent(ana, PSU_ID=ana.code)
    await town.ask("GET", f"/banks/{bank_id}/psd2/v1/consents/{renewed}/status")
    made = await town.payment(ana)
    town.pay(ana, made)
    town.clock.forward(days=6)
    assert await town.pay_status(made) in ("ACSC", "ACCC", "RJCT")
    assert checked.seen


@pytest.mark.parametrize("mode", sorted(OUTSIDE))
async def test_what_is_outside_the_standard_is_seen_as_that(
    town: Town, checked: Checked, mode: Mode
) -> None:
    ana = town.world.add_person("Ana", opening_minor=50_000)
    consent_id = await town.consent(ana)
    town.world.set_mode(ana.id, mode)
    with pytest.raises((AssertionError, KeyError)):
        for _ in range(5):
            await town.balances(ana, consent_id)


async def test_a_bank_that_is_down(town: Town, checked: Checked) -> None:
    ana = town.world.add_person("Ana", opening_minor=50_000)
    consent_id = await town.consent(ana)
    town.world.town.set_bank_mode("luz", BankMode.OUTAGE_503, 2)
    assert (await town.balances(ana, consent_id)).status_code == 503
    assert (await town.payment(ana)).status_code == 503
    town.clock.forward(hours=2, minutes=1)
    assert (await town.balances(ana, consent_id)).status_code == 200


async def test_a_payment_that_the_bank_could_not_take(town: Town, checked: Checked) -> None:
    ana = town.world.add_person("Ana", opening_minor=100)
    made = await town.payment(ana)
    payment = psu.payment_at(town.world, town.online(ana, "payments", made.json()["paymentId"]))
    outcome = town.world.payments.authorise(payment, ana, ana.iban, town.clock.at)
    assert outcome is Outcome.NO_FUNDS
    assert await town.pay_status(made) == "RJCT"


async def test_transactions_are_listed_in_the_banks_own_words(town: Town, checked: Checked) -> None:
    """What came and left over pages, with the person there and without; and not without his yes."""
    ana = town.world.add_person(
        "Ana", bank_id="luz", salary=Salary(150_000), spending=Spending(), born=EARLIER
    )
    told = await town.consent(ana, also=("transactions",))
    path = f"/banks/luz/psd2/v1/accounts/{town.resource(told, ana.iban)}/transactions"
    since = (town.clock.at.date() - timedelta(days=89)).isoformat()

    async def ask(query: str, consent_id: str = told, **headers: str) -> httpx.Response:
        return await town.ask("GET", f"{path}?{query}", Consent_ID=consent_id, **headers)

    first = await ask(f"dateFrom={since}&bookingStatus=both", PSU_IP_Address=ADDRESS)
    report = first.json()["transactions"]
    assert len(report["booked"]) == 100
    following = report["_links"]["next"]["href"].partition("?")[2]
    rest = (await ask(following, PSU_IP_Address=ADDRESS)).json()["transactions"]["booked"]
    moved = [Decimal(one["transactionAmount"]["amount"]) for one in [*report["booked"], *rest]]
    account = town.world.town.accounts[ana.iban]
    begun = account.life.at(town.clock.at - timedelta(days=89, hours=9))
    assert sum(moved) * 100 == account.life.at(town.clock.at) - begun
    assert max(moved) == 1500
    # Without him each list is one of four; what he did not allow is not shown.
    asked = f"dateFrom={since}&bookingStatus=booked"
    assert [(await ask(asked)).status_code for _ in range(5)] == [200] * 4 + [429]
    # Ninety days, today with them, as strict banks count; a day more is too many.
    longer = (town.clock.at.date() - timedelta(days=90)).isoformat()
    assert (await ask(f"dateFrom={longer}&bookingStatus=both")).status_code == 400
    assert (await ask("bookingStatus=both")).status_code == 400
    eva = town.world.add_person("Eva", bank_id="luz")
    plain = await town.consent(eva)
    path = f"/banks/luz/psd2/v1/accounts/{town.resource(plain, eva.iban)}/transactions"
    assert (await ask(asked, plain)).status_code == 401
