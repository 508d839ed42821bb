"""What people type into fields of the desk: days, moments and the parts of a promise."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from app.domain.errors import Invalid
from app.domain.promise_terms import Part
from app.reference.formats import read_amount
from app.web.forms import Form

# A promise form has so many pairs of fields.
PARTS: Final = (1, 2, 3, 4)
_SHARE: Final = re.compile(r"(\d{1,3})(?:[.,](\d{1,2}))?", re.ASCII)


def read_day(form: Form, name: str) -> date | None:
    """A day written YYYY-MM-DD; None for an empty field. Raises `Invalid`."""
    text = form.text(name, longest=10)
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(name, "is not a day.", mend="Write it like 2026-11-30.") from None


def read_moment(form: Form, name: str, zone: ZoneInfo) -> datetime | None:
    """A local time written YYYY-MM-DDTHH:MM, as an instant; None for an empty field.

    Raises `Invalid`, also for an hour that the clock leaps over in spring.
    """
    text = form.text(name, longest=19)
    if not text:
        return None
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(name, "is not a time.", mend="Write it like 2026-11-30T10:00.") from None
    if local.tzinfo is not None:
        raise Invalid(name, "has a time zone of its own.", mend="Write local time.")
    at = local.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) != local:
        raise Invalid(
            name,
            "does not exist on that day: the clock is put forward.",
            mend="Choose another hour.",
        )
    return at


def read_whole(form: Form, name: str, *, longest: int = 6) -> int:
    """A whole number of at most so many digits; 0 for an empty field. Raises `Invalid`."""
    text = form.text(name, longest=longest)
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise Invalid(name, "is not a whole number.", mend="Write digits only.")
    return int(text)


def read_share(form: Form, name: str) -> int:
    """Per cent with at most two digits behind the point or comma, in basis points.

    Raises `Invalid`.
    """
    found = _SHARE.fullmatch(form.text(name, longest=8).removesuffix("%").strip())
    if found is None:
        raise Invalid(name, "is not a share.", mend="Write per cent, like 20 or 12.5.")
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


def share_text(basis_points: int) -> str:
    """2000 -> "20", 1250 -> "12.5": what `read_share` reads again."""
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".")


def read_parts(form: Form, currency: str) -> list[Part]:
    """The parts of a promise: fields `pay_on_1`, `amount_1` and so on; empty pairs are left out.

    Raises `Invalid` for none at all, for half a part, and for an amount that two people could
    read differently.
    """
    parts = []
    for number in PARTS:
        day, amount = f"pay_on_{number}", f"amount_{number}"
        on, typed = read_day(form, day), form.text(amount, longest=30)
        if on is None and not typed:
            continue
        if on is None:
            raise Invalid(day, "is missing.", mend="Say on which day he pays it.")
        if not typed:
            raise Invalid(amount, "is missing.", mend="Say how much he pays that day.")
        parts.append(Part(on, read_amount(typed, currency)))
    if not parts:
        raise Invalid("pay_on_1", "is missing.", mend="Say when and how much he will pay.")
    return parts


def one_of(form: Form, name: str, known: Collection[str], *, mend: str) -> str:
    """One of the known words, or nothing where `known` holds "". Raises `Invalid`."""
    word = form.text(name)
    if word not in known:
        raise Invalid(name, "is missing or not one of these.", mend=mend)
    return word
