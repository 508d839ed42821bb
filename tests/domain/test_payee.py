"""Where a lender is paid: what is taken for an account, and why nobody could pay it."""

from __future__ import annotations

import pytest

from app.domain.account import UkAccount
from app.domain.errors import Invalid
from app.domain.ids import Iban
from app.domain.payee import (
    IN_EUR,
    AccountForm,
    Carried,
    Unpayable,
    parse_payee,
    unpayable_words,
    why_unpayable,
)

BRITISH = UkAccount.parse("20-00-00", "5577 9911")
SPANISH = Iban.parse("ES9121000418450200051332")
POLISH = Iban.parse("PL61109010140000071219812874")
# The example of the IBAN registry.
IN_LONDON = Iban.parse("GB29 NWBK 6016 1331 9268 19")
BY_SORT_CODE = (Carried("GBP", AccountForm.SORT_CODE),)


def test_each_currency_has_its_own_form() -> None:
    assert parse_payee("GBP", sort_code="200000", account_number="55779911") == BRITISH
    assert parse_payee("GBP", iban="gb29 nwbk 6016 1331 9268 19") == IN_LONDON
    assert parse_payee("PLN", iban="61 1090 1014 0000 0712 1981 2874") == POLISH
    assert parse_payee("PLN", iban=POLISH.reveal()) == POLISH
    assert parse_payee("EUR", iban=SPANISH.reveal()) == SPANISH


@pytest.mark.parametrize(
    ("currency", "typed", "field"),
    [
        ("GBP", {}, "iban"),
        ("GBP", {"sort_code": "20000", "account_number": "55779911"}, "sort_code"),
        ("GBP", {"sort_code": "２00000", "account_number": "55779911"}, "sort_code"),
        ("GBP", {"sort_code": "200000"}, "account_number"),
        ("GBP", {"account_number": "55779911"}, "sort_code"),
        ("GBP", {"sort_code": "200000", "account_number": "557799112"}, "account_number"),
        ("GBP", {"sort_code": "200000", "account_number": "55779911", "iban": "x"}, "iban"),
        ("EUR", {"sort_code": "200000", "account_number": "55779911"}, "sort_code"),
        ("EUR", {"iban": "ES9121000418450200051333"}, "iban"),
        ("PLN", {"iban": SPANISH.reveal()}, "iban"),
        ("PLN", {"iban": "61109010140000071219812875"}, "iban"),
        ("PLN", {"iban": "6110901014000007121981287"}, "iban"),
    ],
)
def test_what_is_no_account_names_its_field(
    currency: str, typed: dict[str, str], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        parse_payee(currency, **typed)
    assert caught.value.field == field
    assert "55779911" not in str(caught.value)


def test_why_nobody_can_pay() -> None:
    assert why_unpayable("EUR", SPANISH, [IN_EUR]) is None
    assert why_unpayable("GBP", BRITISH, [IN_EUR, BY_SORT_CODE]) is None
    assert why_unpayable("GBP", IN_LONDON, [BY_SORT_CODE]) is None
    assert why_unpayable("GBP", None, [BY_SORT_CODE]) is Unpayable.NO_ACCOUNT
    assert why_unpayable("GBP", BRITISH, None) is Unpayable.NO_PROVIDER
    assert why_unpayable("PLN", POLISH, [IN_EUR, BY_SORT_CODE]) is Unpayable.NOT_CARRIED
    assert why_unpayable("GBP", SPANISH, [BY_SORT_CODE]) is Unpayable.WRONG_FORM
    assert why_unpayable("GBP", BRITISH, [(Carried("GBP"),)]) is Unpayable.WRONG_FORM
    assert why_unpayable("EUR", SPANISH, []) is Unpayable.NOT_CARRIED
    only = (Carried("GBP", AccountForm.SORT_CODE, only=BRITISH),)
    assert why_unpayable("GBP", BRITISH, [only]) is None
    assert why_unpayable("GBP", IN_LONDON, [only]) is Unpayable.ELSEWHERE
    assert why_unpayable("GBP", SPANISH, [only]) is Unpayable.WRONG_FORM
    assert "55779911" not in repr(only)
    assert len({unpayable_words(why, "PLN") for why in Unpayable}) == len(Unpayable)
