from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.message import Channel
from app.domain.sms_text import MOST_SEGMENTS, measure
from app.domain.template import (
    ABOUT_THE_DEBT,
    GIVEN,
    PLACES,
    Cause,
    Template,
    TooLong,
    check_template,
    faults_of,
    missing_for,
    render,
)

LINK = "https://pay.example.com/p/AAAAAAAAAAAAAAAAAAAAAA"
SMS = "{{lender}}: a message: {{link}} Reply STOP to stop."
MAIL = "Hello {{name}}, {{amount_due}} was due on {{due_on}}. {{link}} {{stop_link}} {{lender}}"
VALUES = {
    "lender": "Sol",
    "name": "Ana Núñez",
    "link": LINK,
    "stop_link": f"{LINK}/stop",
    "contact_phone": "+34 910 00 00 00",
    "amount_due": "1\u202f120,00\u00a0€",
    "due_on": "3 de marzo de 2026",
    "days_past_due": "5",
    "loan_ref": "L-1",
    "promise_on": "9 de marzo de 2026",
    "promise_amount": "60,00 €",
}


def text(body: str = SMS, name: str = "first_missed", language: str = "en") -> Template:
    return Template(name, Channel.SMS, language, 1, body)


def mail(body: str = MAIL, subject: str = "A message from {{lender}}") -> Template:
    return Template("first_missed", Channel.EMAIL, "en", 1, body, subject)


def push(body: str = "There is a message for you.") -> Template:
    return Template("first_missed", Channel.PUSH, "en", 1, body)


def test_the_places_are_filled() -> None:
    made = render(mail(), VALUES)
    assert made.subject == "A message from Sol"
    assert made.body == (
        f"Hello Ana Núñez, 1 120,00 € was due on 3 de marzo de 2026. {LINK} {LINK}/stop Sol"
    )
    assert made.wording == "first_missed/1"


def test_an_edition_of_the_lender_has_a_stamp_of_its_own() -> None:
    own = Template("first_missed", Channel.SMS, "en", 1, SMS, own=True)
    assert own.id == "first_missed/own-1"
    assert render(own, VALUES).wording != render(text(), VALUES).wording


@pytest.mark.parametrize("name", ["amount_due", "due_on", "link", "name", "stop_link"])
def test_a_missing_value_is_named(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        render(mail(), {key: value for key, value in VALUES.items() if key != name})
    assert refused.value.field == name


def test_an_empty_value_is_as_good_as_none() -> None:
    with pytest.raises(Invalid) as refused:
        render(mail(), {**VALUES, "amount_due": ""})
    assert refused.value.field == "amount_due"


def test_an_unknown_place_is_named() -> None:
    with pytest.raises(Invalid) as refused:
        check_template(text(SMS + " {{iban}}"))
    assert refused.value.field == "iban"


def test_an_unknown_value_is_named() -> None:
    with pytest.raises(Invalid) as refused:
        render(text(), {**VALUES, "iban": "ES91"})
    assert refused.value.field == "iban"


@pytest.mark.parametrize(
    "odd",
    ["{{ name }}", "{name}", "{{name}", "{{Name}}", "{{}}", "{% if 1 %}", "{{name.__class__}}",
     "{{{name}}}", "{{'x'*9}}", "{{name|upper}}"],
)  # fmt: skip
def test_there_is_no_template_language(odd: str) -> None:
    with pytest.raises(Invalid):
        check_template(mail(MAIL + odd))


def test_a_value_is_put_in_once_and_never_read_again() -> None:
    made = render(mail(), {**VALUES, "name": "{{amount_due}}"})
    assert made.body.startswith("Hello {{amount_due}}, 1 120,00 €")


@pytest.mark.parametrize("place", sorted(ABOUT_THE_DEBT))
def test_a_lock_screen_has_no_place_about_the_debt(place: str) -> None:
    told = f" {{{{{place}}}}}"
    for template in (text(SMS + told), push(f"Hello{told}"), mail(subject="{{lender}}" + told)):
        with pytest.raises(Invalid, match="lock screen"):
            check_template(template)


@pytest.mark.parametrize(
    "told",
    ["You owe us money.", "Your payment", "Your loan", "overdue", "12,50 EUR", "€12", "Su deuda",
     "Debe pagar", "su préstamo", "impagado", "Twój dług", "zapłać", "ZALEGŁOŚĆ", "120 zł",
     "pożyczka", "Está vencido", "your bank", "We saw money", "su cuenta"],
)  # fmt: skip
def test_a_lock_screen_has_no_word_for_a_debt(told: str) -> None:
    with pytest.raises(Invalid):
        check_template(text(f"{SMS} {told}"))
    with pytest.raises(Invalid):
        check_template(push(told))
    with pytest.raises(Invalid):
        check_template(mail(subject=told))


@pytest.mark.parametrize(
    "harmless",
    ["Please read it this week.", "La página le espera.", "Prosimy o kontakt.", "PayPal no.",
     "Thank you."],
)  # fmt: skip
def test_harmless_words_pass(harmless: str) -> None:
    check_template(text(f"{SMS} {harmless}"))


def test_a_text_says_who_writes_where_it_leads_and_how_to_stop() -> None:
    for body, wanted in (
        ("A message: {{link}} Reply STOP to stop.", "{{lender}}"),
        ("{{lender}}: hello. Reply STOP to stop.", "{{link}}"),
        ("{{lender}}: {{link}}", "STOP"),
    ):
        with pytest.raises(Invalid, match=re.escape(wanted)):
            check_template(text(body))
    check_template(text("{{lender}}: {{stop_link}}"))
    with pytest.raises(Invalid, match=re.escape("{{stop_link}}")):
        check_template(mail("Hello {{name}}, {{link}} {{lender}}"))


def test_everything_wrong_is_told_at_once() -> None:
    found = [fault.field for fault in faults_of(mail("{{iban}} {", "Your loan"))]
    assert found.count("iban") == 1
    assert {"body", "subject"} <= set(found)
    assert not list(faults_of(mail()))


@pytest.mark.parametrize(
    ("template", "field"),
    [
        (text(SMS, name="First"), "name"),
        (text(SMS, language="english"), "language"),
        (Template("a_b", Channel.CALL, "en", 1, SMS), "channel"),
        (text(""), "body"),
        (text(SMS + "x" * 500), "body"),
        (text(SMS + "\nmore"), "body"),
        (Template("a_b", Channel.SMS, "en", 1, SMS, "Subject"), "subject"),
        (mail(subject=""), "subject"),
        (mail(subject="{{lender}}\nBcc: everybody@example.com"), "subject"),
        (mail(subject="x" * 121), "subject"),
        (mail(MAIL + "\x07"), "body"),
    ],
)
def test_a_template_has_a_shape(template: Template, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_template(template)
    assert refused.value.field == field


@pytest.mark.parametrize("link", ["", "two words", "line\nbreak"])
def test_a_broken_link_is_refused(link: str) -> None:
    with pytest.raises(Invalid):
        render(text(), {**VALUES, "link": link})


def test_a_value_cannot_bring_a_header_of_its_own() -> None:
    made = render(mail(), {**VALUES, "lender": "Sol\r\nBcc: x@example.com"})
    assert "\n" not in made.subject
    with pytest.raises(Invalid):
        render(mail(), {**VALUES, "loan_ref": "1", "amount_due": "1\n2"})


def test_what_a_cause_cannot_fill_is_known_beforehand() -> None:
    late = mail(MAIL + " {{days_past_due}}")
    assert missing_for(late, Cause.NOTICE) == frozenset()
    assert missing_for(late, Cause.REMIND) == {"days_past_due"}
    assert missing_for(mail(MAIL + " {{promise_on}}"), Cause.NOTICE) == {"promise_on"}
    assert all(places <= set(PLACES) for places in GIVEN.values())


@given(st.text(max_size=300))
def test_any_name_leaves_the_link_whole(name: str) -> None:
    try:
        body = render(text(), {**VALUES, "lender": name}).body
    except Invalid:
        return
    assert f" {LINK} " in body
    assert "\n" not in body


@given(
    st.lists(st.sampled_from([*(f"{{{{{name}}}}}" for name in PLACES), " and ", "{", "}}"])),
    st.sets(st.sampled_from(sorted(PLACES))),
)
def test_rendering_never_leaves_a_place_behind(parts: list[str], given_for: set[str]) -> None:
    template = mail("".join(parts) + " {{stop_link}} {{lender}}")
    values = {name: value for name, value in VALUES.items() if name in given_for}
    try:
        made = render(template, values)
    except Invalid:
        return
    assert "{" not in made.body + made.subject
    assert template.places <= given_for


WORST = {**VALUES, "name": "Ż" * 60, "lender": "Ś" * 60, "link": "https://" + "l" * 92}


@pytest.mark.parametrize(
    ("body", "fine"),
    [
        (SMS, True),
        (SMS + " {{name}}", True),
        (SMS + " {{name}}" * 40, False),
        (SMS + " {{name}}" * 5, True),
        (SMS + " {{name}}" * 6, False),
        (SMS + " {{link}} {{link}} {{link}}", False),
        (SMS + " " + "a" * 200, True),
        (SMS + " " + "a" * 300, False),
    ],
)
def test_a_text_message_is_judged_at_its_longest(body: str, fine: bool) -> None:
    found = [one for one in faults_of(text(body)) if isinstance(one, TooLong)]
    assert (found == []) is fine
    if fine:
        assert measure(render(text(body), WORST).body).segments <= MOST_SEGMENTS
    else:
        assert (found[0].field, "6 are the most" in found[0].message) == ("body", True)
        assert "counts each time" in found[0].mend


def test_what_is_too_long_for_one_person_is_said_and_fine_for_another() -> None:
    long = text(SMS + " {{name}}" * 8)
    with pytest.raises(TooLong, match="is 8 text messages once it is filled in"):
        render(long, WORST)
    assert measure(render(long, {**VALUES, "name": "Ana"}).body).segments == 1


def test_no_mailbox_counts_parts() -> None:
    assert render(mail(MAIL + " {{name}}" * 200), VALUES).body


@given(st.text(alphabet="aę€{} ", max_size=480), st.text(alphabet="ab ęż😀", max_size=60))
def test_what_is_rendered_fits_every_carrier(words: str, name: str) -> None:
    given_name = {**VALUES, "name": name.strip() or "Ana"}
    try:
        made = render(text(f"{SMS} {words} {{{{name}}}}"), given_name)
    except Invalid:
        return
    assert measure(made.body).segments <= MOST_SEGMENTS
    # Twilio's longest body.
    assert len(made.body) <= 1600
