"""The reference of all settings, written from the settings themselves: `.env.example`.

    python -m app.env_example > .env.example      (make env)

It covers Saldo's own settings and those of every connector found by discovery.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import connectors
from app.settings import SECTIONS, Settings, variable
from connectors._settings import ProviderSettings

_HEAD = """\
Every setting of Saldo, with its meaning and its default. Copy this file to .env (in the folder
where you start Saldo) or point SALDO_ENV_FILE to it, and uncomment what you want to change.
Variables of the environment win over the file. Made by `make env`; do not edit .env.example.
"""
_WAYS = "Ways out"
_WAYS_HEAD = """\
Every connector that talks to a provider over HTTPS has these settings, under its own name.
`saldo connectors check NAME` looks at their files.
"""
_WIDTH = 96


def document() -> str:
    """The whole text of `.env.example`."""
    lines = [*_comment(_HEAD)]
    lines += _settings(Settings, SECTIONS)
    lines += _ways()
    for name, connector in sorted(connectors.discover().items()):
        if connector.settings.model_fields:
            lines += _heading(f"Connector {name}")
            lines += _connector(connector.settings)
    return "\n".join(lines) + "\n"


def _settings(model: type[BaseModel], sections: Mapping[str, str]) -> Iterator[str]:
    prefix = _prefix(model)
    for name, field in model.model_fields.items():
        if name in sections:
            yield from _heading(sections[name])
        yield from _explained(name, field, prefix)


def _connector(model: type[BaseModel]) -> Iterator[str]:
    """Its own settings explained; those that all connectors share are explained once."""
    prefix = _prefix(model)
    shared = ProviderSettings.model_fields if issubclass(model, ProviderSettings) else {}
    same = []
    # What the class itself states comes first, also where it says a shared one anew.
    own = [name for name in model.__annotations__ if name in model.model_fields]
    for name in dict.fromkeys((*own, *model.model_fields)):
        field = model.model_fields[name]
        if name in shared and field.description == shared[name].description:
            same.append((name, field))
        else:
            yield from _explained(name, field, prefix)
    if same:
        yield from ("", f"# See {_WAYS!r} above.")
        yield from (f"#{variable(name, prefix)}={_shown(field)}" for name, field in same)


def _explained(name: str, field: FieldInfo, prefix: str) -> Iterator[str]:
    yield ""
    yield from _comment(field.description or "")
    default = "" if field.is_required() else _shown(field)
    yield "# Required." if field.is_required() else f"# Default: {default or 'empty'}"
    yield f"#{variable(name, prefix)}={default}"


def _ways() -> Iterator[str]:
    """What the settings mean that every connector over HTTPS has."""
    yield from _heading(_WAYS)
    yield from ("", *_comment(_WAYS_HEAD))
    for name, field in ProviderSettings.model_fields.items():
        yield from ("", f"# SALDO_<CONNECTOR>_{name.upper()}", *_comment(field.description or ""))
        yield f"# Default: {_shown(field) or 'empty'}"


def _prefix(model: type[BaseModel]) -> str:
    return str(model.model_config.get("env_prefix", ""))


def _shown(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Path):
        return f"./{value}" if not value.is_absolute() else str(value)
    if isinstance(value, tuple | list | frozenset | set):
        return ",".join(str(part) for part in value)
    return str(value)


def _heading(title: str) -> list[str]:
    return ["", "", f"# {'=' * 12} {title} {'=' * max(3, 60 - len(title))}"]


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(" ".join(text.split()), _WIDTH)]


if __name__ == "__main__":
    print(document(), end="")  # noqa: T201 - this is its work
