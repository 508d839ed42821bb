"""Enable Banking's face and requests against what the vendor and others say."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from enablebanking_sdk.constants import PSUType
from enablebanking_sdk.service import EnableBankingIntegration, EnableBankingService

from app.domain.errors import AllowanceSpent
from app.domain.ids import Iban, Secret
from app.pay_ports import PaymentHandle
from connectors.enable_banking.signer import ISSUER
from sandbox import psu
from sandbox.faces.eb_wire import APP_ID, ROOT, customer_key
from tests.connectors.registry import refused
from tests.connectors.rig_enable_banking import EnableBankingRig
from tests.connectors.scene import HERE, ORIGIN, Scene
from tests.connectors.test_eb_transactions import moved_since
from tests.connectors.test_over_http import listening
from tests.connectors.test_specs import problems
from tests.specs.openapi import Spec

pytestmark = pytest.mark.anyio


@pytest.fixture
def rig(tmp_path: Path) -> EnableBankingRig:
    return EnableBankingRig(tmp_path)


async def test_exchanges_fit_the_vendors_description(rig: EnableBankingRig) -> None:
    folder = os.environ.get("SALDO_SPECS_DIR", "")
    if not folder:
        # The vendor's description may not be copied into the project.
        pytest.skip("SALDO_SPECS_DIR names no folder with enable-banking.yaml")
    person = rig.person(opening_minor=100_000, limit_minor=50_000, second=True)
    for iban in (None, Iban.parse(person.iban)):
        begun = await rig.begin(iban=iban, transactions=iban is None)
        rig.allow(begun, person)
        grant = await rig.back(begun)
        await rig.aggregation.grant_now(grant)
        (account,) = await rig.aggregation.accounts(grant, HERE)
        await rig.aggregation.balances(grant, account.ref, HERE)
        await moved_since(rig, grant, account.ref)
        with pytest.raises(AllowanceSpent):
            for _ in range(5):
                rig.watch.on(minutes=10)
                await rig.aggregation.balances(grant, account.ref, None)
        await rig.aggregation.end_consent(grant)
        await refused(rig.aggregation.balances(grant, account.ref, None))
        rig.watch.on(days=1)
        paid = await rig.payments.create_payment(rig.order(person, instant=iban is None))
        await rig.payments.payment_now(paid.handle)
        rig.pay(paid, person)
        await rig.payments.payment_now(paid.handle)
    other = PaymentHandle("luz", Secret("no-such-payment"))
    await refused(rig.payments.payment_now(other))
    spec = Spec(Path(folder) / "enable-banking.yaml")
    assert len(rig.seen) > 20
    assert problems(spec, rig.seen, ROOT) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_client_written_by_others_walks_through_the_face(tmp_path: Path) -> None:
    """An independent client (enablebanking-sdk) signs, opens a session, reads and closes."""
    scene = Scene()
    person = scene.world.add_person(opening_minor=12_345)
    async with listening(scene.world) as origin:
        service = EnableBankingService(
            EnableBankingIntegration(f"{origin}{ROOT}", APP_ID, customer_key().decode())
        )
        spain = await asyncio.to_thread(service.get_aspsps, "ES", PSUType.PERSONAL)
        luz = next(bank for bank in spain if bank.name == "Banco Luz")
        scene.watch.at = datetime.now(scene.watch.at.tzinfo) + timedelta(minutes=1)
        begun = await asyncio.to_thread(
            service.start_user_session, luz, "st", "https://a.example/c/back", "es",
            PSUType.PERSONAL,
        )  # fmt: skip
        back = psu.allow(scene.world, begun.url, person)
        brought = dict(parse_qsl(urlsplit(back).query))
        assert brought.pop("state") == "st"
        opened = await asyncio.to_thread(service.authorize_user_session, brought["code"])
        (account,) = opened.accounts
        assert account.account_id is not None
        assert account.account_id.iban == person.iban
        read = await asyncio.to_thread(service.get_account_balances, account.uid)
        assert {one.balance_amount.amount for one in read.balances} == {123.45}
        await asyncio.to_thread(service.delete_user_session, opened.session_id, {})


async def test_the_face_refuses_a_token_that_is_not_ours(rig: EnableBankingRig) -> None:
    wrong = [
        {},
        {"Authorization": "Bearer a.b.c"},
        {"Authorization": "Bearer " + jwt.encode({"iss": ISSUER}, customer_key(), "RS256")},
    ]
    http = rig.scene.wire().http
    for headers in wrong:
        answer = await http.get(f"{ORIGIN}{ROOT}/application", headers=headers)
        assert answer.status_code == 401
