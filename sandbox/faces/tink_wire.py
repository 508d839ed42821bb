"""Tink's words: its errors, its tokens, its way of writing amounts and instants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.balances import Said
from sandbox.banks import Bank, LimitWord
from sandbox.world import World

CLIENT_ID = "7d1c0b2e9f5a4c6d8e3b1a0f2c4d6e8a"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105 - opens nothing but the sandbox on this machine
_TOKEN_LIVES = timedelta(minutes=30)
_CODE_LIVES = timedelta(hours=1)
# Tink Link's own id, for which a code is made that its pages use.
TINK_LINK = "df05e4b379934cd09963197cc855bfe9"


class No(Exception):
    """A request that is refused."""

    def __init__(
        self, status: int, code: str, words: str = "", *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.words = words
        self.headers = headers or {}

    def answer(self) -> Response:
        """The refusal as it goes out."""
        return answer_json(
            {"errorCode": self.code, "errorMessage": self.words}, self.status, self.headers
        )


def answer_json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


async def form_in(request: Request) -> dict[str, str]:
    """The fields of a form. Raises `No`."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise No(415, "unsupported_media_type")
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace")))


async def json_in(request: Request) -> dict[str, Any]:
    """The body as an object. Raises `No`."""
    try:
        content = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise No(400, "bad_request", "a JSON object is needed")
    return content


# ---------------------------------------------------------------- tokens and codes


@dataclass(frozen=True, slots=True)
class Right:
    """What a token or a code allows: for which user (none: the application itself), and what."""

    user_id: str
    scopes: frozenset[str]
    until: datetime


class Rights:
    """Tokens and codes, in memory alone: a restart of the sandbox makes clients ask anew."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tokens: dict[str, Right] = {}
        self._codes: dict[str, Right] = {}

    def code(self, user_id: str, scope: str) -> str:
        """A code that works once."""
        return self._put(self._codes, user_id, scope, _CODE_LIVES)

    def spend(self, code: str) -> Right:
        """What a code allows; it is used up. Raises `No`."""
        found = self._codes.pop(code, None)
        if found is None or self._world.now() >= found.until:
            raise No(400, "oauth.invalid_grant", "the code is used, old or unknown")
        return found

    async def token(self, request: Request) -> Response:
        """POST /oauth/token."""
        given = await form_in(request)
        if (given.get("client_id"), given.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise No(401, "oauth.client_unauthorized", "unknown client")
        match given.get("grant_type"):
            case "client_credentials":
                user_id, scope = "", given.get("scope", "")
            case "authorization_code":
                right = self.spend(given.get("code", ""))
                user_id, scope = right.user_id, ",".join(sorted(right.scopes))
            case _:
                raise No(400, "oauth.unsupported_grant_type")
        token = self._put(self._tokens, user_id, scope, _TOKEN_LIVES)
        seconds = int(_TOKEN_LIVES.total_seconds())
        body = {"access_token": token, "token_type": "bearer", "expires_in": seconds}
        return answer_json({**body, "scope": scope, "id_hint": None})

    def of(self, request: Request, *scopes: str, user: bool = False) -> str:
        """The user behind the token of a call. Raises `No` unless it allows all of `scopes`."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        right = self._tokens.get(token) if scheme.lower() == "bearer" else None
        if right is None or self._world.now() >= right.until:
            raise No(401, "unauthorized", "the token is missing, old or unknown")
        if not right.scopes.issuperset(scopes) or bool(right.user_id) is not user:
            raise No(403, "forbidden", "the token does not allow this")
        return right.user_id

    def _put(self, where: dict[str, Right], user_id: str, scope: str, lives: timedelta) -> str:
        made = uuid4().hex
        where[made] = Right(user_id, frozenset(scope.split(",")), self._world.now() + lives)
        return made


# ---------------------------------------------------------------- amounts


def amount(minor: int, currency: str) -> dict[str, Any]:
    """An amount of the balances endpoint."""
    value = {"scale": 2, "unscaledValue": minor}
    return {"amount": {"currencyCode": currency, "value": value, "valueInMinorUnit": minor}}


def listed_amount(minor: int, currency: str) -> dict[str, Any]:
    """An amount of the list of accounts, whose numbers are strings."""
    value = {"scale": "2", "unscaledValue": str(minor)}
    return {"amount": {"currencyCode": currency, "value": value}}


def instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch_ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def sorted_out(said: list[Said], bank: Bank) -> dict[str, int]:
    """What a bank says in Tink's three words.

    A bank that says nothing of credit and documents that there is none in it is believed; of all
    other silent ones Tink takes the available balance for one with credit.
    """
    found: dict[str, int] = {}
    for one in said:
        if one.kind == "interimBooked" or (
            one.kind == "closingBooked" and "bookedBalance" not in found
        ):
            found["bookedBalance"] = one.minor
        elif one.kind in ("interimAvailable", "expected", "forwardAvailable"):
            silent = one.limit_included is None
            own = one.limit_included is False or (silent and bank.limit_word is LimitWord.NEVER)
            name = "availableBalanceExcludingCredit" if own else "availableBalanceIncludingCredit"
            found.setdefault(name, one.minor)
    return found
