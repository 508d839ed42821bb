"""What the banks' handlers share: reading a request, refusing what is malformed, answering."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.banks import Bank
from sandbox.faces.bg_errors import Refusal
from sandbox.faces.bg_reads import slowed
from sandbox.ibans import is_valid
from sandbox.people import Person
from sandbox.world import World

_KINDS = ("accounts", "balances", "transactions")


def answer_json(content: Any, status: int, request_id: str, **headers: str) -> Response:
    given = {"X-Request-ID": request_id}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(orjson.dumps(content), status, given, media_type="application/json")


def origin_of(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


def needed_header(request: Request, name: str) -> str:
    value = request.headers.get(name, "").strip()
    if not value:
        raise Refusal(400, "FORMAT_ERROR", f"{name} is missing")
    return value


async def json_object(request: Request) -> dict[str, Any]:
    try:
        content = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise Refusal(400, "FORMAT_ERROR", "the body is not JSON") from None
    if not isinstance(content, dict):
        raise Refusal(400, "FORMAT_ERROR", "the body is not an object")
    return content


def iban_in(reference: Any, where: str) -> str:
    iban = reference.get("iban") if isinstance(reference, dict) else None
    if not isinstance(iban, str) or not is_valid(iban):
        raise Refusal(400, "FORMAT_ERROR", f"{where}: an IBAN is needed here")
    return iban.replace(" ", "").upper()


def text_in(content: dict[str, Any], name: str, longest: int, *, needed: bool = False) -> str:
    value = content.get(name, "")
    if not isinstance(value, str) or len(value) > longest or (needed and not value):
        raise Refusal(400, "FORMAT_ERROR", f"{name}: a text of at most {longest} characters")
    return value


def named_person(world: World, request: Request, iban: str = "") -> Person | None:
    """Who a request is about, where its IBAN or PSU-ID says so."""
    owner = world.town.owner(iban) if iban else None
    return owner or world.town.by_code(request.headers.get("psu-id", ""))


def with_faults(world: World, response: Response, person: Person | None) -> Response:
    """The answer, slowed where this person's faults say so."""
    if person is None:
        return response
    return slowed(response, world.town.settings(person.id).modes)


def waits_for_person(
    request: Request, bank: Bank, kind: str, key: str, path: str, body: dict[str, Any], sent_id: str
) -> Response:
    """201 for a consent or payment that waits for its person at the bank's own page.

    A bank with an explicit start gives the redirect only when the authorisation is started.
    """
    links = {"self": {"href": path}, "status": {"href": f"{path}/status"}}
    if bank.explicit_start:
        links["startAuthorisation"] = {"href": f"{path}/authorisations"}
    else:
        links["scaRedirect"] = {"href": _online(request, bank, kind, key)}
    return answer_json(
        {**body, "_links": links},
        201,
        sent_id,
        Location=origin_of(request) + path,
        ASPSP_SCA_Approach="REDIRECT",
        ASPSP_Notification_Support="false",
    )


def authorisation_started(
    request: Request, bank: Bank, kind: str, key: str, sent_id: str
) -> Response:
    """201 for an authorisation that was started by itself; it carries the redirect."""
    body = {
        "scaStatus": "received",
        "authorisationId": str(uuid5(NAMESPACE_URL, f"{kind}/{key}")),
        "_links": {"scaRedirect": {"href": _online(request, bank, kind, key)}},
    }
    return answer_json(body, 201, sent_id, ASPSP_SCA_Approach="REDIRECT")


def _online(request: Request, bank: Bank, kind: str, key: str) -> str:
    return f"{origin_of(request)}/banks/{bank.id}/online/{kind}/{key}"


def access_in(access: Any) -> tuple[list[str], frozenset[str]]:
    """The IBANs a consent asks for (empty: the person chooses) and which kinds are asked."""
    if not isinstance(access, dict):
        raise Refusal(400, "FORMAT_ERROR", "access is missing")
    if access.get("allPsd2") or access.get("availableAccountsWithBalance"):
        return [], frozenset(_KINDS)
    if access.get("availableAccounts"):
        return [], frozenset({"accounts"})
    ibans: list[str] = []
    for kind in _KINDS:
        references = access.get(kind, [])
        if not isinstance(references, list):
            raise Refusal(400, "FORMAT_ERROR", f"access.{kind}: a list of accounts")
        ibans += [iban_in(reference, f"access.{kind}") for reference in references]
    kinds = frozenset(_KINDS).intersection(access)
    if not kinds:
        raise Refusal(400, "FORMAT_ERROR", "access names nothing")
    return list(dict.fromkeys(ibans)), kinds


def day_in(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise Refusal(400, "FORMAT_ERROR", "validUntil: a day as YYYY-MM-DD") from None
