"""What the vendor's refusals mean. Decided by the code in `error`, not by the HTTP status.

The vendor publishes its codes (ErrorCode) and not which status goes with which.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from app.domain.errors import (
    AllowanceSpent,
    ConsentDoubtful,
    ConsentEnd,
    ConsentGone,
    Declined,
    ProviderError,
    TryLater,
)
from connectors._exchange import (
    Call,
    Verdict,
    retry_after,
    status_error,
    try_json,
    verdict,
    wait_in_words,
)

RATE_LIMIT = "ASPSP_RATE_LIMIT_EXCEEDED"
SESSION_ENDS = {
    "EXPIRED_SESSION": ConsentEnd.EXPIRED,
    "REVOKED_SESSION": ConsentEnd.REVOKED_AT_BANK,
    "CLOSED_SESSION": ConsentEnd.CLOSED_BY_US,
    "SESSION_DOES_NOT_EXIST": ConsentEnd.UNKNOWN_AT_BANK,
}
# An account's id lives as long as its session, so an unknown one may mean that the session ended.
_DOUBTS = ("WRONG_SESSION_STATUS", "ACCOUNT_DOES_NOT_EXIST")
_ABOUT_THE_ACCOUNT = (
    "ASPSP_ACCOUNT_NOT_ACCESSIBLE",
    "ASPSP_PSU_ACTION_REQUIRED",
    "INVALID_ACCOUNT_ID",
    "NO_ACCOUNTS_ADDED",
)
# The bank behind, or our own standing with the vendor: nothing about one borrower, and nothing
# has happened.
_NOT_ABOUT_THE_BORROWER = (
    "ASPSP_ERROR",
    "ASPSP_TIMEOUT",
    "ACCESS_DENIED",
    "AUTHORIZATION_NOT_PROVIDED",
    "INVALID_HOST",
    "PSU_HEADER_INVALID",
    "PSU_HEADER_NOT_PROVIDED",
    "REDIRECT_URI_NOT_ALLOWED",
    "UNAUTHORIZED_ACCESS",
    "UNAUTHORIZED_IP",
    "WRONG_ASPSP_PROVIDED",
)
_CODE = re.compile(r"[A-Z][A-Z_]{2,59}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The vendor's code, empty where there is none, and its words, at most 1,000."""

    code: str
    words: str


def read_refusal(body: bytes) -> Refusal:
    """Whatever comes as a refusal: never raises, empty where nothing can be read."""
    decoded: Any = try_json(body)
    if not isinstance(decoded, dict):
        return Refusal("", "")
    code = decoded.get("error")
    words = [decoded[key] for key in ("message", "detail") if isinstance(decoded.get(key), str)]
    known = isinstance(code, str) and _CODE.fullmatch(code)
    return Refusal(str(code) if known else "", " ".join(words)[:1000])


def account_refusal(answer: httpx.Response, call: Call, now: datetime) -> ProviderError:
    """The error for a refused read of a session or an account. `now` is business time.

    429 is the bank's allowance, which the vendor passes on; it has published no limit of its own.
    """
    refusal = read_refusal(answer.content)
    said = _said(answer, refusal)
    if refusal.code == RATE_LIMIT or answer.status_code == 429:
        wait = retry_after(answer, now) or wait_in_words(refusal.words)
        return AllowanceSpent(said, until=now + wait if wait else None, **call.where)
    if refusal.code in SESSION_ENDS:
        return ConsentGone(said, why=SESSION_ENDS[refusal.code], **call.where)
    if refusal.code in _DOUBTS:
        return ConsentDoubtful(said, **call.where)
    if refusal.code in _ABOUT_THE_ACCOUNT:
        return Declined(said, reason=refusal.code, **call.where)
    return other_refusal(answer, call, now)


def other_refusal(answer: httpx.Response, call: Call, now: datetime) -> ProviderError:
    """The error for a refused call that is not a read of an account.

    A code of the vendor is an explicit word: then nothing was made, whatever the status.
    """
    refusal = read_refusal(answer.content)
    said = _said(answer, refusal)
    if refusal.code == RATE_LIMIT or answer.status_code == 429:
        wait = retry_after(answer, now) or wait_in_words(refusal.words)
        return TryLater(said, after=wait, **call.where)
    if refusal.code == "ASPSP_TIMEOUT" and call.writes:
        return status_error(answer, call, reason=refusal.code, now=now)
    if refusal.code in _NOT_ABOUT_THE_BORROWER:
        return TryLater(said, after=retry_after(answer, now), **call.where)
    error = status_error(answer, call, reason=refusal.code, now=now)
    if isinstance(error, Declined) and verdict(answer.status_code) is Verdict.NO_ENTRY:
        return TryLater(said, after=None, **call.where)
    return error


def _said(answer: httpx.Response, refusal: Refusal) -> str:
    """Status and code: safe to log, unlike the words."""
    return f"HTTP {answer.status_code} {refusal.code}".rstrip()
