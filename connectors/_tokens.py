"""Tokens that end: how they are read, how long they serve, and a request under one."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeGuard

import httpx

from connectors._exchange import Call

# Wrong credentials and addresses that are not let in are mended by a person, not by asking again.
REFUSED_WAIT = timedelta(minutes=10)
_HEADER_SAFE = re.compile(r"[\x21-\x7e]{1,8000}")
_LONGEST_SECONDS = 10**8

Answer = tuple[httpx.Response, Call]


def is_token(value: object) -> TypeGuard[str]:
    """Whether a token or a code can travel in a header, a form and an address."""
    return isinstance(value, str) and _HEADER_SAFE.fullmatch(value) is not None


def token_in(document: object, name: str) -> str | None:
    """A token or a code of an answer."""
    value = document.get(name) if isinstance(document, dict) else None
    return value if is_token(value) else None


def life_in(document: object, name: str) -> timedelta:
    """How long a token serves by its answer; nothing where that is not stated."""
    stated = document.get(name) if isinstance(document, dict) else None
    if isinstance(stated, bool) or not isinstance(stated, int):
        return timedelta(0)
    return timedelta(seconds=max(0, min(stated, _LONGEST_SECONDS)))


def unauthorised(answer: httpx.Response) -> bool:
    """Whether it is the token that was refused."""
    return answer.status_code == httpx.codes.UNAUTHORIZED


async def renewed_once(
    token: Callable[[str], Awaitable[str]],
    send: Callable[[str], Awaitable[Answer]],
    refused: Callable[[httpx.Response], bool] = unauthorised,
) -> Answer:
    """The answer to a request under a token, which is renewed once when it is refused at the door.

    `token` gives one that is not the one in its argument. What was refused there was not done, so
    that it may be sent again; a second refusal is the caller's to judge.
    """
    held = await token("")
    answer, call = await send(held)
    if refused(answer):
        answer, call = await send(await token(held))
    return answer, call
