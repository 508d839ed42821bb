"""The aggregator's token desk: pairs for the right secrets, at most a hundred an hour."""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from sandbox.bank_list import SECRET_ID, SECRET_KEY
from sandbox.faces.gocardless_errors import Fault, answer_json, json_object
from sandbox.world import World

_ACCESS, _REFRESH = timedelta(hours=24), timedelta(days=30)
_TOKENS_AN_HOUR = 100

Handler = Callable[[Request], Awaitable[Response]]


class TokenDesk:
    """Tokens say themselves until when they are good, so that a restart forgets none."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made: deque[datetime] = deque(maxlen=_TOKENS_AN_HOUR)

    def _token(self, kind: str, lives: timedelta) -> str:
        ends = int((self._world.now() + lives).timestamp())
        body = f"{kind}.{ends}.{uuid4().hex}"
        return f"{body}.{self._mark(body)}"

    def _mark(self, body: str) -> str:
        key = f"gocardless {self._world.town.begin.seed}".encode()
        return hmac.new(key, body.encode(), sha256).hexdigest()

    def _good(self, token: str, kind: str) -> bool:
        body, _, mark = token.rpartition(".")
        parts = body.split(".")
        if len(parts) != 3 or parts[0] != kind or not hmac.compare_digest(mark, self._mark(body)):
            return False
        return self._world.now().timestamp() < int(parts[1])

    async def new(self, request: Request) -> Response:
        content = await json_object(request)
        now = self._world.now()
        full = len(self._made) == _TOKENS_AN_HOUR and now - self._made[0] < timedelta(hours=1)
        if full:
            wait = max(1, round((self._made[0] + timedelta(hours=1) - now).total_seconds()))
            raise Fault(
                429,
                "Rate limit exceeded",
                f"The rate limit for this resource is {_TOKENS_AN_HOUR}/hour. "
                f"Please try again in {wait} seconds",
            )
        if (content.get("secret_id"), content.get("secret_key")) != (SECRET_ID, SECRET_KEY):
            words = "No active account found with the given credentials"
            raise Fault(401, "Authentication failed", words)
        self._made.append(now)
        return answer_json(
            {
                "access": self._token("access", _ACCESS),
                "access_expires": int(_ACCESS.total_seconds()),
                "refresh": self._token("refresh", _REFRESH),
                "refresh_expires": int(_REFRESH.total_seconds()),
            }
        )

    async def refresh(self, request: Request) -> Response:
        content = await json_object(request)
        if not self._good(str(content.get("refresh", "")), "refresh"):
            raise Fault(401, "Invalid token", "Token is invalid or expired")
        return answer_json(
            {
                "access": self._token("access", _ACCESS),
                "access_expires": int(_ACCESS.total_seconds()),
            }
        )

    def inside(self, handler: Handler) -> Handler:
        async def inside(request: Request) -> Response:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme != "Bearer" or not self._good(token, "access"):
                raise Fault(401, "Invalid token", "Token is invalid or expired")
            return await handler(request)

        return inside
