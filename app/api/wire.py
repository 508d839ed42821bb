"""The shapes that travel: strict, plain, and the same everywhere in the API.

Amounts are decimal strings with a currency beside them, days are `YYYY-MM-DD`, instants are
RFC 3339 with a zone. Unknown fields are refused, because a misspelt field is a lost intention.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

from app.domain.errors import Invalid
from app.domain.ids import EmailAddress, Phone
from app.domain.money import KNOWN_CURRENCIES, Money

T = TypeVar("T")

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})\Z", re.ASCII
)
# PostgreSQL keeps more, Python less: everything between is a typing error anyway.
_FIRST_YEAR, _LAST_YEAR = 1900, 2200


def refuse(message: str, mend: str) -> PydanticCustomError:
    """A fault in our own words; the field is added by whoever reports it."""
    return PydanticCustomError(
        "saldo_value", "{message} {mend}", {"message": message, "mend": mend}
    )


class Given(BaseModel):
    """What a caller sends."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Shown(BaseModel):
    """What a caller gets. Read from rows by attribute."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


def _in_our_words(rule: Callable[[str], T]) -> Callable[[str], str]:
    """Run a domain rule and say its refusal without repeating the value."""

    def check(value: str) -> str:
        try:
            rule(value)
        except Invalid as error:
            raise refuse(error.problem, error.mend) from None
        return value

    return check


def _printable(value: str) -> str:
    # Control characters have no place in a name, and PostgreSQL refuses one of them outright.
    if any(unicodedata.category(char) in {"Cc", "Cs", "Co"} for char in value):
        raise refuse("holds control characters.", "Send printable text.")
    return value


def _day(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _DAY.match(value):
        raise refuse("is not a day.", 'Write it like "2026-03-31".')
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise refuse("is not a day of the calendar.", 'Write it like "2026-03-31".') from None
    if not _FIRST_YEAR <= day.year < _LAST_YEAR:
        raise refuse("is too far away.", f"Use a year from {_FIRST_YEAR} to {_LAST_YEAR - 1}.")
    return day


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _INSTANT.match(value):
        raise refuse("is not an instant with a zone.", 'Write it like "2026-03-31T09:30:00Z".')
    try:
        moment = datetime.fromisoformat(value.upper().replace(" ", "T")).astimezone(UTC)
    except (ValueError, OverflowError):
        raise refuse("does not exist.", 'Write it like "2026-03-31T09:30:00Z".') from None
    if not _FIRST_YEAR <= moment.year < _LAST_YEAR:
        raise refuse("is too far away.", f"Use a year from {_FIRST_YEAR} to {_LAST_YEAR - 1}.")
    return moment


def _uuid(value: Any) -> UUID:
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value) if isinstance(value, str) and len(value) == 36 else _no_id()
    except ValueError:
        return _no_id()


def _no_id() -> UUID:
    raise refuse("is not an id.", "Use the id that Saldo gave you.")


def _currency(value: str) -> str:
    if value not in KNOWN_CURRENCIES:
        raise refuse("is not a currency Saldo knows.", 'Use ISO 4217, such as "EUR".')
    return value


def _amount(value: str) -> str:
    # Currencies are checked where amount and currency meet; here it is the form alone.
    if not re.fullmatch(r"\d{1,15}(\.\d{1,3})?", value, re.ASCII) or not any(
        digit in value for digit in "123456789"
    ):
        raise refuse("is not a positive decimal string.", 'Write it like "1234.56".')
    return value


def _z(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Line = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_printable)]
"""A trimmed, printable string; its length is said where it is used."""

EXAMPLE_ID: Final = "0190d9a4-7c1b-7e34-9a52-3f8a1f0b7c11"
REF_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,99}$"

Ref = Annotated[
    str,
    StringConstraints(pattern=REF_PATTERN),
    Field(
        description="Your own reference: 1 to 100 of letters, digits and . _ : @ + -, "
        "the first a letter or a digit.",
        examples=["L-2024-0042"],
    ),
]
Id = Annotated[
    UUID,
    BeforeValidator(_uuid, json_schema_input_type=UUID),
    Field(
        strict=False, description="Saldo's id.", examples=["0190d9a4-7c1b-7e34-9a52-3f8a1f0b7c11"]
    ),
]
Currency = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{3}$"),
    AfterValidator(_currency),
    Field(description="ISO 4217 code.", examples=["EUR"]),
]
AmountText = Annotated[
    str,
    StringConstraints(max_length=19),
    AfterValidator(_amount),
    Field(
        description="A positive amount as a plain decimal string, not finer than its currency.",
        examples=["120.00"],
        json_schema_extra={"pattern": r"^\d{1,15}(\.\d{1,3})?$"},
    ),
]
Day = Annotated[
    date,
    BeforeValidator(_day, json_schema_input_type=date),
    Field(strict=False, description="A calendar day, YYYY-MM-DD.", examples=["2026-03-31"]),
]
Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_instant, json_schema_input_type=AwareDatetime),
    PlainSerializer(_z, when_used="json"),
    Field(
        strict=False,
        description="RFC 3339 with a zone; answers are in UTC.",
        examples=["2026-03-31T09:30:00Z"],
    ),
]
PhoneText = Annotated[
    str,
    StringConstraints(max_length=30),
    AfterValidator(_in_our_words(Phone.parse)),
    Field(description="International telephone number.", examples=["+34612345678"]),
]
EmailText = Annotated[
    str,
    StringConstraints(max_length=254),
    AfterValidator(_in_our_words(EmailAddress.parse)),
    Field(description="E-mail address.", examples=["ana@example.com"]),
]
Country = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{2}$"),
    Field(description="ISO 3166 country code.", examples=["ES"]),
]


class MoneyShown(Shown):
    """An amount: a decimal string in the currency beside it."""

    amount: Annotated[str, Field(description="Decimal string.", examples=["120.00"])]
    currency: Annotated[str, Field(description="ISO 4217 code.", examples=["EUR"])]


def money(minor: int, currency: str) -> MoneyShown:
    """Whole minor units as they are shown."""
    return MoneyShown(amount=Money(minor, currency).plain(), currency=currency)


def money_of(amount: str, currency: str, *, field: str = "amount") -> Money:
    """Amount and currency as the house reads them. Raises `Invalid` naming `field`."""
    return Money.parse(amount, currency, field=field)
