"""Enable Banking: balances by code and limit, tokens, refusals, and what a session may lack."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as ec_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from app.domain.balance import Spendable, Unusable
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
from app.domain.ids import Iban, Secret
from app.domain.money import Money
from app.ports import Grant, GrantState, Presence
from app.side_ports import ComingBackPort
from connectors.enable_banking.aggregation import authorisation_body, presence_headers
from connectors.enable_banking.balances import parse_balances
from connectors.enable_banking.grants import waiting
from connectors.enable_banking.settings import BankProfile, BankRoute
from connectors.enable_banking.signer import AUDIENCE, ISSUER, Signer
from sandbox.faces.eb_wire import APP_ID, customer_key
from sandbox.modes import Mode
from tests.connectors.answers import answering, judged
from tests.connectors.registry import refused
from tests.connectors.rig_enable_banking import EnableBankingRig
from tests.connectors.scene import HERE, MONDAY

pytestmark = pytest.mark.anyio


@pytest.fixture
def rig(tmp_path: Path) -> EnableBankingRig:
    return EnableBankingRig(tmp_path)


# ---------------------------------------------------------------- balances


def entry(code: str, amount: Any, currency: str = "EUR", **more: Any) -> dict[str, Any]:
    stated = {"currency": currency, "amount": amount}
    return {"name": code, "balance_type": code, "balance_amount": stated, **more}


def spendable(document: Any) -> Spendable:
    (answer,) = parse_balances(document)
    return judged(answer)


def limited(limit: str, *entries: dict[str, Any]) -> dict[str, Any]:
    credit = {"currency": "EUR", "amount": limit}
    return {"currency": "EUR", "credit_limit": credit, "balances": list(entries)}


@pytest.mark.parametrize(
    ("document", "cents", "kind", "free"),
    [
        # The limit is in the available balance: it is higher than what is booked.
        (limited("1000.00", entry("ITAV", "1250.00"), entry("CLBD", "250.00")),
         25_000, "interimAvailable", True),
        # Or nothing is booked beside it, and doubt never makes the amount larger.
        (limited("1000.00", entry("ITAV", "1250.00")), 25_000, "interimAvailable", True),
        (limited("1000.00", entry("ITAV", "900.00")), -10_000, "interimAvailable", True),
        (limited("-1000.00", entry("XPCD", "1250.00")), 25_000, "expected", True),
        # It is not in it: less than what is booked is there.
        (limited("1000.00", entry("ITAV", "230.00"), entry("ITBD", "250.00")),
         23_000, "interimAvailable", True),
        # There is none.
        (limited("0.00", entry("ITAV", "230.00")), 23_000, "interimAvailable", True),
        # Nobody says so: then the rule for balances that say nothing.
        ({"balances": [entry("ITAV", "900.00"), entry("CLBD", "10.00")]},
         1_000, "interimAvailable", True),
        ({"balances": [entry("ITAV", "900.00")]}, 90_000, "interimAvailable", False),
        # A booked balance holds no credit, and nothing is taken off.
        (limited("1000.00", entry("CLBD", "250.00")), 25_000, "closingBooked", True),
        # A limit in another currency says nothing about this balance.
        (limited("1000.00", entry("ITAV", "900.00", "USD")) | {"currency": "USD"},
         90_000, "interimAvailable", False),
    ],
)  # fmt: skip
def test_credit_is_taken_off(document: Any, cents: int, kind: str, free: bool) -> None:
    found = spendable(document)
    assert found.amount is not None
    assert (found.amount.minor, found.kind, found.credit_excluded) == (cents, kind, free)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"balances": []}, Unusable.NO_BALANCES),
        ({"balances": [entry("INFO", "5.00"), entry("PRCD", "5.00")]}, Unusable.UNKNOWN_KIND),
        ({"balances": [entry("OPAV", "5.00")]}, Unusable.UNKNOWN_KIND),
        ({"balances": [entry("ITAV", "NaN")]}, Unusable.UNREADABLE_AMOUNT),
        ({"balances": [entry("ITAV", 5.005)]}, Unusable.UNREADABLE_AMOUNT),
        ({"balances": [entry("ITAV", "1.234,56")]}, Unusable.UNREADABLE_AMOUNT),
        ({"balances": [entry("ITAV", None)]}, Unusable.UNREADABLE_AMOUNT),
        ({"currency": "EUR", "balances": [entry("ITAV", "5.00", "USD")]}, Unusable.OTHER_CURRENCY),
        ({"cash_account_type": "CARD", "balances": [entry("ITAV", "5.00")]}, Unusable.NOT_MONEY),
        (limited("9" * 16 + ".00", entry("ITAV", "-" + "9" * 16 + "0.00")),
         Unusable.UNREADABLE_AMOUNT),
    ],
)  # fmt: skip
def test_what_cannot_be_spent_says_why(document: Any, why: Unusable) -> None:
    found = spendable(document)
    assert (found.amount, found.unusable) == (None, why)


def test_shapes_and_instants() -> None:
    listed = [entry("ITAV", "1.00", last_change_date_time="2026-11-21T10:00:00+01:00")]
    for document in (
        listed,
        {"balances": listed},
        {"account": {"currency": "EUR"}, "balances": listed},
        {"details": {"currency": "EUR", "balances": listed}},
        {"accounts": [{"currency": "EUR", "balances": listed}, {"currency": "EUR"}]},
    ):
        (answer,) = parse_balances(document)
        (one,) = answer.entries
        assert one.as_of is not None
        assert one.as_of.isoformat() == "2026-11-21T09:00:00+00:00"
    assert len(parse_balances([{"balances": listed}, {"balances": listed}])) == 2
    for nothing in ({}, {"accounts": [{"uid": "x"}]}, "text", None, 7):
        with pytest.raises(Unreadable):
            parse_balances(nothing)


async def test_a_limit_of_the_linking_day_is_taken_off_and_not_trusted(tmp_path: Path) -> None:
    """It may have been raised since, so it never makes a balance free of credit by itself."""
    rig = EnableBankingRig(tmp_path)
    grant = await rig.granted(rig.person(opening_minor=20_000, limit_minor=50_000))
    (account,) = await rig.aggregation.accounts(grant, None)
    only = {"balances": [entry("ITAV", "700.00")]}
    port = rig.aggregation_over(answering(200, only))
    answer = await port.balances(grant, account.ref, None)
    (one,) = answer.entries
    assert (one.amount, one.limit_included) == (Money(20_000, "EUR"), None)


# ---------------------------------------------------------------- the token


def test_the_token_is_what_the_vendor_asks_for(tmp_path: Path) -> None:
    file, at = tmp_path / "key.pem", MONDAY
    file.touch(0o600)
    file.write_bytes(customer_key())
    signer = Signer(APP_ID, file, lambda: at)
    scheme, _, token = signer.header().partition(" ")
    assert scheme == "Bearer"
    assert jwt.get_unverified_header(token) == {"typ": "JWT", "alg": "RS256", "kid": APP_ID}
    public = load_pem_private_key(customer_key(), None).public_key()
    claims = jwt.decode(
        token,
        public,  # type: ignore[arg-type]
        algorithms=["RS256"],
        audience=AUDIENCE,
        issuer=ISSUER,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["iat"] == int(at.timestamp())
    assert 0 < claims["exp"] - claims["iat"] <= 86_400
    assert APP_ID not in repr(signer)
    for later, same in ((timedelta(minutes=54), True), (timedelta(minutes=56), False)):
        at = MONDAY + later
        assert (signer.header() == f"Bearer {token}") is same
    at = MONDAY - timedelta(days=1)  # a clock that was set back
    assert jwt.decode(signer.header()[7:], options={"verify_signature": False})["iat"] == int(
        at.timestamp()
    )


def test_a_key_that_cannot_sign_is_refused_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.touch(0o600)
    other = ec_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (b"secret words", other):
        file.write_bytes(content)
        with pytest.raises(Misconfigured) as caught:
            Signer(APP_ID, file, lambda: MONDAY)
        assert "secret words" not in str(caught.value)
    for app_id, path in (("", file), (APP_ID, None), (APP_ID, tmp_path / "none.pem")):
        with pytest.raises(Misconfigured):
            Signer(app_id, path, lambda: MONDAY)


# ---------------------------------------------------------------- what is sent


def route(**about: Any) -> BankRoute:
    plain = {
        "id": "b", "name": "Bank", "aspsp_name": "Bank ES", "country": "ES",
        "maximum_consent_validity": 15_552_000,
    }  # fmt: skip
    return BankRoute.of(BankProfile.model_validate({**plain, **about}))


def test_validity_is_cut_to_what_the_bank_allows(rig: EnableBankingRig) -> None:
    body = authorisation_body(rig.ask(valid_until=date(2026, 12, 1)), route(), MONDAY)
    assert body["access"]["valid_until"] == "2026-12-01T22:59:59+00:00"  # the day's end in Madrid
    body = authorisation_body(rig.ask(valid_until=date(2099, 1, 1)), route(), MONDAY)
    until = datetime.fromisoformat(body["access"]["valid_until"])
    assert timedelta(days=179) < until - MONDAY < timedelta(days=180)
    assert body["access"]["transactions"] is False
    assert (body["redirect_url"], body["state"]) == ("https://saldo.example/c/back", "t0k3n")


def test_all_the_wanted_headers_or_none() -> None:
    both = {"Psu-Ip-Address": HERE.ip, "Psu-User-Agent": HERE.user_agent}
    assert presence_headers(route(), HERE) == both
    assert presence_headers(route(required_psu_headers=["psu-ip-address"]), HERE) == both
    assert presence_headers(route(required_psu_headers=["Psu-Geo-Location"]), HERE) == {}
    wanting = route(required_psu_headers=["Psu-User-Agent"])
    assert presence_headers(wanting, Presence("203.0.113.7", "\n")) == {}
    with pytest.raises(Declined):
        presence_headers(route(), Presence("nobody"))


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("code", "expected", "why"),
    [
        ("EXPIRED_SESSION", ConsentGone, ConsentEnd.EXPIRED),
        ("REVOKED_SESSION", ConsentGone, ConsentEnd.REVOKED_AT_BANK),
        ("CLOSED_SESSION", ConsentGone, ConsentEnd.CLOSED_BY_US),
        ("SESSION_DOES_NOT_EXIST", ConsentGone, ConsentEnd.UNKNOWN_AT_BANK),
        ("WRONG_SESSION_STATUS", ConsentDoubtful, None),
        ("ACCOUNT_DOES_NOT_EXIST", ConsentDoubtful, None),
        ("ASPSP_ACCOUNT_NOT_ACCESSIBLE", Declined, None),
        ("ASPSP_PSU_ACTION_REQUIRED", Declined, None),
        ("ASPSP_RATE_LIMIT_EXCEEDED", AllowanceSpent, None),
        ("ASPSP_ERROR", TryLater, None),
        ("ASPSP_TIMEOUT", TryLater, None),
        ("UNAUTHORIZED_ACCESS", TryLater, None),
        ("PSU_HEADER_NOT_PROVIDED", TryLater, None),
        ("ACCESS_DENIED", TryLater, None),
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_the_code_decides_and_not_the_status(
    rig: EnableBankingRig,
    status: int,
    code: str,
    expected: type[ProviderError],
    why: ConsentEnd | None,
) -> None:
    body = {
        "message": "no",
        "code": status,
        "error": code,
        "detail": "IBAN ES9121000418450200051332",
    }
    port = rig.aggregation_over(answering(status, body))
    error = await refused(port.balances(Grant("luz", Secret("s")), Secret("a"), None))
    assert type(error) is expected
    assert getattr(error, "why", None) is why
    assert "ES91" not in f"{error} {error.detail} {getattr(error, 'body', '')}"


@pytest.mark.parametrize(
    ("body", "headers", "wait"),
    [
        ({"error": "ASPSP_RATE_LIMIT_EXCEEDED"}, {"Retry_After": "-1875538"}, None),
        ({"error": "ASPSP_RATE_LIMIT_EXCEEDED"}, {"Retry_After": "999999999"}, None),
        ({"error": "ASPSP_RATE_LIMIT_EXCEEDED"}, {"Retry_After": "3600"}, 3600),
        ({"message": "4/day, try again in 85092 seconds"}, {}, 85_092),
        ({}, {}, None),
        (b"<html>", {}, None),
    ],
)
async def test_too_many_in_its_odd_forms(
    rig: EnableBankingRig, body: Any, headers: dict[str, str], wait: int | None
) -> None:
    port = rig.aggregation_over(answering(429, body, **headers))
    grant = Grant("luz", Secret("s"))
    error = await refused(port.balances(grant, Secret("a"), None))
    assert isinstance(error, AllowanceSpent)
    assert error.until == (None if wait is None else rig.watch.now() + timedelta(seconds=wait))
    assert isinstance(await refused(port.grant_now(grant)), TryLater)  # no read of an account


# ---------------------------------------------------------------- coming back


async def test_nothing_is_asked_before_he_is_back(rig: EnableBankingRig) -> None:
    grant = Grant("luz", waiting("a-1"))
    assert (await rig.aggregation.grant_now(grant)).state is GrantState.PENDING
    await rig.aggregation.end_consent(grant)
    assert isinstance(await refused(rig.aggregation.accounts(grant, None)), TryLater)
    assert isinstance(rig.aggregation, ComingBackPort)
    assert await rig.aggregation.came_back(grant, {}) == grant
    assert rig.seen == []


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (422, {"error": "EXPIRED_AUTHORIZATION_CODE"}, ConsentGone),
        (422, {"error": "WRONG_AUTHORIZATION_CODE"}, Declined),
        (422, {"error": "ALREADY_AUTHORIZED"}, TryLater),
        (422, {"error": "WRONG_SESSION_STATUS"}, TryLater),
        (500, {}, OutcomeUnknown),
        (200, {}, OutcomeUnknown),
        (200, {"session_id": "../x", "accounts": []}, OutcomeUnknown),
    ],
)
async def test_what_a_code_can_come_to(
    rig: EnableBankingRig, status: int, body: Any, expected: type[ProviderError]
) -> None:
    port = rig.aggregation_over(answering(status, body))
    assert isinstance(port, ComingBackPort)
    grant = Grant("luz", waiting("a-1"))
    assert type(await refused(port.came_back(grant, {"code": "c"}))) is expected


async def test_a_stuck_authorisation_waits(rig: EnableBankingRig) -> None:
    person = rig.person()
    rig.scene.world.set_mode(person.id, Mode.AUTHORISATION_STUCK)
    begun = await rig.begin()
    rig.allow(begun, person)
    assert isinstance(await refused(rig.back(begun)), TryLater)


async def test_the_same_account_after_renewal(rig: EnableBankingRig) -> None:
    """The vendor's id is new with every session; the IBAN tells that it is the same account."""
    person = rig.person()
    seen = []
    for _ in range(2):
        grant = await rig.granted(person)
        (account,) = await rig.aggregation.accounts(grant, None)
        seen.append(account)
    assert seen[0].ref != seen[1].ref
    assert seen[0].number == seen[1].number == Iban.parse(person.iban)


async def test_a_card_account_and_one_without_an_id_are_never_used(rig: EnableBankingRig) -> None:
    person = rig.person()
    begun = await rig.begin()
    rig.allow(begun, person)
    opened = {
        "session_id": "s-1",
        "accounts": [
            {"uid": "u-1", "cash_account_type": "CARD", "currency": "EUR"},
            {"cash_account_type": "CACC", "currency": "EUR", "account_id": {"iban": person.iban}},
        ],
    }
    port = rig.aggregation_over(answering(200, opened))
    assert isinstance(port, ComingBackPort)
    grant = await port.came_back(begun.grant, rig.brought)
    listed = {"status": "AUTHORIZED", "accounts": ["u-1", "u-2"]}
    found = await rig.aggregation_over(answering(200, listed)).accounts(grant, None)
    assert [account.usable for account in found] == [False, False, False]
    assert person.name not in grant.token.reveal()
