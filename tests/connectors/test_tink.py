"""Tink: what only this provider does."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import structlog
from hypothesis import given

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
from app.ports import Grant, GrantState, Wire
from app.side_ports import ComingBackPort
from connectors._http import client
from connectors.tink.aggregation import Aggregation
from connectors.tink.grants import Held, found_account
from connectors.tink.settings import Provider, Settings
from sandbox.modes import Mode
from tests.connectors.answers import answering, judged
from tests.connectors.registry import refused
from tests.connectors.rig_tink import TinkRig
from tests.connectors.scene import HERE, MONDAY, SMALL, Watch
from tests.connectors.test_fuzz import ANSWERS, only_our_errors

pytestmark = pytest.mark.anyio

USER, ACCOUNT = "a" * 32, "b" * 32
GRANT = Grant("luz", Held(USER, date(2027, 1, 31)).sealed())
BANK = Provider(id="luz", name="B", country="ES", provider_name="es-luz-ob", locale="es_ES")


@pytest.fixture
def rig(tmp_path: Path) -> TinkRig:
    return TinkRig(tmp_path)


def said(status: int = 200, body: Any = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=body, headers=named)


Answers = dict[str, httpx.Response | Callable[[httpx.Request], httpx.Response]]


class Scripted:
    """A provider that answers each path from a table and remembers what it was asked."""

    def __init__(self, answers: Answers) -> None:
        self.answers: Answers = {
            "/api/v1/oauth/token": said(body={"access_token": "t", "expires_in": 1800}),
            "/api/v1/oauth/authorization-grant": said(body={"code": "c"}),
            **answers,
        }
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/tink")
        self.asked.append(f"{request.method} {path}")
        found = self.answers[path]
        return found(request) if callable(found) else found


def over(
    rig: TinkRig, answers: Answers, watch: Watch | None = None
) -> tuple[Aggregation, Scripted]:
    script, watch = Scripted(answers), watch or Watch()
    http = client(SMALL, transport=httpx.MockTransport(script))
    given = Settings.model_validate(rig.given())
    return Aggregation(given, Wire(http, watch.now, watch.now)), script


def connected(status: str = "UPDATED", **about: Any) -> dict[str, Any]:
    plain = {"accountIds": [ACCOUNT], "credentialsId": "c", "providerName": "es-luz-ob"}
    return {"providerConsents": [{**plain, "status": status, **about}]}


# ---------------------------------------------------------------- tokens


async def test_tokens_are_kept_for_their_half_hour(rig: TinkRig) -> None:
    grant = await rig.granted(rig.person())
    (account,) = await rig.aggregation.accounts(grant, None)
    await rig.aggregation.balances(grant, account.ref, None)
    tokens = [one.url for one in rig.seen if one.url.endswith("/oauth/token")]
    assert len(tokens) == 2  # our own, and the user's
    rig.watch.on(minutes=31)
    await rig.aggregation.balances(grant, account.ref, None)
    assert len([one for one in rig.seen if one.url.endswith("/oauth/token")]) == 4


async def test_a_token_that_is_refused_is_renewed_once(rig: TinkRig) -> None:
    stale = said(401, {"errorCode": "unauthorized"})
    port, script = over(rig, {"/api/v1/provider-consents": stale})
    error = await refused(port.grant_now(GRANT))
    assert type(error) is TryLater
    assert script.asked.count("GET /api/v1/provider-consents") == 2
    assert script.asked.count("POST /api/v1/oauth/token") == 3


@pytest.mark.parametrize(("status", "minutes"), [(401, 10), (400, 10), (429, 1)])
async def test_wrong_credentials_are_not_tried_again_and_again(
    rig: TinkRig, status: int, minutes: int
) -> None:
    watch = Watch()
    no = said(status, {"errorCode": "oauth.client_unauthorized"}, retry_after="60")
    port, script = over(rig, {"/api/v1/oauth/token": no}, watch)
    for _ in range(5):
        error = await refused(port.grant_now(GRANT))
        assert isinstance(error, TryLater)
        assert error.after == timedelta(minutes=minutes)
        assert "sandbox-secret" not in repr(error) + str(error)
    assert script.asked == ["POST /api/v1/oauth/token"]
    watch.on(minutes=minutes)
    await refused(port.grant_now(GRANT))
    assert len(script.asked) == 2


def test_settings_say_what_is_missing_and_show_no_secret(rig: TinkRig) -> None:
    given = Settings.model_validate(rig.given())
    assert "sandbox-secret" not in repr(given)
    assert given.live_addresses() == ()
    assert Settings(client_id="x").live_addresses() == ("https://api.tink.com",)
    for missing in ("client_id", "client_secret", "banks"):
        with pytest.raises(Misconfigured) as caught:
            Settings.model_validate({**rig.given(), missing: ""}).providers()
        assert caught.value.setting == f"SALDO_TINK_{missing.upper()}"


@given(answer=ANSWERS)
def test_the_token_desk_may_answer_anything(answer: tuple[int, bytes, dict[str, str]]) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        only_our_errors(answer, lambda transport: [_port(transport).grant_now(GRANT)])
    finally:
        structlog.reset_defaults()


def _port(transport: httpx.AsyncBaseTransport) -> Aggregation:
    class Given(Settings):
        def providers(self) -> dict[str, Provider]:
            return {"luz": BANK}

    wire = Wire(client(SMALL, transport=transport), lambda: MONDAY, lambda: MONDAY)
    return Aggregation(Given(client_id="i", base_url="http://127.0.0.1:1"), wire)


# ---------------------------------------------------------------- consents


async def test_each_consent_is_a_user_of_its_own_and_one_link(rig: TinkRig) -> None:
    ask = rig.ask()
    begun = await rig.aggregation.begin_consent(ask)
    created, delegated = rig.seen[-2:]
    assert json.loads(created.body) == {
        "external_user_id": str(ask.key), "market": "ES", "locale": "es_ES"
    }  # fmt: skip
    sent = dict(parse_qsl(delegated.body.decode()))
    assert sent["actor_client_id"] == "df05e4b379934cd09963197cc855bfe9"
    assert sent["id_hint"] == "Your lender"
    link = dict(parse_qsl(urlsplit(begun.redirect_url).query))
    assert (link["redirect_uri"], link["state"]) == ("https://saldo.example/c/back", "t0k3n")
    assert (link["market"], link["input_provider"]) == ("ES", "es-luz-ob")
    held = Held.of(begun.grant.token)
    assert held.until == ask.valid_until
    assert held.user not in begun.redirect_url
    # The same attempt cannot make a second user.
    assert isinstance(await refused(rig.aggregation.begin_consent(ask)), Declined)


@pytest.mark.parametrize(
    ("created", "delegated", "expected"),
    [
        (said(400, {"errorCode": "bad"}), said(), Declined),
        (said(403, {"errorCode": "forbidden"}), said(), TryLater),
        (said(429), said(), TryLater),
        (said(500), said(), OutcomeUnknown),
        (said(body={"user_id": "../x"}), said(), OutcomeUnknown),
        (said(body=[]), said(), OutcomeUnknown),
        (said(body={"user_id": USER}), said(503), OutcomeUnknown),
        (said(body={"user_id": USER}), said(body={"code": "a b"}), OutcomeUnknown),
    ],
)
async def test_what_is_answered_to_a_new_consent(
    rig: TinkRig, created: httpx.Response, delegated: httpx.Response, expected: type[ProviderError]
) -> None:
    port, _ = over(rig, {
        "/api/v1/user/create": created, "/api/v1/oauth/authorization-grant/delegate": delegated,
    })  # fmt: skip
    assert type(await refused(port.begin_consent(rig.ask()))) is expected


LATER_MS, EARLIER_MS = 1_798_761_600_000, 1_763_900_000_000  # 2027-01-01, 2025-11-23


@pytest.mark.parametrize(
    ("word", "about", "state", "end"),
    [
        ("UPDATED", {}, GrantState.ACTIVE, None),
        ("UPDATED", {"sessionExpiryDate": LATER_MS}, GrantState.ACTIVE, None),
        ("UPDATED", {"sessionExpiryDate": EARLIER_MS}, GrantState.ENDED, ConsentEnd.EXPIRED),
        # A living connection that is being refreshed, and trouble at the bank, end nothing.
        ("UPDATING", {}, GrantState.ACTIVE, None),
        ("TEMPORARY_ERROR", {}, GrantState.ACTIVE, None),
        ("UPDATING", {"accountIds": []}, GrantState.PENDING, None),
        ("TEMPORARY_ERROR", {"accountIds": []}, GrantState.PENDING, None),
        ("CREATED", {"accountIds": []}, GrantState.PENDING, None),
        ("AWAITING_THIRD_PARTY_APP_AUTHENTICATION", {}, GrantState.PENDING, None),
        ("SOMETHING_NEW", {}, GrantState.PENDING, None),
        (None, {"sessionExpiryDate": "soon"}, GrantState.PENDING, None),
        ("SESSION_EXPIRED", {}, GrantState.ENDED, ConsentEnd.EXPIRED),
        # A session that ends before its day was taken back, and so was one the bank refuses.
        ("SESSION_EXPIRED", {"sessionExpiryDate": LATER_MS}, GrantState.ENDED,
         ConsentEnd.REVOKED_AT_BANK),
        ("AUTHENTICATION_ERROR", {}, GrantState.ENDED, ConsentEnd.REVOKED_AT_BANK),
        ("AUTHENTICATION_ERROR", {"accountIds": []}, GrantState.PENDING, None),
        ("PERMANENT_ERROR", {}, GrantState.ENDED, ConsentEnd.UNKNOWN_AT_BANK),
        ("PERMANENT_ERROR", {"accountIds": []}, GrantState.ENDED, ConsentEnd.REJECTED),
        ("DELETED", {}, GrantState.ENDED, ConsentEnd.CLOSED_BY_US),
        # He chose another bank on Tink's page: that is not the consent that was asked for.
        ("UPDATED", {"providerName": "es-other-ob"}, GrantState.PENDING, None),
    ],
)  # fmt: skip
async def test_the_states_of_a_connection(
    rig: TinkRig, word: str, about: dict[str, Any], state: GrantState, end: ConsentEnd | None
) -> None:
    port, _ = over(rig, {"/api/v1/provider-consents": said(body=connected(word, **about))})
    now = await port.grant_now(GRANT)
    assert (now.state, now.end) == (state, end)


async def test_the_last_day_is_the_earlier_of_the_agreed_and_the_session_s(rig: TinkRig) -> None:
    body = connected(sessionExpiryDate=LATER_MS)
    port, _ = over(rig, {"/api/v1/provider-consents": said(body=body)})
    # 2027-01-01T00:00Z is one o'clock in Madrid, so that this day is not whole.
    assert (await port.grant_now(GRANT)).valid_until == date(2027, 1, 1)
    early = Grant("luz", Held(USER, date(2026, 12, 24)).sealed())
    assert (await port.grant_now(early)).valid_until == date(2026, 12, 24)
    assert (await port.grant_now(Grant("luz", Secret(USER)))).state is GrantState.ACTIVE


async def test_one_living_connection_of_several_counts(rig: TinkRig) -> None:
    old, new = connected("SESSION_EXPIRED"), connected()
    both = {"providerConsents": old["providerConsents"] + new["providerConsents"]}
    port, _ = over(rig, {"/api/v1/provider-consents": said(body=both)})
    assert (await port.grant_now(GRANT)).state is GrantState.ACTIVE


async def test_an_error_in_the_browser_is_not_believed_where_a_bank_is_connected(
    rig: TinkRig,
) -> None:
    grant = await rig.granted(rig.person())
    port = rig.aggregation
    assert isinstance(port, ComingBackPort)
    assert await port.came_back(grant, {"error": "USER_CANCELLED"}) == grant
    assert await port.came_back(grant, {"code": "c"}) == grant
    begun = await rig.begin()
    error = await refused(port.came_back(begun.grant, {"error": "TEMPORARY ERROR <b>"}))
    assert isinstance(error, ConsentGone)
    assert (error.why, error.detail) == (ConsentEnd.REJECTED, "came back with an error")


async def test_a_404_of_some_gateway_ends_no_consent(rig: TinkRig) -> None:
    gone = said(404, {"errorCode": "user.not_found"})
    path = "/api/v1/oauth/authorization-grant"
    port, _ = over(rig, {path: httpx.Response(404, text="<html>")})
    assert type(await refused(port.grant_now(GRANT))) is TryLater
    port, _ = over(rig, {path: gone})
    assert (await port.grant_now(GRANT)).end is ConsentEnd.UNKNOWN_AT_BANK
    await port.end_consent(GRANT)


async def test_a_stuck_authorisation_waits(rig: TinkRig) -> None:
    person = rig.person()
    rig.scene.world.set_mode(person.id, Mode.AUTHORISATION_STUCK)
    begun = await rig.begin()
    rig.allow(begun, person)
    assert (await rig.aggregation.grant_now(begun.grant)).state is GrantState.PENDING
    assert isinstance(await refused(rig.aggregation.accounts(begun.grant, None)), TryLater)


async def test_the_same_account_after_renewal(rig: TinkRig) -> None:
    """Tink's id is new with every consent; the IBAN tells that it is the same account."""
    person = rig.person()
    seen = []
    for _ in range(2):
        grant = await rig.granted(person)
        (account,) = await rig.aggregation.accounts(grant, HERE)
        seen.append(account)
    assert seen[0].ref != seen[1].ref
    assert seen[0].number == seen[1].number


# ---------------------------------------------------------------- accounts


async def test_accounts_come_in_pages(rig: TinkRig) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        token = request.url.params.get("pageToken", "")
        number = int(token or 0)
        listed = [{"id": f"{number}" * 8, "type": "CHECKING"}]
        following = str(number + 1) if number < 2 else ""
        return said(body={"accounts": listed, "nextPageToken": following})

    ids = [str(number) * 8 for number in range(3)]
    port, _ = over(rig, {
        "/api/v1/provider-consents": said(body=connected(accountIds=ids)),
        "/data/v2/accounts": page,
    })  # fmt: skip
    found = await port.accounts(GRANT, None)
    assert [one.ref.reveal() for one in found] == ids
    assert all(one.usable for one in found)


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ({"id": ACCOUNT, "type": "CREDIT_CARD"}, "it is a card account"),
        (
            {"id": ACCOUNT, "type": "UNDEFINED"},
            "its type is not known for money to pay with (UNDEFINED)",
        ),
        ({"id": "c" * 32, "type": "CHECKING"}, "the consent no longer covers it"),
        ({"id": "../x", "type": "CHECKING"}, "Tink gives no way to read it"),
        ({"type": "CHECKING", "identifiers": []}, "Tink gives no way to read it"),
        ({"id": ACCOUNT, "type": "CHECKING", "name": 7}, ""),
    ],
)
def test_which_accounts_are_used(item: dict[str, Any], why: str) -> None:
    found = found_account(item, frozenset({ACCOUNT}))
    assert (found.why_unusable, found.usable) == (why, not why)


# ---------------------------------------------------------------- reads

REFRESH = "/api/v1/balance-refresh"


def refreshing(*words: Any, begun: httpx.Response | None = None) -> Answers:
    """A refresh that answers with these words, the last one for good."""
    left = list(words)

    def status(_: httpx.Request) -> httpx.Response:
        word = left.pop(0) if len(left) > 1 else left[0]
        return word if isinstance(word, httpx.Response) else said(body={"status": word})

    return {
        REFRESH: begun or said(body={"balanceRefreshId": "r1", "credentialsId": "c"}),
        f"{REFRESH}/r1": status,
        f"/data/v2/accounts/{ACCOUNT}/balances": said(body={"balances": {}, "accountId": ACCOUNT}),
        "/api/v1/provider-consents": said(body=connected()),
    }


async def test_a_refresh_that_runs_is_waited_for(rig: TinkRig) -> None:
    given = {**rig.given(), "refresh_seconds": 5}
    script = Scripted(refreshing("REFRESHING", "FINISHED"))
    http = client(SMALL, transport=httpx.MockTransport(script))
    port = Aggregation(Settings.model_validate(given), Wire(http, lambda: MONDAY, lambda: MONDAY))
    assert (await port.balances(GRANT, Secret(ACCOUNT), None)).entries == ()
    assert script.asked.count(f"GET {REFRESH}/r1") == 2
    assert script.asked.count(f"POST {REFRESH}") == 1


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (refreshing("REFRESHING"), TryLater),
        (refreshing("PAUSED"), Unreadable),
        (refreshing(said(429, {"errorMessage": "quota exceeded"})), AllowanceSpent),
        (refreshing("x", begun=said(429)), AllowanceSpent),
        (refreshing(said(403, {"errorCode": "forbidden"})), TryLater),
        (refreshing("x", begun=said(400, {"errorCode": "bad_request"})), Declined),
        (refreshing("x", begun=said(body={})), Unreadable),
        (refreshing("x", begun=said(503)), TryLater),
        # A failed refresh has no reason of its own; the connection's state has it.
        (refreshing("FAILED"), TryLater),
        ({**refreshing("FAILED"),
          "/api/v1/provider-consents": said(body=connected("SESSION_EXPIRED"))}, ConsentGone),
        ({**refreshing("FAILED"),
          "/api/v1/provider-consents": said(body=connected(accountIds=["z"]))}, Declined),
        ({**refreshing("FAILED"), "/api/v1/provider-consents": said(500)}, TryLater),
        ({**refreshing("FINISHED"), f"/data/v2/accounts/{ACCOUNT}/balances": said(body=[])},
         Unreadable),
        ({**refreshing("FINISHED"), f"/data/v2/accounts/{ACCOUNT}/balances": said(429)},
         TryLater),
    ],
)  # fmt: skip
async def test_what_can_come_of_a_read(
    rig: TinkRig, answers: Answers, expected: type[ProviderError]
) -> None:
    port, script = over(rig, answers)
    assert type(await refused(port.balances(GRANT, Secret(ACCOUNT), None))) is expected
    assert script.asked.count(f"POST {REFRESH}") == 1


@pytest.mark.parametrize(
    ("wait", "seconds"), [("-1875538", None), ("999999999", None), ("3600", 3600)]
)
async def test_a_quota_without_a_sane_reset(rig: TinkRig, wait: str, seconds: int | None) -> None:
    port = rig.aggregation_over(answering(429, {}, Retry_After=wait))
    error = await refused(port.balances(GRANT, Secret(ACCOUNT), None))
    assert isinstance(error, AllowanceSpent)
    expected = None if seconds is None else rig.watch.now() + timedelta(seconds=seconds)
    assert error.until == expected
    assert isinstance(await refused(port.grant_now(GRANT)), TryLater)  # no read of an account


async def test_credit_is_never_money(tmp_path: Path) -> None:
    """The same overdraft at three banks that word it differently."""
    for bank in ("luz", "ribera", "foerde"):
        rig = TinkRig(tmp_path, bank)
        grant = await rig.granted(rig.person(opening_minor=20_000, limit_minor=50_000))
        (account,) = await rig.aggregation.accounts(grant, None)
        answer = await rig.aggregation.balances(grant, account.ref, None)
        found = judged(answer, account.currency)
        assert found.amount is not None
        assert (found.amount.minor, found.credit_excluded) == (20_000, True)
        assert found.as_of == rig.watch.now()


@pytest.mark.parametrize("mode", [Mode.EMPTY_BALANCES, Mode.UNKNOWN_TYPES])
async def test_nothing_that_can_be_spent(rig: TinkRig, mode: Mode) -> None:
    person = rig.person()
    grant = await rig.granted(person)
    (account,) = await rig.aggregation.accounts(grant, None)
    rig.scene.world.set_mode(person.id, mode)
    answer = await rig.aggregation.balances(grant, account.ref, None)
    assert judged(answer, "EUR").amount is None
