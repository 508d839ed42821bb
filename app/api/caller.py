"""Who calls: the API key of a lender's system, checked at every request, and its pace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api.pace import Pace
from app.api.problems import Unauthenticated
from app.clock import Clock
from app.domain.ids import LenderId
from app.flows.house import House
from app.flows.lenders.make_key import KEY_PURPOSE
from app.store.api_callers import key_owner

_LONGEST_KEY = 200

bearer = HTTPBearer(
    scheme_name="ApiKey",
    bearerFormat="sk_…",
    description="An API key of one lender, made with `saldo key create`. It sees this lender only.",
    auto_error=False,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """A lender's system with a valid key. `now` is business time at the start of the call."""

    house: House
    lender_id: LenderId
    key_id: UUID
    actor: str
    now: datetime


def house_of(request: Request) -> House:
    """What the flows need; put there by app/main.py."""
    house: House = request.app.state.house
    return house


def clock_of(request: Request) -> Clock:
    """The business clock."""
    clock: Clock = request.app.state.clock
    return clock


async def identify(request: Request, token: str | None) -> Caller:
    """The caller behind a token. Raises `Unauthenticated` and `TooMany`.

    The answer is kept on the request, so that asking twice costs one look-up.
    """
    known: Caller | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    house = house_of(request)
    if not token or len(token) > _LONGEST_KEY or not token.isascii():
        raise Unauthenticated("Send a valid API key: Authorization: Bearer sk_…")
    key_hash = house.store.vault.digest(KEY_PURPOSE, token)
    async with house.store.engine_unit() as unit:
        owner = await key_owner(unit, house.real_now(), key_hash)
    if owner is None:
        raise Unauthenticated("This API key is unknown or revoked.")
    _pace_of(request).count(owner.key_id)
    caller = Caller(
        house, owner.lender_id, owner.key_id, f"api {owner.prefix}", clock_of(request).now()
    )
    request.state.caller = caller
    return caller


def token_of(request: Request) -> str | None:
    """The bearer token of a request, if it has one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


async def caller(
    request: Request,
    _shown: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
) -> Caller:
    """The dependency of every route of the API."""
    return await identify(request, token_of(request))


ByKey = Annotated[Caller, Depends(caller)]


def _pace_of(request: Request) -> Pace:
    pace: Pace = request.app.state.pace
    return pace
