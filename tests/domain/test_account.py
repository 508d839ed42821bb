"""Bank accounts by two names: one account is one account, whichever it is called by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.account import UkAccount, as_iban, as_uk_account, canonical
from app.domain.errors import Invalid
from app.domain.ids import Iban

# The example of the IBAN registry.
IN_LONDON = Iban.parse("GB29 NWBK 6016 1331 9268 19")
BRITISH = UkAccount("601613", "31926819")
SPANISH = Iban.parse("ES9121000418450200051332")

six = st.from_regex(r"[0-9]{6}", fullmatch=True).filter(str.isascii)
eight = st.from_regex(r"[0-9]{8}", fullmatch=True).filter(str.isascii)
four = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=4, max_size=4)


def iban_of(bank: str, account: UkAccount) -> str:
    """The IBAN of an account at a bank, its check digits by ISO 7064."""
    bban = f"{bank}{account.reveal()}"
    digits = "".join(str(int(sign, 36)) for sign in f"{bban}GB00")
    return f"GB{98 - int(digits) % 97:02d}{bban}"


def test_one_account_by_two_names() -> None:
    assert as_uk_account(IN_LONDON) == BRITISH
    assert as_uk_account(SPANISH) is None
    assert as_iban(BRITISH) is None
    assert canonical(IN_LONDON) == canonical(BRITISH) == BRITISH
    assert canonical(SPANISH) == SPANISH
    assert canonical(BRITISH) != canonical(UkAccount("601613", "31926818"))


@given(four, six, eight)
def test_every_british_iban_meets_its_sort_code(bank: str, code: str, number: str) -> None:
    account = UkAccount.parse(f"{code[:2]}-{code[2:4]}-{code[4:]}", f" {number} ")
    written = iban_of(bank, account)
    assert canonical(Iban.parse(written)) == account
    wrong = f"GB{(int(written[2:4]) - 1) % 97 + 2:02d}{written[4:]}"
    with pytest.raises(Invalid, match="check digits"):
        Iban.parse(wrong)


@given(six, eight)
def test_a_british_account_is_shown_masked(sort_code: str, number: str) -> None:
    account = UkAccount.parse(sort_code, number)
    assert account.reveal() == sort_code + number
    for shown in (str(account), repr(account), f"{account}"):
        assert account.reveal() not in shown
        assert shown.count("•") >= 8


@pytest.mark.parametrize(
    ("sort_code", "number", "field"),
    [
        ("2000", "55779911", "sort_code"),
        ("２00000", "55779911", "sort_code"),
        ("200000", "5577991", "account_number"),
        ("200000", "557799112", "account_number"),
        (None, "55779911", "sort_code"),
        ("200000", 55779911, "account_number"),
    ],
)
def test_what_is_no_british_account_names_its_field_and_the_mend(
    sort_code: str, number: str, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        UkAccount.parse(sort_code, number)
    assert caught.value.field == field
    assert caught.value.mend
    assert "55779911" not in str(caught.value)


@pytest.mark.parametrize("text", ["20-00-00 55779911", "20000055779911", " 20 00 00  5577 9911 "])
def test_both_in_one(text: str) -> None:
    assert UkAccount.read(text, field="account") == UkAccount("200000", "55779911")


@pytest.mark.parametrize("text", ["", "20-00-00 5577991", "20-00-00 557799112", "GB29NWBK"])
def test_both_in_one_names_its_field(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        UkAccount.read(text, field="account")
    assert caught.value.field == "account"
    assert "5577" not in str(caught.value)
