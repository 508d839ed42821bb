"""What Tink's refusals mean. Tink publishes few codes, so that the place and the status decide.

Errors come as `{errorCode, errorMessage}` or `{error_code, error_message}`, from the newer parts
also as `{code, message}`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import httpx

from app.domain.errors import ProviderError
from connectors._exchange import Call, status_error
from connectors._json import try_json
from connectors._refusals import Refusal, allowance_spent, door_said_no, limited, refusal_in

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{1,60}")
_CODE_KEYS = ("errorCode", "error_code", "code", "error")
_WORD_KEYS = ("errorMessage", "error_message", "message", "error_description")


@dataclass(frozen=True, slots=True)
class TinkRefusal(Refusal):
    """A refusal, and whose."""

    tinks_own: bool = False
    """The body is an error of Tink, not one of some gateway on the way."""


def read_refusal(body: bytes) -> TinkRefusal:
    """Whatever comes as a refusal: never raises, empty where nothing can be read."""
    found, decoded = refusal_in(body, _CODE, _CODE_KEYS, _WORD_KEYS), try_json(body)
    tinks_own = isinstance(decoded, dict) and any(key in decoded for key in _CODE_KEYS)
    return TinkRefusal(found.code, found.words, tinks_own)


def not_there(answer: httpx.Response) -> bool:
    """Tink's own 404. One without its body may be any gateway's."""
    return answer.status_code == 404 and read_refusal(answer.content).tinks_own


def read_refused(answer: httpx.Response, call: Call, now: datetime) -> ProviderError:
    """The error for a refused read of an account. `now` is business time.

    429 is the quota of balance refreshes, of which no number is published: no read of this
    account until it is over.
    """
    if answer.status_code == 429:
        return allowance_spent(answer, call, read_refusal(answer.content), now)
    return other_refusal(answer, call, now)


def other_refusal(answer: httpx.Response, call: Call, now: datetime) -> ProviderError:
    """The error for any other refused call."""
    refusal = read_refusal(answer.content)
    if answer.status_code == 429:
        return limited(answer, call, refusal, now)
    error = status_error(answer, call, reason=refusal.code, now=now)
    return door_said_no(error, answer, call)
