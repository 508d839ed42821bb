"""How the banks say no: the two error bodies of Berlin Group, and what a gateway says instead."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import orjson
from starlette.responses import Response

from sandbox.banks import Bank, ErrorShape


class Refusal(Exception):
    """A request the bank refuses: HTTP status, message code, words, extra headers, own body."""

    def __init__(
        self,
        status: int,
        code: str,
        text: str,
        *,
        headers: dict[str, str] | None = None,
        body: Any = None,
        free_in: int = 0,
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.text = text
        self.headers = headers or {}
        self.body = body
        self.free_in = free_in
        """Of a 429: the seconds until a read is free again, for faces that say so themselves."""

    def answer(self, bank: Bank, request_id: str) -> Response:
        """The refusal in this bank's error shape."""
        headers = {"X-Request-ID": request_id, **self.headers}
        if self.body is not None:
            return Response(
                orjson.dumps(self.body), self.status, headers, media_type="application/json"
            )
        if bank.errors is ErrorShape.PROBLEM:
            problem = {
                "type": f"https://{bank.id}.example/errors/{self.code}",
                "title": self.code,
                "detail": self.text,
                "code": self.code,
            }
            return Response(
                orjson.dumps(problem), self.status, headers, media_type="application/problem+json"
            )
        messages = {"tppMessages": [{"category": "ERROR", "code": self.code, "text": self.text}]}
        return Response(orjson.dumps(messages), self.status, headers, media_type="application/json")


def request_id_of(value: str | None) -> str:
    """The X-Request-ID to echo. Raises `Refusal` when it is missing or no UUID."""
    try:
        return str(UUID(value or ""))
    except ValueError:
        raise Refusal(400, "FORMAT_ERROR", "X-Request-ID must be a UUID") from None


def some_request_id(value: str | None) -> str:
    """The id to echo on a refusal, whatever came in."""
    try:
        return str(UUID(value or ""))
    except ValueError:
        return str(uuid4())
