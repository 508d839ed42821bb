from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.tone import Fault, Finding, tone_findings

THREATS = [
    "Pay today or else.",
    "We will take legal action against you.",
    "The police will come.",
    "You will be arrested.",
    "This is your last chance.",
    "We know where you live.",
    "Our bailiff will visit your home.",
    "Habrá graves consecuencias.",
    "Iniciaremos acciones legales.",
    "Le embargaremos la nómina.",
    "Acabará en la cárcel.",
    "Sprawę przekażemy do komornika.",
    "Skierujemy sprawę do sądu.",
    "Wiemy, gdzie mieszkasz.",
    "Przyjdziemy do ciebie.",
]
SHAME = [
    "Shame on you.",
    "You should be ashamed.",
    "You are a liar.",
    "Honest people pay what they owe.",
    "You are a bad payer.",
    "Qué vergüenza.",
    "Es usted un moroso.",
    "Usted es un sinvergüenza.",
    "Wstyd!",
    "Jesteś nieuczciwy.",
    "To nieodpowiedzialne.",
]
THIRD_PARTY = [
    "We will tell your employer.",
    "We will call your family.",
    "Your neighbours will know.",
    "Your name goes on a blacklist.",
    "We publish your name.",
    "Vamos a informar a su jefe.",
    "Su familia se enterará.",
    "Entrará en la lista negra.",
    "Powiadomimy twojego pracodawcę.",
    "Trafisz na listę: czarna lista.",
    "Twoja rodzina dowie się o tym.",
]
SHOUTING = [
    "PAY NOW",
    "Read this!!",
    "Hello! Please answer! Now!",
    "¡PAGUE HOY!",
    "Dlaczego?! Dziś!",
]

FAIR = [
    "Hello Ana, the payment of 120 was due on 3 March, and we have not seen it yet.",
    "If you cannot pay now, tell us. We will look for a way together.",
    "One of us will call you to find out what would help.",
    "To stop these texts, reply STOP or use the link.",
    "Please make this easier for yourself: ask for smaller parts.",
    "Send it by SEPA or with the IBAN below.",
    "This has no consequences for you.",
    "Never share your password: nobody here asks for it.",
    "Gracias por su mensaje. ¡Buenos días!",
    "Un pago detenido por su banco no es un problema.",
    "Puede pedir otra fecha o hablar con una persona.",
    "Responda BAJA para no recibir más.",
    "Dziękujemy za wiadomość. Prosimy o kontakt w tym tygodniu.",
    "Nasz pracownik zadzwoni, aby ustalić, co może pomóc.",
    "Zajęcia zaczynają się jutro.",
]


def faults(text: str) -> set[Fault]:
    return {found.fault for found in tone_findings(text)}


@pytest.mark.parametrize("text", THREATS)
def test_threats_are_blocked(text: str) -> None:
    assert Fault.THREAT in faults(text)


@pytest.mark.parametrize("text", SHAME)
def test_shame_is_blocked(text: str) -> None:
    assert Fault.SHAME in faults(text)


@pytest.mark.parametrize("text", THIRD_PARTY)
def test_telling_others_is_blocked(text: str) -> None:
    assert Fault.THIRD_PARTY in faults(text)


@pytest.mark.parametrize("text", SHOUTING)
def test_shouting_is_blocked(text: str) -> None:
    assert Fault.SHOUTING in faults(text)


@pytest.mark.parametrize("text", FAIR)
def test_fair_words_pass(text: str) -> None:
    assert tone_findings(text) == ()


def test_places_are_not_read_as_words() -> None:
    assert tone_findings("{{police}} is not a word of ours, {{lender}}.") == ()


@pytest.mark.parametrize(
    "hidden",
    [
        "The POLICE will come.",
        "The pol\u200bice will come.",
        "The pólice will come.",
        "legal\n\naction: we take legal -- action",
        "\uff50\uff4f\uff4c\uff49\uff43\uff45",
    ],
)
def test_a_disguise_does_not_help(hidden: str) -> None:
    assert Fault.THREAT in faults(hidden)


def test_mixed_alphabets_are_a_disguise() -> None:
    assert faults("The pol\u0456ce will come.") == {Fault.DISGUISED, Fault.THREAT}
    assert faults("The \u0456nvoice is here.") == {Fault.DISGUISED}
    assert faults("Привет, Ana.") == set()


def test_a_finding_says_where_and_why() -> None:
    text = "Dear Ana, we will tell your boss about it."
    (found,) = tone_findings(text)
    assert found == Finding(Fault.THIRD_PARTY, 18, 32, "tell your boss")
    assert text[found.start : found.end] == found.words
    assert found.reason == "“tell your boss” speaks of telling others."


@given(st.text(max_size=400))
def test_positions_always_point_into_the_text(text: str) -> None:
    for found in tone_findings(text):
        assert 0 <= found.start < found.end <= len(text)


@given(st.text(alphabet="abc ąñł.,", max_size=60), st.sampled_from(THREATS + THIRD_PARTY))
def test_padding_hides_nothing(padding: str, bad: str) -> None:
    assert tone_findings(f"{padding} {bad} {padding}")
