"""The reference of all settings, written from the settings themselves: `.env.example`.

    python -m app.env_example > .env.example      (make env)

It covers Saldo's own settings and those of every connector found by discovery.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import connectors
from app.settings import SECTIONS, Settings, variable

_HEAD = """\
Every setting of Saldo, with its meaning and its default. Copy this file to .env (in the folder
where you start Saldo) or point SALDO_ENV_FILE to it, and uncomment what you want to change.
Variables of the environment win over the file. Made by `make env`; do not edit .env.example.
"""
_WIDTH = 96


def document() -> str:
    """The whole text of `.env.example`."""
    lines = [*_comment(_HEAD)]
    lines += _settings(Settings, SECTIONS)
    for name, connector in sorted(connectors.discover().items()):
        if connector.settings.model_fields:
            lines += _heading(f"Connector {name}")
            lines += _settings(connector.settings, {})
    return "\n".join(lines) + "\n"


def _settings(model: type[BaseModel], sections: dict[str, str] | object) -> Iterator[str]:
    prefix = str(model.model_config.get("env_prefix", ""))
    for name, field in model.model_fields.items():
        if isinstance(sections, dict) and name in sections:
            yield from _heading(sections[name])
        yield ""
        yield from _comment(field.description or "")
        default = "" if field.is_required() else _shown(field)
        yield "# Required." if field.is_required() else f"# Default: {default or 'empty'}"
        yield f"#{variable(name, prefix)}={default}"


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
