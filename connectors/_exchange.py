"""One exchange with a provider, and the one table from its status to our errors.

Every connector sends through `exchange()`, reads JSON through `read_json()`, and turns an
answer it has no better word for into an error by `status_error()`. No message made here holds a
URL, a header's value or a piece of a body: URLs carry account and payment ids.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson

from app.domain.errors import Declined, OutcomeUnknown, ProviderError, TryLater, Unreadable
from connectors._http import SETUP, HttpSetup
from connectors._json import TwoValues, decoded, try_json

_BASE_HEADERS = {
    "Accept": "application/json, application/problem+json",
    # Asking for compression would cost more than it saves on bodies of some hundred bytes.
    "Accept-Encoding": "identity",
    "User-Agent": "Saldo",
}

# The read allowance is counted over 24 hours (RTS SCA art. 36(5)); a bank that names a longer or
# a negative wait is misreporting, as has been seen (-1875538 seconds).
LONGEST_WAIT = timedelta(hours=25)

NOT_JSON = "the answer is not JSON"
SAID_TWICE = "the answer states one thing twice, and not the same"

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of whom. `writes`: repeating it could do something twice.

    `reference` is the request id that the provider's support can find it by. `setup` holds the
    connector's own limits and certificates.
    """

    connector: str
    operation: str
    method: str
    url: str | httpx.URL = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    writes: bool = False
    reference: str = ""
    setup: HttpSetup | None = None

    @property
    def where(self) -> dict[str, str]:
        """The keywords every ProviderError takes."""
        found = {"connector": self.connector, "operation": self.operation}
        if self.reference:
            found["reference"] = self.reference
        return found


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def as_form(fields: Mapping[str, str] | None) -> tuple[Mapping[str, str], bytes | None]:
    """Header and body of a form; neither for None."""
    return ({}, None) if fields is None else (FORM, urlencode(fields).encode())


async def exchange(http: httpx.AsyncClient, call: Call) -> httpx.Response:
    """Send exactly one request and return the answer, whatever its status.

    Raises TryLater when surely nothing was sent, and for a read whose answer was lost;
    OutcomeUnknown for a write that may have arrived. (A lost read is still a spent attempt:
    that is counted before the call, not here.)
    """
    try:
        request = httpx.Request(
            call.method,
            call.url,
            headers={**_BASE_HEADERS, **call.headers},
            content=call.body,
            extensions={SETUP: call.setup} if call.setup else None,
        )
    except (httpx.InvalidURL, ValueError) as error:
        name = type(error).__name__
        raise TryLater(f"nothing was sent: {name}", after=None, **call.where) from None
    try:
        return await http.send(request)
    except _NOT_SENT as error:
        name = type(error).__name__
        raise TryLater(f"nothing was sent: {name}", after=None, **call.where) from None
    except httpx.HTTPError as error:
        name = type(error).__name__
        if call.writes:
            raise OutcomeUnknown(f"the answer was lost: {name}", **call.where) from None
        raise TryLater(f"the answer was lost: {name}", after=None, **call.where) from None


# ---------------------------------------------------------------- status -> error


class Verdict(Enum):
    """What a status means when the provider's body says nothing better."""

    FINE = "fine"
    LATER = "later"
    """Surely nothing happened; the same request may come again."""
    UNCLEAR = "unclear"
    """It may have happened: OutcomeUnknown for a write, TryLater for a read."""
    NO_ENTRY = "no entry"
    """Refused at the door. For a read that is trouble of the whole bank more often than of one
    account; for a write it is an explicit no."""
    REFUSED = "refused"
    STRANGE = "strange"
    """Redirects and everything HTTP does not define: the contract drifted."""


# Every status there is, 100 to 599; `verdict()` answers STRANGE outside of it.
STATUS: Mapping[int, Verdict] = {
    **dict.fromkeys(range(100, 200), Verdict.STRANGE),
    **dict.fromkeys(range(200, 300), Verdict.FINE),
    **dict.fromkeys(range(300, 400), Verdict.STRANGE),
    **dict.fromkeys(range(400, 500), Verdict.REFUSED),
    **dict.fromkeys(range(500, 600), Verdict.UNCLEAR),
    **dict.fromkeys((401, 403, 404, 407, 421, 451), Verdict.NO_ENTRY),
    **dict.fromkeys((425, 429), Verdict.LATER),
    408: Verdict.UNCLEAR,
}


def verdict(status: int) -> Verdict:
    """The verdict on any status whatever."""
    return STATUS.get(status, Verdict.STRANGE)


def status_error(
    answer: httpx.Response, call: Call, *, reason: str = "", now: datetime | None = None
) -> ProviderError:
    """The error for an answer that is not fine. `reason` is the provider's own code, if any."""
    status = answer.status_code
    said = f"HTTP {status}" + (f", {reason}" if reason else "")
    match verdict(status):
        case Verdict.LATER:
            return TryLater(said, after=retry_after(answer, now), **call.where)
        case Verdict.UNCLEAR if call.writes:
            return OutcomeUnknown(said, **call.where)
        case Verdict.UNCLEAR:
            return TryLater(said, after=retry_after(answer, now), **call.where)
        case Verdict.NO_ENTRY if not call.writes:
            return TryLater(said, after=retry_after(answer, now), **call.where)
        case Verdict.NO_ENTRY | Verdict.REFUSED:
            return Declined(said, reason=reason or f"HTTP_{status}", **call.where)
        case Verdict.FINE | Verdict.STRANGE:
            return unreadable(f"not an answer we know: {said}", call, answer.content)


def unreadable(problem: str, call: Call, body: bytes) -> ProviderError:
    """The answer does not fit the contract. For a write that means: it may have happened."""
    shape = mask_body(body)
    if call.writes:
        return OutcomeUnknown(f"{problem}; its shape: {shape[:300]}", **call.where)
    return Unreadable(problem, body=shape, **call.where)


def read_json(answer: httpx.Response, call: Call) -> Any:
    """The decoded body. Raises Unreadable, or OutcomeUnknown for a write."""
    try:
        return decoded(answer.content)
    except TwoValues:
        raise unreadable(SAID_TWICE, call, answer.content) from None
    except ValueError:
        raise unreadable(NOT_JSON, call, answer.content) from None


# ---------------------------------------------------------------- waiting times


def retry_after(answer: httpx.Response, now: datetime | None = None) -> timedelta | None:
    """The Retry-After header (seconds or an HTTP date), None where it is missing or nonsense.

    A date is read against the answer's own Date header, so that both come from one clock; `now`
    serves where that is missing.
    """
    text = answer.headers.get("retry-after", "").strip()
    if not text:
        return None
    if re.fullmatch(r"-?\d{1,12}", text, re.ASCII):
        return sane_wait(int(text))
    until = _http_date(text)
    base = _http_date(answer.headers.get("date", "")) or now
    if until is None or base is None:
        return None
    return sane_wait((until - base).total_seconds())


def sane_wait(seconds: float) -> timedelta | None:
    """Between a second and the longest wait that makes sense; anything else is nonsense."""
    if not 1 <= seconds <= LONGEST_WAIT.total_seconds():
        return None
    return timedelta(seconds=seconds)


# "try again in 85092 seconds". Minutes and hours only after such a word: "4 accesses in 24 hours"
# states the rule and no wait.
_WAIT_IN_WORDS = re.compile(
    r"(?:\b(?:again|retry|wait|after)\b\D{0,20}?|(?<![\w.,-]))(-?)(\d{1,9})\s*(s(?:ec(?:ond)?s?)?)\b"
    r"|\b(?:again|retry|wait|after)\b[^\d-]{0,20}(\d{1,9})\s*(minutes?|mins?|hours?|h)\b",
    re.IGNORECASE,
)
_UNIT_SECONDS = {"m": 60, "h": 3600}


def wait_in_words(text: str) -> timedelta | None:
    """The wait in a sentence such as "try again in 85092 seconds"; None for none or nonsense."""
    for sign, seconds, _, number, unit in _WAIT_IN_WORDS.findall(text):
        amount = int(seconds) if seconds else int(number) * _UNIT_SECONDS[unit[0].lower()]
        wait = None if sign else sane_wait(amount)
        if wait:
            return wait
    return None


def _http_date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


# ---------------------------------------------------------------- masking

_CODE_WORD = re.compile(r"[A-Z]+(_[A-Z]+)+")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z_-]{0,60}")
_MASKED_LENGTH = 2000


def mask_body(body: bytes) -> str:
    """The shape of an answer without its content, for the person who mends the contract.

    Keys stay, as do code words such as CONSENT_INVALID; in all other text each letter becomes
    `x` and each digit `9`, so that "1.234,56" is still seen to be written with a comma.
    """
    document = try_json(body)
    if document is None and body.strip() != b"null":
        return mask_text(body[:_MASKED_LENGTH].decode("utf-8", "replace"))
    return orjson.dumps(_masked(document, 12)).decode()[:_MASKED_LENGTH]


def mask_text(text: str) -> str:
    """Letters to `x`, digits to `9`; punctuation and spaces stay, what is not printed is `?`."""
    return "".join(map(_masked_letter, text))


def _masked_letter(char: str) -> str:
    if char.isdigit():
        return "9"
    return "x" if char.isalpha() else char if char.isprintable() else "?"


def _masked(value: Any, depth: int) -> Any:
    if depth == 0:
        return "…"
    if isinstance(value, dict):
        return {
            (key if _PLAIN_KEY.fullmatch(key) else mask_text(key)): _masked(inner, depth - 1)
            for key, inner in list(value.items())[:50]
        }
    if isinstance(value, list):
        return [_masked(inner, depth - 1) for inner in value[:20]]
    if isinstance(value, str):
        return value if _CODE_WORD.fullmatch(value) else mask_text(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return mask_text(repr(value))
    return value
