"""What a provider answers when no face of the sandbox speaks: said by hand."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

import httpx

from app.domain.balance import Spendable, choose_spendable, tomorrow_at
from app.ports import BalanceAnswer
from tests.connectors.scene import MONDAY


def answering(status: int, body: Any, **headers: str) -> httpx.MockTransport:
    """A provider that always says the same."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.MockTransport(lambda _: httpx.Response(status, headers=named, content=content))


def failing(error: type[httpx.TransportError]) -> httpx.MockTransport:
    """A provider whose connection fails in one way."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise error("broken on purpose", request=request)

    return httpx.MockTransport(fail)


def tpp(code: str, text: str = "", category: str = "ERROR") -> dict[str, Any]:
    return {"tppMessages": [{"category": category, "code": code, "text": text}]}


def problem(code: str, detail: str = "") -> dict[str, Any]:
    return {"type": "https://bank.example/e", "title": code, "detail": detail, "code": code}


def judged(
    answer: BalanceAnswer, currency: str | None = None, *, limits_excluded: bool = False
) -> Spendable:
    """What can be spent of an answer that is read on the scene's Monday."""
    return choose_spendable(
        answer.entries,
        currency or answer.currency,
        limits_excluded=limits_excluded,
        tomorrow=tomorrow_at(MONDAY, UTC),
    )
