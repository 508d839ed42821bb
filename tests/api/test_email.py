"""A borrower's e-mail address over the API: taken, shown masked, and refused when it is none."""

from __future__ import annotations

import hashlib
import hmac

import httpx
import pytest
from fastapi import FastAPI

from app.flows.house import House
from tests.api.conftest import BORROWER, System, client_of

pytestmark = pytest.mark.anyio


async def test_it_is_taken_and_shown_masked(sol: System) -> None:
    given = {**BORROWER, "email": " Ana.Nunez@Correo.Example "}
    made = await sol.http.post("/v1/borrowers", json=given)
    assert made.status_code == 201, made.text
    assert made.json()["email_masked"] == "A•••@correo.example"
    kept = await sol.http.post("/v1/borrowers", json=BORROWER)
    assert kept.json()["email_masked"] == "A•••@correo.example"
    assert "Ana.Nunez" not in (await sol.http.get("/v1/borrowers")).text


async def test_another_lender_does_not_see_it(sol: System, luna: System) -> None:
    await sol.http.post("/v1/borrowers", json={**BORROWER, "email": "ana@correo.example"})
    await luna.http.post("/v1/borrowers", json=BORROWER)
    assert (await luna.http.get("/v1/borrowers/C-1")).json()["email_masked"] is None


@pytest.mark.parametrize(
    "wrong",
    [
        "ana", "ana@", "@correo.example", "ana@correo", "a b@correo.example", "ana@-correo.example",
        "ana@correo.example\nBcc: x@y.example", "añá@correo.example", "ana..b@correo.example",
        ".ana@correo.example", "Ana <ana@correo.example>", "", "a" * 250 + "@correo.example",
    ],
)  # fmt: skip
async def test_what_is_no_address_is_refused_by_name(sol: System, wrong: str) -> None:
    answer = await sol.http.post("/v1/borrowers", json={**BORROWER, "email": wrong})
    assert answer.status_code == 422
    assert "email" in answer.text


async def test_an_email_can_be_stopped_through_the_api(sol: System) -> None:
    await sol.register()
    answer = await sol.http.put("/v1/borrowers/C-1/opt-outs/email")
    assert answer.json()["channel"] == "email"


async def test_without_a_mail_server_there_is_no_hook_for_bounces(
    house: House, app: FastAPI, bare: httpx.AsyncClient
) -> None:
    assert not house.carries_email()
    assert (await bare.post("/hooks/smtp", content=b"x")).status_code == 404


async def test_a_bounce_has_to_be_signed(house: House, app: FastAPI) -> None:
    import connectors
    from app.ports import Wire

    connector = connectors.discover()["smtp"]
    assert connector.emails is not None
    secret = "thirty-two letters and some more.."
    settings = connector.settings.model_validate(
        {"host": "127.0.0.1", "security": "none", "from_address": "m@pay.example.com",
         "bounce_secret": secret}
    )  # fmt: skip
    wire = Wire(httpx.AsyncClient(), house.real_now, house.real_now)
    house.emails["smtp"] = connector.emails(settings, wire)  # type: ignore[index]
    body = b"Subject: I am on holiday\r\n\r\nBack on Monday."
    stamp = str(int(house.real_now().timestamp()))
    async with client_of(app) as http:
        unsigned = await http.post("/hooks/smtp", content=body)
        signed = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256)
        headers = {"saldo-timestamp": stamp, "saldo-signature": f"v1={signed.hexdigest()}"}
        no_bounce = await http.post("/hooks/smtp", content=body, headers=headers)
    assert (unsigned.status_code, no_bounce.status_code) == (403, 422)
