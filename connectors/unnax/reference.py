"""What Unnax's closed reference says and no public text does: a TOML file of the operator's.

Paths and bodies of calls, names of fields, and what figures mean. A body may hold places in braces,
filled in for each call: `"{token}"`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from app.domain.errors import Misconfigured

SETTING = "SALDO_UNNAX_REFERENCE"
PLACES = ("merchant_id", "merchant_signature", "request_code", "return_url", "refused_url", "bank")
_PLACE = re.compile(r"\{([a-z_]*)\}")
_PATH = r"^/[A-Za-z0-9_./-]{1,200}$"
_FIELD = r"^[A-Za-z0-9_]{1,60}(\.[A-Za-z0-9_]{1,60}){0,5}$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _checked(body: dict[str, Any], places: tuple[str, ...]) -> dict[str, Any]:
    unknown = sorted(set(_PLACE.findall(str(body))) - set(places))
    if unknown:
        message = f"knows no place {unknown[0]!r}; there are: {', '.join(places)}"
        raise ValueError(message)
    return body


class ReaderCall(_Part):
    """The session in which the borrower connects his bank. Path and fields are publicly known."""

    path: str = Field(default="/api/v3/reader/lockstep/init/", pattern=_PATH)
    body: dict[str, Any] = {
        "merchant_id": "{merchant_id}",
        "merchant_signature": "{merchant_signature}",
        "request_code": "{request_code}",
        "callback_ok": "{return_url}",
        "tokenization_request": True,
        "read_accounts": True,
    }

    @field_validator("body")
    @classmethod
    def _known(cls, value: dict[str, Any]) -> dict[str, Any]:
        return _checked(value, PLACES)


class TokenCall(_Part):
    """A call with the token of a connected bank: to read, or to delete it."""

    method: Literal["POST", "PUT", "DELETE"] = "POST"
    path: str = Field(pattern=_PATH)
    body: dict[str, Any]

    @field_validator("body")
    @classmethod
    def _known(cls, value: dict[str, Any]) -> dict[str, Any]:
        return _checked(value, (*PLACES, "token"))


class Callbacks(_Part):
    """Fields of callbacks, as `data.token`. `signature`: what its SHA-1 is made of, as places."""

    request_field: str = Field(pattern=_FIELD)
    token_field: str = Field(pattern=_FIELD)
    signature: str = ""


class Figures(_Part):
    """What the figures of `summary.by_account` mean, and which field names their account."""

    account_field: str = Field(pattern=_FIELD)
    current_balance: Literal["interimAvailable", "interimBooked"]
    amounts: Literal["cents", "units"]


class Reference(_Part):
    """The whole file."""

    reader: ReaderCall = ReaderCall()
    read: TokenCall
    end: TokenCall
    callbacks: Callbacks
    figures: Figures


def load_reference(path: Path | None) -> Reference:
    """The file. Raises Misconfigured naming the first entry that is missing or wrong."""
    if path is None:
        raise Misconfigured(
            SETTING,
            "is not set: Unnax's reference is not public, and nothing of it is guessed",
            "Copy connectors/unnax/reference.example.toml and fill it in from your own copy.",
        )
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misconfigured(SETTING, f"{path}: {error.strerror}", "Correct the path.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(SETTING, f"{path} is not TOML: {error}", "Correct the file.") from None
    try:
        return Reference.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        problem = str(first["msg"]).removeprefix("Value error, ")
        raise Misconfigured(
            SETTING, f"{path}: {field}: {problem}", "Fill it in from Unnax's reference."
        ) from None


def filled(body: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """The body with its places filled in, at any depth."""
    return {name: _filled(value, values) for name, value in body.items()}


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _PLACE.sub(lambda found: values.get(found[1], ""), value)
    if isinstance(value, dict):
        return filled(value, values)
    if isinstance(value, list):
        return [_filled(one, values) for one in value]
    return value


def field_of(document: Any, name: str) -> Any:
    """The value at `a.b.c`; None where there is none."""
    for part in name.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    return document
