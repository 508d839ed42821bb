"""How much of what people really write the tone check finds, in files of one sentence a line.

`bad_*` and `good_*` were at hand while the lists were written. `held_out_*` were written before
the lists were read and nothing was changed after they had been tried: they are the measure.
`oblique_*` hint instead of saying; what is found of them is what to expect from word lists.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.domain.tone import Fault, tone_findings
from app.reference.templates import load_templates

FOLDER = Path(__file__).with_name("tone")
LANGUAGES = ("en", "es", "pl")


def sentences(name: str) -> list[str]:
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def found_in(name: str) -> float:
    lines = sentences(name)
    return sum(bool(tone_findings(line)) for line in lines) / len(lines)


@pytest.mark.parametrize("text", [one for lang in LANGUAGES for one in sentences(f"bad_{lang}")])
def test_what_no_letter_says_is_found(text: str) -> None:
    assert tone_findings(text)


@pytest.mark.parametrize(
    "text",
    [
        one
        for lang in LANGUAGES
        for name in ("good", "held_out_good")
        for one in sentences(f"{name}_{lang}")
    ],
)
def test_what_a_fair_letter_says_passes(text: str) -> None:
    assert tone_findings(text) == ()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_lists_hold_on_sentences_they_were_not_written_from(language: str) -> None:
    # 34 of 34, 33 of 34 and 34 of 34 on the day they were tried.
    assert found_in(f"held_out_bad_{language}") >= 0.95


@pytest.mark.parametrize(("language", "least"), [("en", 0.25), ("es", 0.1), ("pl", 0.15)])
def test_hints_are_for_the_second_person(language: str, least: float) -> None:
    assert least <= found_in(f"oblique_{language}") < 1


@pytest.mark.parametrize(
    "notice",
    [
        # UK: the intention to file a default, 28 days before (ICO, principles for reporting).
        "We intend to register a default with credit reference agencies 28 days from today.",
        "A default stays on your credit file for six years and may make credit harder to obtain.",
        # Germany, § 31(2) BDSG: told of the report in good time, at least four weeks before.
        "Zahlen Sie bis zum 3. Mai nicht, können wir die Forderung der SCHUFA Holding AG melden.",
        "You may dispute the claim; otherwise it may be reported to SCHUFA.",
        # Spain, art. 20.1.c LOPDGDD: the systems in which the creditor takes part are named.
        "Si no paga en 30 días, sus datos podrán comunicarse a los sistemas ASNEF y BADEXCUG.",
        # Poland, act of 9 April 2010, art. 14: the bureau is named, a month before.
        "Po upływie miesiąca możemy przekazać te dane do Krajowego Rejestru Długów BIG SA.",
    ],
)
def test_the_notice_before_a_report_to_a_bureau_can_be_said(notice: str) -> None:
    assert tone_findings(notice) == ()


@pytest.mark.parametrize(
    "turned",
    [
        "We never tell your family if you pay today.",
        "Nobody at your work will hear about it as long as you pay.",
        "Nunca avisaremos a su familia, salvo que no pague.",
        "Nikt w Pana rodzinie się nie dowie, jeśli Pan zapłaci.",
        "If you do not pay, you will lose your home.",
        "You have no shame.",
        "No tiene vergüenza.",
    ],
)
def test_a_promise_with_a_condition_is_a_threat(turned: str) -> None:
    assert tone_findings(turned)


@pytest.mark.parametrize(
    "hidden",
    [
        "The p\u2060o\u200dlice will come.",
        "The \u0440\u043e\u04cf\u0456\u0441\u0435 will come.",
        "The \u03c1\u03bflice will come.",
        "The \u1d18\u1d0f\u029f\u026a\u1d04\u1d07 will come.",
        "The \U0001d429\U0001d428\U0001d425\U0001d422\U0001d41c\U0001d41e will come.",
        "The p o l i c e  w i l l  c o m e.",
        "The P. O. L. I. C. E. will come.",
        "The p-o_l*i.c~e will come.",
        "The po1ice will come.",
        "The p0|ice will come.",
        "The poli-ce will come.",
        "The poli\u00b7ce will come.",
        "The polllice will come.",
        "A p o l i c e car will come.",
        "You are a th1ef.",
        "The j@il is waiting.",
        "Le espera la c4rcel.",
        "Wezwiemy k0m0rnika.",
    ],
)
def test_a_hidden_word_is_read_all_the_same(hidden: str) -> None:
    found = tone_findings(hidden)
    assert {Fault.THREAT, Fault.SHAME} & {one.fault for one in found}
    for one in found:
        assert one.words == hidden[one.start : one.end]


def test_what_ships_says_nothing_of_the_kind() -> None:
    for one in load_templates().shipped.values():
        for text in one.texts.values():
            assert tone_findings(text.subject) == tone_findings(text.body) == ()


@pytest.mark.parametrize(
    "piece", ["_", "a ", "tell ", "1!", "your ", "p.o ", "we will tell ", "\n"]
)
def test_a_long_text_is_read_in_time(piece: str) -> None:
    text = (piece * 8_000)[:8_000]
    began = time.process_time()
    tone_findings(text)
    assert time.process_time() - began < 3
