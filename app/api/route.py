"""The route of every API address: problems for all errors, and `Idempotency-Key` on POST.

Parameters that an address does not know are refused as unknown fields of a body are: a filter
that was misspelt would answer with everybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

import structlog
from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from app.api.caller import Caller, identify, token_of
from app.api.problems import KeyReused, StillRunning, answer_for
from app.domain.errors import Invalid
from app.store import idempotency
from app.store.idempotency import StoredAnswer

log = structlog.get_logger("api")

HEADER: Final = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,200}\Z", re.ASCII)
_NAME = re.compile(r"[\w.-]{1,60}\Z", re.ASCII)
_KEPT_HEADERS = ("content-type", "location")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

NOT_KEPT: Final = "x-saldo-answer-not-kept"
"""Mark of an operation whose answer must not be stored anywhere, not even sealed."""


class SaldoRoute(APIRoute):
    """Answers every exception with a problem; a POST with a key is done once."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        known = frozenset(_parameters(self.dependant))
        # Providers and probes add what they like to the addresses that they call.
        strict = self.path.startswith("/v1") and self.include_in_schema
        once = "POST" in (self.methods or ()) and not (self.openapi_extra or {}).get(NOT_KEPT)

        async def answer(request: Request) -> Response:
            try:
                if strict:
                    await _refuse_others(request, known)
                keyed = once and HEADER in request.headers
                response = await (_once(request, handle) if keyed else handle(request))
            except Exception as error:  # noqa: BLE001 - the edge: every error becomes an answer
                response = answer_for(request, error)
            # Answers hold people's data: nothing on the way keeps a copy.
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return answer


def _parameters(dependant: Dependant) -> Iterator[str]:
    """The names of the query parameters of an operation and of all that it depends on."""
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _parameters(inner)


async def _refuse_others(request: Request, known: frozenset[str]) -> None:
    """Raises `Invalid` for a parameter that is not among `known`; nobody else is told of them."""
    other = next((name for name in request.query_params if name not in known), None)
    if other is None:
        return
    await identify(request, token_of(request))
    mend = f"Use: {', '.join(sorted(known))}." if known else "Leave it out."
    field = other if _NAME.match(other) else "query"
    raise Invalid(field, "is no parameter of this address.", mend=mend)


async def _once(request: Request, handle: Handler) -> Response:
    """Claim the key, do the work, keep the answer. A second call gets what the first one got.

    Answers of 500 and more are not kept: nothing is known to have happened, so that the same
    call may be made again. Neither are bodies that never fitted the schema.
    """
    key = _key_of(request)
    caller = await identify(request, token_of(request))
    body = await request.body()
    operation = f"{request.method} {request.url.path}"
    # Keyed: the body may hold a birth date, which anybody can try out against a plain hash.
    digest = caller.house.store.vault.digest(
        "idempotency_request", request.url.query.encode() + b"\n" + body
    )
    claimed_at = caller.house.real_now()
    async with caller.house.store.unit(caller.lender_id) as unit:
        claim = await idempotency.claim(
            unit, claimed_at, key=key, operation=operation, request_hash=digest
        )
    if claim.other_request:
        raise KeyReused("This Idempotency-Key was used for another request.")
    if claim.running:
        raise StillRunning("The first call with this Idempotency-Key has not ended yet.")
    if claim.answer is not None:
        return _again(claim.answer)
    kept = False
    try:
        response = await _answered(request, handle)
        if response is not None and response.status_code < 500:
            await _keep(caller, key, response)
            kept = True
    finally:
        if not kept:
            async with caller.house.store.unit(caller.lender_id) as unit:
                await idempotency.release(unit, key=key, created_at=claimed_at)
    return response


async def _answered(request: Request, handle: Handler) -> Response:
    try:
        return await handle(request)
    except RequestValidationError:
        raise
    except Exception as error:  # noqa: BLE001 - a refusal is an answer too, and is kept
        return answer_for(request, error)


async def _keep(caller: Caller, key: str, response: Response) -> None:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    stored = StoredAnswer(response.status_code, bytes(response.body).decode(), headers)
    async with caller.house.store.unit(caller.lender_id) as unit:
        await idempotency.keep(unit, key=key, answer=stored)


def _again(stored: StoredAnswer) -> Response:
    headers = {**stored.headers, "Cache-Control": "no-store", "Idempotency-Replayed": "true"}
    return Response(stored.body, stored.status, headers=headers)


def _key_of(request: Request) -> str:
    key = request.headers[HEADER].strip()
    if not _KEY.match(key):
        raise Invalid(HEADER, "has 1 to 200 printable ASCII characters without spaces.")
    return key
