"""The description of the API (OpenAPI 3.1): complete by construction.

FastAPI writes what it knows; here every operation gets the problems it can answer with, the
headers that come with it, and an example of each body.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api import events
from app.api.problems import KINDS, MEDIA_TYPE
from app.api.route import HEADER, NOT_KEPT
from app.api.samples import sample

VERSION: Final = "1.0.0"
"""Of the API, not of the program: grows with what callers can see."""

DESCRIPTION: Final = """\
Register borrowers and loans, ask for consent, report repayments, and follow what Saldo does.

**Keys.** Every call carries `Authorization: Bearer sk_…`. A key belongs to one lender and sees
that lender's things only; anything else does not exist for it (404).

**Amounts** are decimal strings with a currency (`"120.00"`, `"EUR"`); days are `YYYY-MM-DD`;
instants are RFC 3339 with a zone. Unknown fields are refused.

**Repeating.** POST with `Idempotency-Key: <anything unique>`: the same call again within 24 hours
gets the same answer and does nothing. Most things are also safe by themselves: they go by your
own references.

**Lists** come in pages: `limit` and `cursor`. `next_cursor` is null on the last page.

**Errors** are `application/problem+json` (RFC 9457). `code` is a stable word; `errors` names each
wrong field and how to mend it.

**Webhooks** to you are signed in the Standard Webhooks form (`webhook-id`, `webhook-timestamp`,
`webhook-signature`).
"""

TAGS: Final[list[dict[str, Any]]] = [
    {"name": "Borrowers", "description": "People, holds on them, and what they stopped."},
    {"name": "Loans", "description": "What is owed. Your ledger is the truth."},
    {"name": "Consents", "description": "Permission to read balances, purpose by purpose."},
    {"name": "Cases", "description": "Overdue loans being worked, and why each thing was done."},
    {"name": "Signals", "description": "That there is money."},
    {"name": "Messages", "description": "What went out to borrowers, or would have."},
    {"name": "Payments", "description": "Money from the borrower's own bank."},
    {
        "name": "Promises",
        "description": "What borrowers said they will pay, and whether they did.",
    },
    {"name": "Tasks", "description": "What people have to do."},
    {"name": "Approvals", "description": "What needs a second person. Systems never decide."},
    {"name": "Agencies", "description": "Who works cases for you, and what came of it."},
    {"name": "Strategies", "description": "What is done about cases, day by day; read only."},
    {"name": "Experiments", "description": "What a treatment is worth; read only."},
    {
        "name": "Book files",
        "description": "A living book is loaded here and released by a person at the desk.",
    },
    {"name": "Lender", "description": "Your lender: status, stop switches, observe-only."},
    {"name": "Webhooks", "description": "For providers."},
    {"name": "Health", "description": "For load balancers. No key."},
]

_PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}
_METHODS = {"get", "put", "post", "delete"}

_PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "RFC 9457. `code` is a stable word; `errors` stands only with wrong values.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "Address of the explanation."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string", "examples": ["not_found"]},
        "request_id": {"type": "string", "description": "Tell it to us with a question."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message", "mend"],
                "properties": {
                    "field": {"type": "string", "examples": ["instalments[0].due_on"]},
                    "message": {"type": "string", "examples": ["is not a day."]},
                    "mend": {"type": "string", "examples": ['Write it like "2026-03-31".']},
                },
            },
        },
    },
}

_KEY_HEADER: Final[dict[str, Any]] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Anything unique to this call, 1 to 200 printable characters. The same call "
    "again within 24 hours gets the same answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[\x21-\x7e]+$"},
    "example": "9f0c3e0a-1",
}
_REQUEST_ID = {
    "X-Request-ID": {
        "description": "The id of this call; your own, if you sent a plain one.",
        "schema": {"type": "string"},
    }
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}

_DONE: Final[dict[int, str]] = {200: "Done.", 201: "Made.", 204: "Done; the answer is empty."}

# The problem that stands for each status where the operation itself names none.
_USUAL: Final[dict[int, str]] = {
    400: "malformed",
    401: "unauthenticated",
    403: "not_allowed",
    404: "not_found",
    409: "conflict",
    413: "too_large",
    422: "invalid",
    429: "rate_limited",
    500: "internal",
    502: "provider_unclear",
    503: "try_later",
}


def complete(app: FastAPI) -> None:
    """Make `app.openapi()` give the whole description, made once."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _complete(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    house = getattr(app.state, "house", None)
    if house is not None:
        schema["servers"] = [{"url": house.settings.public_url}]
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    components["Problem"] = _PROBLEM
    schema["webhooks"] = events.described()
    for path, operation, method in operations(schema):
        _describe(path, method, operation, components)
    return schema


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Path, operation and method of everything described."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            if method in _METHODS:
                yield path, operation, method


def _describe(
    path: str, method: str, operation: dict[str, Any], components: dict[str, Any]
) -> None:
    responses = operation["responses"]
    # FastAPI's own 422 speaks of a schema that is never sent.
    takes_input = responses.pop("422", None) is not None
    for status in _possible(path, method, operation, takes_input):
        responses.setdefault(str(status), {"description": KINDS[_USUAL[status]].meaning})
    once = method == "post" and path.startswith("/v1/") and not operation.get(NOT_KEPT)
    if once:
        operation.setdefault("parameters", []).append(_KEY_HEADER)
    for status, response in responses.items():
        if response["description"] == "Successful Response":
            response["description"] = _DONE[int(status)]
        headers = response.setdefault("headers", {})
        headers.update(_REQUEST_ID)
        if int(status) >= 400:
            response["content"] = {MEDIA_TYPE: _problem_content(int(status))}
        if int(status) in {429, 503} or (once and int(status) == 409):
            headers.update(_RETRY_AFTER)
        for media in response.get("content", {}).values():
            if "example" not in media and "schema" in media:
                media["example"] = sample(media["schema"], components)
    for media in operation.get("requestBody", {}).get("content", {}).values():
        media["example"] = sample(media["schema"], components)
    operation["responses"] = dict(sorted(responses.items()))


def _possible(
    path: str, method: str, operation: dict[str, Any], takes_input: bool
) -> Iterator[int]:
    """The problems an operation can answer with, besides those it names itself."""
    yield 500
    yield 503
    if "requestBody" in operation:
        yield from (400, 413)
    if path.startswith("/v1/"):
        yield from (401, 429)
        if takes_input or method == "post":
            yield 422
        if method == "post":
            yield 409
    elif path.startswith("/hooks/"):
        yield from (413, 422)


def _problem_content(status: int) -> dict[str, Any]:
    kind = KINDS[_USUAL[status]]
    example: dict[str, Any] = {
        "type": f"https://saldo.lender.example/v1/docs#problem-{kind.code}",
        "title": kind.title,
        "status": status,
        "detail": kind.meaning,
        "code": kind.code,
        "request_id": "0190d9a4-7c1b-7e34-9a52-3f8a1f0b7c11",
    }
    if kind.code == "invalid":
        fault = {"field": "currency", "message": "is missing.", "mend": "Add it."}
        example |= {"detail": "currency: is missing.", "errors": [fault]}
    return {"schema": _PROBLEM_REF, "example": example}
