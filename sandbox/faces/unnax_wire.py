"""Unnax's words: who may ask, how widgets are signed and reads encrypted, what a call holds."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from starlette.requests import Request
from starlette.responses import Response

ROOT = "/unnax"
API_ID = "fi0001"
API_CODE = "sandbox-api-code"  # opens nothing but the sandbox on this machine
REFRESH = "sandbox-refresh-token"
ACCESS = "sandbox-access-token"
HOOK_KEY = "sandbox-key-of-its-calls"
Handler = Callable[[dict[str, Any], Request], Awaitable[Response]]


class No(Exception):
    """A request that is refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def answer(self) -> Response:
        body = {"status": "fail", "data": None, "message": str(self), "code": "S000000"}
        return answer_json(body, self.status)


def answer_json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def merchant_signature(code: str) -> str:
    """SHA-1 over merchant id, request code and API code."""
    return hashlib.sha1(f"{API_ID}{code}{API_CODE}".encode(), usedforsecurity=False).hexdigest()


def encrypted(plain: bytes, api_id: str = API_ID, api_code: str = API_CODE) -> str:
    """AES-128-CBC; key, iv and text are filled up with `$` to whole blocks."""
    key, iv = ((text + "$" * 16)[:16].encode() for text in (api_code, api_id))
    seal = Cipher(AES(key), CBC(iv)).encryptor()
    padded = plain + b"$" * (-len(plain) % 16)
    return b64encode(seal.update(padded) + seal.finalize()).decode("ascii")


def envelope(event: str, now: datetime) -> dict[str, Any]:
    """What every call has round its data. What its signature is made of nobody outside knows."""
    return {
        "response_id": uuid4().hex,
        "signature": uuid4().hex + uuid4().hex[:8],
        "date": now.strftime("%Y-%m-%d %H:%M:%S"),
        "service": "fitnance",
        "triggered_event": event,
        "environment": "unnax_integration_aws",
        "trace_identifier": uuid4().hex,
    }


async def refreshed(request: Request) -> Response:
    """An access token for the long-lived one."""
    content = orjson.loads(await request.body())
    if not isinstance(content, dict) or content.get("refresh") != REFRESH:
        return No(401, "no such token").answer()
    return answer_json({"access": ACCESS})


def guarded(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    pair = b64encode(f"{API_ID}:{API_CODE}".encode()).decode("ascii")
    known = (f"Unnax {pair}", f"Bearer {ACCESS}")

    async def inner(request: Request) -> Response:
        given = request.headers.get("authorization", "")
        if not any(hmac.compare_digest(given.encode(), one.encode()) for one in known):
            return No(401, "not authorised").answer()
        try:
            content = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            content = None
        if not isinstance(content, dict):
            return No(400, "the body is no object").answer()
        try:
            return await handler(content, request)
        except No as no:
            return no.answer()

    return inner
