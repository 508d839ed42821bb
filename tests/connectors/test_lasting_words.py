"""What an account without an IBAN is known by after a renewal: never an id of one consent."""

from __future__ import annotations

from typing import Any

from app.domain.ids import Secret
from app.ports import FoundAccount
from connectors._told_apart import told_apart
from connectors.berlin_group.balances import found_accounts as listed_by_bank
from connectors.enable_banking.grants import found_accounts, opened

HASH = "WwpbCiJhY2NvdW50IiwKImFjY291bnRfaWQiLAoiaWJhbiIKXQpd"


def of_session(uid: str, **more: Any) -> FoundAccount:
    """An account as Enable Banking states it when a session is opened."""
    item = {"uid": uid, "account_id": {"iban": None}, "currency": "GBP", **more}
    held = opened({"session_id": "s-1", "accounts": [item]})
    (found,) = found_accounts(held, {"accounts": [uid]})
    return found


def test_enable_banking_names_an_account_by_a_hash_that_stays() -> None:
    first, second = (of_session(uid, identification_hash=HASH) for uid in ("u-1", "u-2"))
    assert first.number is None
    assert first.lasting == second.lasting == Secret(HASH)
    assert first.ref != second.ref
    assert HASH not in repr(first)
    for odd in (None, "", 7, ["x"], "x" * 201):
        assert of_session("u-1", identification_hash=odd).lasting is None


def test_a_handle_that_was_kept_before_has_no_hash() -> None:
    held = opened({"session_id": "s", "accounts": [{"uid": "u-1", "currency": "GBP"}]})
    for account in held.accounts:
        account.pop("lasting")
    (found,) = found_accounts(held, {"accounts": ["u-1"]})
    assert (found.lasting, found.usable) == (None, True)


def by_bank(*numbers: Any) -> tuple[FoundAccount, ...]:
    return listed_by_bank(
        {
            "accounts": [
                {"resourceId": f"r{place}", "bban": bban, "currency": "SEK"}
                for place, bban in enumerate(numbers)
            ]
        }
    )


def test_a_bank_may_state_the_countrys_own_number() -> None:
    (first,) = by_bank("403 333 911")
    (again,) = by_bank("403333911")
    assert first.lasting == again.lasting == Secret("bban 403333911")
    masked = ("**** 3911", "XXXX3911", "••3911", "...3911", "NOTPROVIDED")
    for odd in (None, "", "--", 403333911, "9" * 36, *masked):
        assert by_bank(odd)[0].lasting is None


def test_a_word_that_two_accounts_have_names_neither() -> None:
    assert [one.lasting for one in by_bank("0000", "0000")] == [None, None]
    first, second = by_bank("1", "2")
    assert first.lasting != second.lasting
    euro, krona = (
        FoundAccount(Secret("r"), None, currency, lasting=Secret("same"))
        for currency in ("EUR", "SEK")
    )
    assert [one.lasting for one in told_apart([euro, krona])] == [Secret("same")] * 2
