"""A lender's own contract over real connectors and the sandbox: from the form to the balance."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.demo import providers
from app.domain.errors import Invalid
from app.domain.ids import UserId
from app.domain.provider_setup import Slot
from app.domain.roles import Role
from app.flows.approvals.decide_approval import Word, decide_approval
from app.flows.cases.open_cases import open_cases
from app.flows.consents.finish_bank_consent import Back
from app.flows.consents.withdraw_consent import withdraw_all
from app.flows.lenders.manage_users import add_user
from app.flows.providers.set_up_provider import ProviderSetUp, WantedSetup, set_up_provider
from app.store.embedded_setup import DatabaseUrls
from app.store.provider_setups import AccessData
from sandbox.faces import tl_wire
from sandbox.texts import DEFAULT_NUMBER, DEFAULT_SID, DEFAULT_TOKEN
from tests.flows.test_bank_modes import hours_pass, moved_in
from tests.flows.test_truelayer_way import agrees, connection
from tests.neighbourhood import SANDBOX, Neighbourhood, neighbourhood

pytestmark = pytest.mark.anyio

MINE = {"client_id": tl_wire.CLIENT_ID, "client_secret": tl_wire.CLIENT_SECRET}


@pytest.fixture
async def hood(
    db: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Neighbourhood]:
    """The operator has no access data of his own at TrueLayer: the way there, and the banks."""
    providers.write_files(["truelayer"], SANDBOX, tmp_path)
    for name, value in providers.settings_of(["truelayer"], SANDBOX, tmp_path).items():
        if "CLIENT" not in name and "CONNECTOR" not in name:
            monkeypatch.setenv(name, value)
    async with neighbourhood(db, tmp_path) as built:
        yield built
        assert built.house.book is not None
        await built.house.book.close()


async def sets_up(
    hood: Neighbourhood, admin: UserId, slot: Slot, connector: str, **values: str
) -> ProviderSetUp:
    wanted = WantedSetup(slot, connector, AccessData(values), reason="Ours.")
    made = await set_up_provider(
        hood.house, hood.now, wanted, lender_id=hood.lender_id, user_id=admin, actor="ada"
    )
    april = await add_user(
        hood.house, hood.now, lender_id=hood.lender_id, email=f"april@{slot.value}.example",
        name="April", role=Role.APPROVER, password_hash="", actor="test",
    )  # fmt: skip
    await decide_approval(
        hood.house, hood.now, lender_id=hood.lender_id, approval_id=made.proposal_id,
        user_id=april, actor="april", word=Word.APPROVE,
    )  # fmt: skip
    return made


async def test_a_day_with_a_contract_of_ones_own(hood: Neighbourhood) -> None:
    admin = await add_user(
        hood.house, hood.now, lender_id=hood.lender_id, email="ada@sol.example", name="Ada",
        role=Role.ADMIN, password_hash="", actor="test",
    )  # fmt: skip
    assert hood.house.aggregation_name == "berlin_group"
    with pytest.raises(Invalid, match="invalid_client"):
        await sets_up(hood, admin, Slot.AGGREGATION, "truelayer", **{**MINE, "client_secret": "x"})
    own = await sets_up(hood, admin, Slot.AGGREGATION, "truelayer", **MINE)
    texts = {"account_sid": DEFAULT_SID, "auth_token": DEFAULT_TOKEN, "from_number": DEFAULT_NUMBER}
    sms = await sets_up(hood, admin, Slot.MESSAGES, "twilio", **texts)

    person = await moved_in(hood, second=True)
    done = await agrees(hood, person)
    assert (done.back, done.scoring) == (Back.ACTIVE, "stored")
    assert await hood.value("SELECT connector FROM consents") == own.name
    await open_cases(hood.house, hood.now)
    await hours_pass(hood, 12)
    rows = await hood.rows("SELECT outcome FROM read_attempts")
    assert len(rows) >= 4
    assert {row.outcome for row in rows} == {"read"}
    assert connection(hood).renewed >= 2
    health = await hood.rows("SELECT DISTINCT connector FROM provider_health")
    assert [row.connector for row in health] == [own.name]
    house = await hood.house.of(hood.lender_id)
    assert house.message(sms.name) is not None
    assert (await hood.house.of(hood.lender_id)).message(sms.name) is house.message(sms.name)

    borrower_id = await hood.value("SELECT id FROM borrowers")
    await withdraw_all(
        hood.house, hood.now, lender_id=hood.lender_id, borrower_id=borrower_id, via="page"
    )
    await hours_pass(hood, 2)
    assert connection(hood).deleted
    secrets = (tl_wire.CLIENT_SECRET, DEFAULT_TOKEN)
    kept = f"{await hood.rows('SELECT * FROM provider_setups')}"
    assert not any(secret in kept for secret in secrets)
