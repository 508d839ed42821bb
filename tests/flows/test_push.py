"""Messages for the lender's app: asked for, confirmed, or sent once as a text. Never both."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert

from app.domain.errors import Conflict, NotFound
from app.domain.hold import HoldKind
from app.domain.message import Channel
from app.domain.template import Cause
from app.flows.cases.look_at_person import look_at_person
from app.flows.messages.follow_messages import follow_messages
from app.flows.messages.notice_words import Owed, Subject
from app.flows.messages.opt_out import opt_out
from app.flows.messages.push_messages import NOT_CONFIRMED, confirm_pushed, push_words
from app.flows.messages.queue_notice import Notice, queue_notice
from app.flows.work.set_hold import set_hold
from app.store.keys import new_id
from app.store.tables import strategy_steps
from tests.flows.outside import raising
from tests.flows.street import Neighbour, Street
from tests.flows.test_attempts import the_one
from tests.rig import make_lender

pytestmark = pytest.mark.anyio


async def queued(street: Street, *, app: bool = True) -> tuple[Neighbour, UUID]:
    """Somebody with the app, and a notice for it in the queue."""
    who = await street.neighbour(has_app=app)
    async with street.store.unit(street.lender_id) as unit:
        person = await look_at_person(unit, street.now, who.id)
        (due,) = person.dues
        owed = Owed(due.loan_id, due.external_ref, due.amount, due.oldest_due_on)
        wanted = Notice(
            key=uuid4(), channel=Channel.PUSH, template="first_missed",
            subject=Subject(Cause.NOTICE, (owed,), street.now.date()), case_ids=tuple(who.cases),
        )  # fmt: skip
        made = await queue_notice(unit, street.house, street.now, person, wanted)
        assert made.message_id is not None
        await unit.conn.execute(
            insert(strategy_steps).values(
                id=new_id(), lender_id=street.lender_id, borrower_id=who.id, loan_id=due.loan_id,
                case_id=due.case_id, key=uuid4(), kind="notice", name="first_missed",
                on_day=street.now.date(), due_on=due.oldest_due_on, made_at=street.now,
                message_id=made.message_id,
            )
        )  # fmt: skip
    return who, made.message_id


async def row_of(street: Street, message_id: UUID) -> Any:
    return (await street.rows("SELECT * FROM messages WHERE id = :id", id=message_id))[0]


async def confirm(street: Street, message_id: UUID) -> str:
    done = await confirm_pushed(
        street.house, street.now, lender_id=street.lender_id, message_id=message_id
    )
    return done.value


async def test_the_lenders_system_is_asked_once_and_confirms(street: Street) -> None:
    who, message_id = await queued(street)
    await street.tick()
    await street.minutes_pass(1, 5)
    asked = [call for call in await street.told() if call["type"] == "message.push_requested"]
    assert [call["data"]["message_id"] for call in asked] == [str(message_id)]
    assert asked[0]["data"]["external_ref"] == who.ref
    assert "/p/" not in str(asked), "no token of a link leaves by itself"
    words = await push_words(street.house, lender_id=street.lender_id, message_id=message_id)
    assert words.body == "Lea nuestro mensaje."
    assert "/p/" in words.link
    assert await confirm(street, message_id) == "delivered"
    assert await confirm(street, message_id) == "delivered"
    await street.minutes_pass(60, 60, 600)
    assert street.texts_to(who) == 0
    row = await row_of(street, message_id)
    assert (row.state, row.channel) == ("delivered", "push")


async def test_not_confirmed_in_time_it_goes_once_as_a_text(street: Street) -> None:
    who, message_id = await queued(street)
    await street.tick()
    await street.minutes_pass(29)
    assert street.texts_to(who) == 0
    await street.minutes_pass(2, 5, 60, 600)
    assert street.texts_to(who) == 1
    assert "lea nuestro mensaje" in street.carrier.taken[0].sms.body
    row = await row_of(street, message_id)
    assert (row.state, row.channel, row.error_code) == ("sent", "sms", NOT_CONFIRMED)
    contacts = await street.rows(
        "SELECT channel FROM contacts WHERE message_id = :id", id=message_id
    )
    assert [one.channel for one in contacts] == ["sms"], "one contact, not two"
    with pytest.raises(Conflict):
        await confirm(street, message_id)


async def test_a_confirmation_before_the_text_left_still_stops_it(street: Street) -> None:
    who, message_id = await queued(street)
    await street.tick()
    street.hands.go_on(minutes=31)
    await follow_messages(street.house, street.now, [message_id])
    assert (await row_of(street, message_id)).state == "queued"
    tried = await the_one(street)
    assert (tried["channel"], tried["outcome"], tried["to"]) == ("sms", "waiting", "")
    assert await confirm(street, message_id) == "delivered"
    assert (await the_one(street))["to"] == "the lender's app"
    await street.minutes_pass(5, 60)
    assert street.texts_to(who) == 0
    assert (await row_of(street, message_id)).channel == "push"


@pytest.mark.parametrize("round_", range(6))
async def test_the_confirmation_races_the_clock_and_one_of_them_wins(
    street: Street, round_: int
) -> None:
    who, message_id = await queued(street)
    await street.tick()
    street.hands.go_on(minutes=31)

    async def clock() -> None:
        await follow_messages(street.house, street.now, [message_id])
        await street.tick()

    async def app() -> str:
        try:
            return await confirm(street, message_id)
        except Conflict:
            return "too late"

    jobs = [clock(), app()] if round_ % 2 else [app(), clock()]
    said = next(one for one in await asyncio.gather(*jobs) if one is not None)
    await street.minutes_pass(5, 60)
    confirmed = said == "delivered"
    assert street.texts_to(who) == (0 if confirmed else 1)
    assert (await row_of(street, message_id)).state == ("delivered" if confirmed else "sent")


async def test_who_has_no_app_gets_the_text_at_once(street: Street) -> None:
    who, message_id = await queued(street, app=False)
    await street.tick()
    assert street.texts_to(who) == 1
    assert (await row_of(street, message_id)).channel == "sms"


async def test_an_app_that_is_gone_meanwhile_means_a_text(street: Street) -> None:
    who, _ = await queued(street)
    await street.rows("UPDATE borrowers SET has_app = false RETURNING id")
    await street.tick()
    await street.tick()
    assert street.texts_to(who) == 1
    assert "message.push_requested" not in street.system.events()


async def test_who_wants_none_in_the_app_is_not_asked_there(street: Street) -> None:
    who, message_id = await queued(street)
    async with street.store.unit(street.lender_id) as unit:
        await opt_out(unit, street.now, borrower_id=who.id, channel=Channel.PUSH, source="api")
    await street.tick()
    assert (await row_of(street, message_id)).state == "cancelled"
    assert "message.push_requested" not in street.system.events()


async def test_a_request_that_could_not_leave_does_not_leave_after_the_text(
    street: Street,
) -> None:
    who, _ = await queued(street)
    street.system.before = raising(TimeoutError("down"))
    await street.tick()
    await street.minutes_pass(31, 5)
    assert street.texts_to(who) == 1

    async def up() -> None:
        return None

    street.system.before = up
    await street.minutes_pass(60, 600)
    assert "message.push_requested" not in street.system.events()


async def test_without_a_number_it_ends_as_not_delivered(street: Street) -> None:
    _, message_id = await queued(street)
    await street.rows("UPDATE borrowers SET phone_enc = NULL RETURNING id")
    await street.tick()
    await street.minutes_pass(31)
    row = await row_of(street, message_id)
    assert (row.state, row.error_code) == ("undelivered", NOT_CONFIRMED)


async def test_held_meanwhile_nothing_more_leaves(street: Street) -> None:
    who, message_id = await queued(street)
    await street.tick()
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit, street.now, borrower_id=who.id, case_id=None, kind=HoldKind.DISPUTE,
            reason="wrong", ends_at=None, set_by="desk",
        )  # fmt: skip
    await street.minutes_pass(31, 5)
    assert street.texts_to(who) == 0
    assert (await row_of(street, message_id)).state == "cancelled"


async def test_the_gateway_of_the_app_gets_its_own_requests(street: Street) -> None:
    await queued(street)
    await street.rows("UPDATE lenders SET push_url = 'https://app.sol.example/p' RETURNING 1")
    await street.tick()
    await street.minutes_pass(1)
    urls = {call.url for call in street.system.calls if b"push_requested" in call.body}
    assert urls == {"https://app.sol.example/p"}


async def test_another_lender_neither_reads_nor_confirms_it(street: Street) -> None:
    _, message_id = await queued(street)
    await street.tick()
    other = await make_lender(street.store, street.now)
    with pytest.raises(NotFound):
        await push_words(street.house, lender_id=other, message_id=message_id)
    with pytest.raises(NotFound):
        await confirm_pushed(street.house, street.now, lender_id=other, message_id=message_id)


async def test_a_text_is_no_message_of_the_app(street: Street) -> None:
    who = await street.neighbour()
    await street.money_seen(who)
    await street.tick()
    message_id = await street.value("SELECT id FROM messages")
    with pytest.raises(Conflict):
        await confirm(street, message_id)
    with pytest.raises(NotFound):
        await push_words(street.house, lender_id=street.lender_id, message_id=message_id)
