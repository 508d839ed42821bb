"""The outside world as one ASGI application, for tests in-process and for the demo over HTTP."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.banks import BY_ID
from sandbox.faces.bank_pages import BankPages
from sandbox.faces.berlin_group import BerlinGroup
from sandbox.faces.bg_signature import Gate
from sandbox.faces.control import Control
from sandbox.faces.enable_banking import EnableBanking
from sandbox.faces.gc_pay import GoCardlessPay
from sandbox.faces.gocardless import GoCardless
from sandbox.faces.infobip import Infobip
from sandbox.faces.mailboxes import Mailboxes
from sandbox.faces.pages import ROOT, see_other
from sandbox.faces.phones import Phones
from sandbox.faces.plaid import Plaid
from sandbox.faces.smsapi import Smsapi
from sandbox.faces.tink import Tink
from sandbox.faces.truelayer import TrueLayer
from sandbox.faces.twilio import Twilio
from sandbox.faces.unnax import Unnax
from sandbox.faces.vonage import Vonage
from sandbox.faces.wire import SERVER_SEND
from sandbox.world import World

_SCRIPT = "text/javascript"
_STATIC = {"sandbox.css": "text/css", "phone.js": _SCRIPT, "hosted.js": _SCRIPT}


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        return Response("not found", 404)
    return FileResponse(ROOT / "static" / name, media_type=_STATIC[name])


async def _front(_: Request) -> Response:
    return see_other("/phones")


def create(world: World, extra: list[BaseRoute] | None = None) -> ASGIApp:
    """The whole sandbox over one world. Balance reads take a short way past the router."""
    face, gate = BerlinGroup(world), Gate(world)
    routes: list[BaseRoute] = [
        *face.routes(),
        *BankPages(world).routes(),
        *EnableBanking(world).routes(),
        *GoCardless(world).routes(),
        *GoCardlessPay(world).routes(),
        *Plaid(world).routes(),
        *Tink(world).routes(),
        *TrueLayer(world).routes(),
        *Twilio(world).routes(),
        *Unnax(world).routes(),
        *Infobip(world).routes(),
        *Smsapi(world).routes(),
        *Vonage(world).routes(),
        *Phones(world).routes(),
        *Mailboxes(world).routes(),
        *Control(world).routes(),
        Route("/static/{name}", _static),
        Route("/", _front),
        *(extra or []),
    ]
    routed = Starlette(routes=routes)

    async def sandbox(scope: Scope, receive: Receive, send: Send) -> None:
        scope[SERVER_SEND] = send
        path: str = scope.get("path", "")
        if path.startswith("/banks/"):
            passed = await gate.passed(scope, receive, send)
            if passed is None:
                return
            receive = passed
            parts = path.split("/")
            if (
                scope.get("method") == "GET"
                and len(parts) == 8
                and parts[2] in BY_ID
                and parts[3:6] == ["psd2", "v1", "accounts"]
                and parts[7] == "balances"
            ):
                await face.reads.asgi(scope, receive, send)
                return
        await routed(scope, receive, send)

    return sandbox
