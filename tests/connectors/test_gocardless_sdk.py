"""The vendor's own client against our sandbox: a face that only we understand proves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from nordigen import NordigenClient
from requests import HTTPError

from sandbox import psu
from sandbox.bank_list import SECRET_ID, SECRET_KEY
from sandbox.money_life import Salary, Spending
from sandbox.people import Person
from tests.connectors.scene import Scene
from tests.connectors.test_over_http import listening

pytestmark = pytest.mark.anyio

INSTITUTION = "LUZ_LUZBESMM"


async def test_the_vendors_client_walks_from_the_token_to_the_spent_allowance() -> None:
    scene = Scene()
    # The balance stands still while he reads; it has moved before.
    born = scene.watch.now() - timedelta(days=200)
    person = scene.world.add_person(
        bank_id="luz", salary=Salary(150_000), spending=Spending(), born=born
    )
    async with listening(scene.world) as origin:
        await _walk(scene, person, origin, f"{origin}/gocardless/api/v2")


async def _walk(scene: Scene, person: Person, origin: str, base: str) -> None:
    aside = asyncio.to_thread  # the vendor's client blocks
    vendor = NordigenClient(secret_key=SECRET_KEY, secret_id=SECRET_ID, base_url=base)
    pair = await aside(vendor.generate_token)
    await aside(vendor.exchange_token, pair["refresh"])
    by_name = vendor.institution.get_institution_id_by_name
    assert await aside(by_name, "ES", "Banco Luz") == INSTITUTION
    back = "https://saldo.example/back"
    session = await aside(vendor.initialize_session, back, INSTITUTION, "ours-1")
    ask = vendor.requisition.get_requisition_by_id
    found = await aside(ask, session.requisition_id)
    assert (found["status"], found["accounts"], found["reference"]) == ("CR", [], "ours-1")
    agreement = await aside(vendor.agreement.get_agreement_by_id, found["agreement"])
    assert (agreement["accepted"], agreement["access_valid_for_days"]) == (None, 90)

    page = f"{origin}/banks/luz/online/consents/{session.requisition_id}"
    assert psu.allow(scene.world, page, person) == f"{back}?ref=ours-1"
    (account_id,) = (await aside(ask, session.requisition_id))["accounts"]
    account = vendor.account_api(account_id)
    assert (await aside(account.get_metadata))["iban"] == person.iban
    assert (await aside(account.get_details))["account"]["currency"] == "EUR"
    for _ in range(4):
        said = (await aside(account.get_balances))["balances"]
        assert len({one["balanceAmount"]["amount"] for one in said}) == 1
    assert (await _refused(account.get_balances))["type"] == "RateLimitError"
    # Transactions have four reads of their own.
    moved = await aside(account.get_transactions, date_from="2026-08-25")
    amounts = [one["transactionAmount"] for one in moved["transactions"]["booked"]]
    assert {"amount": "1500.00", "currency": "EUR"} in amounts
    assert len(amounts) > 100

    await aside(vendor.requisition.delete_requisition, session.requisition_id)
    gone = await _refused(ask, session.requisition_id)
    assert gone == {"summary": "Not found.", "detail": "Not found.", "status_code": 404}
    gone = await _refused(account.get_balances)
    assert gone["summary"] == f"Account ID {account_id} not found"
    wrong = NordigenClient(secret_key="x", secret_id=SECRET_ID, base_url=base)
    assert (await _refused(wrong.generate_token))["summary"] == "Authentication failed"


async def _refused(ask: Callable[..., Any], *given: Any) -> Any:
    with pytest.raises(HTTPError) as caught:
        await asyncio.to_thread(ask, *given)
    assert caught.value.response is not None
    return caught.value.response.json()
