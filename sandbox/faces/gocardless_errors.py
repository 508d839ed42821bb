"""How the aggregator says no, and the limit headers on its account calls."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response


class Fault(Exception):
    """A refused request: status, summary, detail, for account calls a type; or a body of its own.

    `headers` are sent as they are written, underscores included.
    """

    def __init__(
        self,
        status: int,
        summary: str = "",
        detail: str = "",
        *,
        kind: str = "",
        headers: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {summary}")
        self.status = status
        plain: dict[str, Any] = {"summary": summary, "detail": detail, "status_code": status}
        if kind:
            plain["type"] = kind
        self.body = plain if body is None else body
        self.headers = headers or {}

    def answer(self) -> Response:
        """The refusal as it goes out."""
        return answer_json(self.body, self.status, self.headers)


def answer_json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type="application/json")


def not_found() -> Fault:
    return Fault(404, "Not found.", "Not found.")


def field_fault(name: str, summary: str, detail: str) -> Fault:
    """A fault of one field: keyed by it."""
    return Fault(400, body={name: {"summary": summary, "detail": detail}, "status_code": 400})


def limit_headers(account_remaining: int | None = None, reset: int | None = None) -> dict[str, str]:
    """The headers of an account call. The account's own appear only where they are known."""
    found = {
        "http_x_ratelimit_limit": "100",
        "http_x_ratelimit_remaining": "99",
        "http_x_ratelimit_reset": "59",
    }
    if account_remaining is not None:
        found["http_x_ratelimit_account_success_limit"] = "4"
        found["http_x_ratelimit_account_success_remaining"] = str(account_remaining)
    if reset is not None:
        found["http_x_ratelimit_account_success_reset"] = str(reset)
    return found


async def json_object(request: Request) -> dict[str, Any]:
    try:
        content = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise Fault(400, "JSON parse error", "a JSON object is needed")
    return content
