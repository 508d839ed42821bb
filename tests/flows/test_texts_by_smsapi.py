"""Texts through SMSAPI's own wire: nobody can search it, and it takes no key twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial

import httpx
import pytest

from app.boundary import guard
from app.ports import Wire
from connectors._http import client
from connectors.smsapi.messages import SmsapiMessages
from connectors.smsapi.settings import Settings
from sandbox.app import create
from sandbox.modes import Mode
from sandbox.texts import DEFAULT_SENDER, DEFAULT_TOKEN
from sandbox.world import World
from tests.flows.killing import one_for_each_death
from tests.flows.street import Neighbour, Street
from tests.flows.test_texts_never_twice import RECOVERY, Text, deliver, many_texts, queued

pytestmark = pytest.mark.anyio

URL = "http://127.0.0.1:8210/smsapi"


@dataclass
class Exchange:
    """The street with SMSAPI's face at the other end of it."""

    street: Street
    world: World
    http: httpx.AsyncClient

    def connect(self, **settings: object) -> None:
        hands = self.street.hands
        given = {"token": DEFAULT_TOKEN, "sender": DEFAULT_SENDER, "base_url": URL, **settings}
        wire = Wire(self.http, lambda: hands.now, lambda: hands.real)
        port = SmsapiMessages(Settings.model_validate(given), wire)
        house = self.street.house
        self.street.house = replace(
            house,
            messages={"smsapi": guard(port, "smsapi")},
            settings=house.settings.model_copy(update={"message_connector": "smsapi"}),
        )

    async def queued(self, *modes: Mode) -> Neighbour:
        """Somebody for whom a text is queued, and what goes wrong at SMSAPI with it."""
        who = await queued(self.street)
        self._known(who, *modes)
        return who

    async def many_texts(self, count: int) -> list[Text]:
        """Texts of so many people, queued and due."""
        texts = await many_texts(self.street, count)
        for one in texts:
            self._known(one.who)
        return texts

    def _known(self, who: Neighbour, *modes: Mode) -> None:
        person = self.world.add_person(phone=who.phone)
        for mode in modes:
            self.world.set_mode(person.id, mode)

    def texts_to(self, who: Neighbour) -> int:
        return sum(sms.to == who.phone for sms in self.world.texts.all())


@pytest.fixture
async def exchange(street: Street) -> AsyncIterator[Exchange]:
    world = World(now=lambda: street.hands.now)
    async with client(transport=httpx.ASGITransport(create(world))) as http:
        made = Exchange(street, world, http)
        made.connect(idx_memory_hours=720)
        yield made


async def looks_planned(street: Street, who: Neighbour) -> int:
    query = "SELECT count(next_look_at) FROM messages WHERE borrower_id = :id"
    return int(await street.value(query, id=who.id))


async def test_a_lost_answer_is_one_text_and_known_as_sent(exchange: Exchange) -> None:
    street = exchange.street
    for mode in (Mode.SMS_ANSWER_LOST, Mode.SMS_ERROR_AFTER, Mode.SMS_ERROR_BEFORE):
        who = await exchange.queued(mode)
        await street.tick()
        assert await street.states("messages", who) == ["unknown"]
        assert exchange.texts_to(who) == (mode is not Mode.SMS_ERROR_BEFORE)
        await street.minutes_pass(*RECOVERY, 11)
        named = mode is Mode.SMS_ERROR_BEFORE  # a text known by its key alone cannot be asked after
        assert await street.states("messages", who) == ["delivered" if named else "sent"]
        assert exchange.texts_to(who) == 1
        assert await looks_planned(street, who) == 0
        assert await street.tasks(who) == []


async def test_without_a_known_memory_a_person_is_told(exchange: Exchange) -> None:
    exchange.connect()
    street = exchange.street
    who = await exchange.queued(Mode.SMS_ANSWER_LOST)
    await street.tick()
    await street.minutes_pass(*RECOVERY)
    assert await street.states("messages", who) == ["failed"]
    assert exchange.texts_to(who) == 1
    assert await street.tasks(who) == ["sms_outcome_unknown"]


@pytest.mark.long
async def test_one_text_wherever_the_sending_process_dies(exchange: Exchange) -> None:
    street = exchange.street
    await street.without_webhooks()
    deaths = one_for_each_death(street, exchange.many_texts, partial(deliver, street))
    dead = [one.who async for one in deaths]
    assert len(dead) > 4, "the killer must have had something to do"
    await street.minutes_pass(*RECOVERY)
    for number, who in enumerate(dead):
        assert exchange.texts_to(who) == 1, f"death number {number}"
        (state,) = await street.states("messages", who)
        assert state in ("sent", "delivered"), f"death number {number}"
        assert await street.tasks(who) == []
