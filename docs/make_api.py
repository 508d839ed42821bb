"""Write docs/api.md from the API's own description: `python docs/make_api.py`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app.api.app import build_api  # noqa: E402
from app.api.events import MEANINGS  # noqa: E402
from app.api.openapi import operations  # noqa: E402
from app.api.problems import KINDS  # noqa: E402


def page() -> str:
    """The whole page in Markdown."""
    schema = build_api().openapi()
    return "\n".join(_lines(schema)) + "\n"


def _lines(schema: dict[str, Any]) -> Iterator[str]:
    yield "# The API\n"
    yield "Made from the code by `python docs/make_api.py`; do not edit. A running Saldo shows the"
    yield "same at `/v1/docs`, and for machines at `/v1/openapi.json`.\n"
    yield str(schema["info"]["description"])
    for tag in schema["tags"]:
        found = [
            (path, method, operation)
            for path, operation, method in operations(schema)
            if tag["name"] in operation["tags"]
        ]
        if found:
            yield f"## {tag['name']}\n"
            yield f"{tag['description']}\n"
        for path, method, operation in found:
            yield from _operation(path, method, operation)
    yield from _problems()
    yield from _events(schema)


def _operation(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"### `{method.upper()} {path}`\n"
    yield f"{operation['summary']}. {operation['description']}\n"
    named = [one for one in operation.get("parameters", []) if one["name"] != "Idempotency-Key"]
    if named:
        yield "| Parameter | In | Meaning |\n| --- | --- | --- |"
        for one in named:
            must = " (required)" if one.get("required") else ""
            yield f"| `{one['name']}` | {one['in']}{must} | {one.get('description', '')} |"
        yield ""
    for media in operation.get("requestBody", {}).get("content", {}).values():
        yield from _json("Send:", media["example"])
    for status, response in operation["responses"].items():
        media = response.get("content", {}).get("application/json")
        if int(status) < 300 and media is not None:
            yield from _json(f"{status}: {response['description']}", media["example"])
    refused = [status for status in operation["responses"] if int(status) >= 400]
    yield f"Problems: {', '.join(refused)}.\n"


def _json(title: str, example: Any) -> Iterator[str]:
    yield f"{title}\n"
    yield f"```json\n{json.dumps(example, indent=2, ensure_ascii=False)}\n```\n"


def _problems() -> Iterator[str]:
    yield "## Problems\n"
    yield "| Code | Status | Meaning |\n| --- | --- | --- |"
    for kind in KINDS.values():
        yield f"| `{kind.code}` | {kind.status} | {kind.title}. {kind.meaning} |"
    yield ""


def _events(schema: dict[str, Any]) -> Iterator[str]:
    yield "## Webhooks to you\n"
    first = next(iter(schema["webhooks"].values()))["post"]
    yield first["description"].partition("\n\n")[2]
    yield "| Event | When | `data` |\n| --- | --- | --- |"
    for event, (when, fields) in MEANINGS.items():
        yield f"| `{event.value}` | {when} | {fields} |"


if __name__ == "__main__":
    (ROOT / "docs" / "api.md").write_text(page(), encoding="utf-8")
