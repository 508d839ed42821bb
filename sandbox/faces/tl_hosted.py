"""TrueLayer's hosted page, on which a payment begins: it takes the payer on to his bank.

What it has to know stands behind the `#` of its address, which a browser sends to no server: a
script of the page hands it over. Without script there is no way on, as at the vendor.
"""

from __future__ import annotations

from hmac import compare_digest
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faces.bank_pages import touch
from sandbox.faces.pages import is_robot, page, see_other
from sandbox.faces.tl_wire import HOSTED, resource_token
from sandbox.world import World

_PAGE = f"{HOSTED}/payments"


class HostedPage:
    """The page over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        return [
            Route(_PAGE, self._open, methods=["GET"]),
            Route(_PAGE, self._go_on, methods=["POST"]),
        ]

    async def _open(self, request: Request) -> Response:
        if not is_robot(request):
            touch(self._world.paths.presence)
        return page("tl_hosted.html", wrong="")

    async def _go_on(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        token, back = form.get("resource_token", ""), form.get("return_uri", "")
        payment_id = form.get("payment_id", "")
        found = next((p for p in self._world.payments.all() if p.id == payment_id), None)
        if found is None or not compare_digest(token.encode(), resource_token(found.id).encode()):
            return page("tl_hosted.html", 404, wrong="There is no such payment.")
        if urlsplit(back).scheme not in ("http", "https"):
            return page("tl_hosted.html", 422, wrong="This page has nowhere to go back to.")
        # The vendor goes back to addresses that are registered; here every one is.
        found.redirect_url = found.refused_url = f"{back}?{urlencode({'payment_id': found.id})}"
        self._world.store.put("payment", found.id, found)
        return see_other(f"/banks/{found.bank_id}/online/payments/{found.id}")
