"""GoCardless Bank Account Data: what only this provider does."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import given

import connectors
from app.domain.errors import (
    ConsentEnd,
    Declined,
    Misconfigured,
    OutcomeUnknown,
    ProviderError,
    TryLater,
)
from app.domain.ids import Secret
from app.domain.money import Money
from app.ports import Grant, GrantState, Wire
from connectors._http import client
from connectors.gocardless.aggregation import Aggregation
from connectors.gocardless.readings import agreement_end
from connectors.gocardless.settings import Institution, Settings
from sandbox.modes import Mode
from tests.connectors.answers import answering, judged
from tests.connectors.registry import refused
from tests.connectors.rig_gocardless import API, GoCardlessRig
from tests.connectors.scene import HERE, MONDAY, SMALL, Watch
from tests.connectors.test_fuzz import ANSWERS, only_our_errors

pytestmark = pytest.mark.anyio

ID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "gocardless"


@pytest.fixture
def rig(tmp_path: Path) -> GoCardlessRig:
    return GoCardlessRig(tmp_path)


def said(status: int = 200, body: Any = None, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body, headers=headers)


class Scripted:
    """A provider that answers each path from a table and remembers what it was asked."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = {"/token/new/": TOKEN, **answers}
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/gocardless/api/v2")
        self.asked.append(f"{request.method} {path}")
        found = self.answers[path]
        return found(request) if callable(found) else found  # type: ignore[no-any-return]


TOKEN = said(
    body={"access": "a1", "access_expires": 86400, "refresh": "r", "refresh_expires": 10**6}
)


def over(
    rig: GoCardlessRig, answers: dict[str, Any], watch: Watch | None = None
) -> tuple[Aggregation, Scripted]:
    script, watch = Scripted(answers), watch or Watch()
    http = client(SMALL, transport=httpx.MockTransport(script))
    given = Settings.model_validate(rig.given())
    return Aggregation(given, Wire(http, watch.now, watch.now)), script


# ---------------------------------------------------------------- tokens


async def test_one_token_serves_a_day_of_calls_made_at_once(rig: GoCardlessRig) -> None:
    begun = await asyncio.gather(*(rig.begin() for _ in range(10)))
    assert len({one.grant.token for one in begun}) == 10
    tokens = [one.url for one in rig.seen if "/token/" in one.url]
    assert tokens == [f"{API}/api/v2/token/new/"]
    rig.watch.on(hours=24)
    await rig.aggregation.grant_now(begun[0].grant)
    rig.watch.on(days=31)
    await rig.aggregation.grant_now(begun[0].grant)
    tokens = [
        one.url.removeprefix(f"{API}/api/v2/token/") for one in rig.seen if "/token/" in one.url
    ]
    assert tokens == ["new/", "refresh/", "new/"]


async def test_a_token_that_is_refused_is_renewed_once(rig: GoCardlessRig) -> None:
    stale = said(
        401, {"summary": "Invalid token", "detail": "Token is invalid", "status_code": 401}
    )
    renewed = said(body={"access": "a2", "access_expires": 86400})

    def balances(request: httpx.Request) -> httpx.Response:
        good = request.headers["authorization"] == "Bearer a2"
        return said(body={"balances": []}) if good else stale

    path = f"/accounts/{ID}/balances/"
    port, script = over(rig, {path: balances, "/token/refresh/": renewed})
    assert (await port.balances(Grant("luz", Secret(ID)), Secret(ID), None)).entries == ()
    assert script.asked == [
        "POST /token/new/", f"GET {path}", "POST /token/refresh/", f"GET {path}"
    ]  # fmt: skip

    port, script = over(rig, {path: stale, "/token/refresh/": renewed})
    error = await refused(port.balances(Grant("luz", Secret(ID)), Secret(ID), None))
    assert type(error) is TryLater
    assert script.asked.count(f"GET {path}") == 2


@pytest.mark.parametrize(("status", "minutes"), [(401, 10), (403, 10), (429, 1)])
async def test_wrong_credentials_are_not_tried_again_and_again(
    rig: GoCardlessRig, status: int, minutes: int
) -> None:
    watch = Watch()
    no = said(status, {"summary": "No", "detail": "Please try again in 60 seconds"})
    port, script = over(rig, {"/token/new/": no, f"/requisitions/{ID}/": said(404)}, watch)
    for _ in range(5):
        error = await refused(port.grant_now(Grant("luz", Secret(ID))))
        assert isinstance(error, TryLater)
        assert error.after == timedelta(minutes=minutes)
        assert "sandbox-secret" not in repr(error) + str(error)
    assert script.asked == ["POST /token/new/"]
    watch.on(minutes=minutes)
    await refused(port.grant_now(Grant("luz", Secret(ID))))
    assert len(script.asked) == 2


def test_secrets_and_tokens_are_shown_nowhere(rig: GoCardlessRig) -> None:
    given = Settings.model_validate(rig.given())
    assert "sandbox-secret" not in repr(given)
    with pytest.raises(Misconfigured):
        Settings(banks=rig.bank_list, secret_id="x").institutions()
    assert Settings(secret_id="x").live_addresses() == ("https://bankaccountdata.gocardless.com",)
    assert given.live_addresses() == ()


@given(answer=ANSWERS)
def test_the_token_desk_may_answer_anything(answer: tuple[int, bytes, dict[str, str]]) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        only_our_errors(answer, lambda transport: [_port(transport).grant_now(_GRANT)])
    finally:
        structlog.reset_defaults()


_GRANT = Grant("b", Secret(ID))


def _port(transport: httpx.AsyncBaseTransport) -> Aggregation:
    class Given(Settings):
        def institutions(self) -> dict[str, Institution]:
            return {"b": BANK}

    wire = Wire(client(SMALL, transport=transport), lambda: MONDAY, lambda: MONDAY)
    return Aggregation(Given(secret_id="i", base_url="http://127.0.0.1:1"), wire)


BANK = Institution(id="b", name="Bank", country="ES", institution_id="B_BBBBESMM")

# ---------------------------------------------------------------- consents


async def test_a_requisition_asks_for_little_and_comes_back_with_its_reference(
    rig: GoCardlessRig,
) -> None:
    ask = rig.ask()
    begun = await rig.aggregation.begin_consent(ask)
    agreement, requisition = (json.loads(one.body) for one in rig.seen[-2:])
    assert agreement["access_scope"] == ["balances", "details"]
    assert (agreement["max_historical_days"], agreement["access_valid_for_days"]) == (1, 69)
    assert requisition["reference"] == str(ask.key)
    answer = await client(transport=rig.scene.recorder).get(begun.redirect_url)
    assert answer.headers["location"] == rig.page(begun).removeprefix("http://127.0.0.1:8210")
    consent = rig.scene.world.consents.all()[-1]
    assert consent.redirect_url == f"{ask.return_url}?ref={ask.key}"
    # The reference is unique, so the same attempt cannot make a second consent.
    error = await refused(rig.aggregation.begin_consent(ask))
    assert isinstance(error, Declined)
    assert error.reason == "REFERENCE"


async def test_no_more_days_than_the_bank_gives(tmp_path: Path) -> None:
    rig = GoCardlessRig(tmp_path, "ribera")
    await rig.begin(valid_until=date(2027, 12, 31))
    assert json.loads(rig.seen[-2].body)["access_valid_for_days"] == 90
    gb = BANK.model_copy(update={"country": "GB", "max_days": 180})
    assert (gb.longest_days, BANK.model_copy(update={"max_days": 180}).longest_days) == (90, 180)


@pytest.mark.parametrize(
    ("agreement", "end"),
    [
        ({"accepted": "2026-11-23T09:00:00Z", "access_valid_for_days": 90}, "2027-02-21"),
        # In the UK the access closes after 90 days until the borrower reconfirms it.
        (
            {
                "accepted": "2026-11-23T09:00:00Z",
                "access_valid_for_days": 180,
                "reconfirmation": True,
            },
            "2027-02-21",
        ),
        ({"accepted": None, "access_valid_for_days": 90}, None),
        ({"accepted": "2026-11-23", "access_valid_for_days": 10**12}, None),
        ([], None),
    ],
)  # fmt: skip
def test_when_an_agreement_is_over(agreement: Any, end: str | None) -> None:
    found = agreement_end(agreement)
    assert (found and found.date().isoformat()) == end


LINKED = {"id": ID, "status": "LN", "agreement": ID, "accounts": [ID]}
ACCEPTED = {"accepted": "2026-11-20T09:00:00Z", "access_valid_for_days": 90}


@pytest.mark.parametrize(
    ("word", "account", "accepted", "state", "end"),
    [
        *[
            (word, "READY", ACCEPTED, GrantState.PENDING, None)
            for word in ("CR", "GC", "UA", "SA", "GA", "SU")
        ],
        ("RJ", "READY", ACCEPTED, GrantState.ENDED, ConsentEnd.REJECTED),
        ("EX", "READY", ACCEPTED, GrantState.ENDED, ConsentEnd.EXPIRED),
        *[
            ("LN", status, ACCEPTED, GrantState.ACTIVE, None)
            for status in ("DISCOVERED", "PROCESSING", "READY", "ERROR")
        ],
        ("LN", "SUSPENDED", ACCEPTED, GrantState.ENDED, ConsentEnd.EXPIRED),
        # One word of the provider for two things: the agreement tells them apart.
        ("LN", "EXPIRED", ACCEPTED, GrantState.ENDED, ConsentEnd.REVOKED_AT_BANK),
        (
            "LN", "EXPIRED", {**ACCEPTED, "accepted": "2026-01-02T09:00:00Z"},
            GrantState.ENDED, ConsentEnd.EXPIRED,
        ),
    ],
)  # fmt: skip
async def test_the_states_of_requisitions_and_accounts(
    rig: GoCardlessRig, word: str, account: str, accepted: dict[str, Any],
    state: GrantState, end: ConsentEnd | None,
) -> None:  # fmt: skip
    port, _ = over(rig, {
        f"/requisitions/{ID}/": said(body={**LINKED, "status": word}),
        f"/agreements/enduser/{ID}/": said(body=accepted),
        f"/accounts/{ID}/": said(body={"id": ID, "status": account}),
    })  # fmt: skip
    now = await port.grant_now(Grant("luz", Secret(ID)))
    assert (now.state, now.end) == (state, end)


async def test_one_living_account_keeps_the_consent_and_the_others_are_not_used(
    rig: GoCardlessRig,
) -> None:
    person = rig.person(second=True)
    begun = await rig.begin()
    rig.allow(begun, person, [one.iban for one in person.accounts])
    first, second = await rig.aggregation.accounts(begun.grant, None)
    other = ID.replace("3", "4")
    details = said(body={"account": {"currency": "EUR", "cashAccountType": "CACC"}})
    port, _ = over(rig, {
        f"/requisitions/{ID}/": said(body={**LINKED, "accounts": [ID, other]}),
        f"/agreements/enduser/{ID}/": said(body=ACCEPTED),
        f"/accounts/{ID}/": said(body={"id": ID, "status": "SUSPENDED", "iban": person.iban}),
        f"/accounts/{other}/": said(body={"id": other, "status": "READY"}),
        f"/accounts/{other}/details/": details,
    })  # fmt: skip
    assert (await port.grant_now(Grant("luz", Secret(ID)))).state is GrantState.ACTIVE
    dead, alive = await port.accounts(Grant("luz", Secret(ID)), HERE)
    assert (dead.usable, dead.why_unusable) == (False, "the account is SUSPENDED")
    assert alive == replace(alive, usable=True, currency="EUR", ref=Secret(other))
    assert first.number != second.number


async def test_a_failing_account_is_left_alone(rig: GoCardlessRig) -> None:
    person = rig.person()
    grant = await rig.granted(person)
    rig.scene.world.set_mode(person.id, Mode.BALANCE_ERROR_500)
    before = len(rig.seen)
    error = await refused(rig.aggregation.accounts(grant, None))
    assert isinstance(error, TryLater)
    assert error.after == timedelta(hours=1)
    assert not any("/details/" in one.url for one in rig.seen[before:])


async def test_renewal_ends_no_grant_by_a_doubt(rig: GoCardlessRig) -> None:
    """A status that cannot be had is no status."""
    account = said(404, {"summary": f"Account ID {ID} not found", "status_code": 404})
    port, _ = over(rig, {
        f"/requisitions/{ID}/": said(body=LINKED),
        f"/agreements/enduser/{ID}/": said(404, {"summary": "Not found.", "status_code": 404}),
        f"/accounts/{ID}/": account,
    })  # fmt: skip
    assert isinstance(await refused(port.grant_now(Grant("luz", Secret(ID)))), TryLater)
    bare, _ = over(rig, {f"/requisitions/{ID}/": said(404)})
    assert isinstance(await refused(bare.grant_now(Grant("luz", Secret(ID)))), TryLater)


async def test_what_is_answered_to_a_new_consent(rig: GoCardlessRig) -> None:
    made = {"id": ID, "status": "CR", "link": "https://ob.gocardless.com/psd2/start/x/y"}
    cases: list[tuple[httpx.Response, httpx.Response, type[ProviderError]]] = [
        (said(400, {"institution_id": {"summary": "Unknown"}}), said(), Declined),
        (said(401, {"summary": "Unauthorised", "status_code": 401}), said(), TryLater),
        (said(402, {"summary": "Usage exceeded"}), said(), TryLater),
        (said(201, {"id": ID}), said(429, {"detail": "Please try again in 9 seconds"}), TryLater),
        (said(201, {"id": ID}), said(500, {}), OutcomeUnknown),
        (
            said(201, {"id": ID}),
            said(201, {**made, "link": "http://evil.example/"}),
            OutcomeUnknown,
        ),
        (said(201, {"id": ID}), said(201, {**made, "status": "RJ"}), Declined),
    ]
    for agreement, requisition, expected in cases:
        port, _ = over(rig, {"/agreements/enduser/": agreement, "/requisitions/": requisition})
        assert type(await refused(port.begin_consent(rig.ask()))) is expected
    port, _ = over(rig, {
        "/agreements/enduser/": said(201, {"id": ID}), "/requisitions/": said(201, made),
    })  # fmt: skip
    assert (await port.begin_consent(rig.ask())).redirect_url == made["link"]


# ---------------------------------------------------------------- the face


async def test_the_sandbox_hands_out_no_more_than_a_hundred_tokens_an_hour(
    rig: GoCardlessRig,
) -> None:
    http = client(transport=rig.scene.recorder)
    secrets = {key: rig.given()[key] for key in ("secret_id", "secret_key")}
    url = f"{API}/api/v2/token/new/"
    for _ in range(100):
        assert (await http.post(url, json=secrets)).status_code == 200
    full = await http.post(url, json=secrets)
    assert full.status_code == 429
    assert full.json()["detail"].endswith("Please try again in 3600 seconds")
    error = await refused(rig.begin())
    assert isinstance(error, TryLater)
    assert error.after == timedelta(hours=1)


async def test_limit_headers_go_out_with_underscores(rig: GoCardlessRig) -> None:
    grant = await rig.granted(rig.person())
    (account,) = await rig.aggregation.accounts(grant, None)
    for _ in range(4):
        await rig.aggregation.balances(grant, account.ref, None)
    await refused(rig.aggregation.balances(grant, account.ref, None))
    answer = rig.seen[-1].answer
    assert answer is not None
    assert answer.headers["http_x_ratelimit_account_success_remaining"] == "0"
    assert answer.json()["type"] == "RateLimitError"


async def test_details_and_balances_are_counted_apart(rig: GoCardlessRig) -> None:
    grant = await rig.granted(rig.person())
    (account,) = await rig.aggregation.accounts(grant, None)
    for _ in range(4):
        await rig.aggregation.balances(grant, account.ref, None)
    assert await rig.aggregation.accounts(grant, None)


@pytest.mark.parametrize("mode", [Mode.EXPIRED_AS_400, Mode.EXPIRED_AS_401])
async def test_both_shapes_of_an_expired_access(rig: GoCardlessRig, mode: Mode) -> None:
    person = rig.person()
    grant = await rig.granted(person)
    (account,) = await rig.aggregation.accounts(grant, None)
    rig.scene.world.set_mode(person.id, mode)
    error = await refused(rig.aggregation.balances(grant, account.ref, None))
    assert (error.__class__.__name__ == "ConsentGone") is (mode is Mode.EXPIRED_AS_400)
    now = await rig.aggregation.grant_now(grant)
    assert (now.state, now.end) == (GrantState.ENDED, ConsentEnd.EXPIRED)


# ---------------------------------------------------------------- recorded answers


def test_recorded_balances() -> None:
    parse = connectors.discover()["gocardless"].parse_balances
    assert parse is not None
    recorded = json.loads((FIXTURES / "balances.json").read_text(encoding="utf-8"))
    found = {}
    for case in recorded["cases"]:
        (answer,) = parse(case["answer"])
        chosen = judged(answer)
        found[case["bank"]] = (chosen.amount, chosen.kind, chosen.credit_excluded)
    assert found == {
        # Available money of an account whose booked balance is unknown triggers nothing.
        "SANDBOXFINANCE_SFIN0000": (Money(191_312, "EUR"), "forwardAvailable", False),
        "SPK_MARBURG_BIEDENKOPF_HELADEF1MAR": (Money(359_687, "EUR"), "closingBooked", True),
        "ING_INGDDEFF": (Money(359_687, "EUR"), "interimBooked", True),
    }


async def test_recorded_refusals(rig: GoCardlessRig) -> None:
    recorded = json.loads((FIXTURES / "refusals.json").read_text(encoding="utf-8"))
    for case in recorded["cases"]:
        body = case["answer"]
        port = rig.aggregation_over(answering(body.get("status_code", 400), body))
        read = await refused(port.balances(Grant("luz", Secret(ID)), Secret(ID), None))
        begin = await refused(port.begin_consent(rig.ask()))
        names = [type(read).__name__, type(begin).__name__]
        assert names == case["expected"], case["name"]
        assert ID not in str(read) + str(begin)
