"""Webhooks of providers: verified and stored at once, acted on later by a job."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Path, Request, Response

from app.api.caller import clock_of, house_of
from app.api.route import SaldoRoute
from app.domain.errors import Invalid, Unreadable
from app.flows.providers.receive_webhook import receive_webhook
from app.ports import InboundHttp

router = APIRouter(prefix="/hooks", tags=["Webhooks"], route_class=SaldoRoute)

LARGEST_WEBHOOK = 512 * 1024
_MOST_FIELDS = 200


@router.post(
    "/{connector}",
    status_code=204,
    summary="Receive a provider's webhook",
    responses={
        403: {"description": "The signature does not verify."},
        404: {"description": "There is no such connector."},
        503: {"description": "The keys that verify the signature cannot be had. Call again."},
    },
)
async def post_hook(
    connector: Annotated[
        str, Path(pattern=r"^[a-z][a-z0-9_]{0,39}(-[a-z2-7]{12})?$", examples=["twilio"])
    ],
    request: Request,
) -> Response:
    """For providers, not for you. The address that was signed is built from SALDO_PUBLIC_URL."""
    body = await request.body()
    if len(body) > LARGEST_WEBHOOK:
        raise Invalid("body", "is larger than any webhook.", mend="Send one event at a time.")
    house = house_of(request)
    call = InboundHttp(
        url=signed_url(house.settings.public_url, request),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        form=_form(request.headers.get("content-type", ""), body),
    )
    try:
        await receive_webhook(house, clock_of(request).now(), connector, call)
    except Unreadable as error:
        raise Invalid(
            "body",
            "is signed, and says nothing that is known here.",
            mend="Send an event that the provider's documentation names.",
        ) from error
    return Response(status_code=204)


def signed_url(public_url: str, request: Request) -> str:
    """The address that the provider called: ours, never what a Host header claims."""
    raw_path = request.scope.get("raw_path") or request.url.path.encode()
    path = raw_path.decode("latin-1").partition("?")[0]
    query = request.scope.get("query_string", b"").decode("latin-1")
    return f"{public_url}{path}" + (f"?{query}" if query else "")


def _form(content_type: str, body: bytes) -> tuple[tuple[str, str], ...]:
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return ()
    try:
        return tuple(
            parse_qsl(
                body.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=False,
                max_num_fields=_MOST_FIELDS,
            )
        )
    except ValueError:
        raise Invalid(
            "body", "is not a form.", mend="Send it as application/x-www-form-urlencoded."
        ) from None
