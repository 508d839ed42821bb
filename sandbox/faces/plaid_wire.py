"""Plaid's words: its errors, its keys, its numbers, and the requests it takes."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.balances import Said
from sandbox.faces.bg_errors import Refusal

ROOT = "/plaid"
CLIENT_ID = "6a1d0c4e7b904f1a8c528c0e"
SECRET = "sandbox-secret"  # noqa: S105 - opens nothing but the sandbox on this machine
Handler = Callable[[dict[str, Any], Request], Awaitable[Response]]


class No(Exception):
    """A request that is refused in Plaid's words, or with a body of another shape."""

    def __init__(
        self, status: int, kind: str, code: str, *, headers: dict[str, str] | None = None,
        body: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(code)
        self.status = status
        self.headers = headers or {}
        self.body = body if body is not None else error_json(kind, code)

    def answer(self) -> Response:
        return answer_json(self.body, self.status, self.headers)


def error_json(kind: str, code: str) -> dict[str, Any]:
    """PlaidError."""
    return {
        "error_type": kind,
        "error_code": code,
        "error_code_reason": None,
        "error_message": code.lower().replace("_", " "),
        "display_message": None,
        "request_id": uuid4().hex[:15],
        "suggested_action": None,
    }


def answer_json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def said(**body: Any) -> Response:
    """An answer with its request id."""
    return answer_json({**body, "request_id": uuid4().hex[:15]})


def words(stated: list[Said], limit_minor: int) -> dict[str, Any]:
    """Plaid's three numbers. The highest available figure wins, credit or not: nobody says."""
    available = [one.minor for one in stated if one.kind in ("interimAvailable", "expected")]
    booked = [one.minor for one in stated if one.kind in ("interimBooked", "closingBooked")]
    return {
        "available": max(available) / 100 if available else None,
        "current": booked[0] / 100 if booked else None,
        "limit": limit_minor / 100 if limit_minor else None,
    }


def translated(refusal: Refusal) -> No:
    """A bank's refusal in Plaid's words."""
    if refusal.status == 429:
        return No(
            429, "RATE_LIMIT_EXCEEDED", "BALANCE_LIMIT", headers=refusal.headers,
            body=refusal.body,
        )  # fmt: skip
    if refusal.code == "RESOURCE_BLOCKED":
        return No(400, "ITEM_ERROR", "NO_ACCOUNTS")
    if refusal.status == 503:
        return No(400, "INSTITUTION_ERROR", "INSTITUTION_DOWN")
    if refusal.status == 500 or refusal.code == "UNAUTHORIZED":
        return No(400, "INSTITUTION_ERROR", "INSTITUTION_NOT_RESPONDING")
    return No(400, "ITEM_ERROR", "ITEM_LOGIN_REQUIRED")


def iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def guarded(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def inner(request: Request) -> Response:
        try:
            content = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            content = None
        if not isinstance(content, dict):
            return No(400, "INVALID_REQUEST", "INVALID_BODY").answer()
        client = request.headers.get("plaid-client-id") or content.get("client_id")
        secret = str(request.headers.get("plaid-secret") or content.get("secret") or "")
        if client != CLIENT_ID or not hmac.compare_digest(secret.encode(), SECRET.encode()):
            return No(400, "INVALID_INPUT", "INVALID_API_KEYS").answer()
        try:
            return await handler(content, request)
        except No as no:
            return no.answer()

    return inner
