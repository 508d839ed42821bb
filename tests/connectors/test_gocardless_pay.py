"""GoCardless's instant bank payments: one request for one order, whatever is lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from app.domain.errors import Declined, Misconfigured, OutcomeUnknown, ProviderError, TryLater
from app.domain.ids import Iban, Secret
from app.domain.money import Money
from app.pay_ports import CancelResult, PaymentHandle, PaymentPort, PayStatus
from app.side_ports import FindingPort
from connectors._http import client
from connectors.gocardless_pay.desk import limit_wait, read_refusal
from connectors.gocardless_pay.payments import Payments, prefilled
from connectors.gocardless_pay.settings import Settings
from connectors.gocardless_pay.words import payment_now, request_now
from sandbox import psu
from sandbox.faces.gc_wire import ACCESS_TOKEN
from sandbox.modes import Mode
from tests.connectors.answers import answering
from tests.connectors.registry import refused
from tests.connectors.rig_gocardless_pay import GoCardlessPayRig
from tests.connectors.scene import MONDAY, ORIGIN

pytestmark = pytest.mark.anyio


@pytest.fixture
def rig(tmp_path: Path) -> GoCardlessPayRig:
    return GoCardlessPayRig(tmp_path)


class Losing(httpx.AsyncBaseTransport):
    """Carries on to the provider, and loses the answers whose numbers are named."""

    def __init__(self, inner: httpx.AsyncBaseTransport, lost: set[int]) -> None:
        self._inner = inner
        self._lost = lost
        self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        self.asked += 1
        if self.asked in self._lost:
            raise httpx.ReadTimeout("lost on purpose", request=request)
        return answer


def losing(rig: GoCardlessPayRig, *lost: int) -> PaymentPort:
    return rig.payments_over(Losing(rig.scene.recorder, set(lost)))


# ---------------------------------------------------------------- orders


async def test_the_order_on_the_wire(rig: GoCardlessPayRig) -> None:
    order = rig.order(rig.person(), instant=True)
    begun = await rig.payments.create_payment(order)
    made, chosen, page = rig.seen
    said = orjson.loads(made.body)["billing_requests"]
    assert said["payment_request"] == {
        "amount": 5_000,
        "currency": "EUR",
        "description": "Cuota préstamo 17 ñ/ł",
        "scheme": "sepa_instant_credit_transfer",
        "metadata": {"reference": "SALDO-0001"},
    }
    assert said["purpose_code"] == "loan"
    assert made.headers["idempotency-key"] == str(order.key)
    assert made.headers["gocardless-version"] == "2015-07-06"
    asked = orjson.loads(chosen.body)["data"]
    assert asked == {"country_code": "ES", "institution": "LUZ_LUZBESMM"}
    flow = orjson.loads(page.body)["billing_request_flows"]
    assert flow["links"] == {"billing_request": begun.handle.ref.reveal()}
    assert (flow["redirect_uri"], flow["exit_uri"]) == (order.return_url, order.refused_url)
    assert set(flow["prefilled_customer"]) == {"given_name", "family_name", "email"}
    assert all(ACCESS_TOKEN not in f"{one.url}{one.body!r}" for one in rig.seen)
    assert ACCESS_TOKEN not in repr(rig.payments)
    (bank,) = [one for one in rig.payments.banks() if one.id == "luz"]
    assert (bank.needs_payer_name, bank.instant_payments) == (True, True)


def test_what_the_page_need_not_ask(rig: GoCardlessPayRig) -> None:
    person = rig.person()
    order = rig.order(person, payer_name=" Ana  María Núñez ", payer_email=None)
    assert prefilled(order) == {"given_name": "Ana", "family_name": "María Núñez"}
    assert prefilled(rig.order(person, payer_name="", payer_email=None)) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Money(0, "EUR")},
        {"amount": Money(-1, "EUR")},
        {"amount": Money(100, "PLN")},
        {"bank_id": "unknown"},
        {"creditor_account": Iban.parse("ES7921000813610123456789")},
    ],
)
async def test_orders_that_are_not_sent(rig: GoCardlessPayRig, changes: dict[str, Any]) -> None:
    order = rig.order(rig.person(), **changes)
    assert isinstance(await refused(rig.payments.create_payment(order)), Declined)
    assert rig.seen == []


async def test_the_bank_may_be_chosen_on_the_page(rig: GoCardlessPayRig) -> None:
    lines = rig.bank_list.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("institution")]
    rig.bank_list.write_text("\n".join(kept), encoding="utf-8")
    payments = rig.payments_over(None)
    person = rig.person(opening_minor=100_000)
    begun = await payments.create_payment(rig.order(person))
    assert len(rig.seen) == 2
    http = client(transport=rig.scene.recorder)
    assert "Banco Luz" in (await http.get(begun.redirect_url)).text
    sent_on = await http.get(f"{begun.redirect_url}?bank=luz")
    psu.pay(rig.scene.world, f"{ORIGIN}{sent_on.headers['location']}", person)
    assert (await payments.payment_now(begun.handle)).status is PayStatus.AUTHORISED


def test_settings_that_are_missing(rig: GoCardlessPayRig) -> None:
    given = {**rig.given(), "creditor_uk_account": ""}
    for missing in ("access_token", "creditor_iban", "banks"):
        settings = Settings.model_validate({**given, missing: ""})
        with pytest.raises(Misconfigured):
            Payments(settings, rig.scene.wire())
    for wrong in ({"creditor_iban": "ES00 1234"}, {"creditor_uk_account": "20-00-00 9876"}):
        with pytest.raises(Misconfigured) as caught:
            Settings.model_validate({**given, **wrong}).creditors()
        assert not any(piece in str(caught.value) for piece in ("ES00", "9876"))
    assert Settings.model_validate(rig.given()).live_addresses() == ()
    live = Settings.model_validate({"access_token": "t"})
    assert live.live_addresses() == ("https://api.gocardless.com",)


# ---------------------------------------------------------------- lost answers


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_a_lost_answer_is_asked_for_again_and_makes_nothing_twice(
    rig: GoCardlessPayRig, number: int
) -> None:
    person = rig.person(opening_minor=100_000)
    payments = losing(rig, number)
    begun = await payments.create_payment(rig.order(person))
    (request,) = rig.requests()
    assert request.id == begun.handle.ref.reveal()
    rig.pay(begun, person)
    rig.watch.on(days=1)
    assert (await rig.payments.payment_now(begun.handle)).status is PayStatus.SETTLED
    assert len(rig.scene.world.payments.all()) == 1


@pytest.mark.parametrize("lost", [(1, 2), (2, 3), (3, 4)])
async def test_what_is_lost_twice_is_unknown_until_it_is_found(
    rig: GoCardlessPayRig, lost: tuple[int, int]
) -> None:
    order = rig.order(rig.person())
    assert isinstance(await refused(losing(rig, *lost).create_payment(order)), OutcomeUnknown)
    assert isinstance(rig.payments, FindingPort)
    handle = await rig.payments.find_payment(order)
    (request,) = rig.requests()
    assert handle.ref.reveal() == request.id
    assert await rig.payments.find_payment(order) == handle
    assert await rig.payments.cancel_payment(handle) is CancelResult.CANCELLED
    assert await rig.payments.cancel_payment(handle) is CancelResult.CANCELLED
    assert (await rig.payments.payment_now(handle)).status is PayStatus.CANCELLED


async def test_an_order_that_never_arrived_can_be_found_and_taken_back(
    rig: GoCardlessPayRig,
) -> None:
    order = rig.order(rig.person())
    assert isinstance(rig.payments, FindingPort)
    handle = await rig.payments.find_payment(order)
    assert rig.scene.world.payments.all() == []  # no page, so nobody can pay it
    assert await rig.payments.cancel_payment(handle) is CancelResult.CANCELLED
    assert len(rig.requests()) == 1


@pytest.mark.parametrize("second", [400, 401, 404, 429, 503])
async def test_what_a_second_try_says_of_a_lost_first_one(
    rig: GoCardlessPayRig, second: int
) -> None:
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


# ---------------------------------------------------------------- words and refusals


def problem(kind: str, reason: str = "x", **links: str) -> dict[str, Any]:
    inner = {"reason": reason, "message": "IBAN ES9121000418450200051332", "links": links}
    return {"error": {"type": kind, "code": 400, "message": "no", "errors": [inner]}}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (422, problem("validation_failed"), Declined),
        (400, problem("invalid_api_usage"), Declined),
        (409, problem("invalid_state"), Declined),
        (401, problem("invalid_api_usage", "access_token_not_found"), TryLater),
        (403, problem("invalid_api_usage", "insufficient_permissions"), TryLater),
        (429, problem("invalid_api_usage", "rate_limit_exceeded"), TryLater),
        (409, problem("invalid_state", "idempotent_creation_conflict"), OutcomeUnknown),
        (500, problem("gocardless", "internal_server_error"), OutcomeUnknown),
    ],
)
async def test_refused_orders(
    rig: GoCardlessPayRig, status: int, body: Any, expected: type[ProviderError]
) -> None:
    payments = rig.payments_over(answering(status, body))
    error = await refused(payments.create_payment(rig.order(rig.person())))
    assert type(error) is expected
    assert "ES91" not in f"{error} {error.detail}"


def test_refusals_of_every_form() -> None:
    conflict = problem("invalid_state", "idempotent_creation_conflict")
    conflict["error"]["errors"][0]["links"]["conflicting_resource_id"] = "BRQ123"
    found = read_refusal(orjson.dumps(conflict))
    assert (found.type, found.conflicting) == ("invalid_state", "BRQ123")
    conflict["error"]["errors"][0]["links"]["conflicting_resource_id"] = "../BRQ"
    assert read_refusal(orjson.dumps(conflict)).conflicting == ""
    for odd in (b"", b"[]", b'{"error": "words"}', b'{"error": {"type": 7, "errors": {"a": 1}}}'):
        assert read_refusal(odd) == read_refusal(b"")


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [
        ("30", 30), ("-1875538", None), ("", None), ("soon", None), ("99999999", None),
        ("Mon, 23 Nov 2026 09:01:00 GMT", 60), ("Mon, 23 Nov 2026 08:00:00 GMT", None),
        ("Mon, 23 Nov 2026 20:00:00 GMT", 3600),
    ],
)  # fmt: skip
def test_how_long_a_limit_lasts(stated: str, seconds: int | None) -> None:
    wait = limit_wait(httpx.Response(429, headers={"ratelimit-reset": stated}), MONDAY)
    assert wait == (None if seconds is None else timedelta(seconds=seconds))
    both = {"ratelimit-reset": stated, "retry-after": "7"}
    assert limit_wait(httpx.Response(429, headers=both), MONDAY) == (wait or timedelta(seconds=7))


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("pending_customer_approval", PayStatus.AUTHORISED),
        ("pending_submission", PayStatus.AUTHORISED),
        ("submitted", PayStatus.AUTHORISED),
        ("confirmed", PayStatus.AUTHORISED),
        ("paid_out", PayStatus.SETTLED),
        ("cancelled", PayStatus.CANCELLED),
        ("customer_approval_denied", PayStatus.REJECTED),
        ("failed", PayStatus.REJECTED),
        ("charged_back", PayStatus.RETURNED),
        ("teleported", PayStatus.OPEN),
        (7, PayStatus.OPEN),
    ],
)
def test_the_words_of_a_payment(word: Any, status: PayStatus) -> None:
    careful = payment_now({"status": word}, "PM1", confirmed_is_settled=False)
    assert careful.status is status
    assert careful.hook_ref == Secret("PM1")
    if word == "confirmed":
        trusting = payment_now({"status": word}, "PM1", confirmed_is_settled=True)
        assert trusting.status is PayStatus.SETTLED


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("pending", PayStatus.OPEN), ("ready_to_fulfil", PayStatus.OPEN),
        ("fulfilling", PayStatus.AUTHORISED), ("fulfilled", PayStatus.AUTHORISED),
        ("cancelled", PayStatus.CANCELLED), ("x", PayStatus.OPEN), (None, PayStatus.OPEN),
    ],
)  # fmt: skip
def test_the_words_of_a_request(word: Any, status: PayStatus) -> None:
    assert request_now({"status": word}).status is status


@pytest.mark.parametrize(
    ("mode", "after", "status"),
    [
        (Mode.PAYMENT_REJECTED, 1, PayStatus.REJECTED),
        (Mode.PAYMENT_RETURNED, 2, PayStatus.RETURNED),
        (Mode.PAYMENT_PENDING_LONG, 1, PayStatus.AUTHORISED),
    ],
)
async def test_what_becomes_of_a_payment_after_the_yes(
    rig: GoCardlessPayRig, mode: Mode, after: int, status: PayStatus
) -> None:
    person = rig.person(opening_minor=100_000)
    rig.scene.world.set_mode(person.id, mode)
    begun = await rig.payments.create_payment(rig.order(person))
    rig.pay(begun, person)
    assert (await rig.payments.payment_now(begun.handle)).status is PayStatus.AUTHORISED
    assert await rig.payments.cancel_payment(begun.handle) is CancelResult.TOO_LATE
    rig.watch.on(days=after)
    assert (await rig.payments.payment_now(begun.handle)).status is status


@pytest.mark.parametrize(
    "say",
    [
        lambda _: httpx.Response(200, json={"billing_requests": {"status": "pending"}}),
        lambda _: httpx.Response(409, json=problem("invalid_state")),
        lambda _: httpx.Response(200, json={}),
    ],
)
async def test_only_the_status_makes_a_payment_cancelled(
    rig: GoCardlessPayRig, say: Callable[[httpx.Request], httpx.Response]
) -> None:
    payments = rig.payments_over(httpx.MockTransport(say))
    handle = PaymentHandle("luz", Secret("BRQ1"))
    assert isinstance(await refused(payments.cancel_payment(handle)), OutcomeUnknown)


async def test_a_page_that_is_not_safe_is_never_given(rig: GoCardlessPayRig) -> None:
    def say(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        made = {"id": "BRQ1", "authorisation_url": "javascript:alert(1)"}
        name = "billing_requests" if "select" in name else name
        return httpx.Response(201, json={name: made})

    payments = rig.payments_over(httpx.MockTransport(say))
    order = rig.order(rig.person(), key=uuid4())
    assert isinstance(await refused(payments.create_payment(order)), OutcomeUnknown)
