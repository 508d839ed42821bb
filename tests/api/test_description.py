"""The API describes itself completely, and its documentation needs nobody else."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from app.api.events import MEANINGS
from app.api.openapi import operations
from app.api.problems import KINDS
from app.flows.messages.tell_lender import LenderEvent
from tests.api.description import DESCRIPTION

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = list(operations(DESCRIPTION))
NAMES = [operation["operationId"] for _, operation, _ in OPERATIONS]


def fits(value: Any, schema: dict[str, Any]) -> None:
    """The value is what the schema says, references into the description included."""
    registry: Registry[Any] = Registry().with_resource(
        "urn:api", Resource.from_contents(DESCRIPTION, default_specification=DRAFT202012)
    )
    absolute = _absolute(schema)
    jsonschema.Draft202012Validator(
        absolute, registry=registry, format_checker=jsonschema.FormatChecker()
    ).validate(value)


def _absolute(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: f"urn:api{value}" if key == "$ref" else _absolute(value)
            for key, value in schema.items()
        }
    return [_absolute(one) for one in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize(("path", "operation", "method"), OPERATIONS, ids=NAMES)
def test_an_operation_is_described_whole(path: str, operation: dict[str, Any], method: str) -> None:
    assert operation["summary"]
    assert len(operation["description"]) > 20
    assert len(operation["tags"]) == 1
    protected = path.startswith("/v1/")
    assert bool(operation.get("security")) == protected
    for parameter in operation.get("parameters", []):
        assert parameter.get("description") or parameter["in"] == "path"
    for media in operation.get("requestBody", {}).get("content", {}).values():
        fits(media["example"], media["schema"])
    statuses = {int(status) for status in operation["responses"]}
    assert statuses & {200, 201, 204}
    assert {500, 503} <= statuses
    if protected:
        assert {401, 429} <= statuses
    if "{" in path and protected and method != "put":
        assert statuses & {404}, "a thing that is named may not be there"
    for status, response in operation["responses"].items():
        assert response["description"] != "Successful Response"
        assert "X-Request-ID" in response["headers"]
        for media, content in response.get("content", {}).items():
            assert media == (
                "application/problem+json" if int(status) >= 400 else "application/json"
            )
            fits(content["example"], content["schema"])


def test_posts_know_the_key_that_makes_them_safe_to_repeat() -> None:
    for path, operation, method in OPERATIONS:
        named = {one["name"] for one in operation.get("parameters", [])}
        keyed = method == "post" and path.startswith("/v1/") and not path.endswith("/scoring")
        assert ("Idempotency-Key" in named) == keyed, path


def test_every_webhook_to_a_lender_is_described() -> None:
    assert set(MEANINGS) == set(LenderEvent)
    assert set(DESCRIPTION["webhooks"]) == {event.value for event in LenderEvent}


def test_no_schema_of_the_frameworks_is_left() -> None:
    assert "HTTPValidationError" not in DESCRIPTION["components"]["schemas"]
    assert DESCRIPTION["openapi"].startswith("3.1")
    assert DESCRIPTION["components"]["securitySchemes"]["ApiKey"]["scheme"] == "bearer"


async def test_the_page_runs_nothing_and_loads_nothing_from_elsewhere(
    bare: httpx.AsyncClient,
) -> None:
    answer = await bare.get("/v1/docs")
    assert answer.status_code == 200
    page = answer.text
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "").replace("https://", "")
    assert 'href="http' not in page
    assert 'src="' not in page
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for name in NAMES:
        assert f'id="{name}"' in page
    for code in KINDS:
        assert f'id="problem-{code}"' in page
    assert (await bare.get("/v1/docs.css")).headers["content-type"].startswith("text/css")


async def test_the_description_is_served_with_the_public_address(bare: httpx.AsyncClient) -> None:
    served = (await bare.get("/v1/openapi.json")).json()
    assert served["servers"] == [{"url": "https://saldo.test"}]
    assert served["paths"].keys() == DESCRIPTION["paths"].keys()


def test_the_written_page_is_fresh() -> None:
    spec = importlib.util.spec_from_file_location("make_api", ROOT / "docs" / "make_api.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert written == module.page(), "run: python docs/make_api.py"
