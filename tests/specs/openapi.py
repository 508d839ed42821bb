"""Requests and answers held against an OpenAPI 3.0 document, mechanically.

Everything a request carries must be described: an unknown header of the standard's own families,
an unknown query or form parameter, a missing required one, a body that does not fit. Returns
problems as text; an empty list means it fits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml
from jsonschema import Draft4Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT4

ROOT = "urn:openapi"
# Headers of HTTP itself, which OpenAPI leaves out on purpose.
PLAIN_HEADERS = frozenset(
    [
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "date",
        "host",
        "user-agent",
    ]
)


def _with_nulls(node: Any) -> Any:
    """OpenAPI's `nullable` in the words of JSON Schema."""
    if isinstance(node, list):
        return [_with_nulls(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _with_nulls(value) for key, value in node.items()}
    if made.get("nullable") is True:
        if isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
        if "$ref" in made:
            return {"anyOf": [{"$ref": made["$ref"]}, {"type": "null"}]}
    return made


class Spec:
    """One document. `prefix` is what a test server has in front of its paths."""

    def __init__(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        raw = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
        self.document: dict[str, Any] = _with_nulls(raw)
        resource = DRAFT4.create_resource(self.document)
        self._registry: Registry[Any] = Registry().with_resource(ROOT, resource)
        self._paths = [
            (re.compile("^" + re.sub(r"\{[^}]+\}", "([^/]+)", template) + "$"), template)
            for template in sorted(self.document["paths"], key=lambda path: path.count("{"))
        ]

    def operation(self, method: str, path: str) -> tuple[dict[str, Any], dict[str, str]]:
        """The operation for a path and the values of its path parameters. KeyError: none."""
        for pattern, template in self._paths:
            match = pattern.match(path)
            verbs = self.document["paths"][template]
            if match and method.lower() in verbs:
                names = re.findall(r"\{([^}]+)\}", template)
                operation = dict(verbs[method.lower()])
                shared = verbs.get("parameters", [])
                operation["parameters"] = [*shared, *operation.get("parameters", [])]
                return operation, dict(zip(names, match.groups(), strict=True))
        raise KeyError(f"{method} {path}")

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found: Any = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def _wrong(self, schema: dict[str, Any], value: Any, where: str) -> Iterator[str]:
        based = json.loads(json.dumps(schema).replace('"#/components/', f'"{ROOT}#/components/'))
        validator = Draft4Validator(based, registry=self._registry, format_checker=FormatChecker())
        for error in validator.iter_errors(value):
            yield f"{where}: {error.json_path}: {error.message[:200]}"

    def wrong_in_request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> list[str]:
        """What does not fit about a request. `url` begins with the path of the document."""
        parts = urlsplit(url)
        operation, path_values = self.operation(method, parts.path)
        given = {name.lower(): value for name, value in headers.items()}
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        problems: list[str] = []
        known: dict[str, set[str]] = {"header": set(PLAIN_HEADERS), "query": set(), "path": set()}
        sources: dict[str, Mapping[str, str]] = {
            "header": given,
            "query": query,
            "path": path_values,
        }
        for stated in operation["parameters"]:
            parameter = self._resolved(stated)
            place = parameter["in"]
            name = parameter["name"].lower() if place == "header" else parameter["name"]
            known[place].add(name)
            value = sources[place].get(name)
            if value is None:
                if parameter.get("required"):
                    problems.append(f"{place} {name} is missing")
                continue
            schema = self._resolved(parameter["schema"])
            problems += self._wrong(schema, _typed(value, schema), f"{place} {name}")
        for place in ("header", "query"):
            problems += [
                f"{place} {name} is unknown" for name in set(sources[place]) - known[place]
            ]
        return problems + self._wrong_body(operation, given.get("content-type", ""), body)

    def _wrong_body(self, operation: dict[str, Any], kind: str, body: bytes) -> list[str]:
        described = self._resolved(operation.get("requestBody", {}))
        if not body:
            return ["a body is needed"] if described.get("required") else []
        content = described.get("content", {}).get(kind.partition(";")[0])
        if content is None:
            return [f"a body of type {kind!r} is not described"]
        if kind.startswith("application/x-www-form-urlencoded"):
            return self._wrong_form(self._resolved(content["schema"]), body)
        return list(self._wrong(content["schema"], json.loads(body), "body"))

    def _wrong_form(self, schema: dict[str, Any], body: bytes) -> list[str]:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
        described = schema["properties"]
        typed = {
            name: _typed(value, self._resolved(described[name]))
            for name, value in fields.items()
            if name in described
        }
        problems = [f"form {name} is unknown" for name in set(fields) - set(described)]
        return problems + list(self._wrong(schema, typed, "form"))

    def wrong_in_answer(
        self, method: str, url: str, status: int, kind: str, body: bytes
    ) -> list[str]:
        """What does not fit about an answer."""
        operation, _ = self.operation(method, urlsplit(url).path)
        stated = operation["responses"].get(str(status))
        if stated is None:
            return [f"status {status} is not described"]
        content = self._resolved(stated).get("content", {})
        if not body:
            return [f"{status} needs a body"] if content else []
        described = content.get(kind.partition(";")[0])
        if described is None:
            return [f"{status} with {kind!r} is not described"]
        return list(self._wrong(described["schema"], json.loads(body), f"{status} body"))


def _typed(text: str, schema: Mapping[str, Any]) -> Any:
    """A header or parameter is text on the wire; its schema says what it stands for."""
    if schema.get("type") == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if schema.get("type") in ("integer", "number") and re.fullmatch(r"-?\d+", text):
        return int(text)
    return text
