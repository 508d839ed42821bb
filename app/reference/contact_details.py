"""Telephone numbers, countries and e-mail addresses as lenders' files have them."""

from __future__ import annotations

import re
from functools import cache

import phonenumbers

from app.domain.errors import Invalid
from app.domain.ids import EmailAddress, Phone
from app.reference.formats import locale_of
from app.reference.places import country_zones


def country_code(text: str) -> str:
    """ISO 3166 alpha-2 of a code or of a country's name in English, Spanish or Polish.

    Raises `Invalid`.
    """
    word = text.strip()
    if len(word) == 2 and country_zones(word):
        return word.upper()
    found = _names().get(word.casefold())
    if found is None:
        raise Invalid(
            "country", f"is not known: {word[:40]!r}.", mend='Use ISO 3166, such as "ES".'
        )
    return found


@cache
def _names() -> dict[str, str]:
    return {
        str(name).casefold(): code
        for language in ("pl", "es", "en")
        for code, name in locale_of(language).territories.items()
        if len(code) == 2 and code.isalpha() and country_zones(code)
    }


def phone_in(text: str, country: str) -> Phone:
    """A number in E.164 form. One without "+" or "00" is read as a number of `country`.

    Raises `Invalid` when there is no such number there.
    """
    bare = re.sub(r"\A00", "+", text.strip())
    try:
        parsed = phonenumbers.parse(bare, None if bare.startswith("+") else country)
    except phonenumbers.NumberParseException:
        parsed = None
    if parsed is None or not phonenumbers.is_possible_number(parsed):
        raise Invalid("phone", "is not a telephone number.", mend='Write it like "+34612345678".')
    if not bare.startswith("+") and not phonenumbers.is_valid_number(parsed):
        raise Invalid(
            "phone",
            f"is no number of {country}.",
            mend='Write it with "+" and the country\'s code.',
        )
    return Phone.parse(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def email_address(text: str) -> str:
    """An e-mail address, its host in small letters. Raises `Invalid`.

    What stands before the "@" is left as it is: it belongs to the host (RFC 5321, 2.3.11).
    """
    return EmailAddress.parse(text).reveal()
