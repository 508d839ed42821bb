"""E-mails leave like texts do, once, to the address he has now; what comes back is heard."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.domain.errors import Declined, OutcomeUnknown, TryLater
from app.domain.message import Channel
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.lenders.stop_switch import set_switch
from app.flows.messages.opt_out import opt_out
from app.flows.providers.receive_webhook import receive_webhook
from app.ports import ADDRESS_INVALID, InboundHttp
from app.store.brakes import Brake
from tests.flows.mailbox import ADDRESS, give_address, queue_email
from tests.flows.outside import raising
from tests.flows.street import PUBLIC, Neighbour, Street

pytestmark = pytest.mark.anyio


async def waiting(street: Street, **person: Any) -> tuple[Neighbour, UUID, str]:
    """Somebody with an address and an e-mail in the queue, about money just seen."""
    who = await street.neighbour(**person)
    await give_address(street, who)
    signal_id = await street.money_seen(who)
    message_id, token = await queue_email(street, who, signal_id)
    return who, message_id, token


async def state(street: Street, message_id: UUID) -> str:
    return str(await street.value("SELECT state FROM messages WHERE id = :id", id=message_id))


async def bounce(street: Street, number: str = "1", **said: Any) -> None:
    mail = street.post.taken[-1]
    body = {"id": number, "ref": street.post.ref_of(mail), "state": "undelivered", **said}
    call = InboundHttp("https://x", {"signature": "good"}, json.dumps(body).encode())
    await receive_webhook(street.house, street.now, "smtp", call)
    await street.work_off()


async def test_it_leaves_once_to_the_address_he_has_now(street: Street) -> None:
    who, message_id, token = await waiting(street)
    await street.tick()
    await street.minutes_pass(5, 60, 600)
    (mail,) = street.post.taken
    assert mail.to.reveal() == ADDRESS
    assert mail.subject == "Un mensaje de Sol"
    assert mail.stop_url == f"{PUBLIC}/p/{token}/stop/email"
    assert mail.sender_name
    assert await state(street, message_id) == "sent"
    counted = await street.rows(
        "SELECT channel FROM contacts WHERE message_id = :id", id=message_id
    )
    assert [row.channel for row in counted] == ["email"]
    assert who.phone not in mail.body


async def test_nobody_looks_for_it_where_nobody_can_be_asked(street: Street) -> None:
    _, message_id, _ = await waiting(street)
    await street.tick()
    row = (await street.rows("SELECT * FROM messages WHERE id = :id", id=message_id))[0]
    assert row.next_look_at is None
    assert row.connector == "smtp"
    assert row.provider_ref == street.post.ref_of(street.post.taken[0])


async def test_a_lost_answer_is_never_sent_again(street: Street) -> None:
    _, message_id, _ = await waiting(street)
    street.post.after = raising(OutcomeUnknown("lost"))
    await street.tick()
    assert await state(street, message_id) == "unknown"
    await street.minutes_pass(1, 1, 1, 5, 60, 600)
    assert await state(street, message_id) == "failed"
    assert len(street.post.taken) == 1


@pytest.mark.parametrize("minutes", [(1,), (1, 1, 1, 5)])
async def test_a_bounce_is_understood_where_the_answer_was_lost(
    street: Street, minutes: tuple[int, ...]
) -> None:
    who, message_id, _ = await waiting(street)
    street.post.after = raising(OutcomeUnknown("lost"))
    await street.tick()
    await street.minutes_pass(*minutes)
    gave_up = await state(street, message_id) == "failed"
    await bounce(street, permanent=True, reason="5.1.1")
    assert await state(street, message_id) == ("failed" if gave_up else "undelivered")
    assert await street.value("SELECT email_enc FROM borrowers WHERE id = :id", id=who.id) is None
    lines = await street.rows("SELECT kind FROM timeline WHERE borrower_id = :id", id=who.id)
    assert [row.kind for row in lines].count("email_dead") == 1
    await bounce(street, "2", permanent=True, reason="5.1.1")
    lines = await street.rows("SELECT kind FROM timeline WHERE borrower_id = :id", id=who.id)
    assert [row.kind for row in lines].count("email_dead") == 1


async def test_what_surely_did_not_leave_is_tried_again(street: Street) -> None:
    _, message_id, _ = await waiting(street)
    street.post.before = raising(TryLater("451"))
    await street.tick()
    assert await state(street, message_id) == "queued"

    async def fine() -> None:
        return None

    street.post.before = fine
    await street.minutes_pass(5)
    assert await state(street, message_id) == "sent"
    assert len(street.post.taken) == 1


async def test_a_dead_address_is_given_up_and_texts_go_on(street: Street) -> None:
    who, message_id, _ = await waiting(street)
    street.post.before = raising(Declined("SMTP 550", reason=ADDRESS_INVALID))
    await street.tick()
    assert await state(street, message_id) == "failed"
    assert await street.value("SELECT email_enc FROM borrowers WHERE id = :id", id=who.id) is None
    assert "no_way_to_reach" not in await street.tasks(who)
    lines = await street.rows("SELECT kind FROM timeline WHERE borrower_id = :id", id=who.id)
    assert "email_dead" in {row.kind for row in lines}


async def test_the_lenders_system_does_not_bring_a_dead_address_back(street: Street) -> None:
    who, _, _ = await waiting(street)
    await street.tick()
    await bounce(street, permanent=True, reason="5.1.1")
    wanted = {"external_ref": who.ref, "name": "Ana Núñez", "country": "ES", "language": "es"}
    for address, kept in ((ADDRESS, False), ("ana.nueva@correo.example", True)):
        given = BorrowerWanted(**wanted, email=address)  # type: ignore[arg-type]
        await register_borrower(street.house, street.now, street.lender_id, given)
        found = await street.value("SELECT email_enc FROM borrowers WHERE id = :id", id=who.id)
        assert (found is not None) is kept, address


@pytest.mark.parametrize(("permanent", "dead"), [(True, True), (False, False)])
async def test_a_bounce_ends_the_address_only_when_it_is_dead(
    street: Street, permanent: bool, dead: bool
) -> None:
    who, message_id, _ = await waiting(street)
    await street.tick()
    await bounce(street, permanent=permanent, reason="5.1.1" if permanent else "5.2.2")
    assert await state(street, message_id) == "undelivered"
    found = await street.value("SELECT email_enc FROM borrowers WHERE id = :id", id=who.id)
    assert (found is None) is dead


async def test_a_bounce_of_an_older_address_does_not_end_the_new_one(street: Street) -> None:
    who, _, _ = await waiting(street)
    await street.tick()
    await give_address(street, who, "new@correo.example")
    await bounce(street, permanent=True, reason="5.1.1")
    assert await street.value("SELECT email_enc FROM borrowers WHERE id = :id", id=who.id)


@pytest.mark.parametrize("lost", ["phone_enc = NULL", "phone_doubted_at = now()"])
async def test_a_person_is_told_when_no_way_is_left(street: Street, lost: str) -> None:
    who, _, _ = await waiting(street)
    await street.tick()
    await street.rows(f"UPDATE borrowers SET {lost} WHERE id = :id RETURNING id", id=who.id)
    await bounce(street, permanent=True, reason="5.1.1")
    await bounce(street, "2", permanent=True, reason="5.1.1")
    assert (await street.tasks(who)).count("no_way_to_reach") == 1


async def test_delivered_is_the_last_word(street: Street) -> None:
    _, message_id, _ = await waiting(street)
    await street.tick()
    await bounce(street, state="delivered")
    assert await state(street, message_id) == "delivered"
    await bounce(street, "2")
    assert await state(street, message_id) == "delivered"


async def test_whoever_wants_no_emails_gets_texts_all_the_same(street: Street) -> None:
    who, message_id, _ = await waiting(street)
    async with street.store.unit(street.lender_id) as unit:
        await opt_out(unit, street.now, borrower_id=who.id, channel=Channel.EMAIL, source="page")
    assert await state(street, message_id) == "cancelled"
    await street.tick()
    assert street.post.taken == []
    assert street.texts_to(who) == 1
    assert "opted_out" not in await street.tasks(who)


async def test_the_same_address_under_another_name_is_silent_too(street: Street) -> None:
    who, message_id, _ = await waiting(street)
    other = await street.neighbour()
    await give_address(street, other)
    async with street.store.unit(street.lender_id) as unit:
        await opt_out(unit, street.now, borrower_id=other.id, channel=Channel.EMAIL, source="page")
    await street.tick()
    assert street.post.taken == []
    reason = await street.value("SELECT cancel_reason FROM messages WHERE id = :id", id=message_id)
    assert reason == "opted_out"
    assert who.id != other.id


async def test_without_an_address_or_a_server_it_is_cancelled(street: Street) -> None:
    who, message_id, _ = await waiting(street)
    await street.rows(
        "UPDATE borrowers SET email_enc = NULL WHERE id = :id RETURNING id", id=who.id
    )
    await street.tick()
    why = "SELECT cancel_reason FROM messages WHERE id = :id"
    assert await street.value(why, id=message_id) == "address_missing"
    other, second, _ = await waiting(street)
    assert other.id != who.id
    street.house.emails.clear()  # type: ignore[attr-defined]
    await street.tick()
    assert await street.value(why, id=second) == "channel_missing"
    assert street.post.taken == []


async def test_the_switch_for_emails_holds_them_until_it_is_off_again(street: Street) -> None:
    _, message_id, _ = await waiting(street)
    for halted, left in ((True, 0), (False, 1)):
        await set_switch(
            street.house,
            street.now,
            lender_id=street.lender_id,
            brake=Brake.EMAIL,
            halted=halted,
            reason="a wrong text",
            actor="mara",
        )
        await street.minutes_pass(10)
        assert len(street.post.taken) == left
    assert await state(street, message_id) == "sent"


async def test_it_is_held_back_by_the_hours_like_a_text(street: Street) -> None:
    street.hands.go_on(hours=11)  # ten in the evening in Madrid
    _, message_id, _ = await waiting(street)
    await street.tick()
    assert street.post.taken == []
    planned = await street.value("SELECT next_look_at FROM messages WHERE id = :id", id=message_id)
    assert planned - street.now > timedelta(hours=8)
