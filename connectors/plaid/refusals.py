"""What Plaid's refusals mean: decided by `error_code` and `error_type`, never by the HTTP status.

That is Plaid's own advice: statuses give the broadest categories only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
from connectors._json import try_json
from connectors._refusals import (
    LONGEST_WORDS,
    Refusal,
    allowance_spent,
    door_said_no,
    limited,
    said,
)

# A consent of which Plaid says so itself. ITEM_LOGIN_REQUIRED stands for a lapse and for a consent
# that was taken back alike: the item's own state tells them apart.
GONE = {
    "ITEM_NOT_FOUND": ConsentEnd.UNKNOWN_AT_BANK,
    "INVALID_ACCESS_TOKEN": ConsentEnd.UNKNOWN_AT_BANK,
    "ITEM_CONCURRENTLY_DELETED": ConsentEnd.UNKNOWN_AT_BANK,
    "USER_PERMISSION_REVOKED": ConsentEnd.REVOKED_AT_BANK,
}
LOGIN_REQUIRED = ("ITEM_LOGIN_REQUIRED", "ACCESS_NOT_GRANTED", "PENDING_EXPIRATION")
_ABOUT_THE_ACCOUNT = ("INVALID_ACCOUNT_ID", "NO_ACCOUNTS", "NO_AUTH_ACCOUNTS", "ITEM_LOCKED")
# Limits of the whole client, which say nothing about this account's allowance.
_OF_THE_CLIENT = ("RATE_LIMIT", "ADDITION_LIMIT")
# The bank behind, Plaid itself, or our own standing with it: nothing about one borrower.
_NOT_ABOUT_THE_BORROWER = ("INSTITUTION_ERROR", "API_ERROR")
_OUR_STANDING = (
    "INVALID_API_KEYS",
    "UNAUTHORIZED_ENVIRONMENT",
    "INVALID_PRODUCT",
    "PRODUCTS_NOT_SUPPORTED",
    "PRODUCT_NOT_READY",
    "PRODUCT_NOT_ENABLED",
    "ADDITIONAL_CONSENT_REQUIRED",
)
_CODE = re.compile(r"[A-Z][A-Z_]{2,59}")


@dataclass(frozen=True, slots=True)
class PlaidRefusal(Refusal):
    """Its type as well, empty where there is none."""

    type: str = ""


def refusal_in(stated: Any) -> PlaidRefusal:
    """An error of Plaid wherever it stands; empty for everything else."""
    if not isinstance(stated, dict):
        return PlaidRefusal()
    kind, code, words = (stated.get(f"error_{name}") for name in ("type", "code", "message"))
    return PlaidRefusal(
        code if isinstance(code, str) and _CODE.fullmatch(code) else "",
        words[:LONGEST_WORDS] if isinstance(words, str) else "",
        kind if isinstance(kind, str) and _CODE.fullmatch(kind) else "",
    )


def read_refusal(body: bytes) -> PlaidRefusal:
    """Whatever comes as a refusal: never raises, empty where nothing can be read."""
    return refusal_in(try_json(body))


def account_refusal(answer: httpx.Response, call: Call, now: datetime) -> ProviderError:
    """The error for a refused call about one item. `now` is business time.

    A limit is the item's or its bank's, unless Plaid names the client's: in doubt no more is read.
    """
    refusal = read_refusal(answer.content)
    what = said(answer, refusal.code)
    if _at_a_limit(answer, refusal) and refusal.code not in _OF_THE_CLIENT:
        return allowance_spent(answer, call, refusal, now)
    if refusal.code in GONE:
        return ConsentGone(what, why=GONE[refusal.code], **call.where)
    if refusal.code in LOGIN_REQUIRED:
        return ConsentDoubtful(what, **call.where)
    if refusal.code in _ABOUT_THE_ACCOUNT:
        return Declined(what, reason=refusal.code, **call.where)
    return other_refusal(answer, call, now)


def other_refusal(answer: httpx.Response, call: Call, now: datetime) -> ProviderError:
    """The error for any other refused call.

    A code of Plaid is an explicit word: then nothing was made, whatever the status.
    """
    refusal = read_refusal(answer.content)
    what = said(answer, refusal.code)
    if _at_a_limit(answer, refusal):
        return limited(answer, call, refusal, now)
    if refusal.code in _OUR_STANDING:
        return TryLater(what, after=None, **call.where)
    if refusal.type in _NOT_ABOUT_THE_BORROWER and not call.writes:
        return TryLater(what, after=retry_after(answer, now), **call.where)
    if refusal.code and refusal.type != "API_ERROR" and 400 <= answer.status_code < 500:
        return Declined(what, reason=refusal.code, **call.where)
    error = status_error(answer, call, reason=refusal.code, now=now)
    return door_said_no(error, answer, call)


def _at_a_limit(answer: httpx.Response, refusal: PlaidRefusal) -> bool:
    return refusal.type == "RATE_LIMIT_EXCEEDED" or answer.status_code == 429
