"""What borrowers read: the same shape in every language, and every word that is used exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import app.web
from app.reference.templates import load_templates
from app.web.render import templates
from app.web.wording import LANGUAGES, best_language, placeholders, wording_in

WEB = Path(app.web.__file__).parent
# Words that press, threaten, or shame have no place on a page we want to be proud of.
_PRESSING = re.compile(
    r"\b(immediately|urgent|final notice|legal action|lawyer|court|default|defaulter|"
    r"inmediatamente|urgente|moroso|embargo|tribunal|natychmiast|pilne|dłużnik|sąd)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same_things(language: str) -> None:
    english, other = wording_in("en"), wording_in(language)
    assert set(other.words) == set(english.words)
    assert other.version == english.version
    for key, text in english.words.items():
        assert other.words[key].strip(), key
        assert placeholders(other.words[key]) == placeholders(text), key


@pytest.mark.parametrize("language", ["es", "pl"])
def test_nothing_was_left_in_english(language: str) -> None:
    english, other = wording_in("en"), wording_in(language)
    same = {key for key, text in english.words.items() if other.words[key] == text}
    assert same == set(), same


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_presses(language: str) -> None:
    for key, text in wording_in(language).words.items():
        assert not _PRESSING.search(text), key
        assert "!" not in text or key == "paid.title", key


# Whoever reads is spoken to as usted, and in Polish as Państwo or nobody in particular.
_FAMILIAR = {
    "es": re.compile(
        r"\b(tú|tu|tus|te|ti|contigo|tuy[oa]s?|eres|estás|has|puedes|podrás|quier[ae]s|tienes|vas|"
        r"dices|decides|recibirás|elige|llama|escribe|marca|pulsa|vuelve|abre|busca|"
        r"guarda|inténtalo|dínos|díselo|hola,? amig[oa])\b",
        re.IGNORECASE,
    ),
    "pl": re.compile(
        r"\b(Ty|Ciebie|Cię|Tobie|Tobą|Twój|Twoj\w+|Twoi\w*|jesteś|masz|możesz|musisz|chcesz|"
        r"zechcesz|zapłacisz|zadzwoń|skontaktuj|wpisz|napisz|wypełnij|poczekaj|otwórz)\b",
        re.IGNORECASE,
    ),
}


@pytest.mark.parametrize("language", _FAMILIAR)
def test_pages_and_messages_speak_to_people_with_respect(language: str) -> None:
    sent = {
        f"{name} {channel}": f"{text.subject} {text.body}"
        for name, one in load_templates().shipped.items()
        for (channel, spoken), text in one.texts.items()
        if spoken == language
    }
    assert len(sent) > 10
    for key, text in {**wording_in(language).words, **sent}.items():
        assert not _FAMILIAR[language].search(text), key


def test_every_word_that_is_used_exists_and_every_word_is_used() -> None:
    known = set(wording_in("en").words)
    sources = [
        path.read_text(encoding="utf-8") for path in [*WEB.glob("**/*.html"), *WEB.glob("**/*.py")]
    ]
    for text in sources:
        for key in re.findall(r"""(?:\bt|words|t\.html)\(["']([a-z_]+\.[a-z_]+)["'][,)]""", text):
            assert key in known, key
    whole = "".join(sources)
    said = {key for key in known if f'"{key}"' in whole or f"'{key}'" in whole}
    for key in known - said:
        assert _PUT_TOGETHER.fullmatch(key) or re.sub(r"_(text|title)$", "", key) in said, key


# Built from parts in the pages: f"says.thanks_{said}", t('says.' ~ say ~ '_text'), ...
_PUT_TOGETHER = re.compile(
    r"says\.(thanks_)?(wrong|cannot|paid)(_text|_go)?|consent\.(scoring|monitoring|bills)(_hint)?"
    r"|returned\.waiting(_text)?|(declined\.bank|declined\.failed|ended\.consent)_(title|text)"
    r"|trouble\.(not_found|refused|busy|broken)(_text)?"
)


def test_a_missing_value_is_an_error_not_a_hole() -> None:
    words = wording_in("en")
    with pytest.raises(KeyError):
        words("consent.lead")
    assert words("consent.lead", lender="<b>Sol</b>").startswith("<b>Sol</b>")
    assert words.html("consent.lead", lender="<b>Sol</b>").startswith("&lt;b&gt;Sol")


@pytest.mark.parametrize(
    ("wishes", "language"),
    [
        (("pl", "es"), "pl"),
        (("xx", "es-MX"), "es"),
        ((None, "", "de"), "en"),
        (("EN-gb",), "en"),
        (("../es",), "en"),
    ],
)
def test_the_first_wish_there_are_words_for(wishes: tuple[str | None, ...], language: str) -> None:
    assert best_language(*wishes) == language


def test_every_template_can_be_read_and_none_turns_escaping_off() -> None:
    pages = templates()
    names = pages.list_templates(extensions=["html"])
    assert len(names) >= 20
    for name in names:
        pages.get_template(name)
        source = (WEB / "templates" / name).read_text(encoding="utf-8")
        assert "|safe" not in source.replace(" ", ""), name
        assert "autoescape" not in source, name
