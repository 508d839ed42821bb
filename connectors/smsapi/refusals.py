"""What SMSAPI's errors mean. They come with HTTP 200 as well as without it.

The groups are those of the vendor's Java client: errors of the account, of the server, of the
request. `{"error": 53, "message": "..."}` is the form today, `ERROR:53` the old one; newer parts
of the API use a word and a real HTTP status.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import httpx
import structlog

from app.domain.errors import Declined, OutcomeUnknown, ProviderError, TryLater
from app.ports import NUMBER_INVALID
from connectors._exchange import Call, Verdict, retry_after, status_error, verdict
from connectors._json import try_json

USED_IDX = 53
NO_VALID_NUMBER = 13
NO_SUCH_TEXT = 301

# Nothing was sent, and nothing will be until somebody mends the account: token, address, funds.
ACCOUNT_BROKEN = frozenset({101, 102, 103, 105, 110, 1000, 1001})
# The server stumbled over it: it may have been taken.
SERVER_BROKEN = frozenset({8, 201, 666, 999})
CHANNEL_WAIT = timedelta(minutes=10)

log = structlog.get_logger("smsapi")


def code_in(document: Any, body: bytes) -> int | str | None:
    """The error an answer states, a number or a newer word; None where it states none."""
    if isinstance(document, dict):
        stated = document.get("error")
        if isinstance(stated, str) and re.fullmatch(r"\d{1,6}", stated, re.ASCII):
            return int(stated)
        if isinstance(stated, bool) or stated in (None, "", 0):
            return None
        if isinstance(stated, int):
            return stated
        return stated[:60] if isinstance(stated, str) else "unreadable"
    old = re.match(rb"\s*ERROR:\s*(\d{1,6})", body)
    return int(old.group(1)) if old else None


def refusal(answer: httpx.Response, call: Call, code: int | str | None) -> ProviderError:
    """The error for an answer that states `code` or has no good status."""
    status = answer.status_code
    said = f"HTTP {status}" + (f", error {code}" if isinstance(code, int) else "")
    if verdict(status) is Verdict.LATER:
        return TryLater(said, after=retry_after(answer), **call.where)
    if status in (401, 403) or code in ACCOUNT_BROKEN:
        log.error("channel_misconfigured", operation=call.operation, status=status, code=code)
        return TryLater(said, after=CHANNEL_WAIT, **call.where)
    if status >= 500 or status == 408 or not isinstance(code, int):
        # An error in words: the status alone decides, and a good one decides nothing.
        return status_error(answer, call)
    if code in SERVER_BROKEN:
        if call.writes:
            return OutcomeUnknown(said, **call.where)
        return TryLater(said, after=None, **call.where)
    reason = NUMBER_INVALID if code == NO_VALID_NUMBER else str(code)
    return Declined(said, reason=reason, **call.where)


def stated_error(answer: httpx.Response) -> tuple[Any, int | str | None]:
    """(the decoded body or None, the error it states or None)."""
    document = try_json(answer.content)
    return document, code_in(document, answer.content)
