"""The texts we send: words with a few known places in them, and nothing else.

A place is written {{name}} and is one of `PLACES`. There is no template language: no conditions,
no loops, no expressions, so a text can neither fail half way nor cost memory without bound. A
value is put in once and never read again for further places.

A lock screen is read by others. Texts, app messages and the subject of an e-mail therefore hold
no amount, no date of a debt and no word for debt or payment; the rest stands behind the link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.domain.errors import Invalid
from app.domain.message import Channel
from app.domain.sms_text import MOST_SEGMENTS, measure
from app.domain.tone_fold import squeezed

LANGUAGES: Final = ("en", "es", "pl")
"""Languages that Saldo ships words in."""
FALLBACK_LANGUAGE: Final = "en"
CHANNELS: Final = (Channel.SMS, Channel.EMAIL, Channel.PUSH)
"""Channels that carry written words."""

LONGEST_SUBJECT: Final = 120
LONGEST_BODY: Final[Mapping[Channel, int]] = {
    Channel.SMS: 480,
    Channel.EMAIL: 8_000,
    Channel.PUSH: 200,
}
LONGEST_VALUE: Final = 300
_LONGEST_NAME: Final = 40
# What stands in the places of a text message at its longest. A letter outside the short alphabet
# makes the whole text longer, and names have those. A link is the address of the pages (up to 75
# letters), "/p/", a token of 22, and "/stop"; a number is in E.164 with spaces.
_LONGEST_FILLED: Final[Mapping[str, str]] = {
    "lender": "ę" * _LONGEST_NAME,
    "name": "ę" * _LONGEST_NAME,
    "link": "l" * 100,
    "stop_link": "l" * 105,
    "contact_phone": "+" * 24,
}

PLACES: Final[Mapping[str, str]] = {
    "lender": "the lender's name",
    "name": "the borrower's name",
    "link": "the address of the borrower's own page",
    "stop_link": "the address of the page that stops messages",
    "contact_phone": "the lender's telephone number",
    "amount_due": "what is due now, with its currency",
    "due_on": "the oldest day something was due (before it is due: the coming day)",
    "days_past_due": "whole days since that day",
    "loan_ref": "the lender's number of the loan",
    "promise_on": "the day of the promise",
    "promise_amount": "the promised amount, with its currency",
}
"""Every place there is, with what stands in it."""

ABOUT_THE_DEBT: Final = frozenset(
    {"amount_due", "due_on", "days_past_due", "loan_ref", "promise_on", "promise_amount"}
)
_ALWAYS: Final = frozenset(PLACES) - ABOUT_THE_DEBT


class Cause(StrEnum):
    """What a message is sent for, as stored in `messages.cause`."""

    FUNDS = "funds"
    NOTICE = "notice"
    REMIND = "remind"
    PROMISE = "promise"


GIVEN: Final[Mapping[Cause, frozenset[str]]] = {
    Cause.FUNDS: _ALWAYS | {"amount_due", "loan_ref"},
    Cause.NOTICE: _ALWAYS | {"amount_due", "due_on", "days_past_due", "loan_ref"},
    # Nothing is past due yet.
    Cause.REMIND: _ALWAYS | {"amount_due", "due_on", "loan_ref"},
    Cause.PROMISE: frozenset(PLACES),
}
"""The places that can be filled for each cause. `contact_phone` only where the lender has one."""
GIVEN_TO_OWN: Final = GIVEN[Cause.NOTICE]
"""Those of a text with a name that the lender made up: only a strategy's notices name it."""

_PLACE = re.compile(r"\{\{([a-z_]{1,40})\}\}")
_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}\Z", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2}\Z", re.ASCII)
# Words a borrower can answer a text with (the provider's lists are longer; these are the plainest).
_STOP_WORD = re.compile(r"\b(STOP|BAJA)\b")
_AMOUNT = re.compile(r"[€$£]|\bz[łl]\b|\d[\d.,]*\s?(?:eur|usd|gbp|pln|euros?)\b")
# Beginnings of words, without accents and case, in the languages we know.
_TELLTALE = re.compile(
    r"\b(?:debt|owe|owing|due\b|overdue|arrears|loan|credit|pay(?!pal)|paid|unpaid|instal+ment|"
    r"collect(?:ion|or)|default(?:ed)?\b|balance|account|money|amount|bank|deud|debe\b|adeud|"
    r"pag[aou]|impag|prestamo|credito|cuota|mora\b|moros|vencid|recobro|cobro|cuenta|saldo\b|"
    r"dinero|importe|banc[oa]|dlug|dluz|zadluz|zaleg|zaplac|zaplat|platnos|niezaplac|nieoplac|"
    r"oplac|pozycz|kredyt|rata\b|raty\b|windyk|splac|splat|konto\b|koncie\b|konta\b|pieniad|kwot)"
)


@dataclass(frozen=True, slots=True)
class Template:
    """One text in one language for one channel. `subject` is for e-mail alone.

    `own`: an edition the lender wrote; otherwise it shipped with Saldo.
    """

    name: str
    channel: Channel
    language: str
    number: int
    body: str
    subject: str = ""
    own: bool = False

    @property
    def id(self) -> str:
        """The stamp kept with every message: "first_missed/1", a lender's "first_missed/own-3"."""
        return f"{self.name}/own-{self.number}" if self.own else f"{self.name}/{self.number}"

    @property
    def places(self) -> frozenset[str]:
        """The places in subject and body."""
        return frozenset(_PLACE.findall(self.subject) + _PLACE.findall(self.body))


class TooLong(Invalid):
    """A text message that, filled in, has more parts than one may have."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text ready to send, and which template and language it is."""

    wording: str
    language: str
    body: str
    subject: str = ""


def render(template: Template, values: Mapping[str, str]) -> Rendered:
    """Fill every place of the template, once.

    `values` may hold more than is needed. Raises `Invalid` that names a place which is not known,
    has no value, or has one that would break the text: empty, too long, with a line break, or an
    address of more than one word. In texts a long name is cut; an address never is. `TooLong` for
    a text message of more than `MOST_SEGMENTS` parts.
    """
    for fault in _faults_when_sent(template):
        raise fault
    for name in values:
        if name not in PLACES:
            raise _unknown(name)
    filled = {name: _value(template.channel, name, values) for name in sorted(template.places)}
    body = _fill(template.body, filled)
    if template.channel is Channel.SMS and measure(body).segments > MOST_SEGMENTS:
        raise TooLong("body", _too_long("is", measure(body).segments), mend=_SHORTER)
    return Rendered(
        wording=template.id,
        language=template.language,
        body=body,
        subject=_fill(template.subject, filled),
    )


def given_for(cause: Cause | None) -> frozenset[str]:
    """The places that can be filled for a cause; None for a name that the lender made up."""
    return GIVEN_TO_OWN if cause is None else GIVEN[cause]


def missing_for(template: Template, cause: Cause | None) -> frozenset[str]:
    """The places of a template that cannot be filled when it is sent for this cause."""
    return template.places - given_for(cause)


def check_template(template: Template) -> None:
    """Raises `Invalid` for the first thing that is wrong with a template."""
    for fault in faults_of(template):
        raise fault


def faults_of(template: Template) -> Iterator[Invalid]:
    """Everything that keeps a template from being used, most telling first."""
    yield from _faults_when_sent(template)
    yield from _about_the_longest(template)


def _faults_when_sent(template: Template) -> Iterator[Invalid]:
    yield from _about_the_name(template)
    yield from _about_places("subject", template.subject)
    yield from _about_places("body", template.body)
    yield from _about_size(template)
    if template.channel in (Channel.SMS, Channel.PUSH):
        yield from _about_a_lock_screen("body", template.body)
    yield from _about_a_lock_screen("subject", template.subject)
    yield from _about_what_is_needed(template)


def _about_the_name(template: Template) -> Iterator[Invalid]:
    if not _NAME.match(template.name):
        yield Invalid("name", "is not a name.", mend="Use small letters, digits and _.")
    if not _LANGUAGE.match(template.language):
        yield Invalid("language", "is not a language.", mend='Write two letters such as "es".')
    if template.channel not in CHANNELS:
        yield Invalid("channel", "carries no written words.", mend="Use sms, email or push.")


def _about_places(field: str, text: str) -> Iterator[Invalid]:
    for name in dict.fromkeys(_PLACE.findall(text)):
        if name not in PLACES:
            yield _unknown(name)
    if re.search(r"[{}]", _PLACE.sub("", text)):
        yield Invalid(
            field, "holds a brace that belongs to no place.", mend="Write a place as {{link}}."
        )
    if any(not letter.isprintable() and letter != "\n" for letter in text):
        yield Invalid(
            field, "holds signs that cannot be shown.", mend="Type it anew instead of pasting it."
        )


def _about_size(template: Template) -> Iterator[Invalid]:
    if not template.body.strip():
        yield Invalid("body", "is empty.", mend="Write the text.")
    longest = LONGEST_BODY.get(template.channel, 0)
    if len(template.body) > longest:
        yield Invalid("body", f"is longer than {longest} characters.", mend="Shorten it.")
    if template.channel is not Channel.EMAIL:
        if "\n" in template.body.strip():
            yield Invalid("body", "has a line break.", mend="Write it as one line.")
        if template.subject:
            yield Invalid("subject", "belongs to e-mails alone.", mend="Leave it empty.")
        return
    if not template.subject.strip():
        yield Invalid("subject", "is empty.", mend="Write a subject.")
    if "\n" in template.subject:
        yield Invalid("subject", "has a line break.", mend="Write it as one line.")
    if len(template.subject) > LONGEST_SUBJECT:
        yield Invalid(
            "subject", f"is longer than {LONGEST_SUBJECT} characters.", mend="Shorten it."
        )


def _about_the_longest(template: Template) -> Iterator[Invalid]:
    """Nobody is to find out at sending that a long name makes a text too long."""
    if template.channel is not Channel.SMS:
        return
    filled = _PLACE.sub(
        lambda place: _LONGEST_FILLED.get(place.group(1), place.group()), template.body
    )
    segments = measure(filled).segments
    if segments > MOST_SEGMENTS:
        yield TooLong("body", _too_long("may become", segments), mend=_SHORTER)


_SHORTER: Final = "Shorten it, or use fewer places; a place counts each time it stands there."


def _too_long(verb: str, segments: int) -> str:
    return f"{verb} {segments} text messages once it is filled in; {MOST_SEGMENTS} are the most."


def _about_a_lock_screen(field: str, text: str) -> Iterator[Invalid]:
    """Whoever sees the telephone lying there learns nothing (also FCA CONC 7.13.1; AEPD)."""
    mend = "Others may read a lock screen. Say it behind {{link}}."
    for name in dict.fromkeys(_PLACE.findall(text)):
        if name in ABOUT_THE_DEBT:
            yield Invalid(field, f"tells {PLACES[name]} ({{{{{name}}}}}).", mend=mend)
    bare, _ = squeezed(_PLACE.sub(" ", text))
    if _AMOUNT.search(bare):
        yield Invalid(field, "tells an amount.", mend=mend)
    told = _TELLTALE.search(bare)
    if told:
        yield Invalid(field, f"speaks of a debt or a payment ({told.group()!r}).", mend=mend)


def _about_what_is_needed(template: Template) -> Iterator[Invalid]:
    """Who writes, where it leads, and a way to stop it.

    A way out in each message is law in the United States (12 CFR 1006.6(e), for e-mail and texts)
    and is kept everywhere. An app message is stopped in the app, and it opens the app.
    """
    places = template.places
    if template.channel is Channel.PUSH:
        return
    if "lender" not in places:
        yield Invalid("body", "does not say who writes.", mend="Add {{lender}}.")
    if template.channel is Channel.SMS:
        if not places & {"link", "stop_link"}:
            yield Invalid("body", "has no link.", mend="Add {{link}}.")
        if "stop_link" not in places and not _STOP_WORD.search(template.body):
            yield Invalid(
                "body", "does not say how to stop.", mend="Add STOP or BAJA, or {{stop_link}}."
            )
    elif "stop_link" not in places:
        yield Invalid("body", "does not say how to stop.", mend="Add {{stop_link}}.")


def _value(channel: Channel, name: str, values: Mapping[str, str]) -> str:
    value = values.get(name)
    if value is None:
        raise Invalid(
            name,
            "is missing: the text needs it.",
            mend="Set it, or take the place out of the text.",
        )
    # Amounts come with spaces that no line breaks at (CLDR); a text message has none of those.
    value = value.replace("\u00a0", " ").replace("\u202f", " ")
    value = " ".join(value.split()) if name in ("lender", "name") else value
    if name in ("lender", "name") and channel is not Channel.EMAIL:
        value = value[:_LONGEST_NAME].rstrip()
    if not value:
        raise Invalid(
            name, "is empty: the text needs it.", mend="Set it, or take the place out of the text."
        )
    if not value.isprintable() or len(value) > LONGEST_VALUE:
        raise Invalid(
            name,
            "cannot be shown in a text.",
            mend=f"Use at most {LONGEST_VALUE} printable characters on one line.",
        )
    if name in ("link", "stop_link") and " " in value:
        raise Invalid(name, "is not one word.", mend="Give an address without blanks.")
    return value


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: values[place.group(1)], text).strip()


def _unknown(name: str) -> Invalid:
    return Invalid(name, "is not a place that is known here.", mend=f"Use: {', '.join(PLACES)}.")
