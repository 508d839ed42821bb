"""What the operator learns of lenders' own providers: whose, and which cannot be used."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.commands.doctor_database import check_own
from app.domain.ids import LenderId
from app.domain.provider_setup import Slot
from app.flows.providers.change_provider import put_in_force
from app.reports.providers import every_provider
from app.settings import Settings
from app.store.provider_setups import AccessData, add_setup, fresh_name
from app.store.unit import Store
from tests.rig import make_lender

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)
TOKEN = "a-token-of-the-lender"


async def has(store: Store, **values: str) -> LenderId:
    """A lender whose texts go through an account at SMSAPI."""
    lender_id = await make_lender(store, NOW)
    async with store.unit(lender_id) as unit:
        setup_id = await add_setup(
            unit,
            NOW,
            slot=Slot.MESSAGES,
            name=fresh_name("smsapi"),
            connector="smsapi",
            data=AccessData({"token": TOKEN, **values}),
            shown={},
            made_by="ada",
        )
        await put_in_force(unit, NOW, setup_id, actor="ada")
    return lender_id


async def test_the_doctor_names_what_cannot_be_used(store: Store) -> None:
    await has(store, sender="Sol")
    (fine,) = await check_own(Settings(), store)
    assert (fine.check, fine.verdict.value) == ("own providers", "ok")
    lender_id = await has(store)
    (found,) = await check_own(Settings(), store)
    assert found.verdict.value == "wrong"
    assert str(lender_id) in found.what
    async with store.engine_unit() as unit:
        listed = await every_provider(unit)
    assert [one["state"] for one in listed] == ["in_force", "in_force"]
    assert TOKEN not in f"{listed} {found}"
