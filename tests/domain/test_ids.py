"""Identifiers: personal values mask themselves, keys are derived and never drawn."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.ids import Iban, Phone, Secret, derive_key

SPANISH = "ES9121000418450200051332"


def shown(value: object) -> list[str]:
    """Every way a value slips into a log or a page."""
    return [repr(value), str(value), f"{value}", f"{value!r}", f"{value!s:>40}", repr([value])]


def test_a_secret_never_shows_itself() -> None:
    secret = Secret("hunter2-token")
    assert secret.reveal() == "hunter2-token"
    assert all("hunter2" not in text for text in shown(secret))
    assert secret == Secret("hunter2-token")
    assert secret != Secret("other")


def test_an_iban_shows_country_and_last_four() -> None:
    iban = Iban.parse("es91 2100 0418 4502 0005 1332")
    assert iban.reveal() == SPANISH
    assert iban.country == "ES"
    assert iban.masked == "ES•• •••• 1332"
    assert all("2100" not in text and SPANISH not in text for text in shown(iban))


@given(st.integers(0, len(SPANISH) - 1), st.sampled_from("0123456789"))
def test_a_mistyped_digit_is_found(place: int, digit: str) -> None:
    typed = SPANISH[:place] + digit + SPANISH[place + 1 :]
    if typed == SPANISH or place < 2:
        return
    with pytest.raises(Invalid) as refusal:
        Iban.parse(typed, field="creditor")
    assert refusal.value.field == "creditor"
    assert typed not in str(refusal.value)


@pytest.mark.parametrize(
    "text", ["", "ES", "ES91", SPANISH + "١", "ES91-2100-0418", None, 5, "ES91" + "0" * 31]
)
def test_what_is_no_iban_is_refused(text: object) -> None:
    with pytest.raises(Invalid):
        Iban.parse(text)  # type: ignore[arg-type]


def test_a_phone_shows_prefix_and_last_two() -> None:
    phone = Phone.parse("+34 612-34.56 (78)")
    assert phone.reveal() == "+34612345678"
    assert phone.masked == "+34•••••78"
    assert all("612345" not in text for text in shown(phone))


@pytest.mark.parametrize(
    "text",
    ["", "612345678", "0034612345678", "+0612345678", "+34", "+34612x", "+３4612345678", None],
)
def test_what_is_no_international_number_is_refused(text: object) -> None:
    with pytest.raises(Invalid) as refusal:
        Phone.parse(text, field="mobile")  # type: ignore[arg-type]
    assert refusal.value.field == "mobile"


def test_keys_are_the_same_in_every_process() -> None:
    cause = UUID("00000000-0000-7000-8000-000000000001")
    # Written down: if this changes, a retry after an upgrade would send a second message.
    assert derive_key(cause, "sms") == UUID("b2f38dc9-00ce-5b21-89c8-54296538a88f")


@given(st.uuids(), st.uuids(), st.text(max_size=8), st.text(max_size=8), st.integers(0, 9))
def test_different_causes_steps_and_ordinals_have_different_keys(
    one: UUID, other: UUID, step: str, next_step: str, ordinal: int
) -> None:
    key = derive_key(one, step, ordinal)
    assert key.version == 5
    assert key == derive_key(str(one), step, ordinal)
    assert key != derive_key(one, step, ordinal + 1)
    assert (key == derive_key(other, step, ordinal)) == (one == other)
    assert (key == derive_key(one, next_step, ordinal)) == (step == next_step)
