"""The vendor's own client against our sandbox, and its reader of webhooks against our calls."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from gocardless_pro import Client, errors, webhooks

from connectors._http import client
from sandbox import psu
from sandbox.faces.gc_wire import ACCESS_TOKEN, HOOK_SECRET, ROOT
from tests.connectors.rig_gocardless_pay import GoCardlessPayRig
from tests.connectors.test_over_http import listening

pytestmark = pytest.mark.anyio

PAYMENT: dict[str, Any] = {
    "amount": 5_000,
    "currency": "EUR",
    "description": "Cuota",
    "scheme": "sepa_credit_transfer",
    "metadata": {"reference": "SALDO-0001"},
}


async def test_the_vendors_client_walks_from_the_request_to_the_payout(tmp_path: Path) -> None:
    rig = GoCardlessPayRig(tmp_path)
    person = rig.person(opening_minor=100_000)
    aside = asyncio.to_thread  # the vendor's client blocks
    async with listening(rig.scene.world) as origin, client() as http:
        vendor = Client(access_token=ACCESS_TOKEN, base_url=f"{origin}{ROOT}/")
        # The library writes absolute paths, which would leave the face's folder.
        vendor._api_client._url_for = lambda path: f"{origin}{ROOT}{path}"
        key = {"Idempotency-Key": str(uuid4())}
        asked = {"payment_request": PAYMENT, "purpose_code": "loan"}
        made = await aside(vendor.billing_requests.create, asked, key)
        assert (made.status, made.payment_request.amount) == ("pending", 5_000)
        again = await aside(vendor.billing_requests.create, asked, key)
        assert again.id == made.id  # it fetches what the key has made before
        strict = Client(
            access_token=ACCESS_TOKEN, base_url=origin, raise_on_idempotency_conflict=True
        )
        strict._api_client._url_for = vendor._api_client._url_for
        with pytest.raises(errors.IdempotentCreationConflictError) as caught:
            await aside(strict.billing_requests.create, asked, key)
        assert caught.value.conflicting_resource_id == made.id

        chosen = {"country_code": "ES", "institution": "LUZ_LUZBESMM"}
        await aside(vendor.billing_requests.select_institution, made.id, chosen)
        page = {
            "redirect_uri": "https://saldo.example/paid",
            "exit_uri": "https://saldo.example/not-paid",
            "links": {"billing_request": made.id},
        }
        flow = await aside(vendor.billing_request_flows.create, page)
        sent_on = await http.get(flow.authorisation_url)
        psu.pay(rig.scene.world, f"{origin}{sent_on.headers['location']}", person)
        done = await aside(vendor.billing_requests.get, made.id)
        assert done.status == "fulfilled"
        with pytest.raises(errors.InvalidStateError):
            await aside(vendor.billing_requests.cancel, made.id)
        payment_id = done.links.payment_request_payment
        rig.watch.on(hours=1)
        assert (await aside(vendor.payments.get, payment_id)).status == "confirmed"
        rig.watch.on(days=1)
        paid = await aside(vendor.payments.get, payment_id)
        assert (paid.status, int(paid.amount), paid.metadata) == (
            "paid_out",
            5_000,
            {"reference": "SALDO-0001"},
        )
        unpaid = await aside(vendor.billing_requests.create, asked)
        assert (await aside(vendor.billing_requests.cancel, unpaid.id)).status == "cancelled"
        with pytest.raises(errors.InvalidApiUsageError):
            await aside(vendor.payments.get, "PM000")
        with pytest.raises(errors.ValidationFailedError):
            wrong = {"payment_request": {**PAYMENT, "amount": 0}}
            await aside(vendor.billing_requests.create, wrong)
        stranger = Client(access_token="x", base_url=origin)
        stranger._api_client._url_for = vendor._api_client._url_for
        with pytest.raises(errors.AuthenticationError):
            await aside(stranger.billing_requests.get, made.id)


async def test_the_vendors_reader_takes_our_sandboxs_calls(tmp_path: Path) -> None:
    rig = GoCardlessPayRig(tmp_path)
    person = rig.person(opening_minor=100_000)
    begun = await rig.payments.create_payment(rig.order(person))
    rig.pay(begun, person)
    (call,) = rig.news()
    signature = call.headers["Webhook-Signature"]
    parsed = webhooks.parse(bytearray(call.body), HOOK_SECRET, signature)
    assert [(one.resource_type, one.action) for one in parsed] == [
        ("billing_requests", "fulfilled"),
        ("payments", "submitted"),
    ]
    events = await rig.hooks_over(None).read_webhooks(call)
    assert [one.event_id for one in events] == [one.id for one in parsed]
    with pytest.raises(errors.InvalidSignatureError):
        webhooks.parse(bytearray(call.body), "guessed", signature)
