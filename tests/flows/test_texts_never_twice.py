"""No text twice: a process that dies anywhere, answers that are lost, two at the same work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from app.domain.errors import Declined, OutcomeUnknown, TryLater
from app.domain.message import Channel
from app.flows.messages.deliver_messages import deliver_messages, plan_messages
from app.flows.messages.follow_messages import follow_messages
from app.flows.messages.opt_out import opt_out
from app.flows.providers.receive_webhook import receive_webhook
from app.flows.signals.decide_signals import decide_signals
from app.ports import OPTED_OUT, DeliveryState, InboundHttp
from tests.flows.killing import dies, one_for_each_death
from tests.flows.outside import raising
from tests.flows.street import MORNING, Neighbour, Street

pytestmark = pytest.mark.anyio

# Long enough for every sweep to find what a dead process left, twice over.
RECOVERY = (2, 2, 2, 6)


async def queued(street: Street, **wanted: Any) -> Neighbour:
    """Somebody for whom a text is queued and due."""
    return (await many_queued(street, 1, **wanted))[0]


async def many_queued(street: Street, count: int, **wanted: Any) -> list[Neighbour]:
    """So many of them."""
    street.hands.now = MORNING
    people = await street.neighbours(count, **wanted)
    for who in people:
        await street.money_seen(who)
    await street.work_off()
    for who in people:
        assert await street.states("messages", who) == ["queued"]
    return people


async def message_id(street: Street, who: Neighbour) -> Any:
    return await street.value("SELECT id FROM messages WHERE borrower_id = :id", id=who.id)


@dataclass(frozen=True, slots=True)
class Text:
    """Somebody's one text."""

    who: Neighbour
    id: UUID


async def many_texts(street: Street, count: int) -> list[Text]:
    """Texts of so many people, queued and due."""
    people = await many_queued(street, count)
    return [Text(who, await message_id(street, who)) for who in people]


async def deliver(street: Street, one: Text) -> None:
    await deliver_messages(street.house, street.now, [one.id])


@pytest.mark.parametrize(
    ("every_statement", "least"), [(False, 5), pytest.param(True, 30, marks=pytest.mark.long)]
)
async def test_one_text_wherever_the_sending_process_dies(
    street: Street, *, every_statement: bool, least: int
) -> None:
    """Somebody else for each point of death; then everybody's sweeps together."""
    await street.without_webhooks()
    ready, act = partial(many_texts, street), partial(deliver, street)
    deaths = one_for_each_death(street, ready, act, every_statement=every_statement)
    dead = [one.who async for one in deaths]
    assert len(dead) > least, "the killer must have had something to do"
    await street.minutes_pass(*RECOVERY)
    for point, who in enumerate(dead, start=1):
        assert street.texts_to(who) == 1, f"death at point {point}"
        assert await street.states("messages", who) == ["sent"], f"death at point {point}"
        assert await street.tasks(who) == []


async def test_one_text_wherever_the_planning_process_dies(street: Street) -> None:
    await street.without_webhooks()
    dead: list[Neighbour] = []
    while True:
        dead.append(await queued(street))
        if not await dies(street, len(dead), plan_messages(street.house, street.now)):
            break
    await street.minutes_pass(*RECOVERY)
    assert [street.texts_to(who) for who in dead] == [1] * len(dead)


@pytest.mark.long
async def test_one_text_wherever_the_looking_up_process_dies(street: Street) -> None:
    await street.without_webhooks()

    async def lost(count: int) -> list[Text]:
        texts = await many_texts(street, count)
        street.carrier.after = raising(OutcomeUnknown("the answer was lost"))
        await deliver_messages(street.house, street.now, [one.id for one in texts])
        street.carrier.after = _nothing
        street.hands.go_on(minutes=3)
        return texts

    async def look_up(one: Text) -> None:
        await follow_messages(street.house, street.now, [one.id])

    dead = [one.who async for one in one_for_each_death(street, lost, look_up)]
    assert len(dead) > 4
    await street.minutes_pass(*RECOVERY)
    for point, who in enumerate(dead, start=1):
        assert street.texts_to(who) == 1, f"death at point {point}"
        assert await street.states("messages", who) == ["sent"], f"death at point {point}"


@pytest.mark.long
async def test_one_text_wherever_the_deciding_process_dies(street: Street) -> None:
    await street.without_webhooks()

    async def seen(count: int) -> list[tuple[Neighbour, UUID]]:
        people = await street.neighbours(count)
        return [(who, await street.money_seen(who)) for who in people]

    async def decide(one: tuple[Neighbour, UUID]) -> None:
        await decide_signals(street.house, street.now, [one[1]])

    dead = [one[0] async for one in one_for_each_death(street, seen, decide)]
    assert len(dead) > 3
    await street.minutes_pass(6, *RECOVERY)
    assert [street.texts_to(who) for who in dead] == [1] * len(dead)


async def test_two_workers_with_the_same_job_send_once(street: Street) -> None:
    who = await queued(street)
    ids = [await message_id(street, who)]
    both = asyncio.Event()

    async def wait_for_the_other() -> None:
        await both.wait()

    street.carrier.before = wait_for_the_other
    first = asyncio.create_task(deliver_messages(street.house, street.now, ids))
    second = asyncio.create_task(deliver_messages(street.house, street.now, ids))
    done, _ = await asyncio.wait({first, second}, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    assert len(done) == 1, "one of them found the row taken and went away"
    both.set()
    came = [await first, await second]
    assert sorted(one.sent for one in came) == [0, 1]
    assert street.texts_to(who) == 1


async def test_twenty_jobs_at_once_send_each_text_once(street: Street) -> None:
    people = [await queued(street) for _ in range(6)]
    ids = [await message_id(street, who) for who in people]
    await asyncio.gather(
        *(deliver_messages(street.house, street.now, ids[n % 6 :] + ids[: n % 6]) for n in range(8))
    )
    assert [street.texts_to(who) for who in people] == [1] * 6


async def test_an_answer_lost_after_the_carrier_took_it(street: Street) -> None:
    who = await queued(street)
    street.carrier.after = raising(OutcomeUnknown("the answer was lost"))
    await street.tick()
    assert await street.states("messages", who) == ["unknown"]
    assert street.texts_to(who) == 1
    left = street.now
    await street.minutes_pass(*RECOVERY)
    assert await street.states("messages", who) == ["sent"]
    assert street.texts_to(who) == 1
    # It left when it was taken, not when somebody found out: a stop in between is no breach.
    assert await street.value("SELECT sent_at FROM messages") == left


async def test_an_answer_lost_before_the_carrier_took_it(street: Street) -> None:
    who = await queued(street)
    kept, street.carrier.before = street.carrier.before, raising(OutcomeUnknown("lost"))
    await street.tick()
    street.carrier.before = kept
    assert street.texts_to(who) == 0
    # Not there a minute later proves nothing: it may still appear at the carrier.
    await street.minutes_pass(1.5)
    assert await street.states("messages", who) == ["unknown"]
    await street.minutes_pass(*RECOVERY)
    assert await street.states("messages", who) == ["sent"]
    assert street.texts_to(who) == 1


async def test_surely_not_sent_goes_back_through_the_last_look(street: Street) -> None:
    who = await queued(street)
    kept, street.carrier.before = street.carrier.before, raising(TryLater("429"))
    await street.tick()
    assert await street.states("messages", who) == ["queued"]
    await street.repaid(who, "cash")
    street.carrier.before = kept
    await street.minutes_pass(*RECOVERY)
    assert street.texts_to(who) == 0
    assert await street.states("messages", who) == ["cancelled"]
    assert await street.value("SELECT cancel_reason FROM messages") == "paid"


async def test_nobody_can_tell_whether_it_left(street: Street) -> None:
    who = await queued(street)
    street.carrier.after = raising(OutcomeUnknown("the answer was lost"))
    street.carrier.before_find = raising(OutcomeUnknown("too many texts to look through"))
    await street.tick()
    await street.minutes_pass(*RECOVERY)
    assert await street.states("messages", who) == ["failed"]
    assert await street.tasks(who) == ["sms_outcome_unknown"]
    assert street.texts_to(who) == 1
    # It may have left: it counts as a contact, and its link works.
    counted = await street.value("SELECT count(*) FROM contacts WHERE borrower_id = :id", id=who.id)
    assert counted == 1
    assert await street.states("payment_links", who) == ["live"]


async def test_a_process_that_slept_after_its_claim_sends_nothing(street: Street) -> None:
    who = await queued(street)
    with _sleeping_after_commit(street, seconds=30):
        await deliver_messages(street.house, street.now, [await message_id(street, who)])
    assert street.texts_to(who) == 0
    await street.minutes_pass(*RECOVERY)
    assert street.texts_to(who) == 1


@contextmanager
def _sleeping_after_commit(street: Street, *, seconds: float) -> Iterator[None]:
    """Every commit of the app's pool takes this long: the process is stopped behind it."""

    def stop(*_: Any) -> None:
        street.hands.go_on(seconds=seconds)

    engine = street.store._app.sync_engine
    event.listen(engine, "commit", stop)
    try:
        yield
    finally:
        event.remove(engine, "commit", stop)


async def test_an_answer_that_comes_when_the_text_is_queued_again(street: Street) -> None:
    """The process stops inside the call for minutes; the carrier does not show the text yet."""
    who = await queued(street)
    one = await message_id(street, who)

    async def long_silence() -> None:
        street.carrier.after = _nothing
        street.carrier.finds_nothing = True
        for _ in range(3):
            street.hands.go_on(minutes=2)
            await follow_messages(street.house, street.now, [one])
        assert await street.states("messages", who) == ["queued"]

    street.carrier.after = long_silence
    await deliver_messages(street.house, street.now, [one])
    assert await street.states("messages", who) == ["sent"]
    street.carrier.finds_nothing = False
    await street.minutes_pass(*RECOVERY)
    assert street.texts_to(who) == 1


async def _nothing() -> None:
    return None


async def test_a_receipt_overtakes_the_answer(street: Street) -> None:
    who = await queued(street)

    async def receipt_first() -> None:
        sent = street.carrier.taken[-1]
        sent.state = DeliveryState.DELIVERED
        await hook(street, {"id": "e1", "kind": "message_status", "ref": sent.ref})
        await street.work_off()

    street.carrier.after = receipt_first
    await street.tick()
    assert await street.states("messages", who) == ["delivered"]
    await hook(street, {"id": "e1", "kind": "message_status", "ref": "SM1"})
    await street.minutes_pass(*RECOVERY)
    assert await street.states("messages", who) == ["delivered"]
    assert street.texts_to(who) == 1


async def hook(street: Street, said: dict[str, Any], *, signature: str = "good") -> bool:
    """The carrier calls us; True when the event was new."""
    call = InboundHttp(
        "https://pay.sol.example/hooks/twilio", {"signature": signature}, json.dumps(said).encode()
    )
    return (await receive_webhook(street.house, street.now, "twilio", call)).new


async def test_stop_while_the_text_is_on_its_way_out(street: Street) -> None:
    who = await queued(street)

    async def he_says_stop() -> None:
        async with street.store.unit(street.lender_id) as unit:
            await opt_out(unit, street.now, borrower_id=who.id, channel=Channel.SMS, source="sms")

    street.carrier.before = he_says_stop
    await street.tick()
    assert await street.states("messages", who) == ["sent"]
    street.hands.go_on(hours=30)
    await street.money_seen_again(who)
    await street.minutes_pass(*RECOVERY)
    assert street.texts_to(who) == 1
    assert "opted_out" in await street.tasks(who)


async def test_stop_while_the_carrier_says_try_later(street: Street) -> None:
    who = await queued(street)

    async def stop_and_busy() -> None:
        async with street.store.unit(street.lender_id) as unit:
            await opt_out(unit, street.now, borrower_id=who.id, channel=Channel.SMS, source="sms")
        raise TryLater("429")

    street.carrier.before = stop_and_busy
    await street.tick()
    street.carrier.before = _nothing
    await street.minutes_pass(*RECOVERY)
    assert street.texts_to(who) == 0
    assert await street.value("SELECT cancel_reason FROM messages") == "opted_out"


async def test_a_refusal_because_he_said_stop_to_the_carrier(street: Street) -> None:
    who = await queued(street)
    street.carrier.before = raising(Declined("21610", reason=OPTED_OUT))
    await street.tick()
    assert await street.states("messages", who) == ["failed"]
    assert await street.tasks(who) == ["opted_out"]
    assert await street.value("SELECT source FROM opt_outs") == "provider"
    assert await street.states("payment_links", who) == ["withdrawn"]


async def test_a_wrong_number_is_a_task(street: Street) -> None:
    who = await queued(street)
    street.carrier.before = raising(Declined("21211", reason="number_invalid"))
    await street.tick()
    assert await street.tasks(who) == ["sms_blocked"]


async def test_a_text_that_never_arrives_is_a_task(street: Street) -> None:
    who = await queued(street)
    await street.tick()
    sent = street.carrier.taken[-1]
    sent.state, sent.reason = DeliveryState.UNDELIVERED, "30003"
    await hook(street, {"id": "e1", "kind": "message_status", "ref": sent.ref})
    await street.tick()
    assert await street.states("messages", who) == ["undelivered"]
    assert await street.tasks(who) == ["sms_undelivered"]
    # Its link runs out later: one task for the same thing is enough.
    await street.days_pass(1.2, minutes=120)
    assert await street.tasks(who) == ["sms_undelivered"]
