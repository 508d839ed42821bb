from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.sms_text import SmsEncoding, measure
from app.domain.sms_wording import CLICK_AND_PAY, LANGUAGES, render

LINK = "https://pay.example.com/p/AAAAAAAAAAAAAAAAAAAAAA"

# What a stranger must not read on a lock screen, in any of the languages.
GIVES_AWAY = re.compile(
    r"\d|€|\$|zł|debt|owe|due|overdue|pay(?!\.example)|loan|account|balance|money|amount|bank|"
    r"deuda|debe|pag|préstamo|prestamo|cuenta|saldo|dinero|importe|banco|vencid|"
    r"dług|dlug|zapłat|zaplat|płac|plac|pożycz|pozycz|konto|koncie|saldo|pieniąd|kwot|zalega",
    re.IGNORECASE,
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_lock_screen_gives_nothing_away(language: str) -> None:
    body = render(CLICK_AND_PAY, language, lender="Sol", link="LINK").body
    assert not GIVES_AWAY.search(body), body
    assert "Sol" in body
    assert "LINK" in body


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_says_how_to_stop_in_a_word_that_works(language: str) -> None:
    body = render(CLICK_AND_PAY, language, lender="Sol", link="LINK").body
    assert re.search(r"\b(STOP|BAJA)\b", body)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_fits_into_one_message(language: str) -> None:
    size = measure(render(CLICK_AND_PAY, language, lender="Prestamos del Sol SL", link=LINK).body)
    assert size.encoding is SmsEncoding.GSM7
    assert size.segments == 1


def test_the_language_falls_back_to_english() -> None:
    rendered = render(CLICK_AND_PAY, "fr", lender="Sol", link="LINK")
    assert rendered.language == "en"
    assert rendered.wording == "click_and_pay/1"


@given(st.text(max_size=200))
def test_any_name_leaves_the_link_whole(name: str) -> None:
    try:
        body = render(CLICK_AND_PAY, "en", lender=name, link=LINK).body
    except Invalid:
        return
    assert f" {LINK} " in body
    assert "\n" not in body


@pytest.mark.parametrize("link", ["", "two words", "line\nbreak"])
def test_a_broken_link_is_refused(link: str) -> None:
    with pytest.raises(Invalid):
        render(CLICK_AND_PAY, "en", lender="Sol", link=link)
