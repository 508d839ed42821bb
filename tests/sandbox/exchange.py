"""One side of the SMS exchange each: the customer whose webhooks are called, and who asks it."""

from __future__ import annotations

from urllib.parse import parse_qsl

import httpx

from sandbox.faces.twilio_calls import Caller
from tests.sandbox.rig import Town

ROOT = "/twilio/2010-04-01/Accounts"
STATUS_URL = "http://saldo.test/hooks/status?x=1"
INBOUND_URL = "http://saldo.test/hooks/in"


class Customer(httpx.AsyncBaseTransport):
    """The customer's webhooks: keeps what came, answers as told."""

    def __init__(self) -> None:
        self.came: list[tuple[str, list[tuple[str, str]], str | None]] = []
        self.status = 204
        self.down = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("nobody listens")
        form = parse_qsl(request.content.decode(), keep_blank_values=True)
        self.came.append((str(request.url), form, request.headers.get("x-twilio-signature")))
        return httpx.Response(self.status, request=request)

    def statuses(self) -> list[str]:
        return [dict(form).get("MessageStatus", "") for _, form, _ in self.came]


class Line:
    """The exchange of one town and its customer."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.customer = Customer()
        self.caller = Caller(town.world, httpx.AsyncClient(transport=self.customer))
        town.world.texts.set_inbound_url(INBOUND_URL)

    async def later(self, **by: float) -> list[str]:
        self.town.clock.forward(**by)
        await self.caller.make_due_calls()
        return self.customer.statuses()


async def fetch(town: Town, sid: str) -> httpx.Response:
    account = town.world.texts.account
    return await town.http.get(
        f"{ROOT}/{account.sid}/Messages/{sid}.json", auth=(account.sid, account.token)
    )


async def listed(town: Town, **query: str) -> httpx.Response:
    account = town.world.texts.account
    named = {name.replace("_lt", "<").replace("_gt", ">"): value for name, value in query.items()}
    return await town.http.get(
        f"{ROOT}/{account.sid}/Messages.json", params=named, auth=(account.sid, account.token)
    )
