from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.domain.errors import Misconfigured
from app.domain.message import Channel
from app.domain.sms_text import SmsEncoding, measure
from app.domain.template import CHANNELS, LANGUAGES, Template, render
from app.reference.templates import load_templates

LINK = "https://pay.example.com/p/AAAAAAAAAAAAAAAAAAAAAA"
BOOK = load_templates()
VALUES = {
    "lender": "Prestamos del Sol SL",
    "name": "Ana Núñez",
    "link": LINK,
    "stop_link": f"{LINK}/stop",
    "amount_due": "120,00 €",
    "due_on": "3 de marzo de 2026",
    "days_past_due": "5",
    "loan_ref": "L-1",
    "promise_on": "9 de marzo de 2026",
    "promise_amount": "60,00 €",
}
NAMES = ("click_and_pay", "escalated", "first_missed", "follow_up", "pre_due", "promise_reminder")
ALL = [template for one in BOOK.shipped.values() for template in one.texts.values()]
TEXTS = [template for template in ALL if template.channel is Channel.SMS]

# What a stranger must not read on a lock screen, in any of the languages.
GIVES_AWAY = re.compile(
    r"\d|€|\$|zł|debt|owe|due|overdue|pay(?!\.example)|loan|account|balance|money|amount|bank|"
    r"deuda|debe|pag|préstamo|prestamo(?!s del)|cuenta|saldo|dinero|importe|banco|vencid|"
    r"dług|dlug|zapłat|zaplat|płac|plac|pożycz|pozycz|konto|koncie|saldo|pieniąd|kwot|zalega",
    re.IGNORECASE,
)


def name_of(template: Template) -> str:
    return f"{template.name}.{template.channel.value}.{template.language}"


def test_every_text_is_there_in_every_channel_and_language() -> None:
    assert tuple(BOOK.shipped) == NAMES
    for name in NAMES:
        for channel in CHANNELS:
            for language in LANGUAGES:
                assert BOOK.find(name, channel, language) is not None, (name, channel, language)


@pytest.mark.parametrize("template", ALL, ids=name_of)
def test_every_text_can_be_rendered(template: Template) -> None:
    made = render(template, VALUES)
    assert "{" not in made.body + made.subject
    assert bool(made.subject) is (template.channel is Channel.EMAIL)


@pytest.mark.parametrize("template", TEXTS, ids=name_of)
def test_a_lock_screen_gives_nothing_away(template: Template) -> None:
    body = render(template, {**VALUES, "lender": "Sol", "link": "LINK"}).body
    assert not GIVES_AWAY.search(body), body
    assert "Sol" in body
    assert "LINK" in body
    assert re.search(r"\b(STOP|BAJA)\b", body)


@pytest.mark.parametrize("template", TEXTS, ids=name_of)
def test_it_fits_into_one_message(template: Template) -> None:
    size = measure(render(template, VALUES).body)
    assert size.encoding is SmsEncoding.GSM7
    assert size.segments == 1


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ('name = "other"', "name of the file"),
        ("version = 0", "whole number"),
        ('cause = "spam"', "none of"),
        ('surprise = "x"', "not a field"),
        ('[sms]\nen = "{{lender}} {{link}} STOP, or we tell your boss"', "telling others"),
        ('[sms]\nen = "{{lender}} {{link}} STOP {{iban}}"', "iban"),
        ('[push]\nen = "Hello {{amount_due}}"', "lock screen"),
        (
            '[email.en]\nsubject = "x"\nbody = "{{promise_on}} {{stop_link}} {{lender}}"',
            "promise_on",
        ),
        ("[sms]\nen = 5", "must be a text"),
        ("not toml", "TOML"),
    ],
)
def test_a_faulty_file_is_refused_by_name(tmp_path: Path, changed: str, told: str) -> None:
    head = {"name": 'name = "mine"', "version": "version = 1", "cause": 'cause = "notice"',
            "purpose": 'purpose = "A test."'}  # fmt: skip
    key = changed.split(" ", 1)[0]
    lines = [changed if name == key else line for name, line in head.items()]
    if key not in head:
        lines.append(changed)
    (tmp_path / "mine.toml").write_text("\n".join(lines))
    with pytest.raises(Misconfigured, match=re.escape(told)) as refused:
        load_templates(tmp_path)
    assert "mine.toml" in str(refused.value)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        load_templates(tmp_path)
