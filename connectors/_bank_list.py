"""The operator's list of banks: a TOML file of `[[bank]]` tables, one model for each connector.

Whatever is known about one bank stands there, never in code. `ListedBank` holds what every
connector asks about a bank; a connector adds fields of its own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from app.domain.errors import Declined, Invalid, Misconfigured
from app.domain.maintenance import WeeklyHours
from app.ports import Bank


class ListedBank(BaseModel):
    """One `[[bank]]`: who it is and when it books. Hours are local to `time_zone`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    name: str = Field(min_length=1, max_length=120)
    country: str = Field(pattern=r"^[A-Z]{2}$")
    time_zone: str = "Europe/Madrid"
    limits_excluded: bool = False
    booking_from: time = time(6, 0)
    booking_until: time = time(22, 0)
    maintenance: tuple[str, ...] = ()
    """Weekly hours like "Sat 20:00-Sun 10:00" in which the bank does not answer."""

    @property
    def weekly_rests(self) -> tuple[WeeklyHours, ...]:
        """`maintenance`, read."""
        return tuple(WeeklyHours.parse(text) for text in self.maintenance)

    @field_validator("maintenance")
    @classmethod
    def _readable_hours(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                WeeklyHours.parse(text)
            except Invalid as error:
                raise ValueError(error.message) from None
        return value

    def bank(self, **quirks: Any) -> Bank:
        """It as the rest of Saldo knows it, with the quirks of this connector."""
        return Bank(
            id=self.id,
            name=self.name,
            country=self.country,
            time_zone=self.time_zone,
            booking_from=self.booking_from,
            booking_until=self.booking_until,
            limits_excluded=self.limits_excluded,
            maintenance=self.weekly_rests,
            **quirks,
        )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            message = "is not a time zone such as Europe/Madrid"
            raise ValueError(message) from None
        return value


class TypedBank(ListedBank):
    """One whose accounts come with a type of ISO 20022 (`cashAccountType`), or a word of its own.

    `own_account_types`: such words, as the bank writes them, for accounts that can be paid from.
    """

    own_account_types: tuple[str, ...] = ()


def banks_field(connector: str, which: str) -> Any:
    """The setting that names the list: which banks stand in it, in words after "the banks"."""
    return Field(
        default=None,
        description=f"TOML file of the banks {which}, one [[bank]] each. "
        f"connectors/{connector}/banks.example.toml explains every field.",
    )


B = TypeVar("B", bound=ListedBank)


R = TypeVar("R")


def listed(found: Mapping[str, R], bank_id: str, connector: str, operation: str) -> R:
    """What the list has of a bank by our own name for it. Declined when it is not on it."""
    if bank_id in found:
        return found[bank_id]
    raise Declined(
        "the bank is not in the list of banks",
        reason="BANK_NOT_LISTED",
        connector=connector,
        operation=operation,
    )


def read_bank_list(path: Path | None, model: type[B], setting: str) -> dict[str, B]:
    """The file's banks by id. Raises Misconfigured naming `setting`, the bank and the field."""
    if path is None:
        raise Misconfigured(setting, "is not set", "Name the TOML file that lists your banks.")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misconfigured(setting, f"{path}: {error.strerror}", "Correct the path.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(setting, f"{path} is not TOML: {error}", "Correct the file.") from None
    tables = raw.get("bank")
    if not isinstance(tables, list) or not tables:
        raise Misconfigured(setting, f"{path} lists no [[bank]]", "Add at least one.")
    found: dict[str, B] = {}
    for number, table in enumerate(tables, start=1):
        try:
            bank = model.model_validate(table)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"])) or "the table"
            problem = str(first["msg"]).removeprefix("Value error, ")
            raise Misconfigured(
                setting, f"{path}, bank {number}, {field}: {problem}", "Correct the file."
            ) from None
        if bank.id in found:
            raise Misconfigured(setting, f"{path} has {bank.id!r} twice", "Keep one of them.")
        found[bank.id] = bank
    return found
