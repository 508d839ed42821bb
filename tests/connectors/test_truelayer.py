"""TrueLayer: balances as numbers, connections whose tokens replace each other, refusals."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import orjson
import pytest

from app.domain.balance import Spendable, Unusable
from app.domain.errors import (
    AllowanceSpent,
    ConsentEnd,
    ConsentGone,
    Declined,
    Misconfigured,
    OutcomeUnknown,
    ProviderError,
    TryLater,
    Unreadable,
)
from app.domain.ids import Secret
from app.ports import Grant, GrantState, Presence
from app.side_ports import ComingBackPort, RenewingPort
from connectors.truelayer.balances import parse_balances
from connectors.truelayer.grants import Held
from connectors.truelayer.settings import Settings
from sandbox.faces.tl_wire import CLIENT_SECRET
from sandbox.modes import Mode
from tests.connectors.answers import answering, judged
from tests.connectors.registry import refused
from tests.connectors.rig_truelayer import TrueLayerRig
from tests.connectors.scene import HERE, MONDAY, ORIGIN

pytestmark = pytest.mark.anyio


@pytest.fixture
def rig(tmp_path: Path) -> TrueLayerRig:
    return TrueLayerRig(tmp_path)


# ---------------------------------------------------------------- balances


def stated(**figures: Any) -> dict[str, Any]:
    one = {"currency": "EUR", "update_timestamp": "2026-11-23T08:59:58.740802Z", **figures}
    return {"results": [one], "status": "Succeeded"}


def spendable(document: Any) -> Spendable:
    (answer,) = parse_balances(document)
    return judged(answer)


@pytest.mark.parametrize(
    ("document", "cents", "free"),
    [
        (stated(available=250.0, current=250.0), 25_000, True),
        (stated(available=1234.56, current=1300), 123_456, True),
        # More is available than is booked: it may be credit, and booked is what counts.
        (stated(available=1250.0, current=250.0), 25_000, True),
        (stated(available=1250.0, current=250.0, overdraft=1000.0), 25_000, True),
        # Only a part of the overdraft was in it: the booked balance bounds what is left.
        (stated(available=1250.0, current=100.0, overdraft=200.0), 10_000, True),
        # It is not in it: less than what is booked is there.
        (stated(available=230.0, current=250.0, overdraft=1000.0), 23_000, True),
        # Overdrawn, and what is available is credit.
        (stated(available=800.0, current=-200.0, overdraft=1000.0), -20_000, True),
        (stated(available=1250.0, overdraft=1000.0), 25_000, True),
        (stated(available=1250.0), 125_000, False),
        # No overdraft may be none, or one that nobody told.
        (stated(available=1250.0, overdraft=0), 125_000, False),
        (stated(current=250), 25_000, True),
        (stated(available=None, current=0), 0, True),
        (stated(available=0.1, current=0.3), 10, True),
        (stated(available=999999999999.99, current=1e12), 99_999_999_999_999, True),
    ],
)
def test_credit_is_no_money(document: Any, cents: int, free: bool) -> None:
    found = spendable(document)
    assert found.amount is not None
    assert (found.amount.minor, found.credit_excluded) == (cents, free)
    assert found.as_of is not None


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"results": []}, Unusable.NO_BALANCES),
        (stated(), Unusable.UNREADABLE_AMOUNT),
        (stated(available=None, current=None), Unusable.UNREADABLE_AMOUNT),
        (stated(available="12,00"), Unusable.UNREADABLE_AMOUNT),
        (stated(available=True), Unusable.UNREADABLE_AMOUNT),
        (stated(available=float("nan")), Unusable.UNREADABLE_AMOUNT),
        (stated(available=float("inf")), Unusable.UNREADABLE_AMOUNT),
        (stated(available=0.305), Unusable.UNREADABLE_AMOUNT),
        (stated(available=1e30), Unusable.UNREADABLE_AMOUNT),
        (stated(available=5.0, currency="EURO"), Unusable.UNREADABLE_AMOUNT),
        # A card: what is available there is credit.
        (stated(available=3279.0, current=20.0, credit_limit=3300), Unusable.NOT_MONEY),
        ({"results": [{"account_id": "a", "currency": "EUR"}]}, Unusable.NO_BALANCES),
        ({"results": "many"}, Unusable.UNREADABLE_ANSWER),
    ],
)
def test_what_cannot_be_spent_says_why(document: Any, why: Unusable) -> None:
    found = spendable(document)
    assert (found.amount, found.unusable) == (None, why)


def test_shapes_of_saved_answers() -> None:
    one = stated(available=1.0, current=1.0)
    for document in (one, one["results"][0], [one]):
        (answer,) = parse_balances(document)
        assert answer.currency == "EUR"
        fetched = MONDAY - timedelta(microseconds=1_259_198)
        assert {entry.as_of for entry in answer.entries} == {fetched}
    assert len(parse_balances([one, one])) == 2
    nothings: tuple[Any, ...] = ({}, [], "text", None, 7, [7])
    for nothing in nothings:
        with pytest.raises(Unreadable):
            parse_balances(nothing)


# ---------------------------------------------------------------- the way there and back


async def test_the_link_is_an_address_and_leads_to_the_bank(rig: TrueLayerRig) -> None:
    begun = await rig.begin()
    assert rig.seen == []
    query = dict(parse_qsl(urlsplit(begun.redirect_url).query))
    assert (query["redirect_uri"], query["state"]) == ("https://saldo.example/c/back", "t0k3n")
    assert query["scope"].split() == ["accounts", "balance", "offline_access"]
    assert CLIENT_SECRET not in begun.redirect_url
    async with httpx.AsyncClient(transport=rig.scene.recorder) as browser:
        answer = await browser.get(begun.redirect_url)
        assert answer.status_code == 303
        assert "/banks/luz/online/consents/" in answer.headers["location"]
        wrong = begun.redirect_url.replace("offline_access", "")
        assert (await browser.get(wrong)).json()["error"] == "invalid_request"
    assert urlsplit(begun.redirect_url).netloc == urlsplit(ORIGIN).netloc


async def test_nothing_is_asked_before_he_is_back(rig: TrueLayerRig) -> None:
    port, grant = rig.bare(), (await rig.begin()).grant
    assert isinstance(port, ComingBackPort)
    assert isinstance(port, RenewingPort)
    assert not port.renewal_due(grant)
    assert await port.renew(grant) == grant
    assert await port.came_back(grant, {}) == grant
    assert (await port.grant_now(grant)).state is GrantState.PENDING
    await port.end_consent(grant)
    assert isinstance(await refused(port.accounts(grant, None)), TryLater)
    assert rig.seen == []


async def test_a_code_works_once_and_a_second_tap_ends_nothing(rig: TrueLayerRig) -> None:
    begun = await rig.begin()
    rig.allow(begun, rig.person())
    grant = await rig.back(begun)
    assert isinstance(await refused(rig.back(begun)), TryLater)
    assert (await rig.aggregation.grant_now(grant)).state is GrantState.ACTIVE


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": "invalid_authorization_code"}, TryLater),
        (400, {"error": "invalid_client"}, TryLater),
        (429, {}, TryLater),
        (500, {}, OutcomeUnknown),
        (200, {}, OutcomeUnknown),
        (200, {"access_token": "a", "expires_in": 3600}, OutcomeUnknown),  # nothing to go on with
        (200, {"access_token": "a\nb", "refresh_token": "r"}, OutcomeUnknown),
    ],
)
async def test_what_a_code_can_come_to(
    rig: TrueLayerRig, status: int, body: Any, expected: type[ProviderError]
) -> None:
    port = rig.bare(answering(status, body))
    assert isinstance(port, ComingBackPort)
    grant = (await rig.begin()).grant
    assert type(await refused(port.came_back(grant, {"code": "c"}))) is expected


# ---------------------------------------------------------------- renewal


async def test_a_grant_lasts_an_hour_and_each_exchange_spends_it(rig: TrueLayerRig) -> None:
    person = rig.person(opening_minor=12_345)
    first = await rig.granted(person)
    port = rig.bare()
    assert isinstance(port, RenewingPort)
    (account,) = await port.accounts(first, None)
    assert not port.renewal_due(first)
    rig.watch.on(minutes=54)
    assert not port.renewal_due(first)
    rig.watch.on(minutes=2)
    assert port.renewal_due(first)
    second = await port.renew(first)
    assert second != first
    assert not port.renewal_due(second)
    assert (await port.balances(second, account.ref, None)).entries
    # The first one was spent: whoever kept it has lost the consent.
    error = await refused(port.renew(first))
    assert isinstance(error, ConsentGone)
    assert error.why is ConsentEnd.REVOKED_AT_BANK
    rig.watch.on(minutes=61)
    assert isinstance(await refused(port.balances(second, account.ref, None)), TryLater)
    third = await port.renew(second)
    assert (await port.balances(third, account.ref, HERE)).entries


async def test_a_refresh_token_that_is_not_replaced_stays(rig: TrueLayerRig) -> None:
    grant = await rig.granted(rig.person())
    before = Held.of(grant.token).pair
    port = rig.bare(answering(200, {"access_token": "a", "expires_in": 3600}))
    assert isinstance(port, RenewingPort)
    after = Held.of((await port.renew(grant)).token).pair
    assert before is not None
    assert after is not None
    assert (after.access, after.refresh) == ("a", before.refresh)
    assert after.until == rig.watch.now() + timedelta(hours=1)


@pytest.mark.parametrize(
    ("status", "body", "expected", "why"),
    [
        (400, {"error": "invalid_grant"}, ConsentGone, ConsentEnd.REVOKED_AT_BANK),
        (400, {"error": "invalid_client"}, TryLater, None),
        (400, {}, TryLater, None),
        (401, b"<html>", TryLater, None),
        (403, b"blocked by the gateway", TryLater, None),
        (429, {}, TryLater, None),
        (500, {}, OutcomeUnknown, None),
        (200, b"<html>", OutcomeUnknown, None),
    ],
)
async def test_only_an_explicit_word_ends_a_connection(
    rig: TrueLayerRig,
    status: int,
    body: Any,
    expected: type[ProviderError],
    why: ConsentEnd | None,
) -> None:
    grant = await rig.granted(rig.person())
    port = rig.bare(answering(status, body))
    assert isinstance(port, RenewingPort)
    error = await refused(port.renew(grant))
    assert type(error) is expected
    assert getattr(error, "why", None) is why
    rig.watch.on(days=181)
    if why is not None:
        error = await refused(port.renew(grant))
        assert isinstance(error, ConsentGone)
        assert error.why is ConsentEnd.EXPIRED


async def test_the_end_is_the_asked_day_or_the_vendors(rig: TrueLayerRig) -> None:
    grant = await rig.granted(rig.person())
    now = await rig.bare().grant_now(grant)
    assert now.valid_until == rig.ask().valid_until
    begun = await rig.begin(valid_until=rig.ask().valid_until.replace(year=2028))
    rig.allow(begun, rig.person())
    now = await rig.bare().grant_now(await rig.back(begun))
    assert now.valid_until is not None
    assert now.valid_until - MONDAY.date() in (timedelta(days=179), timedelta(days=180))


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "access_denied", ConsentGone),
        (400, "invalid_grant", ConsentGone),
        (401, "invalid_token", TryLater),
        (401, "unauthorized", TryLater),
        (404, "account_not_found", Declined),
        (403, "sca_exceeded", Declined),
        (400, "deprecated_provider", Declined),
        (501, "endpoint_not_supported", Declined),
        (429, "provider_too_many_requests", AllowanceSpent),
        (503, "provider_error", TryLater),
        (403, "", TryLater),
        (404, "", TryLater),
        (500, "internal_server_error", TryLater),
    ],
)
async def test_refused_reads(
    rig: TrueLayerRig, status: int, code: str, expected: type[ProviderError]
) -> None:
    grant = await rig.granted(rig.person())
    body = {"error": code, "error_description": "IBAN ES9121000418450200051332"}
    error = await refused(rig.bare(answering(status, body)).balances(grant, Secret("a"), None))
    assert type(error) is expected
    assert "ES91" not in f"{error} {error.detail} {getattr(error, 'body', '')}"


@pytest.mark.parametrize(
    ("body", "headers", "wait"),
    [
        ({"error": "provider_too_many_requests"}, {"Retry_After": "-1875538"}, None),
        ({"error": "provider_too_many_requests"}, {"Retry_After": "999999999"}, None),
        ({"error": "provider_too_many_requests"}, {"Retry_After": "3600"}, 3600),
        ({"error_description": "4/day, try again in 85092 seconds"}, {}, 85_092),
        ({}, {}, None),
        (b"<html>", {}, None),
    ],
)
async def test_too_many_in_its_odd_forms(
    rig: TrueLayerRig, body: Any, headers: dict[str, str], wait: int | None
) -> None:
    grant = await rig.granted(rig.person())
    port = rig.bare(answering(429, body, **headers))
    error = await refused(port.balances(grant, Secret("a"), None))
    assert isinstance(error, AllowanceSpent)
    assert error.until == (None if wait is None else rig.watch.now() + timedelta(seconds=wait))


async def test_what_is_sent_and_what_is_not(rig: TrueLayerRig) -> None:
    grant = await rig.granted(rig.person())
    with pytest.raises(Declined):
        await rig.bare().accounts(grant, Presence("nobody"))
    with pytest.raises(Declined):
        await rig.bare().balances(grant, Secret("../me"), None)
    for shown in (repr(grant), repr(Held.of(grant.token)), repr(rig.bare())):
        assert "refresh." not in shown
        assert "access." not in shown


async def test_kinds_of_accounts(rig: TrueLayerRig) -> None:
    grant = await rig.granted(rig.person())
    listed = [
        {"account_id": "a", "account_type": "SAVINGS", "currency": "EUR"},
        {"account_id": "b", "account_type": "MORTGAGE", "currency": "EUR"},
        {"account_id": "../c", "account_type": "TRANSACTION", "currency": "EUR"},
        {"account_id": "d", "account_type": "TRANSACTION", "currency": "GBP",
         "account_number": {"iban": "nonsense", "sort_code": "01-21-31"}},
        "text",
    ]  # fmt: skip
    found = await rig.bare(answering(200, {"results": listed})).accounts(grant, None)
    assert [(one.usable, one.number) for one in found] == [
        (True, None), (False, None), (False, None), (True, None),
    ]  # fmt: skip


async def test_the_overdraft_of_a_bank_that_names_it(rig: TrueLayerRig) -> None:
    grant = await rig.granted(rig.person(opening_minor=20_000, limit_minor=50_000))
    (account,) = await rig.aggregation.accounts(grant, None)
    answer = await rig.aggregation.balances(grant, account.ref, None)
    sent = orjson.loads(rig.seen[-1].answer.content)["results"][0]  # type: ignore[union-attr]
    assert (sent["available"], sent["current"], sent["overdraft"]) == (700.0, 200.0, 500.0)
    found = judged(answer)
    assert found.amount is not None
    assert (found.amount.minor, found.credit_excluded) == (20_000, True)


async def test_an_old_figure_looks_old(rig: TrueLayerRig) -> None:
    person = rig.person()
    rig.scene.world.set_mode(person.id, Mode.FROZEN_OLD_DATE)
    grant = await rig.granted(person)
    (account,) = await rig.aggregation.accounts(grant, None)
    answer = await rig.aggregation.balances(grant, account.ref, None)
    assert all(e.as_of and e.as_of < MONDAY - timedelta(days=7) for e in answer.entries)


def test_settings_that_cannot_be_used(tmp_path: Path) -> None:
    for given in ({}, {"client_id": "x"}, {"client_id": "x", "client_secret": "y"}):
        with pytest.raises(Misconfigured):
            Settings.model_validate(given).routes()
    live = Settings.model_validate({"client_id": "x"})
    assert live.live_addresses() == (live.auth_url, live.api_url)
    assert Grant("b", Secret("x")).token == Secret("x")
