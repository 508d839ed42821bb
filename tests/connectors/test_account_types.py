"""Which accounts can be paid from, at every provider: what is not known for money is none."""

from __future__ import annotations

from typing import Any

import pytest

import connectors
from app.domain.balance import Spendable, Unusable
from connectors.berlin_group.balances import found_accounts, why_unusable
from connectors.berlin_group.profile import BankProfile, BankRoute
from connectors.enable_banking.grants import found_accounts as eb_accounts
from connectors.enable_banking.grants import opened
from tests.connectors.answers import judged

IBAN = "ES9121000418450200051332"

EUROS = {"amount": "80.00", "currency": "EUR"}
CENTS = {"amount": {"currencyCode": "EUR", "valueInMinorUnit": 8000}}


def of(connector: str, kind: str, **more: Any) -> dict[str, Any]:
    """An account with 80.00 booked, as its provider states it; `...` leaves the type out."""
    stated: dict[str, Any] = {
        "berlin_group": {
            "account": {"iban": "ES9121000418450200051332", "cashAccountType": kind, **more},
            "balances": [{"balanceType": "interimBooked", "balanceAmount": EUROS}],
        },
        "enable_banking": {
            "details": {"currency": "EUR", "cash_account_type": kind, **more},
            "balances": [{"balance_type": "ITBD", "balance_amount": EUROS}],
        },
        "tink": {"type": kind, "balances": {"booked": CENTS}, **more},
        "plaid": {
            "type": kind, "subtype": None, "account_id": "a",
            "balances": {"available": None, "current": 80, "iso_currency_code": "EUR"}, **more,
        },
        "truelayer": {"results": [{"account_type": kind, "current": 80, "currency": "EUR"}]},
    }  # fmt: skip
    stated["gocardless"] = stated["berlin_group"]
    return dict(stated[connector])


def spendable(connector: str, document: Any) -> Spendable:
    read = connectors.discover()[connector].parse_balances
    assert read is not None
    (answer,) = read(document)
    return judged(answer)


@pytest.mark.parametrize(
    ("connector", "kinds"),
    [
        ("berlin_group", ("CACC", "cacc", "CASH", "SVGS", "SLRY", "TRAN", "", None)),
        ("berlin_group", ("CurrentAccount", "Current Account", "CURRENT", "Checking", "Savings")),
        ("gocardless", ("CACC", None, "CurrentAccount")),
        ("enable_banking", ("CACC", "CASH", "SVGS", "SAVINGS_ACCOUNT")),
        ("tink", ("CHECKING", "SAVINGS")),
        ("plaid", ("depository",)),
        ("truelayer", ("TRANSACTION", "SAVINGS", "BUSINESS_TRANSACTION", "BUSINESS_SAVINGS")),
    ],
)
def test_types_that_are_known_for_money(connector: str, kinds: tuple[Any, ...]) -> None:
    for kind in kinds:
        found = spendable(connector, of(connector, kind))
        assert found.amount is not None, kind
        assert found.amount.minor == 8000


@pytest.mark.parametrize(
    ("connector", "kinds"),
    [
        (
            "berlin_group",
            ("CARD", "LOAN", "odft", "MOMA", "OTHR", "Girokonto", ["CACC"], 7),
        ),
        ("gocardless", ("CRCD", "LOAN", "NEWT")),
        ("enable_banking", ("CARD", "LOAN", "OTHR", "NEWT")),
        ("tink", ("CREDIT_CARD", "LOAN", "MORTGAGE", "INVESTMENT", "PENSION", "UNDEFINED", None)),
        ("plaid", ("credit", "loan", "investment", "brokerage", "other", "wallet", None, 3)),
        ("truelayer", ("CREDIT_CARD", "PENSION", None)),
    ],
)
def test_every_other_type_is_set_aside_with_the_reason(
    connector: str, kinds: tuple[Any, ...]
) -> None:
    for kind in kinds:
        found = spendable(connector, of(connector, kind))
        assert (found.amount, found.unusable) == (None, Unusable.NOT_MONEY), kind
        assert found.problem.startswith(("it is a", "its type is not known for money")), kind


def test_a_type_that_nobody_knows_is_shown_as_far_as_it_may_be() -> None:
    found = spendable("berlin_group", of("berlin_group", "NEWT"))
    assert found.problem == "its type is not known for money to pay with (NEWT)"
    found = spendable("berlin_group", of("berlin_group", "Cuenta de María 12"))
    assert found.problem.endswith("(xxxxxx xx xxxxx 99)")


@pytest.mark.parametrize("connector", ["berlin_group", "gocardless"])
@pytest.mark.parametrize("iban", [{"iban": None}, {"iban": ""}])
@pytest.mark.parametrize("number", [{"pan": "5254123456783241"}, {"maskedPan": "525412******3241"}])
def test_an_account_known_by_a_cards_number_alone_is_a_card(
    connector: str, iban: dict[str, Any], number: dict[str, str]
) -> None:
    found = spendable(connector, of(connector, "", **iban, **number))
    assert (found.unusable, found.problem) == (Unusable.NOT_MONEY, "it is a card account")
    # A card's number beside an IBAN is that of the debit card to the account.
    assert spendable(connector, of(connector, "", **number)).amount is not None


def test_at_enable_banking_too() -> None:
    number = {"iban": None, "other": {"identification": "5123****1234", "scheme_name": "CPAN"}}
    card = of("enable_banking", "CACC", account_id=number)
    assert spendable("enable_banking", card).unusable is Unusable.NOT_MONEY


@pytest.mark.parametrize("status", ["deleted", "BLOCKED"])
def test_a_closed_account_says_so(status: str) -> None:
    found = spendable("berlin_group", of("berlin_group", "CACC", status=status))
    assert found.unusable is Unusable.ACCOUNT_CLOSED


def test_the_reason_does_not_need_a_balance() -> None:
    for document in (
        {"cardAccount": {"maskedPan": "525412******3241"}, "balances": []},
        {"account": {"status": "deleted"}, "balances": []},
    ):
        assert spendable("berlin_group", document).unusable in (
            Unusable.NOT_MONEY,
            Unusable.ACCOUNT_CLOSED,
        )


@pytest.mark.parametrize(
    ("connector", "document"),
    [
        ("berlin_group", {"balances": None}),
        ("berlin_group", {"balances": {"balanceType": "interimBooked", "balanceAmount": EUROS}}),
        ("enable_banking", {"balances": None}),
        ("tink", {"accounts": [{"type": "CHECKING", "balances": None}]}),
        ("plaid", {"accounts": [{"type": "depository", "balances": []}]}),
    ],
)
def test_balances_of_another_form_are_no_unknown_kind(connector: str, document: Any) -> None:
    found = spendable(connector, document)
    assert (found.amount, found.unusable) == (None, Unusable.UNREADABLE_ANSWER)
    assert found.problem


@pytest.mark.parametrize("subtype", ["checking", "savings", "money market", "prepaid", None])
def test_deposits_at_plaid(subtype: str | None) -> None:
    assert spendable("plaid", of("plaid", "depository", subtype=subtype)).amount is not None
    for other in ("cd", "gic", "hsa", "ebt", "crypto", 5):
        found = spendable("plaid", of("plaid", "depository", subtype=other))
        assert found.unusable is Unusable.NOT_MONEY


def test_a_bank_may_have_words_of_its_own_for_current_accounts() -> None:
    """Handelsbanken writes "Allkortskonto"; of bunq, Enable Banking calls every account CARD."""
    theirs = of("berlin_group", "Allkortskonto")
    told: dict[str, Any] = {
        "id": "b",
        "name": "B",
        "country": "SE",
        "base_url": "https://b.example",
    }
    for own, cents in (((), None), (("allkortskonto",), 8000)):
        route = BankRoute.of(BankProfile(**told, own_account_types=own))
        (answer,) = route.read(theirs)
        found = judged(answer)
        assert (found.amount.minor if found.amount else None) == cents
        document = {"accounts": [{"resourceId": "r", **theirs["account"]}]}
        (listed,) = found_accounts(document, route.profile.own_account_types)
        assert listed.usable is (cents is not None)


def test_no_word_of_a_bank_makes_an_account_of_a_card_or_of_a_closed_one() -> None:
    own = ("CARD",)
    assert why_unusable({"cashAccountType": "CARD", "iban": "ES91"}, own) == ""
    assert why_unusable({"cashAccountType": "CARD", "maskedPan": "5254**3241"}, own) != ""
    assert why_unusable({"cashAccountType": "CARD", "iban": "ES91", "status": "blocked"}, own) != ""
    number = {"iban": None, "other": {"identification": "5123****1234", "scheme_name": "CPAN"}}
    offered = {"accounts": ["u-1", "u-2"]}
    held = opened(
        {
            "session_id": "s-1",
            "accounts": [
                {"uid": "u-1", "cash_account_type": "CARD", "account_id": {"iban": IBAN}},
                {"uid": "u-2", "cash_account_type": "CARD", "account_id": number},
            ],
        }
    )
    assert [one.usable for one in eb_accounts(held, offered)] == [False, False]
    assert [one.usable for one in eb_accounts(held, offered, own)] == [True, False]
