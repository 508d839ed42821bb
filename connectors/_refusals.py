"""What is alike in every provider's refusals: limits, the door, and what may be said of them.

What a code means is the provider's own and stands in its connector.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from app.domain.errors import AllowanceSpent, Declined, ProviderError, TryLater
from connectors._exchange import Call, Verdict, retry_after, verdict, wait_in_words
from connectors._json import try_json

LONGEST_WORDS = 1000


@dataclass(frozen=True, slots=True)
class Refusal:
    """A provider's code, empty where there is none, and its words, at most 1,000 letters."""

    code: str = ""
    words: str = ""


def refusal_in(
    body: bytes, shape: re.Pattern[str], code: Sequence[str], words: Sequence[str]
) -> Refusal:
    """Whatever comes as a refusal: never raises, empty where nothing can be read.

    `code` and `words` name the fields; `shape` is what the provider's codes look like.
    """
    decoded = try_json(body)
    if not isinstance(decoded, dict):
        return Refusal()
    codes, said_too = _texts(decoded, code), _texts(decoded, words)
    known = codes[0] if codes and shape.fullmatch(codes[0]) else ""
    return Refusal(known, " ".join(said_too)[:LONGEST_WORDS])


def _texts(decoded: dict[str, Any], names: Sequence[str]) -> list[str]:
    return [decoded[name] for name in names if isinstance(decoded.get(name), str)]


def said(answer: httpx.Response, code: str = "") -> str:
    """Status and code: safe to log, unlike the words."""
    return f"HTTP {answer.status_code} {code}".rstrip()


def allowance_spent(
    answer: httpx.Response, call: Call, refusal: Refusal, now: datetime
) -> AllowanceSpent:
    """The bank's limit of an account is used up. `now` is business time."""
    wait = _limit_wait(answer, refusal, now)
    until = now + wait if wait else None
    return AllowanceSpent(said(answer, refusal.code), until=until, **call.where)


def limited(answer: httpx.Response, call: Call, refusal: Refusal, now: datetime) -> TryLater:
    """A limit that is no account's: nothing was done."""
    wait = _limit_wait(answer, refusal, now)
    return TryLater(said(answer, refusal.code), after=wait, **call.where)


def _limit_wait(answer: httpx.Response, refusal: Refusal, now: datetime) -> timedelta | None:
    return retry_after(answer, now) or wait_in_words(refusal.words)


def door_said_no(error: ProviderError, answer: httpx.Response, call: Call) -> ProviderError:
    """A no at the door (401, 403, 404) means that surely nothing happened, and says nothing about
    the borrower: TryLater. Every other error stays what it is.
    """
    if isinstance(error, Declined) and verdict(answer.status_code) is Verdict.NO_ENTRY:
        return TryLater(error.detail, after=None, **call.where)
    return error
