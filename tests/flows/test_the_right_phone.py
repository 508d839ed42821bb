"""A text reaches the person's phone of this moment, and nobody who does not want it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.domain.errors import OutcomeUnknown
from app.domain.ids import Phone
from app.domain.message import Channel
from app.domain.roles import Role
from app.domain.task import TaskOutcome
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.lenders.manage_users import add_user
from app.flows.messages.opt_out import opt_in, opt_out
from app.flows.work.work_task import finish_task, take_task
from tests.flows.street import BORN, Neighbour, Street

pytestmark = pytest.mark.anyio

NIGHT = datetime(2026, 3, 3, 21, 30, tzinfo=UTC)
OTHER = "+34699999999"


async def delivered_again(street: Street, who: Neighbour, phone: str) -> None:
    """The lender's system sends the person once more, with this number."""
    wanted = BorrowerWanted(
        external_ref=who.ref,
        name="Ana Núñez",
        country="ES",
        language="es",
        phone=Phone.parse(phone),
        birth_date=BORN,
    )
    await register_borrower(street.house, street.now, street.lender_id, wanted)


async def nothing() -> None:
    """The carrier takes texts again."""


def numbers(street: Street) -> list[str]:
    return [sent.sms.to.reveal() for sent in street.carrier.taken]


async def test_a_text_goes_to_the_number_of_the_moment_it_leaves(street: Street) -> None:
    street.hands.now = NIGHT
    who = await street.neighbour()
    await street.money_seen(who)
    await street.tick()
    assert await street.states("messages", who) == ["queued"]
    await delivered_again(street, who, OTHER)
    await street.days_pass(0.6, minutes=120)
    assert numbers(street) == [OTHER]
    # A lost answer would be looked up at that number, too.
    stored = (await street.rows("SELECT id, to_enc FROM messages"))[0]
    async with street.store.unit(street.lender_id) as unit:
        assert unit.open("messages.to_enc", stored.id, stored.to_enc) == OTHER


async def test_a_text_that_came_back_goes_to_the_new_number(street: Street) -> None:
    """The number changed while the answer was lost; the text had never left."""
    who = await street.neighbour()
    await street.money_seen(who)
    await street.work_off()

    async def lost() -> None:
        raise OutcomeUnknown("cut")

    street.carrier.before = lost
    await street.tick()
    assert await street.states("messages", who) == ["unknown"]
    street.carrier.before = nothing
    await delivered_again(street, who, OTHER)
    await street.minutes_pass(2, 2, 2, 2)
    assert numbers(street) == [OTHER]


@pytest.mark.parametrize("later", [False, True])
async def test_a_stop_is_the_phones_whatever_name_it_has(street: Street, *, later: bool) -> None:
    """The same person under two references: registered so, or the number came afterwards."""
    one = await street.neighbour()
    two = await (street.neighbour() if later else street.neighbour(phone=one.phone))
    async with street.store.unit(street.lender_id) as unit:
        await opt_out(unit, street.now, borrower_id=one.id, channel=Channel.SMS, source="page")
    if later:
        await delivered_again(street, two, one.phone)
    await street.money_seen(two)
    await street.tick()
    assert numbers(street) == []
    assert "opted_out" in await street.tasks(two)


async def test_a_stop_counts_although_another_of_the_same_phone_said_it_before(
    street: Street,
) -> None:
    one = await street.neighbour()
    two = await street.neighbour(phone=one.phone)
    async with street.store.unit(street.lender_id) as unit:
        for who in (one, two):
            assert await opt_out(
                unit, street.now, borrower_id=who.id, channel=Channel.SMS, source="page"
            )
        await opt_in(unit, street.now, borrower_id=one.id, channel=Channel.SMS, source="api")
    await street.money_seen(one)
    await street.tick()
    assert numbers(street) == []


async def test_another_number_is_not_silenced(street: Street) -> None:
    one, two = await street.neighbour(), await street.neighbour()
    async with street.store.unit(street.lender_id) as unit:
        await opt_out(unit, street.now, borrower_id=one.id, channel=Channel.SMS, source="page")
    await street.money_seen(two)
    await street.tick()
    assert numbers(street) == [two.phone]


async def wrong_number(street: Street, who: Neighbour) -> None:
    """A collector rings, and somebody else answers."""
    user_id = await add_user(
        street.house,
        street.now,
        lender_id=street.lender_id,
        email="pat@sol.example",
        name="Pat",
        role=Role.COLLECTOR,
        password_hash="",
        actor="test",
    )
    task_id = await street.value(
        "SELECT id FROM tasks WHERE borrower_id = :id AND state = 'open'", id=who.id
    )
    mine = {"lender_id": street.lender_id, "task_id": task_id, "user_id": user_id, "actor": "pat"}
    await take_task(street.house, street.now, **mine)
    await finish_task(street.house, street.now, outcome=TaskOutcome.WRONG_NUMBER, **mine)


@pytest.mark.parametrize(("phone", "reached"), [("", False), (OTHER, True)])
async def test_a_wrong_number_does_not_come_back(
    street: Street, phone: str, *, reached: bool
) -> None:
    """The lender's system sends the same number every night until it is put right there."""
    who = await street.neighbour()
    await street.money_seen(who)
    await street.tick()
    await street.days_pass(3, minutes=360)
    await wrong_number(street, who)
    before = len(street.carrier.taken)
    await delivered_again(street, who, phone or who.phone)
    await delivered_again(street, who, phone or who.phone)
    street.hands.go_on(days=10)
    await street.money_seen_again(who)
    await street.tick()
    await street.days_pass(0.5, minutes=120)
    assert numbers(street)[before:] == ([OTHER] if reached else [])
