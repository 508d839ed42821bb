"""British accounts, which many banks give by sort code and number alone: known again, and read."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import plaid
import pytest
from plaid.model.auth_get_response import AuthGetResponse
from typer.testing import CliRunner

import connectors
from app.__main__ import cli
from app.domain.account import UkAccount, as_uk_account
from app.domain.ids import Iban
from app.ports import FoundAccount
from connectors.berlin_group.balances import found_accounts as gocardless_accounts
from connectors.plaid.grants import found_accounts as plaid_accounts
from connectors.tink.grants import found_account as tink_account
from connectors.truelayer.grants import found_accounts as truelayer_accounts
from sandbox.modes import BankMode
from sandbox.people import Person
from tests.connectors.registry import BANK_RIGS
from tests.connectors.rigs import BankRig

pytestmark = pytest.mark.anyio

BRITISH = UkAccount("200000", "55779911")
LONDON = "GB29NWBK60161331926819"  # the example of the IBAN registry
AGGREGATORS = ("gocardless", "plaid", "tink", "truelayer")


@pytest.fixture(params=AGGREGATORS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> BankRig:
    return BANK_RIGS[request.param](tmp_path, "wharf")


async def only_account(rig: BankRig, person: Person) -> FoundAccount:
    (account,) = await rig.aggregation.accounts(await rig.granted(person), None)
    return account


def listed(rig: BankRig) -> bytes:
    """The last answer in which the vendor said a number of an account."""
    return next(
        one.answer.content
        for one in reversed(rig.seen)
        if one.answer is not None
        and (b"sort" in one.answer.content or b"scan" in one.answer.content)
    )


async def test_without_an_iban_and_later_with_one_it_is_the_same_account(rig: BankRig) -> None:
    person = rig.person()
    first = await only_account(rig, person)
    assert person.iban.encode() not in listed(rig)
    assert first.number == as_uk_account(Iban.parse(person.iban))
    assert first.usable
    rig.scene.world.town.set_bank_mode("wharf", BankMode.IBANS_STATED)
    second = await only_account(rig, person)
    assert person.iban.encode() in listed(rig)
    assert second.number == Iban.parse(person.iban)
    assert as_uk_account(second.number) == first.number


async def test_nothing_of_the_number_is_shown(rig: BankRig) -> None:
    person = rig.person()
    shown = repr(await only_account(rig, person))
    assert person.iban[-8:] not in shown
    assert person.iban[-4:] in shown


async def test_the_list_fits_the_vendors_model(tmp_path: Path) -> None:
    """plaid-python's own model of the answer."""
    rig = BANK_RIGS["plaid"](tmp_path, "wharf")
    person = rig.person()
    await only_account(rig, person)
    said = SimpleNamespace(data=listed(rig).decode())
    read = plaid.ApiClient(plaid.Configuration()).deserialize(said, (AuthGetResponse,), True)
    assert read.numbers.international == []
    (bacs,) = read.numbers.bacs
    assert (bacs.sort_code, bacs.account) == ("209901", person.iban[-8:])


# ---------------------------------------------------------------- what is stated, and how


def as_plaid(iban: Any, code: Any, number: Any) -> FoundAccount:
    numbers = {
        "bacs": [] if code is None else [{"account_id": "a", "account": number, "sort_code": code}],
        "international": [] if iban is None else [{"account_id": "a", "iban": iban}],
    }
    item = {"account_id": "a", "balances": {"iso_currency_code": "GBP"}, "type": "depository"}
    (found,) = plaid_accounts({"accounts": [item], "numbers": numbers})
    return found


def as_tink(iban: Any, code: Any, number: Any) -> FoundAccount:
    stated = {
        "iban": None if iban is None else {"iban": iban},
        "sortCode": None if code is None else {"code": code, "accountNumber": number},
    }
    item = {"id": "a", "type": "CHECKING", "balances": {}, "identifiers": stated}
    return tink_account(item, None)


def as_truelayer(iban: Any, code: Any, number: Any) -> FoundAccount:
    stated = {"iban": iban, "sort_code": code, "number": number, "swift_bic": "NWBKGB2L"}
    item = {"account_id": "a", "account_type": "TRANSACTION", "account_number": stated}
    (found,) = truelayer_accounts([item])
    return found


def as_gocardless(iban: Any, code: Any, number: Any) -> FoundAccount:
    both = f"{code}{number}" if isinstance(code, str) else code
    (found,) = gocardless_accounts(
        {"accounts": [{"resourceId": "a", "iban": iban, "scan": both, "currency": "GBP"}]}
    )
    return found


@pytest.mark.parametrize("read", [as_gocardless, as_plaid, as_tink, as_truelayer])
@pytest.mark.parametrize(
    ("stated", "number"),
    [
        ((None, "200000", "55779911"), BRITISH),
        ((None, "20-00-00", "55779911"), BRITISH),
        (("nonsense", "20 00 00", "55779911"), BRITISH),
        ((LONDON, "60-16-13", "31926819"), Iban.parse(LONDON)),
        ((LONDON, None, None), Iban.parse(LONDON)),
        # Check digits that are wrong: the sort code beside them still is one.
        (("GB28NWBK60161331926819", "601613", "31926819"), UkAccount("601613", "31926819")),
        ((None, "200000", "5577991"), None),
        ((None, "20000", "55779911"), None),
        ((None, 200_000, 55_779_911), None),
        ((None, None, None), None),
    ],
)
def test_which_number_counts(
    read: Any, stated: tuple[Any, Any, Any], number: Iban | UkAccount | None
) -> None:
    assert read(*stated).number == number


# ---------------------------------------------------------------- saved answers

TRUELAYER = {
    "results": [
        {
            "currency": "GBP", "available": 3279.07, "current": 2779.07, "overdraft": 500.0,
            "update_timestamp": "2026-11-23T08:58:11.740802Z",
        }
    ],
    "status": "Succeeded",
}  # fmt: skip
PLAID = {
    "accounts": [
        {
            "account_id": "blgvvBlXw3cq5GMPwqB6s6q4dLKB9WcVqGDGo", "mask": "9911",
            "balances": {
                "available": 110.5, "current": 120.0, "limit": None, "iso_currency_code": "GBP",
                "unofficial_currency_code": None,
            },
            "name": "Current account", "official_name": None, "subtype": "checking",
            "type": "depository",
        }
    ],
    "numbers": {
        "ach": [], "eft": [], "international": [],
        "bacs": [
            {
                "account": "55779911", "sort_code": "200000",
                "account_id": "blgvvBlXw3cq5GMPwqB6s6q4dLKB9WcVqGDGo",
            }
        ],
    },
    "item": {"item_id": "x"}, "request_id": "m8MDnv9okwxFNBV",
}  # fmt: skip


def tink_amount(minor: str) -> dict[str, Any]:
    value = {"scale": "2", "unscaledValue": minor}
    return {"amount": {"currencyCode": "GBP", "value": value}}


TINK = {
    "accounts": [
        {
            "id": "ee7ddbd178494220bb184791783f4f63", "name": "Classic", "type": "CHECKING",
            "balances": {"booked": tink_amount("208"), "available": tink_amount("8")},
            "identifiers": {
                "financialInstitution": {"accountNumber": "20000055779911"},
                "sortCode": {"accountNumber": "55779911", "code": "200000"},
            },
            "dates": {"lastRefreshed": "2026-11-23T08:58:11Z"},
        }
    ],
    "nextPageToken": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("connector", "answer", "minor"),
    # TrueLayer's available figure is over the booked one by the overdraft, which is taken off.
    [("truelayer", TRUELAYER, 277_907), ("plaid", PLAID, 11_050), ("tink", TINK, 8)],
)
def test_a_saved_answer_of_a_british_account(
    tmp_path: Path, connector: str, answer: Any, minor: int
) -> None:
    saved = tmp_path / "answer.json"
    saved.write_text(json.dumps(answer), encoding="utf-8")
    done = CliRunner().invoke(cli, ["connectors", "parse", connector, "balances", str(saved)])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["spendable"] == {"minor": minor, "currency": "GBP"}


async def test_what_the_face_says_of_a_british_account_parses(rig: BankRig) -> None:
    person = rig.person(opening_minor=12_345)
    grant = await rig.granted(person)
    (account,) = await rig.aggregation.accounts(grant, None)
    before = len(rig.seen)
    await rig.aggregation.balances(grant, account.ref, None)
    parse = connectors.discover()[rig.connector].parse_balances
    assert parse is not None
    *_, said = [one.answer.content for one in rig.seen[before:] if one.answer is not None]
    (answer,) = parse(json.loads(said))
    assert {(one.amount.minor, one.amount.currency) for one in answer.entries if one.amount} == {
        (12_345, "GBP")
    }
