"""Plaid: what only this provider does, and its own client library against the sandbox's face."""

from __future__ import annotations

import asyncio
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import plaid
import pytest
from plaid.api.plaid_api import PlaidApi
from plaid.model.accounts_balance_get_request import AccountsBalanceGetRequest
from plaid.model.auth_get_request import AuthGetRequest
from plaid.model.country_code import CountryCode
from plaid.model.item_get_request import ItemGetRequest
from plaid.model.item_public_token_exchange_request import ItemPublicTokenExchangeRequest
from plaid.model.item_remove_request import ItemRemoveRequest
from plaid.model.link_token_create_hosted_link import LinkTokenCreateHostedLink
from plaid.model.link_token_create_request import LinkTokenCreateRequest
from plaid.model.link_token_create_request_user import LinkTokenCreateRequestUser
from plaid.model.link_token_get_request import LinkTokenGetRequest
from plaid.model.products import Products

from app.domain.errors import (
    AllowanceSpent,
    ConsentDoubtful,
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
from app.ports import Grant, GrantState
from app.side_ports import RenewingPort
from connectors._http import client
from connectors.plaid.grants import Held, found_accounts
from connectors.plaid.settings import Settings
from sandbox import psu
from sandbox.bank_list import plaid_id
from sandbox.banks import BY_ID
from sandbox.faces.plaid_wire import CLIENT_ID, ROOT, SECRET
from sandbox.modes import Mode
from tests.connectors.answers import answering, judged
from tests.connectors.registry import refused
from tests.connectors.rig_plaid import PlaidRig
from tests.connectors.scene import ORIGIN, Scene
from tests.connectors.test_over_http import listening

pytestmark = pytest.mark.anyio

GRANT = Grant("luz", Held("access-1", until=date(2027, 1, 31)).sealed())
WAITING = Grant("luz", Held(link="link-1", until=date(2027, 1, 31)).sealed())


@pytest.fixture
def rig(tmp_path: Path) -> PlaidRig:
    return PlaidRig(tmp_path)


def refusal(kind: str, code: str) -> dict[str, Any]:
    words = "IBAN ES9121000418450200051332"
    return {"error_type": kind, "error_code": code, "error_message": words, "request_id": "r"}


# ---------------------------------------------------------------- settings


def test_settings_say_what_is_missing_and_show_no_secret(rig: PlaidRig) -> None:
    given = Settings.model_validate(rig.given())
    assert SECRET not in repr(given)
    assert given.live_addresses() == ()
    assert Settings(client_id="x").live_addresses() == ("https://production.plaid.com",)
    for missing in ("client_id", "secret", "client_name", "banks"):
        with pytest.raises(Misconfigured) as caught:
            Settings.model_validate({**rig.given(), missing: ""}).institutions()
        assert caught.value.setting == f"SALDO_PLAID_{missing.upper()}"


# ---------------------------------------------------------------- consents


async def test_a_page_for_one_bank_and_little_more(rig: PlaidRig) -> None:
    ask = rig.ask()
    begun = await rig.aggregation.begin_consent(ask)
    sent = rig.seen[-1]
    content = json.loads(sent.body)
    assert content["products"] == ["auth"]
    assert content["institution_id"] == plaid_id(BY_ID["luz"])
    assert content["user"] == {"client_user_id": str(ask.key)}
    assert content["hosted_link"]["completion_redirect_uri"] == ask.return_url
    assert sent.headers["plaid-client-id"] == CLIENT_ID
    assert SECRET not in f"{sent.url}{sent.body!r}"
    held = Held.of(begun.grant.token)
    assert (held.access, held.until) == ("", ask.valid_until)


async def test_the_exchange_needs_no_browser_that_comes_back(rig: PlaidRig) -> None:
    person = rig.person()
    begun = await rig.begin()
    port = rig.aggregation
    assert isinstance(port, RenewingPort)
    assert await port.renew(begun.grant) == begun.grant  # he is still at his bank
    assert isinstance(await refused(port.accounts(begun.grant, None)), TryLater)
    await port.end_consent(begun.grant)
    rig.allow(begun, person)
    fresh = await port.renew(begun.grant)
    assert Held.of(fresh.token).until == rig.ask().valid_until
    assert await port.renew(fresh) == fresh
    # The public token works once: whoever comes second finds it spent.
    assert isinstance(await refused(port.renew(begun.grant)), Declined)


def session(institution: str = "", **about: Any) -> dict[str, Any]:
    added = {"public_token": "public-1", "institution": {"institution_id": institution}}
    found = {"link_session_id": "s", "results": {"item_add_results": [added]}, **about}
    return {"link_token": "link-1", "link_sessions": [found]}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"link_sessions": [{"finished_at": "2026-11-23T09:00:00Z"}]}, ConsentGone),
        (400, refusal("INVALID_INPUT", "INVALID_LINK_TOKEN"), ConsentGone),
        (400, refusal("RATE_LIMIT_EXCEEDED", "RATE_LIMIT"), TryLater),
        (400, refusal("INVALID_INPUT", "INVALID_API_KEYS"), TryLater),
        (500, refusal("API_ERROR", "INTERNAL_SERVER_ERROR"), TryLater),
        (200, [], Unreadable),
        # The same answer to the exchange: nothing in it, and it may have happened.
        (200, session(plaid_id(BY_ID["luz"])), OutcomeUnknown),
    ],
)
async def test_what_can_come_of_the_page(
    rig: PlaidRig, status: int, body: Any, expected: type[ProviderError]
) -> None:
    port = rig.aggregation_over(answering(status, body))
    assert isinstance(port, RenewingPort)
    assert type(await refused(port.renew(WAITING))) is expected


async def test_another_bank_than_the_chosen_one_is_given_back(rig: PlaidRig) -> None:
    body = {**session("ins_other"), "access_token": "access-9"}
    port = rig.aggregation_over(answering(200, body))
    assert isinstance(port, RenewingPort)
    error = await refused(port.renew(WAITING))
    assert isinstance(error, ConsentGone)
    assert error.why is ConsentEnd.REJECTED


@pytest.mark.parametrize(
    ("code", "ends", "state", "end"),
    [
        (None, None, GrantState.ACTIVE, None),
        (None, "2027-02-01T00:00:00Z", GrantState.ACTIVE, None),
        (None, "2026-11-23T08:00:00Z", GrantState.ENDED, ConsentEnd.EXPIRED),
        ("PENDING_EXPIRATION", "2026-11-28T08:00:00Z", GrantState.ACTIVE, None),
        # One code for several ends: the day that Plaid names tells them apart.
        ("ITEM_LOGIN_REQUIRED", None, GrantState.ENDED, ConsentEnd.EXPIRED),
        ("ITEM_LOGIN_REQUIRED", "2026-11-23T08:00:00Z", GrantState.ENDED, ConsentEnd.EXPIRED),
        ("ITEM_LOGIN_REQUIRED", "2027-02-01T00:00:00Z", GrantState.ENDED,
         ConsentEnd.REVOKED_AT_BANK),
        ("USER_PERMISSION_REVOKED", None, GrantState.ENDED, ConsentEnd.REVOKED_AT_BANK),
        ("INSTITUTION_DOWN", None, GrantState.ACTIVE, None),
    ],
)  # fmt: skip
async def test_the_states_of_an_item(
    rig: PlaidRig, code: str | None, ends: str | None, state: GrantState, end: ConsentEnd | None
) -> None:
    error = refusal("ITEM_ERROR", code) if code else None
    item = {"item_id": "i", "error": error, "consent_expiration_time": ends}
    now = await rig.aggregation_over(answering(200, {"item": item})).grant_now(GRANT)
    assert (now.state, now.end) == (state, end)
    assert now.valid_until is not None
    assert now.valid_until <= date(2027, 1, 31)


# ---------------------------------------------------------------- reads


@pytest.mark.parametrize(
    ("kind", "code", "expected", "why"),
    [
        ("ITEM_ERROR", "ITEM_NOT_FOUND", ConsentGone, ConsentEnd.UNKNOWN_AT_BANK),
        ("INVALID_INPUT", "INVALID_ACCESS_TOKEN", ConsentGone, ConsentEnd.UNKNOWN_AT_BANK),
        ("ITEM_ERROR", "USER_PERMISSION_REVOKED", ConsentGone, ConsentEnd.REVOKED_AT_BANK),
        ("ITEM_ERROR", "NO_ACCOUNTS", Declined, None),
        ("INVALID_INPUT", "INVALID_ACCOUNT_ID", Declined, None),
        ("INVALID_REQUEST", "UNKNOWN_FIELDS", Declined, None),
        ("RATE_LIMIT_EXCEEDED", "BALANCE_LIMIT", AllowanceSpent, None),
        ("RATE_LIMIT_EXCEEDED", "INSTITUTION_RATE_LIMIT", AllowanceSpent, None),
        ("RATE_LIMIT_EXCEEDED", "RATE_LIMIT", TryLater, None),
        ("INSTITUTION_ERROR", "INSTITUTION_DOWN", TryLater, None),
        ("API_ERROR", "PLANNED_MAINTENANCE", TryLater, None),
        ("INVALID_INPUT", "INVALID_API_KEYS", TryLater, None),
        ("ITEM_ERROR", "PRODUCT_NOT_READY", TryLater, None),
    ],
)
@pytest.mark.parametrize("status", [400, 404])
async def test_the_code_decides_and_not_the_status(
    rig: PlaidRig, status: int, kind: str, code: str, expected: type[ProviderError],
    why: ConsentEnd | None,
) -> None:  # fmt: skip
    port = rig.aggregation_over(answering(status, refusal(kind, code)))
    error = await refused(port.balances(GRANT, Secret("a"), None))
    assert type(error) is expected
    assert getattr(error, "why", None) is why
    assert "ES91" not in f"{error} {error.detail} {getattr(error, 'body', '')}"


@pytest.mark.parametrize(
    ("wait", "seconds"), [("-1875538", None), ("999999999", None), ("3600", 3600)]
)
async def test_a_limit_without_a_sane_reset(rig: PlaidRig, wait: str, seconds: int | None) -> None:
    port = rig.aggregation_over(answering(429, {}, Retry_After=wait))
    error = await refused(port.balances(GRANT, Secret("a"), None))
    assert isinstance(error, AllowanceSpent)
    expected = None if seconds is None else rig.watch.now() + timedelta(seconds=seconds)
    assert error.until == expected
    assert isinstance(await refused(port.grant_now(GRANT)), TryLater)


async def test_a_doubt_stays_one_where_the_item_is_well(rig: PlaidRig) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/item/get"):
            return httpx.Response(200, json={"item": {"item_id": "i", "error": None}})
        return httpx.Response(400, json=refusal("ITEM_ERROR", "ITEM_LOGIN_REQUIRED"))

    port = rig.aggregation_over(httpx.MockTransport(answer))
    error = await refused(port.balances(GRANT, Secret("a"), None))
    assert isinstance(error, ConsentDoubtful)


async def test_credit_is_never_money(tmp_path: Path) -> None:
    """The same overdraft at three banks that word it differently."""
    for bank in ("luz", "ribera", "foerde"):
        rig = PlaidRig(tmp_path, bank)
        grant = await rig.granted(rig.person(opening_minor=20_000, limit_minor=50_000))
        (account,) = await rig.aggregation.accounts(grant, None)
        answer = await rig.aggregation.balances(grant, account.ref, None)
        found = judged(answer, account.currency)
        assert found.amount is not None
        assert (found.amount.minor, found.credit_excluded) == (20_000, True)


@pytest.mark.parametrize("mode", [Mode.EMPTY_BALANCES, Mode.UNKNOWN_TYPES])
async def test_nothing_that_can_be_spent(rig: PlaidRig, mode: Mode) -> None:
    person = rig.person()
    grant = await rig.granted(person)
    (account,) = await rig.aggregation.accounts(grant, None)
    rig.scene.world.set_mode(person.id, mode)
    answer = await rig.aggregation.balances(grant, account.ref, None)
    assert judged(answer, "EUR").amount is None


def test_which_accounts_are_used() -> None:
    plain = {"type": "depository", "balances": {"iso_currency_code": "EUR"}}
    document = {
        "accounts": [
            {**plain, "account_id": "a"},
            {**plain, "account_id": "b", "type": "credit"},
            {**plain, "account_id": "c"},
            {**plain, "account_id": "d"},
            plain,
        ],
        "numbers": {
            "international": [
                {"account_id": "a", "iban": "ES9121000418450200051332"},
                {"account_id": "b", "iban": "nonsense"},
            ],
            "bacs": [{"account_id": "d", "account": "1", "sort_code": "2"}, 7],
        },
    }
    found = found_accounts(document)
    assert [one.usable for one in found] == [True, False, False, True, False]
    assert [one.number is not None for one in found] == [True, False, False, False, False]
    assert {one.currency for one in found} == {"EUR"}


# ---------------------------------------------------------------- others' words


async def test_a_client_of_the_vendor_walks_through_the_face(tmp_path: Path) -> None:
    """plaid-python checks every answer against the vendor's models."""
    scene = Scene()
    person = scene.world.add_person(opening_minor=12_345, limit_minor=50_000)
    async with listening(scene.world) as origin:
        keys = {"clientId": CLIENT_ID, "secret": SECRET}
        api = PlaidApi(plaid.ApiClient(plaid.Configuration(f"{origin}{ROOT}", api_key=keys)))
        asked = LinkTokenCreateRequest(
            client_name="Lender",
            language="es",
            country_codes=[CountryCode("ES")],
            user=LinkTokenCreateRequestUser(client_user_id="u"),
            products=[Products("auth")],
            institution_id=plaid_id(BY_ID["luz"]),
            hosted_link=LinkTokenCreateHostedLink(completion_redirect_uri="https://a.example/c"),
        )
        made = await asyncio.to_thread(api.link_token_create, asked)
        async with client() as http:
            page = await http.get(made.hosted_link_url)
        waits = LinkTokenGetRequest(link_token=made.link_token)
        got = await asyncio.to_thread(api.link_token_get, waits)
        assert got.link_sessions[0].to_dict().get("results") is None
        psu.allow(scene.world, f"{ORIGIN}{page.headers['location']}", person)
        got = await asyncio.to_thread(api.link_token_get, waits)
        public = got.link_sessions[0].results.item_add_results[0].public_token
        exchange = ItemPublicTokenExchangeRequest(public_token=public)
        access = (await asyncio.to_thread(api.item_public_token_exchange, exchange)).access_token
        item = await asyncio.to_thread(api.item_get, ItemGetRequest(access_token=access))
        assert item.item.error is None
        auth = await asyncio.to_thread(api.auth_get, AuthGetRequest(access_token=access))
        assert auth.numbers.international[0].iban == person.iban
        read = await asyncio.to_thread(
            api.accounts_balance_get,
            AccountsBalanceGetRequest(
                access_token=access,
                options={"account_ids": [auth.accounts[0].account_id]},
            ),
        )
        balances = read.accounts[0].balances
        assert (balances.available, balances.current, balances.limit) == (623.45, 123.45, 500)
        await asyncio.to_thread(api.item_remove, ItemRemoveRequest(access_token=access))
        with pytest.raises(plaid.ApiException) as caught:
            await asyncio.to_thread(api.item_get, ItemGetRequest(access_token=access))
        assert json.loads(caught.value.body)["error_code"] == "ITEM_NOT_FOUND"
