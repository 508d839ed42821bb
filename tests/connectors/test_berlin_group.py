"""Berlin Group: links, presence, profiles, and the words of consents and payments."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from app.domain.errors import (
    ConsentEnd,
    Declined,
    Misconfigured,
    OutcomeUnknown,
    ProviderError,
)
from app.domain.ids import Secret
from app.domain.money import Money
from app.pay_ports import CancelResult, PaymentHandle, PaymentWithoutPage, PayStatus
from app.ports import Grant, GrantState, Presence
from connectors import berlin_group, live_addresses
from connectors._exchange import Call
from connectors.berlin_group.aggregation import grant_now_of
from connectors.berlin_group.desk import fresh_id, own_link, presence_headers, redirect_link
from connectors.berlin_group.payments import payment_body, payment_now_of, sepa_text
from connectors.berlin_group.profile import (
    BankProfile,
    PresenceHeaders,
    Settings,
    load_banks,
)
from connectors.berlin_group.signing import SignatureProfile
from connectors.berlin_group.wire import BankWire
from tests.connectors.answers import answering, problem, tpp
from tests.connectors.rigs import BankRig, bank
from tests.connectors.scene import HERE

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
READ = Call("berlin_group", "balances", "GET", "https://bank.example/v1/accounts/a/balances")


# ---------------------------------------------------------------- links


@pytest.mark.parametrize(
    ("href", "page"),
    [
        ("https://login.bank.example/sca?x=1", "https://login.bank.example/sca?x=1"),
        ("/psd2/sca/1", "https://api.bank.example/psd2/sca/1"),
        ("authorise/1", "https://api.bank.example/psd2/v1/authorise/1"),
        ("//login.bank.example/sca", "https://login.bank.example/sca"),
        ("http://127.0.0.1:8210/online", "http://127.0.0.1:8210/online"),
        ("http://localhost/online", "http://localhost/online"),
        ("http://login.bank.example/sca", None),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("ftp://bank.example/", None),
        ("https://", None),
        ("https://user:pw@evil.example/", None),
        ("https://bank.example@evil.example/", None),
        ("https://bank.example/a b", None),
        ("https://bank.example/\r\nSet-Cookie: a=b", None),
        ("https://bank.example:port/", None),
        ("https://[::1", None),
        ("https://bank.example/" + "x" * 9000, None),
        ("", None),
    ],
)
def test_only_safe_pages_are_handed_to_a_browser(href: str, page: str | None) -> None:
    assert redirect_link(bank(), href) == page


@pytest.mark.parametrize(
    ("href", "ours"),
    [
        ("/psd2/v1/consents/1/authorisations", True),
        ("https://api.bank.example/psd2/v1/x", True),
        ("https://evil.example/psd2/v1/x", False),
        ("http://api.bank.example/psd2/v1/x", False),
        ("//evil.example/x", False),
        ("https://api.bank.example:8443/x", False),
    ],
)
def test_calls_go_to_the_bank_alone(href: str, ours: bool) -> None:
    assert (own_link(bank(), href) is not None) is ours


MADE = {
    "consentStatus": "received",
    "consentId": "c-1",
    "paymentId": "p-1",
    "transactionStatus": "RCVD",
}
UNUSABLE = [
    {**MADE},
    {**MADE, "_links": {}},
    {**MADE, "_links": {"scaOAuth": {"href": "https://bank.example/oauth"}}},
    {**MADE, "_links": {"scaRedirect": {"href": "http://bank.example/sca"}}},
    {**MADE, "_links": {"scaRedirect": {"href": "javascript:alert(1)"}}},
    {**MADE, "_links": {"startAuthorisation": {"href": "https://evil.example/start"}}},
    {**MADE, "consentId": None, "paymentId": ""},
    {**MADE, "consentId": "c\r\nX: 1", "paymentId": "p 1"},
    [],
]


@pytest.mark.parametrize("made", UNUSABLE)
async def test_what_was_made_and_cannot_be_used_is_unknown_and_reported(
    tmp_path: Path, made: Any
) -> None:
    rig = BankRig(tmp_path)
    order = rig.order(rig.person())
    with pytest.raises(OutcomeUnknown):
        await rig.aggregation_over(answering(201, made)).begin_consent(rig.ask())
    with capture_logs() as logs, pytest.raises(OutcomeUnknown) as lost:
        await rig.payments_over(answering(201, made)).create_payment(order)
    if isinstance(made, dict) and made["paymentId"] == "p-1":
        # It has a name, by which it can be taken back.
        assert isinstance(lost.value, PaymentWithoutPage)
        assert lost.value.handle == PaymentHandle(order.bank_id, Secret("p-1"), order.instant)
    assert [line["event"] for line in logs] == ["payment_without_page"]
    assert "p-1" not in str(logs)


async def test_a_resource_that_is_refused_as_it_is_made_is_declined(tmp_path: Path) -> None:
    rig = BankRig(tmp_path)
    order = rig.order(rig.person())
    with pytest.raises(Declined):
        await rig.aggregation_over(
            answering(201, {**MADE, "consentStatus": "rejected"})
        ).begin_consent(rig.ask())
    with pytest.raises(Declined) as error:
        await rig.payments_over(
            answering(201, {**MADE, "transactionStatus": "RJCT"})
        ).create_payment(order)
    assert error.value.reason == "RJCT"


# ---------------------------------------------------------------- presence


def test_presence_by_the_banks_profile() -> None:
    for profile, names in (
        (PresenceHeaders.FULL, {"PSU-IP-Address", "PSU-User-Agent"}),
        (PresenceHeaders.ADDRESS, {"PSU-IP-Address"}),
        (PresenceHeaders.CREATION, set()),
    ):
        assert set(presence_headers(bank(presence=profile), HERE)) == names
        assert presence_headers(bank(presence=profile), None) == {}
    at_creation = presence_headers(bank(presence="creation"), HERE, creation=True)
    assert at_creation == {"PSU-IP-Address": HERE.ip}


def test_presence_cannot_smuggle_headers() -> None:
    nasty = Presence("203.0.113.7", "Mozilla\r\nPSU-ID: other\tñ" + "x" * 500)
    agent = presence_headers(bank(), nasty)["PSU-User-Agent"]
    assert agent.isascii()
    assert agent.isprintable()
    assert len(agent) <= 256
    assert presence_headers(bank(), Presence("fe80::1%eth0"))["PSU-IP-Address"] == "fe80::1"
    for ip in ("", "testclient", "1.2.3.4\r\nX: 1"):
        with pytest.raises(Declined):
            presence_headers(bank(), Presence(ip))


# ---------------------------------------------------------------- consents


@pytest.mark.parametrize(
    ("word", "state", "end"),
    [
        ("received", GrantState.PENDING, None),
        ("partiallyAuthorised", GrantState.PENDING, None),
        ("valid", GrantState.ACTIVE, None),
        ("VALID", GrantState.ACTIVE, None),
        ("rejected", GrantState.ENDED, ConsentEnd.REJECTED),
        ("revokedByPsu", GrantState.ENDED, ConsentEnd.REVOKED_AT_BANK),
        ("expired", GrantState.ENDED, ConsentEnd.EXPIRED),
        ("terminatedByTpp", GrantState.ENDED, ConsentEnd.CLOSED_BY_US),
    ],
)
def test_the_words_for_a_consent(word: str, state: GrantState, end: ConsentEnd | None) -> None:
    with capture_logs() as logs:
        now = grant_now_of({"consentStatus": word, "validUntil": "2027-01-31"}, bank())
    assert (now.state, now.end, now.raw_status) == (state, end, word)
    assert now.valid_until == date(2027, 1, 31)
    assert logs == []


@pytest.mark.parametrize("word", ["suspended", "", None, 7, "ES9121000418450200051332"])
def test_an_unknown_word_for_a_consent_is_pending_with_an_alarm(word: Any) -> None:
    with capture_logs() as logs:
        now = grant_now_of({"consentStatus": word, "validUntil": "soon"}, bank())
    assert (now.state, now.valid_until) == (GrantState.PENDING, None)
    assert [line["log_level"] for line in logs] == ["warning"]
    assert "2100" not in str(logs)


async def test_a_one_off_consent_asks_for_one_read_and_nobody_for_too_many(tmp_path: Path) -> None:
    import json

    rig = BankRig(tmp_path)
    await rig.begin(recurring=False, frequency_per_day=4)
    await rig.begin(frequency_per_day=50)
    await rig.begin(frequency_per_day=2)
    assert [json.loads(one.body)["frequencyPerDay"] for one in rig.seen] == [1, 4, 2]


def test_fresh_ids_are_random_uuids() -> None:
    made = [fresh_id() for _ in range(200)]
    assert len(set(made)) == 200
    assert all(str(UUID(text)) == text and UUID(text).version == 4 for text in made)


async def test_ids_of_accounts_cannot_leave_their_place_in_the_path(tmp_path: Path) -> None:
    rig = BankRig(tmp_path)
    grant = Grant("luz", Secret("c"))
    port = rig.aggregation_over(answering(200, {"balances": []}))
    for ref in ("a/../../payments", "a?b=c", "a#b", "ñ €", "a%2Fb"):
        assert (await port.balances(grant, Secret(ref), None)).entries == ()
        with pytest.raises(ProviderError):
            await rig.aggregation.balances(grant, Secret(ref), None)
    paths = [one.url.removeprefix("http://127.0.0.1:8210/banks/luz/psd2/v1") for one in rig.seen]
    assert paths == [
        "/accounts/a%2F..%2F..%2Fpayments/balances",
        "/accounts/a%3Fb%3Dc/balances",
        "/accounts/a%23b/balances",
        "/accounts/%C3%B1%20%E2%82%AC/balances",
        "/accounts/a%252Fb/balances",
    ]
    for ref in ("", ".", ".."):
        with pytest.raises(Declined):
            await port.balances(grant, Secret(ref), None)


async def test_the_key_of_an_order_is_its_request_id(tmp_path: Path) -> None:
    rig = BankRig(tmp_path)
    ask, order = rig.ask(), rig.order(rig.person())
    await rig.aggregation.begin_consent(ask)
    first = await rig.payments.create_payment(order)
    again = await rig.payments.create_payment(order)
    assert [one.headers["x-request-id"] for one in rig.seen] == [
        str(ask.key),
        str(order.key),
        str(order.key),
    ]
    assert first.handle == again.handle  # this bank answers a repeated id with the same payment


# ---------------------------------------------------------------- payments


def test_payment_words_by_the_banks_profile() -> None:
    plain = bank()
    cautious = bank(settled_at=["ACCC"], authorised_at=["ACTC", "ACSP"])
    table = {
        "RCVD": (PayStatus.OPEN, PayStatus.OPEN),
        "ACTC": (PayStatus.OPEN, PayStatus.AUTHORISED),
        "ACCP": (PayStatus.OPEN, PayStatus.OPEN),
        "ACSP": (PayStatus.AUTHORISED, PayStatus.AUTHORISED),
        "ACWP": (PayStatus.AUTHORISED, PayStatus.AUTHORISED),
        "ACSC": (PayStatus.SETTLED, PayStatus.AUTHORISED),
        "ACCC": (PayStatus.SETTLED, PayStatus.SETTLED),
        "acsc": (PayStatus.SETTLED, PayStatus.AUTHORISED),
        "RJCT": (PayStatus.REJECTED, PayStatus.REJECTED),
        "CANC": (PayStatus.CANCELLED, PayStatus.CANCELLED),
    }
    for word, (usual, careful) in table.items():
        assert payment_now_of({"transactionStatus": word}, plain).status is usual
        assert payment_now_of({"transactionStatus": word}, cautious).status is careful


@pytest.mark.parametrize("word", ["PART", "DONE", "", None, 3])
def test_an_unknown_word_for_a_payment_is_open_with_an_alarm(word: Any) -> None:
    with capture_logs() as logs:
        assert payment_now_of({"transactionStatus": word}, bank()).status is PayStatus.OPEN
    assert [line["log_level"] for line in logs] == ["warning"]


async def test_what_cannot_be_ordered_never_leaves(tmp_path: Path) -> None:
    rig = BankRig(tmp_path, "ribera")
    good = rig.order(rig.person())
    for broken in (
        replace(good, amount=Money(100, "USD")),
        replace(good, amount=Money(0, "EUR")),
        replace(good, amount=Money(-100, "EUR")),
        replace(good, end_to_end_ref="x" * 36),
        replace(good, end_to_end_ref="préstamo"),
        replace(good, debtor_iban=None),
        replace(good, bank_id="no-such-bank"),
    ):
        with pytest.raises(Declined):
            await rig.payments.create_payment(broken)
    assert rig.seen == []


def test_a_payment_in_the_letters_every_bank_bears(tmp_path: Path) -> None:
    rig = BankRig(tmp_path)
    body = payment_body(rig.order(rig.person()), bank())
    assert body["creditorName"] == "Prestamos Sol SL"
    assert body["remittanceInformationUnstructured"] == "Cuota prestamo 17 n/l"
    assert body["instructedAmount"] == {"currency": "EUR", "amount": "50.00"}
    assert sepa_text("Zażółć gęślą jaźń; Straße & Ørsted — 100 €", 140) == (
        "Zazolc gesla jazn Strasse Orsted 100"
    )
    assert sepa_text("x" * 200, 140) == "x" * 140
    assert sepa_text("日本", 70) == ""
    assert "remittanceInformationUnstructured" not in payment_body(
        replace(rig.order(rig.person()), remittance=""), bank()
    )


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (204, b"", CancelResult.CANCELLED),
        (200, {"transactionStatus": "CANC"}, CancelResult.CANCELLED),
        (202, {"transactionStatus": "ACTC"}, CancelResult.NEEDS_PAYER),
        (405, tpp("CANCELLATION_INVALID"), CancelResult.TOO_LATE),
        (400, problem("CANCELLATION_INVALID"), CancelResult.TOO_LATE),
        (409, tpp("STATUS_INVALID"), CancelResult.TOO_LATE),
    ],
)
async def test_taking_a_payment_back(
    tmp_path: Path, status: int, body: Any, result: CancelResult
) -> None:
    port = BankRig(tmp_path).payments_over(answering(status, body))
    assert await port.cancel_payment(PaymentHandle("luz", Secret("p"))) is result


async def test_a_bank_may_want_the_payer_for_taking_back(tmp_path: Path) -> None:
    rig = BankRig(tmp_path, "wisla")
    person = rig.person(opening_minor=100_000)
    begun = await rig.payments.create_payment(rig.order(person))
    rig.pay(begun, person)
    assert await rig.payments.cancel_payment(begun.handle) is CancelResult.NEEDS_PAYER


# ---------------------------------------------------------------- secrets


async def test_tokens_and_account_ids_show_nowhere(tmp_path: Path) -> None:
    grant, ref = Grant("luz", Secret("token-4711")), Secret("account-4711")
    rig = BankRig(tmp_path)
    body = {**tpp("FORMAT_ERROR", "account-4711 of Ana"), "id": "token-4711"}
    with capture_logs() as logs:
        for status, content in ((400, body), (200, {"x": "account-4711"}), (500, body)):
            port = rig.aggregation_over(answering(status, content))
            with pytest.raises(ProviderError) as error:
                await port.balances(grant, ref, None)
            shown = f"{error.value!r} {vars(error.value)} {error.value.__cause__!r}"
            assert "4711" not in shown
            assert "Ana" not in shown
    assert "4711" not in str(logs)
    assert "4711" not in repr(grant) + repr(PaymentHandle("luz", ref))


# ---------------------------------------------------------------- the bank list


GOOD = """
[[bank]]
id = "one"
name = "Bank One"
country = "ES"
base_url = "https://api.one.example/psd2/"
booking_from = "07:30"
settled_at = ["ACCC"]

[[bank]]
id = "two"
name = "Sandbox"
country = "PL"
time_zone = "Europe/Warsaw"
base_url = "http://127.0.0.1:8210/banks/two/psd2/v1"
limits_excluded = true
"""


def test_a_list_of_banks(tmp_path: Path) -> None:
    path = tmp_path / "banks.toml"
    path.write_text(GOOD)
    banks = load_banks(path)
    assert banks["one"].base == "https://api.one.example/psd2/v1"
    assert banks["two"].base == "http://127.0.0.1:8210/banks/two/psd2/v1"
    assert banks["one"].bank.booking_from.hour == 7
    assert banks["two"].bank.limits_excluded
    assert live_addresses(Settings(banks=path)) == ("https://api.one.example/psd2/v1",)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("https://api.one.example", "http://api.one.example"), "base_url"),
        (("https://api.one.example", "https://user@api.one.example"), "base_url"),
        (('id = "two"', 'id = "one"'), "twice"),
        (('"Europe/Warsaw"', '"Poland/Middle"'), "time_zone"),
        (('["ACCC"]', '["RJCT"]'), "settled_at"),
        (('["ACCC"]', '["DONE"]'), "settled_at"),
        (('"07:30"', '"late"'), "booking_from"),
        (('name = "Bank One"', 'nane = "Bank One"'), "nane|name"),
        (("limits_excluded = true", "balance_kinds = ['booked']"), "balance_kinds"),
        (("limits_excluded = true", "balance_kinds = []"), "balance_kinds"),
        (("limits_excluded = true", "wire = { proxy = 'socks5://p:1' }"), "wire.proxy"),
        (("limits_excluded = true", "signature = { headers = ['date'] }"), "signature.headers"),
        (("[[bank]]", "[[banks]]"), "lists no"),
        (("[[bank]]", "[bank"), "TOML"),
    ],
)
def test_a_fault_in_the_list_is_named_at_the_start(
    tmp_path: Path, change: tuple[str, str], named: str
) -> None:
    path = tmp_path / "banks.toml"
    path.write_text(GOOD.replace(*change))
    with pytest.raises(Misconfigured, match=named):
        load_banks(path)


def test_the_example_explains_every_field_with_its_default() -> None:
    path = Path(berlin_group.__file__).parent / "banks.example.toml"
    (route,) = load_banks(path).values()
    (table,) = tomllib.loads(path.read_text(encoding="utf-8"))["bank"]
    assert set(table) == set(BankProfile.model_fields) - {"wire", "signature"}
    needed = {name: table[name] for name in ("id", "name", "country", "base_url")}
    assert BankProfile.model_validate(needed) == route.profile
    # What most banks do not need stands there behind a bare #.
    lines = path.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line.removeprefix("#") if line[1:2] != " " else line for line in lines)
    (table,) = tomllib.loads(text)["bank"]
    assert set(table["wire"]) == set(BankWire.model_fields)
    assert set(table["signature"]) == set(SignatureProfile.model_fields)
    assert SignatureProfile.model_validate(table["signature"]) == SignatureProfile()


def test_a_missing_list_is_named_at_the_start(tmp_path: Path) -> None:
    for path in (None, tmp_path / "none.toml"):
        with pytest.raises(Misconfigured, match="SALDO_BERLIN_GROUP_BANKS"):
            load_banks(path)
