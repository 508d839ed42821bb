"""TrueLayer's words: errors of tokens and data, amounts as JSON numbers, the customer's secrets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson
from starlette.responses import Response

from sandbox.balances import Said
from sandbox.banks import BANKS, Bank, LimitWord, provider_id

ROOT = "/truelayer"
AUTH, API, HOSTED = f"{ROOT}/auth", f"{ROOT}/api", f"{ROOT}/hosted"
CLIENT_ID = "sandbox-lender-5a1d05"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105 - opens nothing but the sandbox on this machine

_STATUS = {
    "access_denied": 403,
    "account_not_found": 404,
    "insufficient_scope": 403,
    "invalid_client": 400,
    "invalid_date_range": 400,
    "invalid_grant": 400,
    "invalid_authorization_code": 400,
    "invalid_request": 400,
    "invalid_token": 401,
    "provider_error": 503,
    "provider_too_many_requests": 429,
}


class No(Exception):
    """A refused request: one of the codes, or a body without any."""

    def __init__(
        self, code: str, *, headers: dict[str, str] | None = None, plain: bool = False
    ) -> None:
        super().__init__(code)
        self.code = code
        self.headers = headers or {}
        self.plain = plain

    def answer(self) -> Response:
        """`{error, error_description}`; `plain` with words alone."""
        body = {"error": self.code, "error_description": self.code.replace("_", " ")}
        if self.plain:
            body = {"error_description": "Access limit exceeded"}
        return answer_json(body, _STATUS[self.code], self.headers)


def answer_json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def resource_token(payment_id: str) -> str:
    """What the payer's browser shows on the hosted page for its one payment."""
    return sha256(payment_id.encode()).hexdigest()


BY_PROVIDER = {provider_id(bank): bank for bank in BANKS}


def on_wire(said: list[Said], bank: Bank, currency: str, limit: int, now: datetime) -> list[Any]:
    """`results` of a balance: one object, or none where the bank says nothing at all.

    Of the banks' kinds there are two here. The overdraft is named where the bank names its limits.
    """
    if not said:
        return []
    available = [s.minor for s in said if s.kind.endswith("Available") or s.kind == "expected"]
    booked = {s.kind: s.minor for s in said if s.kind in ("interimBooked", "closingBooked")}
    result: dict[str, Any] = {"currency": currency, "update_timestamp": _stamp(said, bank, now)}
    if available:
        result["available"] = max(available) / 100
    if booked:
        result["current"] = booked.get("interimBooked", next(iter(booked.values()))) / 100
    if limit and bank.limit_word is LimitWord.STATED:
        result["overdraft"] = limit / 100
    return [result]


def moved_on_wire(minor: int, currency: str, at: datetime) -> dict[str, Any]:
    """One transaction of an account; who the other party is, is nobody's business here."""
    stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "transaction_id": sha256(f"{stamp} {minor}".encode()).hexdigest()[:32],
        "timestamp": stamp,
        "description": "",
        "amount": minor / 100,
        "currency": currency,
        "transaction_type": "DEBIT" if minor < 0 else "CREDIT",
        "transaction_category": "UNKNOWN",
        "transaction_classification": [],
        "meta": {},
    }


def _stamp(said: list[Said], bank: Bank, now: datetime) -> str:
    """When it was fetched; a bank that is days behind is seen by its own day."""
    days = [one.reference_on for one in said if one.reference_on is not None]
    behind = now.astimezone(bank.zone).date() - timedelta(days=2)
    if len(days) == len(said) and max(days) < behind:
        return f"{max(days).isoformat()}T00:00:00Z"
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
