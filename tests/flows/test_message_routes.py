"""Two providers on the way to one number, and never one text by both."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest

from app.boundary import guard
from app.domain.errors import Misconfigured, OutcomeUnknown, TryLater
from app.flows.messages.deliver_messages import deliver_messages
from tests.flows.killing import one_for_each_death
from tests.flows.outside import Carrier, raising
from tests.flows.street import Neighbour, Street
from tests.flows.test_texts_never_twice import RECOVERY, deliver, many_texts, message_id, queued

pytestmark = pytest.mark.anyio

DOWN = raising(TryLater("HTTP 503"))


@pytest.fixture
async def second(street: Street) -> Carrier:
    """The second choice for Spanish numbers; the street's own carrier is the first."""
    carrier = Carrier()

    async def watched() -> None:
        await street.carrier.watch()

    carrier.watch = watched
    street.house = replace(
        street.house,
        messages={**street.house.messages, "vonage": guard(carrier, "vonage")},
        settings=street.house.settings.model_copy(update={"message_routes": "ES=twilio,vonage"}),
    )
    await street.without_webhooks()
    return carrier


def copies(street: Street, second: Carrier, who: Neighbour) -> tuple[int, int]:
    """How many texts to this phone each of the two took."""
    by_second = sum(sent.sms.to.reveal() == who.phone for sent in second.taken)
    return street.texts_to(who), by_second


async def test_the_second_steps_in_when_the_first_surely_took_nothing(
    street: Street, second: Carrier
) -> None:
    who = await queued(street)
    street.carrier.before = DOWN
    await street.minutes_pass(0, 2)
    assert copies(street, second, who) == (0, 0)
    await street.minutes_pass(2, 2)
    assert copies(street, second, who) == (0, 1)
    row = (await street.rows("SELECT connector, missed, bound, state FROM messages"))[0]
    assert tuple(row) == ("vonage", 2, True, "sent")
    assert second.taken[0].sms.status_url.endswith("/hooks/vonage")
    # The first is well again: others go by it, this one nowhere.
    street.carrier.before = Carrier().before
    other = await queued(street)
    await street.minutes_pass(0, 2, 2)
    assert copies(street, second, other) == (1, 0)
    assert copies(street, second, who) == (0, 1)


async def test_a_lost_answer_ties_it_to_the_first_for_good(street: Street, second: Carrier) -> None:
    who = await queued(street)
    street.carrier.after = raising(OutcomeUnknown("the answer was lost"))
    await street.minutes_pass(0)
    assert copies(street, second, who) == (1, 0)
    # He has it, but the provider's search does not show it and then the provider goes down.
    street.carrier.finds_nothing = True
    street.carrier.before = DOWN
    await street.minutes_pass(2, 2, 2, 2, 2, 2)
    row = (await street.rows("SELECT connector, missed > 2 AS often, bound FROM messages"))[0]
    assert tuple(row) == ("twilio", True, True)
    assert copies(street, second, who) == (1, 0)


async def test_a_fault_of_ours_gives_it_to_nobody_else(street: Street, second: Carrier) -> None:
    who = await queued(street)
    street.carrier.after = raising(Misconfigured("twilio", "cannot be read", "Look at it."))
    ids = [await message_id(street, who)]
    with suppress(BaseExceptionGroup, Misconfigured):
        await deliver_messages(street.house, street.now, ids)
    row = (await street.rows("SELECT state, connector, bound FROM messages"))[0]
    assert tuple(row) == ("queued", "twilio", True)
    assert copies(street, second, who) == (1, 0)


@pytest.mark.long
async def test_never_both_wherever_the_process_dies(street: Street, second: Carrier) -> None:
    """Somebody else for each point of death; then the first is down and shows nothing it took."""
    ready, act = partial(many_texts, street), partial(deliver, street)
    dead = [one.who async for one in one_for_each_death(street, ready, act)]
    assert len(dead) > 6, "the killer must have had something to do"
    street.carrier.before = DOWN
    street.carrier.finds_nothing = True
    await street.minutes_pass(*RECOVERY, 2, 2)
    came = [copies(street, second, who) for who in dead]
    assert [point for point, both in enumerate(came, start=1) if sum(both) > 1] == []
    assert (0, 1) in came, "who died before the claim is free to go by the second"
    assert (1, 0) in came
