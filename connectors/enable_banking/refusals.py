"""What the vendor's refusals mean. Decided by the code in `error`, not by the HTTP status.

The vendor publishes its codes (ErrorCode) and not which status goes with which.
"""

from __future__ import annotations

import re
from datetime import datetime

import httpx

from app.domain.errors import (
    ConsentDoubtful,
    ConsentEnd,
    ConsentGone,
    Declined,
    ProviderError,
    TryLater,
)
from connectors._exchange import Call, retry_after, status_error
from connectors._refusals import (
    Refusal,
    allowance_spent,
    door_said_no,
    limited,
    refusal_in,
    said,
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


def read_refusal(body: bytes) -> Refusal:
    """Whatever comes as a refusal: never raises, empty where nothing can be read."""
    return refusal_in(body, _CODE, ("error",), ("message", "detail"))


def account_refusal(answer: httpx.Response, call: Call, now: datetime) -> ProviderError:
    """The error for a refused read of a session or an account. `now` is business time.

    429 is the bank's allowance, which the vendor passes on; it has published no limit of its own.
    """
    refusal = read_refusal(answer.content)
    what = said(answer, refusal.code)
    if refusal.code == RATE_LIMIT or answer.status_code == 429:
        return allowance_spent(answer, call, refusal, now)
    if refusal.code in SESSION_ENDS:
        return ConsentGone(what, why=SESSION_ENDS[refusal.code], **call.where)
    if refusal.code in _DOUBTS:
        return ConsentDoubtful(what, **call.where)
    if refusal.code in _ABOUT_THE_ACCOUNT:
        return Declined(what, reason=refusal.code, **call.where)
    return other_refusal(answer, call, now)


def other_refusal(answer: httpx.Response, call: Call, now: datetime) -> ProviderError:
    """The error for a refused call that is not a read of an account.

    A code of the vendor is an explicit word: then nothing was made, whatever the status.
    """
    refusal = read_refusal(answer.content)
    if refusal.code == RATE_LIMIT or answer.status_code == 429:
        return limited(answer, call, refusal, now)
    if refusal.code == "ASPSP_TIMEOUT" and call.writes:
        return status_error(answer, call, reason=refusal.code, now=now)
    if refusal.code in _NOT_ABOUT_THE_BORROWER:
        wait = retry_after(answer, now)
        return TryLater(said(answer, refusal.code), after=wait, **call.where)
    error = status_error(answer, call, reason=refusal.code, now=now)
    return door_said_no(error, answer, call)
