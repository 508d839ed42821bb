"""What TrueLayer's refusals mean. Decided by the code in `error`, then by the HTTP status.

`access_denied` is an explicit word: access ran out, or the customer took it back. It does not
say which, so the age of the connection tells.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import httpx

from app.domain.errors import (
    ConsentEnd,
    ConsentGone,
    Declined,
    ProviderError,
    TryLater,
)
from connectors._exchange import Call, retry_after, status_error
from connectors._refusals import Refusal, allowance_spent, refusal_in, said

GRANT_OVER = "invalid_grant"
ACCESS_OVER = ("access_denied", GRANT_OVER)
# Our token: refused at the door, no bank was asked.
TOKEN_REFUSED = ("invalid_token", "unauthorized")
# Our client: a person mends that, not asking again.
CLIENT_REFUSED = ("invalid_client", "unauthorized_client", "unsupported_grant_type")
CLIENT_WAIT = timedelta(minutes=10)
_BANK_LIMITS = ("provider_too_many_requests", "provider_request_limit_exceeded")
_ABOUT_THE_ACCOUNT = (
    "account_not_found",
    "deprecated_provider",
    "endpoint_not_supported",
    "sca_exceeded",
    "validation_error",
)
_CODE = re.compile(r"[a-z][a-z_]{2,59}")


def read_refusal(body: bytes) -> Refusal:
    """Whatever comes as a refusal: never raises, empty where nothing can be read."""
    return refusal_in(body, _CODE, ("error",), ("error_description",))


def account_refusal(
    answer: httpx.Response, call: Call, now: datetime, end: ConsentEnd
) -> ProviderError:
    """The error for a refused read of accounts or a balance. `now` is business time.

    `end` is how the consent ended if this says that it has. A 429 is the bank's allowance, which
    the vendor passes on; no number of its own is published.
    """
    refusal = read_refusal(answer.content)
    what = said(answer, refusal.code)
    if refusal.code in _BANK_LIMITS or answer.status_code == 429:
        return allowance_spent(answer, call, refusal, now)
    if refusal.code in ACCESS_OVER:
        return ConsentGone(what, why=end, **call.where)
    if refusal.code in _ABOUT_THE_ACCOUNT:
        return Declined(what, reason=refusal.code.upper(), **call.where)
    if refusal.code in (*TOKEN_REFUSED, *CLIENT_REFUSED):
        return TryLater(what, after=retry_after(answer, now), **call.where)
    return status_error(answer, call, reason=refusal.code, now=now)


def token_refusal(
    answer: httpx.Response, call: Call, now: datetime, end: ConsentEnd
) -> ProviderError:
    """The error for a refused token. A code word is explicit: then nothing was exchanged."""
    refusal = read_refusal(answer.content)
    what = said(answer, refusal.code)
    if refusal.code == GRANT_OVER:
        return ConsentGone(what, why=end, **call.where)
    if refusal.code in CLIENT_REFUSED:
        return TryLater(what, after=CLIENT_WAIT, **call.where)
    error = status_error(answer, call, reason=refusal.code, now=now)
    if isinstance(error, Declined):
        return TryLater(what, after=retry_after(answer, now), **call.where)
    return error
