"""What Tink's refusals mean. Tink publishes few codes, so that the place and the status decide.

Errors come as `{errorCode, errorMessage}` or `{error_code, error_message}`, from the newer parts
also as `{code, message}`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import httpx

from app.domain.errors import AllowanceSpent, Declined, ProviderError, TryLater
from connectors._exchange import (
    Call,
    Verdict,
    retry_after,
    status_error,
    try_json,
    verdict,
    wait_in_words,
)

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{1,60}")
_CODE_KEYS = ("errorCode", "error_code", "code", "error")
_WORD_KEYS = ("errorMessage", "error_message", "message", "error_description")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Tink's code, empty where there is none, and its words, at most 1,000."""

    code: str = ""
    words: str = ""
    tinks_own: bool = False
    """The body is an error of Tink, not one of some gateway on the way."""


def read_refusal(body: bytes) -> Refusal:
    """Whatever comes as a refusal: never raises, empty where nothing can be read."""
    decoded = try_json(body)
    if not isinstance(decoded, dict):
        return Refusal()
    codes = [decoded[key] for key in _CODE_KEYS if isinstance(decoded.get(key), str)]
    words = [decoded[key] for key in _WORD_KEYS if isinstance(decoded.get(key), str)]
    code = codes[0] if codes and _CODE.fullmatch(codes[0]) else ""
    return Refusal(code, " ".join(words)[:1000], any(key in decoded for key in _CODE_KEYS))


def not_there(answer: httpx.Response) -> bool:
    """Tink's own 404. One without its body may be any gateway's."""
    return answer.status_code == 404 and read_refusal(answer.content).tinks_own


def read_refused(answer: httpx.Response, call: Call, now: datetime) -> ProviderError:
    """The error for a refused read of an account. `now` is business time.

    429 is the quota of balance refreshes, of which no number is published: no read of this
    account until it is over.
    """
    if answer.status_code == 429:
        refusal = read_refusal(answer.content)
        wait = retry_after(answer, now) or wait_in_words(refusal.words)
        return AllowanceSpent("HTTP 429", until=now + wait if wait else None, **call.where)
    return other_refusal(answer, call, now)


def other_refusal(answer: httpx.Response, call: Call, now: datetime) -> ProviderError:
    """The error for any other refused call.

    Refused at the door (401, 403, 404) means that surely nothing happened, and says nothing about
    the borrower.
    """
    refusal = read_refusal(answer.content)
    if answer.status_code == 429:
        wait = retry_after(answer, now) or wait_in_words(refusal.words)
        return TryLater("HTTP 429", after=wait, **call.where)
    error = status_error(answer, call, reason=refusal.code, now=now)
    if isinstance(error, Declined) and verdict(answer.status_code) is Verdict.NO_ENTRY:
        return TryLater(error.detail, after=None, **call.where)
    return error
