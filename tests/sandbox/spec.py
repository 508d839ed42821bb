"""Checks answers against a published OpenAPI 3.0 description: status, media type, body, headers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT4

ROOT = Path(__file__).resolve().parents[1]
BERLIN_GROUP = ROOT / "specs" / "berlin_group_1.3.11.yaml"
_URN = "urn:spec"


class Specification:
    """One description. OpenAPI 3.0 schemas are read with the rules of JSON Schema draft 4."""

    def __init__(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        self.document: dict[str, Any] = (
            json.loads(text) if path.suffix == ".json" else yaml.load(text, yaml.CSafeLoader)
        )
        plain = _nullables(self.document)
        resource = DRAFT4.create_resource(plain)
        self._registry: Registry[Any] = Registry().with_resource(_URN, resource)
        self._paths = [
            (re.compile("^" + re.sub(r"\{[^}]+\}", "[^/]+", template) + "$"), template)
            for template in sorted(self.document["paths"], key=lambda path: path.count("{"))
        ]

    def operation(self, verb: str, path: str) -> dict[str, Any] | None:
        """The operation behind a request, or None when the description has none."""
        for pattern, template in self._paths:
            if pattern.match(path):
                found: dict[str, Any] | None = self.document["paths"][template].get(verb.lower())
                if found is not None:
                    return found
        return None

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found: Any = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/")]
            node = found
        return node

    def check(self, verb: str, path: str, answer: httpx.Response) -> None:
        """Raises AssertionError with what is wrong about an answer."""
        operation = self.operation(verb, path)
        assert operation is not None, f"{verb} {path} is not described"
        status = str(answer.status_code)
        assert status in operation["responses"], f"{verb} {path} may not answer {status}"
        described = self._resolved(operation["responses"][status])
        for name, header in described.get("headers", {}).items():
            self._check_header(name, self._resolved(header), answer)
        content = described.get("content")
        if content is None:
            # Without a described body (500, 503) a bank may say what it likes; 204 says nothing.
            assert status != "204" or answer.content == b"", f"{verb} {path} 204 has no body"
            return
        media = answer.headers.get("content-type", "").partition(";")[0]
        assert media in content, f"{verb} {path} {status} may not be {media}"
        self.check_body(content[media]["schema"], answer.json())

    def _check_header(self, name: str, header: dict[str, Any], answer: httpx.Response) -> None:
        value = answer.headers.get(name)
        assert value is not None or not header.get("required"), f"header {name} is missing"
        if value is not None:
            schema = header["schema"]
            given: Any = value == "true" if schema.get("type") == "boolean" else value
            self.check_body(schema, given)

    def check_body(self, schema: dict[str, Any], body: Any) -> None:
        """Raises AssertionError naming the place that does not fit."""
        absolute = json.loads(json.dumps(schema).replace('"#/', f'"{_URN}#/'))
        validator = jsonschema.Draft4Validator(
            _nullables(absolute),
            registry=self._registry,
            format_checker=jsonschema.FormatChecker(),
        )
        wrong = [f"{'/'.join(map(str, e.path))}: {e.message}" for e in validator.iter_errors(body)]
        assert not wrong, wrong


def _nullables(node: Any) -> Any:
    """The same with OpenAPI's `nullable` said as JSON Schema says it."""
    if isinstance(node, list):
        return [_nullables(one) for one in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _nullables(value) for key, value in node.items()}
    if plain.pop("nullable", False) is True:
        return {"anyOf": [{"type": "null"}, plain]}
    return plain
