"""Texts that became too long: the shipped words stand in, and else a person is told."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.domain.message import Channel
from app.domain.sms_text import MOST_SEGMENTS, measure
from app.domain.stage_plan import Skip
from app.domain.template import Cause
from app.flows.cases.look_at_person import look_at_person
from app.flows.messages.notice_words import Owed, Subject
from app.flows.messages.queue_notice import Notice, NoticeQueued, queue_notice
from app.flows.signals.ask_to_pay import render_text
from tests.flows.street import Neighbour, Street

pytestmark = pytest.mark.anyio

SHORT = "{{lender}}: {{name}}, hay un mensaje: {{link}} BAJA para no recibir SMS."
LONG = SHORT + " {{name}}" * 40


async def published(street: Street, name: str, body: str) -> None:
    """A text in force, as older releases let it through."""
    async with street.store.unit(street.lender_id) as unit:
        await unit.conn.execute(
            text(
                "INSERT INTO templates (id, lender_id, name, channel, language, number, subject, "
                "body, state, made_by, made_at, published_by, published_at) VALUES "
                "(gen_random_uuid(), :lender, :name, 'sms', 'es', 1, '', :body, "
                "'published', 'sara', :now, 'coral', :now)"
            ),
            {"lender": street.lender_id, "name": name, "body": body, "now": street.now},
        )


async def queued(street: Street, who: Neighbour, template: str) -> NoticeQueued:
    async with street.store.unit(street.lender_id) as unit:
        person = await look_at_person(unit, street.now, who.id)
        (due,) = person.dues
        owed = Owed(due.loan_id, due.external_ref, due.amount, due.oldest_due_on)
        wanted = Notice(
            key=uuid4(), channel=Channel.SMS, template=template,
            subject=Subject(Cause.NOTICE, (owed,), street.now.date()), case_ids=tuple(who.cases),
        )  # fmt: skip
        return await queue_notice(unit, street.house, street.now, person, wanted)


async def words_of(street: Street, message_id: UUID | None) -> tuple[str, str]:
    async with street.store.unit(street.lender_id) as unit:
        row: Any = (
            await unit.conn.execute(
                text("SELECT wording, body_enc FROM messages WHERE id = :id"), {"id": message_id}
            )
        ).one()
        assert message_id is not None
        return row.wording, unit.open("messages.body_enc", message_id, row.body_enc)


async def test_the_shipped_words_stand_in_for_own_ones_that_are_too_long(street: Street) -> None:
    await published(street, "first_missed", LONG)
    who = await street.neighbour()
    made = await queued(street, who, "first_missed")
    assert made.skip is None
    wording, body = await words_of(street, made.message_id)
    assert wording == "first_missed/1"
    assert measure(body).segments <= MOST_SEGMENTS


async def test_where_no_words_ship_a_person_is_told_and_nothing_leaves(street: Street) -> None:
    await published(street, "our_own", LONG)
    who = await street.neighbour()
    assert await queued(street, who, "our_own") == NoticeQueued(skip=Skip.TOO_LONG)
    assert await street.value("SELECT count(*) FROM messages") == 0
    (task,) = await street.rows("SELECT reason, case_id, situation FROM tasks")
    assert (task.reason, task.case_id) == ("collector_acts", who.cases[0])
    assert task.situation["template"] == "our_own"
    assert "text messages once it is filled in" in task.situation["because"]


async def test_own_words_about_money_seen_may_name_the_borrower(street: Street) -> None:
    await published(street, "click_and_pay", SHORT)
    who = await street.neighbour()
    async with street.store.unit(street.lender_id) as unit:
        person = await look_at_person(unit, street.now, who.id)
        made = await render_text(unit, street.house, person, "token")
    assert made.wording == "click_and_pay/own-1"
    assert made.body.startswith("Préstamos Sol: Ana Núñez, hay un mensaje: ")


@pytest.mark.parametrize("body", [LONG, SHORT + " {{contact_phone}}"])
async def test_about_money_seen_the_shipped_words_stand_in(street: Street, body: str) -> None:
    await published(street, "click_and_pay", body)
    who = await street.neighbour()
    async with street.store.unit(street.lender_id) as unit:
        await unit.conn.execute(
            text("UPDATE lenders SET contact_phone = '' WHERE id = :id"), {"id": street.lender_id}
        )
        person = await look_at_person(unit, street.now, who.id)
        made = await render_text(unit, street.house, person, "token")
    assert made.wording.startswith("click_and_pay/")
    assert "own" not in made.wording
