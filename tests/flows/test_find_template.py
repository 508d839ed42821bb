from __future__ import annotations

import pytest
from sqlalchemy import insert, text

from app.domain.errors import NotFound
from app.domain.message import Channel
from app.domain.template import Template
from app.flows.messages.find_template import find_template
from app.store.keys import new_id
from app.store.tables import templates
from app.store.unit import Store
from tests.flows.street import Street, make_street
from tests.rig import make_lender

pytestmark = pytest.mark.anyio

OWN = "{{lender}}: our own words {{link}} STOP"


@pytest.fixture
async def street(store: Store) -> Street:
    return await make_street(store)


async def plant(street: Street, language: str, state: str, number: int = 1, **more: object) -> None:
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(
            insert(templates).values(
                id=new_id(), name="first_missed", channel="sms", language=language, number=number,
                state=state, body=OWN, made_by="test", made_at=street.now,
                **{"lender_id": street.lender_id, **more},
            )
        )  # fmt: skip


async def found(street: Street, language: str, channel: Channel = Channel.SMS) -> Template:
    async with street.store.unit(street.lender_id) as unit:
        return await find_template(unit, street.house, "first_missed", channel, language)


async def test_what_shipped_is_in_force_from_the_start(street: Street) -> None:
    template = await found(street, "pl")
    assert (template.language, template.id) == ("pl", "first_missed/1")


@pytest.mark.parametrize("state", ["draft", "proposed", "retired"])
async def test_only_a_published_edition_counts(street: Street, state: str) -> None:
    await plant(street, "es", state)
    assert (await found(street, "es")).id == "first_missed/1"
    await plant(street, "es", "published", 2)
    template = await found(street, "es")
    assert (template.id, template.body) == ("first_missed/own-2", OWN)
    assert (await found(street, "es", Channel.EMAIL)).id == "first_missed/1"


async def test_an_unknown_language_falls_back_to_the_lenders_and_then_to_english(
    street: Street,
) -> None:
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE lenders SET language = 'pl'"))
    assert (await found(street, "fr")).language == "pl"
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE lenders SET language = 'de'"))
    assert (await found(street, "fr")).language == "en"
    await plant(street, "fr", "published")
    assert (await found(street, "fr")).own


async def test_another_lenders_words_are_never_found(street: Street) -> None:
    other = await make_lender(street.store, street.now)
    await plant(street, "es", "published", lender_id=other)
    assert (await found(street, "es")).id == "first_missed/1"
    async with street.store.engine_unit() as unit:
        for lender_id, own in ((other, True), (street.lender_id, False)):
            template = await find_template(
                unit, street.house, "first_missed", Channel.SMS, "es", lender_id=lender_id
            )
            assert template.own is own


async def test_a_name_that_nobody_wrote_is_not_found(street: Street) -> None:
    async with street.store.unit(street.lender_id) as unit:
        with pytest.raises(NotFound, match="second_thoughts"):
            await find_template(unit, street.house, "second_thoughts", Channel.SMS, "es")
