"""Everything that a slot of a connector lacks, not only what it stumbles over first."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.domain.errors import Misconfigured

if TYPE_CHECKING:
    from pydantic import BaseModel

# What stands in for a setting while the next ones are looked for; nothing is asked with it.
_SOMETHING: Final = "0" * 32
_A_NUMBER: Final = 60


def lacks(
    build: Callable[[Any, Any], object], own: BaseModel, wire: object
) -> tuple[Misconfigured, ...]:
    """What keeps this slot from being made, in the order in which it is missed; empty: nothing.

    A port names the first fault alone. What it names is filled in, for the question only, so that
    the next one shows; beyond a file for which nothing can stand in nobody can look.
    """
    found: dict[str, Misconfigured] = {}
    tried = own
    while True:
        try:
            build(tried, wire)
        except Misconfigured as error:
            name = _field_of(own, error.setting)
            if found and (error.setting in found or not name):
                # What is wrong with a stand-in is nobody's fault.
                return tuple(found.values())
            found[error.setting] = error
            filled = _stand_in(own, name)
            if filled is None:
                return tuple(found.values())
            tried = tried.model_copy(update={name: filled})
        else:
            return tuple(found.values())


def _field_of(own: BaseModel, setting: str) -> str:
    prefix = str(own.model_config.get("env_prefix", ""))
    name = setting.removeprefix(prefix).lower()
    return name if name in type(own).model_fields else ""


def _stand_in(own: BaseModel, name: str) -> object:
    """Something of the setting's kind; None where there is nothing."""
    from pydantic import SecretStr

    if not name:
        return None
    value, kinds = getattr(own, name), str(type(own).model_fields[name].annotation)
    if "Path" in kinds:
        example = _folder_of(own) / f"{name}.example.toml"
        return example if example.is_file() else None
    if isinstance(value, SecretStr):
        return SecretStr(_SOMETHING)
    if "int" in kinds:
        return _A_NUMBER
    return _SOMETHING if isinstance(value, str) else None


def _folder_of(own: BaseModel) -> Path:
    """Where the connector lives, with its examples of lists."""
    return Path(str(sys.modules[type(own).__module__].__file__)).parent
