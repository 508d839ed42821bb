"""What a bank's refusal means. Decided by its code, not by its HTTP status.

The same code arrives under several statuses (CONSENT_EXPIRED as 400 and as 401), in two official
shapes (`tppMessages`, and RFC 7807 with `code` and `additionalErrors`) and in shapes of the
banks' own. A 401 without a consent code has been an outage of a whole bank, so it never ends a
consent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
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
from connectors._exchange import Call, retry_after, status_error, wait_in_words
from connectors._json import try_json

ACCESS_EXCEEDED = "ACCESS_EXCEEDED"
CONSENT_ENDS = {
    "CONSENT_EXPIRED": ConsentEnd.EXPIRED,
    "CONSENT_UNKNOWN": ConsentEnd.UNKNOWN_AT_BANK,
}
# The consent may be revoked, rejected, expired or not valid yet; a bearer token may have ended
# with it. Only the consent's own status can tell.
_DOUBTS = re.compile(r"CONSENT_|TOKEN_")
# Our own standing with the bank, or the bank's gateway: says nothing about one borrower.
_NOT_ABOUT_THE_BORROWER = re.compile(
    r"CERTIFICATE_|SIGNATURE_|ROLE_INVALID|SERVICE_UNAVAILABLE|INTERNAL_SERVER_ERROR|TIMESTAMP_"
)
_ABOUT_THE_ACCOUNT = frozenset(
    {"RESOURCE_BLOCKED", "SERVICE_BLOCKED", "RESOURCE_UNKNOWN", "RESOURCE_EXPIRED"}
)
# A refusal in words alone ("EUA was valid for 90 days and it expired at ...").
_EXPIRY_IN_WORDS = re.compile(
    r"\b(consent|agreement|eua)\b.{0,80}\bexpired\b", re.IGNORECASE | re.DOTALL
)

_CODE_KEYS = ("code", "errorCode", "error_code", "error")
_TEXT_KEYS = ("text", "detail", "title", "message", "description", "error_description", "summary")
_LIST_KEYS = ("tppMessages", "additionalErrors", "errors")
_MOST_MESSAGES = 20


@dataclass(frozen=True, slots=True)
class Refusal:
    """The codes of a refusal in the order given, upper case, and its words, at most 1,000."""

    codes: tuple[str, ...]
    words: str

    @property
    def reason(self) -> str:
        """The code to show and to store."""
        return self.codes[0] if self.codes else ""

    def first(self, *wanted: str) -> str | None:
        """The first wanted code that is there."""
        return next((code for code in wanted if code in self.codes), None)


def read_refusal(body: bytes) -> Refusal:
    """Whatever a bank calls a refusal: never raises, empty where nothing can be read."""
    decoded = try_json(body)
    messages = tuple(islice(_messages(decoded, 4), _MOST_MESSAGES))
    serious = [m for m in messages if str(m.get("category", "ERROR")).upper() != "WARNING"]
    codes = _codes(serious) or _codes(messages)
    words = [m[key] for m in messages for key in _TEXT_KEYS if isinstance(m.get(key), str)]
    if not isinstance(decoded, (dict, list)):
        words = [body[:1000].decode("utf-8", "replace")]
    return Refusal(codes, " ".join(words)[:1000])


def _codes(messages: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    found = (_code(message[key]) for message in messages for key in _CODE_KEYS if key in message)
    return tuple(code for code in found if code)


def _messages(node: Any, depth: int) -> Iterator[dict[str, Any]]:
    """The message objects of every shape seen: the root, lists of messages, nested `error`s."""
    if depth == 0:
        return
    if isinstance(node, list):
        for item in node[:_MOST_MESSAGES]:
            yield from _messages(item, depth - 1)
    elif isinstance(node, dict):
        yield node
        for key in (*_LIST_KEYS, "error"):
            inner = node.get(key)
            if isinstance(inner, (list, dict)):
                yield from _messages(inner, depth - 1)


def _code(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    code = re.sub(r"[^A-Z0-9]+", "_", str(value)[:60].upper()).strip("_")
    # An IBAN or an account number in this place must not travel on as a reason.
    return "" if re.search(r"\d{5}", code) else code


# ---------------------------------------------------------------- reading accounts


def account_refusal(
    answer: httpx.Response, call: Call, now: datetime, calendar_return: datetime | None
) -> ProviderError:
    """The error for a refused read of accounts or balances.

    `now` is business time; `calendar_return` is when the allowance returns by the bank's
    profile, for when the bank itself does not say.
    """
    refusal = read_refusal(answer.content)
    status = answer.status_code
    if refusal.first(ACCESS_EXCEEDED) or status == 429 or "429" in refusal.codes:
        wait = retry_after(answer, now) or wait_in_words(refusal.words)
        until = now + wait if wait else calendar_return
        return AllowanceSpent(_said(answer, refusal), until=until, **call.where)
    ended = refusal.first(*CONSENT_ENDS)
    if ended:
        return ConsentGone(_said(answer, refusal), why=CONSENT_ENDS[ended], **call.where)
    if any(_DOUBTS.match(code) for code in refusal.codes):
        return ConsentDoubtful(_said(answer, refusal), **call.where)
    blocked = refusal.first(*_ABOUT_THE_ACCOUNT)
    if blocked:
        return Declined(_said(answer, refusal), reason=blocked, **call.where)
    if any(_NOT_ABOUT_THE_BORROWER.match(code) for code in refusal.codes):
        wait = retry_after(answer, now)
        return TryLater(_said(answer, refusal), after=wait, **call.where)
    if _EXPIRY_IN_WORDS.search(refusal.words):
        return ConsentDoubtful(_said(answer, refusal), **call.where)
    return status_error(answer, call, reason=refusal.reason, now=now)


def _said(answer: httpx.Response, refusal: Refusal) -> str:
    """Status and codes: safe to log, unlike the bank's words."""
    return " ".join((f"HTTP {answer.status_code}", *refusal.codes[:4]))


# ---------------------------------------------------------------- consents and payments


def other_refusal(answer: httpx.Response, call: Call, now: datetime) -> ProviderError:
    """The error for a refused call that is not a read of an account.

    Too many requests mean that surely nothing happened, under whatever status they come.
    """
    refusal = read_refusal(answer.content)
    if refusal.first(ACCESS_EXCEEDED) or answer.status_code == 429 or "429" in refusal.codes:
        wait = retry_after(answer, now) or wait_in_words(refusal.words)
        return TryLater(_said(answer, refusal), after=wait, **call.where)
    return status_error(answer, call, reason=refusal.reason, now=now)
