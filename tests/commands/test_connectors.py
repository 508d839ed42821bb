"""`saldo connectors parse`: saved answers of banks, the odd ones too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import connectors
from app.__main__ import cli
from app.commands.connectors import judge
from app.domain.errors import Unreadable
from tests.commands.conftest import refusal

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "berlin_group"
KEYS = {"spendable", "kind", "as_of", "credit_excluded", "unusable"}


def parse(file: Path | str, *more: str, stdin: bytes | None = None) -> Any:
    words = ["connectors", "parse", "berlin_group", "balances", str(file), *more]
    result = CliRunner().invoke(cli, words, input=stdin)
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


def save(folder: Path, content: Any) -> Path:
    path = folder / "answer.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def balance(amount: str, kind: str = "interimAvailable", **more: Any) -> dict[str, Any]:
    stated = {"amount": amount, "currency": more.pop("currency", "EUR")}
    return {"balanceAmount": stated, "balanceType": kind, **more}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("balancesExample1_RegularAccount.json", (50000, "EUR", "expected", True)),
        # The second interimAvailable of this answer contains a credit limit.
        ("balancesExample3_RegularAccount.json", (30000, "EUR", "interimAvailable", True)),
    ],
)
def test_the_published_examples(name: str, expected: tuple[int, str, str, bool]) -> None:
    found = parse(FIXTURES / name)
    assert set(found) == KEYS
    minor, currency, kind, excluded = expected
    assert found["spendable"] == {"minor": minor, "currency": currency}
    assert (found["kind"], found["credit_excluded"], found["unusable"]) == (kind, excluded, None)


def test_an_account_of_several_currencies_gives_one_result_each() -> None:
    found = parse(FIXTURES / "balancesExample2_MulticurrencyAcount.json")
    assert [one["spendable"]["currency"] for one in found] == ["EUR", "USD"]
    assert all(set(one) == KEYS for one in found)


def test_a_card_account_is_never_money() -> None:
    found = parse(FIXTURES / "balancesExample_CardAccount.json")
    assert found["spendable"] is None
    assert found["unusable"]


def test_several_accounts_give_a_list(tmp_path: Path) -> None:
    content = {
        "accounts": [
            {"resourceId": "1", "currency": "EUR", "balances": [balance("10.00", "interimBooked")]},
            {"resourceId": "2", "currency": "USD", "balances": [balance("10.00")]},
            {"resourceId": "3", "currency": "EUR", "balances": []},
        ]
    }
    found = parse(save(tmp_path, content))
    assert [one["unusable"] for one in found] == [None, "other_currency", "no_balances"]
    assert found[0]["spendable"] == {"minor": 1000, "currency": "EUR"}


def test_credit_alone_is_not_spendable(tmp_path: Path) -> None:
    content = {"balances": [balance("5300.00", creditLimitIncluded=True)]}
    found = parse(save(tmp_path, content))
    assert found["spendable"] is None
    assert found["unusable"] == "credit_included"
    assert found["credit_excluded"] is False


def test_a_silent_bank_is_read_with_care_unless_its_profile_speaks(tmp_path: Path) -> None:
    path = save(tmp_path, {"balances": [balance("80.00")]})
    assert parse(path)["credit_excluded"] is False
    assert parse(path, "--limits-excluded")["credit_excluded"] is True


def test_times_are_utc(tmp_path: Path) -> None:
    stated = balance("1.00", "closingBooked", lastChangeDateTime="2026-03-01T10:00:00+02:00")
    assert parse(save(tmp_path, {"balances": [stated]}))["as_of"] == "2026-03-01T08:00:00Z"


@pytest.mark.parametrize(
    "content",
    [
        {"data": {"balances": [balance("12.00", "interimBooked")]}},
        {"response": {"status": 200, "body": {"balances": [balance("12.00", "interimBooked")]}}},
        [balance("12.00", "interimBooked")],
        {"account": {"iban": "DE1"}, "balances": [balance("12.00", "interimBooked")]},
        b"\xef\xbb\xbf" + json.dumps({"balances": [balance("12.00", "interimBooked")]}).encode(),
    ],
)
def test_wrapped_answers_are_unwrapped(tmp_path: Path, content: Any) -> None:
    found = parse(save(tmp_path, content))
    assert found["spendable"] == {"minor": 1200, "currency": "EUR"}


@pytest.mark.parametrize("content", [[], {"accounts": []}, {"balances": []}])
def test_what_lists_no_balance_is_judged_too(tmp_path: Path, content: Any) -> None:
    found = parse(save(tmp_path, content))
    assert found["spendable"] is None
    assert found["unusable"] == "no_balances"


GOOD = json.dumps({"balances": [balance("7.00", "interimBooked", name="Año")]}, ensure_ascii=False)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"tppMessages": [{"category": "ERROR", "code": "ACCESS_EXCEEDED"}]},
        {"code": 429, "description": "too many"},
        # Two answers in one wrapping: taking either would be a guess.
        {"a": {"balances": [balance("1.00")]}, "b": {"balances": [balance("2.00")]}},
        b"",
        b"42",
        b"null",
        b"\xff\xfe\x00",
        b"[" * 200_000,
        GOOD.encode()[:-5],
        GOOD.encode("latin-1"),
        GOOD.replace('"7.00"', "NaN").encode(),
    ],
)
def test_what_the_live_reading_cannot_read_is_called_that(tmp_path: Path, content: Any) -> None:
    found = parse(save(tmp_path, content))
    assert found["spendable"] is None
    assert found["unusable"] == "unreadable_answer"
    assert found["problem"].startswith(("the answer is not JSON", "the document holds no balances"))


def test_utf_8_is_read(tmp_path: Path) -> None:
    assert parse(save(tmp_path, GOOD.encode()))["spendable"]["minor"] == 700


def test_the_problem_is_shown_with_what_cannot_be_used(tmp_path: Path) -> None:
    found = parse(save(tmp_path, {"balances": [balance("1.234,56")]}))
    assert found["unusable"] == "unreadable_amount"
    assert found["problem"] == "the amount is not a plain decimal string."
    card = {"account": {"cashAccountType": "CARD"}, "balances": [balance("8.00")]}
    found = parse(save(tmp_path, card))
    assert (found["unusable"], found["problem"]) == ("not_money", "it is a card account")


BANKS = """
[[bank]]
id = "lisbon"
name = "Lisbon"
country = "PT"
time_zone = "Europe/Lisbon"
base_url = "https://lisbon.example/v1"
balance_kinds = ["interimAvailable", "interimBooked"]

[[bank]]
id = "madrid"
name = "Madrid"
country = "ES"
limits_excluded = true
base_url = "https://madrid.example/v1"
"""


def test_an_answer_is_read_as_its_bank_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    banks = tmp_path / "banks.toml"
    banks.write_text(BANKS)
    stated = [
        balance("90.00", "expected", creditLimitIncluded=False),
        balance("80.00", "interimAvailable", referenceDate="2026-07-01"),
    ]
    file = save(tmp_path, {"balances": stated})
    found = parse(file, "--profile", str(banks), "--bank", "lisbon")
    assert (found["spendable"]["minor"], found["credit_excluded"]) == (8_000, False)
    assert found["as_of"] == "2026-06-30T23:00:00Z"
    monkeypatch.setenv("SALDO_BERLIN_GROUP_BANKS", str(banks))
    found = parse(file, "--bank", "madrid")
    assert (found["credit_excluded"], found["as_of"]) == (True, "2026-06-30T22:00:00Z")
    file = save(tmp_path, {"balances": stated[:1]})
    assert parse(file)["spendable"]["minor"] == 9_000
    assert parse(file, "--bank", "lisbon")["unusable"] == "unknown_kind"
    # A list of one bank is that bank's profile.
    banks.write_text(BANKS.partition("\n\n")[0])
    assert parse(file, "--profile", str(banks))["unusable"] == "unknown_kind"


MALMO = """
[[bank]]
id = "malmo"
name = "Malmö"
country = "SE"
time_zone = "Europe/Stockholm"
own_account_types = ["Allkortskonto"]
"""
OF_THE_CONNECTOR = {
    "gocardless": 'institution_id = "MALMO_X"\nlimits_excluded = true\n',
    "enable_banking": 'aspsp_name = "Malmö"\nmaximum_consent_validity = 7776000\n',
}


@pytest.mark.parametrize("connector", sorted(OF_THE_CONNECTOR))
def test_at_an_aggregator_too(tmp_path: Path, connector: str) -> None:
    """With the bank's own words for types, its zone, and what it says of limits."""
    banks = tmp_path / "banks.toml"
    banks.write_text(MALMO + OF_THE_CONNECTOR[connector], encoding="utf-8")
    money = {"amount": "80.00", "currency": "SEK"}
    answer = {
        "gocardless": {
            "account": {"cashAccountType": "Allkortskonto"},
            "balances": [
                {
                    "balanceType": "interimAvailable",
                    "balanceAmount": money,
                    "referenceDate": "2026-07-01",
                }
            ],
        },
        "enable_banking": {
            "account": {"cash_account_type": "Allkortskonto"},
            "balances": [
                {"balance_type": "ITBD", "balance_amount": money, "reference_date": "2026-07-01"}
            ],
        },
    }[connector]
    file = save(tmp_path, answer)
    plain = ["connectors", "parse", connector, "balances", str(file)]
    bare, found = (
        json.loads(CliRunner().invoke(cli, [*plain, *more]).output)
        for more in ([], ["--profile", str(banks)])
    )
    assert (bare["unusable"], found["unusable"]) == ("not_money", None)
    assert (found["spendable"]["minor"], found["credit_excluded"]) == (8_000, True)
    assert found["as_of"] == "2026-06-30T22:00:00Z"


@pytest.mark.parametrize(
    ("connector", "more", "words"),
    [
        ("berlin_group", ["--bank", "porto"], "lisbon, madrid"),
        ("berlin_group", [], "lisbon, madrid"),
        ("tink", ["--bank", "lisbon"], "all banks alike"),
        ("berlin_group", ["--bank", "lisbon", "--read-at", "yesterday"], "is no instant"),
        ("berlin_group", ["--bank", "lisbon", "--read-at", "9999-12-31T23:00Z"], "is no instant"),
    ],
)
def test_a_bank_that_cannot_be_chosen_is_named(
    tmp_path: Path, connector: str, more: list[str], words: str
) -> None:
    banks = tmp_path / "banks.toml"
    banks.write_text(BANKS)
    file = save(tmp_path, {"balances": []})
    asked = ["connectors", "parse", connector, "balances", str(file), "--profile", str(banks)]
    result = CliRunner().invoke(cli, [*asked, *more])
    assert result.exit_code != 0
    assert words in refusal(result)
    assert result.stdout == ""


def test_money_of_a_later_day_is_not_there_yet(tmp_path: Path) -> None:
    ahead = balance(
        "900.00", "forwardAvailable", creditLimitIncluded=False, referenceDate="2026-12-05"
    )
    alone = save(tmp_path, {"balances": [ahead]})
    assert parse(alone, "--read-at", "2026-12-04T23:59:00Z")["unusable"] == "not_yet"
    assert parse(alone, "--read-at", "2026-12-05T00:01:00Z")["spendable"]["minor"] == 90_000
    # Nobody noted when it was read: the other balances tell, whenever the file is looked at.
    for day, spendable in (("2026-11-27", 0), ("2026-12-04", 90_000)):
        booked = balance("0.00", "closingBooked", referenceDate=day)
        found = parse(save(tmp_path, {"balances": [ahead, booked]}))
        assert found["spendable"]["minor"] == spendable
    for far in ("9999-12-31T23:00:00Z", "2099-01-01T00:00:00Z"):
        stated = balance("1.00", "interimBooked", lastChangeDateTime=far)
        assert parse(save(tmp_path, {"balances": [stated]}))["unusable"] == "not_yet"
        booked = balance("0.50", "closingBooked", referenceDate="2026-11-27")
        found = parse(save(tmp_path, {"balances": [stated, booked]}))
        assert found["spendable"]["minor"] == 50


def test_standard_input_can_be_read() -> None:
    found = parse("-", stdin=json.dumps({"balances": [balance("7.00", "interimBooked")]}).encode())
    assert found["spendable"]["minor"] == 700


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    result = CliRunner().invoke(cli, ["connectors", "parse", "berlin_group", "balances", str(path)])
    assert result.exit_code != 0
    assert "cannot be read" in refusal(result)
    assert result.stdout == ""


def test_unknown_connectors_and_kinds_are_named(tmp_path: Path) -> None:
    for connector in ("acme", "twilio"):
        result = CliRunner().invoke(cli, ["connectors", "parse", connector, "balances", "x"])
        assert "berlin_group" in refusal(result)
    result = CliRunner().invoke(cli, ["connectors", "parse", "berlin_group", "payments", "x"])
    assert "balances" in refusal(result)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["balances", "accounts", "account", "balanceAmount", "amount", "currency",
                 "balanceType", "creditLimitIncluded", "referenceDate", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["balances", "accounts", "data"]), JSON) | st.lists(JSON))
@settings(max_examples=3 * settings().max_examples)
def test_no_document_breaks_it_and_nothing_is_invented(document: Any) -> None:
    read = connectors.discover()["berlin_group"].parse_balances
    assert read is not None
    try:
        judged = judge(read, document, limits_excluded=False)
    except Unreadable:
        return
    for one in judged:
        assert (one.amount is None) == (one.unusable is not None)


TINK = {
    "accountId": "a",
    "balances": {
        "availableBalanceExcludingCredit": {
            "amount": {
                "currencyCode": "EUR",
                "value": {"scale": 2, "unscaledValue": 1050},
                "valueInMinorUnit": 1050,
            }
        }
    },
    "refreshed": "2026-11-23T08:59:00Z",
}
PLAID = {
    "accounts": [
        {
            "account_id": "a",
            "type": "depository",
            "balances": {
                "available": 510.5,
                "current": 10.5,
                "limit": 500,
                "iso_currency_code": "EUR",
                "last_updated_datetime": "2026-11-23T08:59:00Z",
            },
        }
    ]
}


@pytest.mark.parametrize(("connector", "answer"), [("tink", TINK), ("plaid", PLAID)])
@pytest.mark.parametrize("wrapped", [False, True])
def test_answers_of_other_providers(
    tmp_path: Path, connector: str, answer: Any, wrapped: bool
) -> None:
    file = save(tmp_path, {"body": answer} if wrapped else answer)
    result = CliRunner().invoke(cli, ["connectors", "parse", connector, "balances", str(file)])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "spendable": {"minor": 1050, "currency": "EUR"},
        "kind": "interimAvailable",
        "as_of": "2026-11-23T08:59:00Z",
        "credit_excluded": True,
        "unusable": None,
    }
