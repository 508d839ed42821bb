"""What a refusal of Bank Account Data means: decided by its type and words, then by its status.

The API answers `{summary, detail, status_code}`, for account calls often with a `type`; faults of
single fields come keyed by the field, sometimes as lists. The expiry of an agreement has no
type and comes as 400 and as 401. Two limits stand behind a 429: the bank's (four reads of an
account in 24 hours) and the API's own (calls a minute of the whole company).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
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
from connectors._exchange import Call, retry_after, sane_wait, status_error, wait_in_words
from connectors._json import try_json
from connectors._refusals import door_said_no

_TYPE = re.compile(r"[A-Za-z]{1,40}")
_FIELD = re.compile(r"[a-z_]{1,40}")
_AGREEMENT_OVER = re.compile(
    r"\b(EUA|end user agreement)\b.{0,160}\bexpired\b", re.IGNORECASE | re.DOTALL
)
_BANK_LIMIT = re.compile(r"\bset by the institution\b|\brate limit\b.{0,60}\bday\b", re.IGNORECASE)
_TOKEN_WORDS = re.compile(r"\btoken\b|\bauthentication\b", re.IGNORECASE)
# More than ten failures in a row suspend an account, so one that fails is left alone for a while.
FAILING_WAIT = timedelta(hours=1)
# No minute's or hour's limit of the API makes anybody wait longer.
_LONGEST_API_WAIT = timedelta(hours=1)
_MOST_FIELDS = 20


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error's own type, the first field it is about, and its words (at most 1,000 letters)."""

    type: str = ""
    field: str = ""
    words: str = ""

    @property
    def reason(self) -> str:
        """The code to show and to store; empty where there is none."""
        return self.type or self.field.upper()


def read_refusal(body: bytes) -> Refusal:
    """Whatever the API calls a refusal: never raises, empty where nothing can be read."""
    decoded = try_json(body)
    if not isinstance(decoded, dict):
        return Refusal()
    kind = decoded.get("type")
    fields = [
        name
        for name, value in list(decoded.items())[:_MOST_FIELDS]
        if isinstance(value, (dict, list)) and name not in ("summary", "detail")
    ]
    field = next((name for name in fields if _FIELD.fullmatch(name)), "")
    words = " ".join(_words(decoded, 3))[:1000]
    return Refusal(kind if isinstance(kind, str) and _TYPE.fullmatch(kind) else "", field, words)


def _words(node: Any, depth: int) -> Iterator[str]:
    if isinstance(node, str):
        yield node[:500]
    elif depth and isinstance(node, (dict, list)):
        inner = node.values() if isinstance(node, dict) else node
        for value in list(inner)[:_MOST_FIELDS]:
            yield from _words(value, depth - 1)


def token_refused(answer: httpx.Response) -> bool:
    """Is this no about our token? It was given at the API's door: no bank has been asked."""
    if answer.status_code != 401:
        return False
    refusal = read_refusal(answer.content)
    if refusal.type or _AGREEMENT_OVER.search(refusal.words):
        return False
    return bool(_TOKEN_WORDS.search(refusal.words))


# ---------------------------------------------------------------- limits


def _stated(answer: httpx.Response, name: str) -> int | None:
    """A number of a rate limit header in any of its spellings.

    They are sent as `http_x_ratelimit_...`, with underscores; proxies may rewrite that.
    """
    for header, value in answer.headers.items():
        plain = header.lower().replace("_", "-").removeprefix("http-")
        if plain == f"x-ratelimit-{name}" and re.fullmatch(r"-?\d{1,12}", value, re.ASCII):
            return int(value)
    return None


def _sane(seconds: int | None) -> timedelta | None:
    return None if seconds is None else sane_wait(seconds)


def api_wait(answer: httpx.Response, now: datetime) -> timedelta | None:
    """How long the API's own limit lasts, from its header or its words; None where unsaid."""
    words = read_refusal(answer.content).words
    return _sane(_stated(answer, "reset")) or wait_in_words(words) or retry_after(answer, now)


def _limit(answer: httpx.Response, call: Call, refusal: Refusal, now: datetime) -> ProviderError:
    """Which of the two limits is spent. In doubt it is the bank's, so that nothing more is used up.

    A reset that is missing, negative or absurd is no time; the caller then counts for himself.
    """
    said = f"HTTP 429 {refusal.type}".rstrip()
    remaining = _stated(answer, "account-success-remaining")
    if refusal.type == "RateLimitError" or remaining == 0 or _BANK_LIMIT.search(refusal.words):
        wait = _sane(_stated(answer, "account-success-reset"))
        wait = wait or wait_in_words(refusal.words) or retry_after(answer, now)
        return AllowanceSpent(said, until=now + wait if wait else None, **call.where)
    wait = wait_in_words(refusal.words) or api_wait(answer, now)
    if wait is None or wait > _LONGEST_API_WAIT:
        return AllowanceSpent(said, until=now + wait if wait else None, **call.where)
    return TryLater(said, after=wait, **call.where)


# ---------------------------------------------------------------- accounts


def account_refusal(answer: httpx.Response, call: Call, now: datetime) -> ProviderError:
    """The error for a refused read of one account. `now` is business time."""
    refusal, status = read_refusal(answer.content), answer.status_code
    said = f"HTTP {status} {refusal.type}".rstrip()
    words = refusal.words.lower()
    if status == 429 or refusal.type == "RateLimitError":
        return _limit(answer, call, refusal, now)
    if _AGREEMENT_OVER.search(refusal.words):
        return ConsentGone(said, why=ConsentEnd.EXPIRED, **call.where)
    if refusal.type == "AccessExpiredError" or "reconfirm" in words:
        return ConsentDoubtful(said, **call.where)
    if refusal.type == "AccountInactiveError":
        return Declined(said, reason="ACCOUNT_INACTIVE", **call.where)
    if status == 409:
        # Suspended needs a new consent; still processing needs patience. The status tells.
        suspended = "suspended" in words
        if suspended:
            return ConsentDoubtful(said, **call.where)
        return TryLater(said, after=retry_after(answer, now), **call.where)
    if status == 404 and "account id" in words:
        return ConsentDoubtful(said, **call.where)
    if status == 402 or refusal.type == "UnknownRequestError":
        # 402: our own contract is used up, which says nothing about the borrower.
        return TryLater(said, after=FAILING_WAIT, **call.where)
    return status_error(answer, call, reason=refusal.reason, now=now)


# ---------------------------------------------------------------- consents


def other_refusal(answer: httpx.Response, call: Call, now: datetime) -> ProviderError:
    """The error for a refused call about agreements and requisitions.

    Refused at the door (401, 402, 403, 404) and too many calls mean that surely nothing happened,
    and say nothing about the borrower.
    """
    refusal, status = read_refusal(answer.content), answer.status_code
    if status == 429:
        return TryLater("HTTP 429", after=api_wait(answer, now), **call.where)
    error = status_error(answer, call, reason=refusal.reason, now=now)
    if status == 402:
        return TryLater(error.detail, after=None, **call.where)
    return door_said_no(error, answer, call)
