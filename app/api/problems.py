"""Every error as problem+json (RFC 9457): one table from our error tree to HTTP answers.

A problem names what is wrong, the field where there is one, and how to mend it. It never
repeats what the caller sent: bodies hold personal data, and answers end up in log files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import compile_path

from app.api.mends import faults_of
from app.domain.errors import (
    AllowanceSpent,
    Conflict,
    ConsentDoubtful,
    ConsentGone,
    Declined,
    IllegalTransition,
    Invalid,
    Misconfigured,
    NotAllowed,
    NotFound,
    OutcomeUnknown,
    ProviderError,
    Refused,
    SaldoError,
    TryLater,
    Unreadable,
)
from app.store.trouble import collided, database_away

log = structlog.get_logger("api")

MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem as the documentation lists it."""

    code: str
    status: int
    title: str
    meaning: str


# The words of `code` are part of the API: they are added to, never changed.
KINDS: Final[Mapping[str, Kind]] = {
    kind.code: kind
    for kind in (
        Kind("malformed", 400, "The body cannot be read", "Send one JSON document in UTF-8."),
        Kind("refused", 400, "Refused", "A rule of Saldo says no; the detail says which one."),
        Kind(
            "unauthenticated",
            401,
            "No valid API key",
            "Send `Authorization: Bearer sk_…` with a key that is not revoked.",
        ),
        Kind("not_allowed", 403, "Not allowed", "You are known, and may not do this."),
        Kind(
            "not_found",
            404,
            "No such thing",
            "Nothing of that name belongs to your lender.",
        ),
        Kind("method_not_allowed", 405, "Wrong method", "The Allow header lists the right ones."),
        Kind(
            "illegal_transition",
            409,
            "Not in this state",
            "The thing is in a state in which this cannot be done. Read it again.",
        ),
        Kind(
            "conflict",
            409,
            "Somebody was faster",
            "It was changed, or made, at the same moment. Read it again, then decide.",
        ),
        Kind(
            "in_progress",
            409,
            "Still running",
            "An earlier call with this Idempotency-Key has not ended. Repeat it after "
            "Retry-After seconds.",
        ),
        Kind(
            "too_large", 413, "The body is too large", "Split it; the limit stands in the detail."
        ),
        Kind("invalid", 422, "A value is wrong", "`errors` names each field and how to mend it."),
        Kind(
            "key_reused",
            422,
            "Idempotency-Key used for something else",
            "Use a fresh key for each new request.",
        ),
        Kind("rate_limited", 429, "Too many calls", "Wait for Retry-After seconds, then go on."),
        Kind("internal", 500, "Our mistake", "Tell us the request_id; it is in our log."),
        Kind(
            "provider_refused",
            502,
            "A bank or provider said no",
            "Nothing was done there. The detail holds its reason.",
        ),
        Kind(
            "provider_unclear",
            502,
            "A bank or provider did not answer clearly",
            "It may have happened. Saldo looks it up; read the state before you repeat anything.",
        ),
        Kind(
            "try_later",
            503,
            "Not now",
            "Nothing was done. Repeat after Retry-After seconds.",
        ),
    )
}

# From our errors to kinds of problem; the nearest class in the tree counts. Complete by test.
BY_ERROR: Final[Mapping[type[SaldoError], str]] = {
    Refused: "refused",
    NotFound: "not_found",
    NotAllowed: "not_allowed",
    IllegalTransition: "illegal_transition",
    Conflict: "conflict",
    Invalid: "invalid",
    ProviderError: "provider_unclear",
    TryLater: "try_later",
    AllowanceSpent: "try_later",
    ConsentGone: "provider_refused",
    ConsentDoubtful: "provider_refused",
    Declined: "provider_refused",
    OutcomeUnknown: "provider_unclear",
    Unreadable: "provider_unclear",
    Misconfigured: "internal",
    SaldoError: "internal",
}

_BY_STATUS: Final[Mapping[int, str]] = {
    400: "malformed",
    401: "unauthenticated",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    429: "rate_limited",
}

_RETRY_S = 2
_LONGEST_RETRY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Problem:
    """One answer before it becomes bytes."""

    kind: Kind
    detail: str
    code: str = ""
    errors: Sequence[Mapping[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def answer(self, request: Request) -> Response:
        """The HTTP response."""
        content: dict[str, Any] = {
            "type": f"{_base(request)}/v1/docs#problem-{self.kind.code}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "code": self.code or self.kind.code,
            "request_id": str(getattr(request.state, "request_id", "")),
        }
        if self.errors:
            content["errors"] = list(self.errors)
        headers = {"Cache-Control": "no-store", **self.headers}
        return Response(
            orjson.dumps(content), self.kind.status, headers=headers, media_type=MEDIA_TYPE
        )


class Unauthenticated(Refused):
    """No key, an unknown key, or a revoked one; which of them is not said."""

    status = 401


class TooMany(Refused):
    """The caller is too fast. `after_s` (real seconds) says when to go on."""

    status = 429

    def __init__(self, after_s: int) -> None:
        super().__init__("You call faster than agreed for one key.", code="rate_limited")
        self.after_s = after_s


class StillRunning(Refused):
    """The same Idempotency-Key is being worked on at this moment."""

    status = 409


class NotNow(Refused):
    """This process cannot work at the moment; another one, or the same one soon, can."""

    status = 503


class KeyReused(Refused):
    """The Idempotency-Key belongs to another request."""

    status = 422


def problem_of(error: BaseException, now: datetime | None = None) -> Problem | None:
    """The problem an exception stands for; None for what nobody foresaw."""
    match error:
        case RequestValidationError():
            return _of_validation(error)
        case Unauthenticated():
            headers = {"WWW-Authenticate": 'Bearer realm="saldo"'}
            return Problem(KINDS["unauthenticated"], error.message, headers=headers)
        case TooMany():
            return Problem(KINDS["rate_limited"], error.message, headers=_retry(error.after_s))
        case StillRunning():
            return Problem(KINDS["in_progress"], error.message, headers=_retry(1))
        case NotNow():
            return Problem(KINDS["try_later"], error.message, headers=_retry(_RETRY_S))
        case KeyReused():
            return Problem(KINDS["key_reused"], error.message)
        case Invalid():
            fault = {"field": error.field, "message": error.problem, "mend": error.mend}
            return Problem(KINDS["invalid"], error.message, _word(error), [fault])
        case Refused():
            return Problem(_kind_of(error), error.message, _word(error))
        case ProviderError():
            return _of_provider(error, now)
        case SaldoError():
            return Problem(_kind_of(error), "Something is not set up right on our side.")
        case HTTPException():
            kind = KINDS[_BY_STATUS.get(error.status_code, "internal")]
            return Problem(kind, _http_detail(error, kind), headers=dict(error.headers or {}))
        case _ if database_away(error):
            return Problem(
                KINDS["try_later"], "The database is restarting.", headers=_retry(_RETRY_S)
            )
        case _ if collided(error):
            return Problem(KINDS["conflict"], "The same thing was made at the same moment.")
        case _:
            return None


def unforeseen() -> Problem:
    """The answer to a mistake of ours: nothing of it is shown."""
    return Problem(KINDS["internal"], "Something went wrong on our side. It has been logged.")


def answer_for(request: Request, error: BaseException) -> Response:
    """The response to any exception; unforeseen ones are logged with their trace."""
    if isinstance(error, ClientDisconnect):
        # Whoever sent half a request has left: nobody reads this, and nothing was done.
        return Response(status_code=400)
    problem = problem_of(error, datetime.now(UTC))
    if problem is None:
        log.error(
            "api_failed",
            request_id=getattr(request.state, "request_id", ""),
            route=getattr(request.scope.get("route"), "path", ""),
            error=type(error).__name__,
            exc_info=error,
        )
        problem = unforeseen()
    elif problem.kind.status >= 500:
        log.warning(
            "api_unavailable",
            request_id=getattr(request.state, "request_id", ""),
            route=getattr(request.scope.get("route"), "path", ""),
            error=type(error).__name__,
            code=problem.kind.code,
        )
    if problem.kind.status == 405:
        problem = Problem(problem.kind, problem.detail, headers={"Allow": _allowed(request)})
    return problem.answer(request)


def install(app: FastAPI) -> None:
    """Answer every foreseen exception of this app with a problem.

    Exceptions inside a route are answered by the route itself (app/api/route.py).
    """

    async def handle(request: Request, error: Exception) -> Response:
        return answer_for(request, error)

    for kind in (SaldoError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, handle)


# ------------------------------------------------------------------ single kinds


def _kind_of(error: SaldoError) -> Kind:
    return next(KINDS[BY_ERROR[step]] for step in type(error).__mro__ if step in BY_ERROR)


def _word(error: Refused) -> str:
    """The error's own code as a word: SlugTaken -> slug_taken."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", error.code).lower()


def _of_validation(error: RequestValidationError) -> Problem:
    raw = error.errors()
    if any(one["type"] == "json_invalid" for one in raw):
        return Problem(KINDS["malformed"], "The body is not valid JSON.")
    faults = faults_of(raw)
    first = faults[0]
    more = f" ({len(faults) - 1} more in errors)" if len(faults) > 1 else ""
    return Problem(KINDS["invalid"], f"{first['field']}: {first['message']}{more}", errors=faults)


def _of_provider(error: ProviderError, now: datetime | None) -> Problem:
    kind = _kind_of(error)
    headers: dict[str, str] = {}
    if isinstance(error, TryLater):
        headers = _retry(_RETRY_S if error.after is None else error.after.total_seconds())
    elif isinstance(error, AllowanceSpent):
        wait = (error.until - now).total_seconds() if error.until and now else 3600
        headers = _retry(wait)
    reason = f" Reason: {error.reason}." if isinstance(error, Declined) else ""
    return Problem(kind, f"{kind.title}: {error.operation or 'the call'}.{reason}", headers=headers)


def _http_detail(error: HTTPException, kind: Kind) -> str:
    if kind.code == "not_found":
        return "There is nothing at this address. GET /v1/openapi.json lists every address."
    if kind.code == "method_not_allowed":
        return "This address does not know this method."
    return str(error.detail)


def _retry(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(min(max(1, math.ceil(seconds)), _LONGEST_RETRY_S))}


def _allowed(request: Request) -> str:
    """Every method that this path knows (RFC 9110, 15.5.6), as the description lists them."""
    methods: set[str] = set()
    for path, operations in request.app.openapi()["paths"].items():
        if compile_path(path)[0].match(request.url.path):
            methods |= {method.upper() for method in operations}
    return ", ".join(sorted(methods or {"GET"}))


def _base(request: Request) -> str:
    house = getattr(request.app.state, "house", None)
    return "" if house is None else str(house.settings.public_url)
