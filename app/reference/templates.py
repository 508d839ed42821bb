"""The texts that ship with Saldo (policies/templates/*.toml), read and checked once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.domain.errors import Invalid, Misconfigured
from app.domain.message import Channel
from app.domain.template import CHANNELS, Cause, Template, check_template, missing_for
from app.domain.tone import tone_findings

TEMPLATES_FOLDER = Path(__file__).resolve().parents[2] / "policies" / "templates"
_FIELDS = {"name", "version", "cause", "purpose", *(str(channel) for channel in CHANNELS)}


@dataclass(frozen=True, slots=True)
class Shipped:
    """One shipped text in all its channels and languages.

    `cause` says what it is sent for, and with that which places can be filled; `purpose` tells a
    person when it is used.
    """

    name: str
    version: int
    cause: Cause
    purpose: str
    texts: Mapping[tuple[Channel, str], Template]


@dataclass(frozen=True, slots=True)
class TemplateBook:
    """All shipped texts by name."""

    shipped: Mapping[str, Shipped]

    def find(self, name: str, channel: Channel, language: str) -> Template | None:
        """The shipped text; None when there is none like that."""
        one = self.shipped.get(name)
        return None if one is None else one.texts.get((channel, language))

    def cause_of(self, name: str) -> Cause | None:
        """What a shipped text is sent for; None for a name that the lender made up."""
        one = self.shipped.get(name)
        return None if one is None else one.cause


@lru_cache(maxsize=2)
def load_templates(folder: Path = TEMPLATES_FOLDER) -> TemplateBook:
    """Read every *.toml in the folder. Raises `Misconfigured` for the first fault found.

    A shipped text keeps every rule that a lender's own has to keep, the tone check included.
    """
    found: dict[str, Shipped] = {}
    for path in sorted(folder.glob("*.toml")):
        one = _shipped(path)
        if one.name in found:
            raise _fault(path.name, "name", f"{one.name} is there already")
        found[one.name] = one
    if not found:
        raise _fault(str(folder), "name", "there is no text in this folder")
    return TemplateBook(found)


def _shipped(path: Path) -> Shipped:
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise _fault(path.name, "TOML", str(fault)) from None
    unknown = sorted(set(fields) - _FIELDS)
    if unknown:
        raise _fault(path.name, unknown[0], "is not a field that is known here")
    name, version = fields.get("name"), fields.get("version")
    if name != path.stem:
        raise _fault(path.name, "name", "must be the name of the file")
    if type(version) is not int or version < 1:
        raise _fault(path.name, "version", "must be a whole number from 1 on")
    purpose = fields.get("purpose")
    if not isinstance(purpose, str) or not purpose.strip():
        raise _fault(path.name, "purpose", "must be given as a text")
    try:
        cause = Cause(fields.get("cause", ""))
    except ValueError:
        raise _fault(path.name, "cause", f"is none of: {', '.join(Cause)}") from None
    texts = {(one.channel, one.language): one for one in _texts(path.name, name, version, fields)}
    for template in texts.values():
        _check(path.name, template, cause)
    return Shipped(name, version, cause, purpose.strip(), texts)


def _texts(file: str, name: str, version: int, fields: Mapping[str, Any]) -> Iterator[Template]:
    for channel in CHANNELS:
        table = fields.get(channel.value, {})
        if not isinstance(table, dict):
            raise _fault(file, channel.value, "must be a table of languages")
        for language, given in table.items():
            where = f"{channel.value}.{language}"
            entry = {"body": given} if isinstance(given, str) else given
            if not isinstance(entry, dict) or not set(entry) <= {"subject", "body"}:
                raise _fault(file, where, "must be a text, or a subject and a body")
            subject, body = entry.get("subject", ""), entry.get("body", "")
            if not isinstance(subject, str) or not isinstance(body, str):
                raise _fault(file, where, "must be a text, or a subject and a body")
            yield Template(name, channel, language, version, body.strip(), subject.strip())


def _check(file: str, template: Template, cause: Cause) -> None:
    where = f"{template.channel.value}.{template.language}"
    try:
        check_template(template)
    except Invalid as fault:
        raise _fault(file, where, str(fault)) from None
    absent = sorted(missing_for(template, cause))
    if absent:
        raise _fault(file, where, f"{{{{{absent[0]}}}}} cannot be filled for {cause.value}")
    for finding in tone_findings(f"{template.subject}\n{template.body}"):
        raise _fault(file, where, finding.reason)


def _fault(where: str, field: str, problem: str) -> Misconfigured:
    return Misconfigured(f"policies/templates: {where}", f"{field}: {problem}", "Correct the file.")
