"""A lender's own words: written, proposed, published by another person, and rolled back."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from app.domain.approval import ApprovalKind
from app.domain.errors import Conflict, Invalid, NotAllowed, NotFound
from app.domain.ids import UserId
from app.domain.message import Channel
from app.domain.roles import Role
from app.flows.approvals.decide_approval import Word, decide_approval
from app.flows.lenders.manage_users import add_user
from app.flows.messages.find_template import find_template
from app.flows.messages.write_template import propose_template, write_template
from app.store.approvals import waiting
from tests.flows.street import Street
from tests.rig import make_lender

pytestmark = pytest.mark.anyio

BODY = "{{lender}}: un mensaje para usted: {{link}} Responda BAJA para no recibir SMS."


async def person(street: Street, role: Role, name: str) -> tuple[UserId, str]:
    email = f"{name}@sol.example"
    user_id = await add_user(
        street.house, street.now, lender_id=street.lender_id, email=email, name=name, role=role,
        password_hash="x", actor="test",
    )  # fmt: skip
    return user_id, email


@pytest.fixture
async def sara(street: Street) -> tuple[UserId, str]:
    return await person(street, Role.SUPERVISOR, "sara")


@pytest.fixture
async def coral(street: Street) -> tuple[UserId, str]:
    return await person(street, Role.COMPLIANCE, "coral")


async def write(street: Street, who: tuple[UserId, str], body: str = BODY, **other: Any) -> UUID:
    given = {"name": "first_missed", "channel": Channel.SMS, "language": "es", "subject": ""}
    return await write_template(
        street.house, street.now, lender_id=street.lender_id, body=body, actor=who[1],
        **{**given, **other},
    )  # fmt: skip


async def propose(street: Street, who: tuple[UserId, str], edition_id: UUID) -> UUID:
    return await propose_template(
        street.house, street.now, lender_id=street.lender_id, edition_id=edition_id,
        reason="clearer", user_id=who[0], actor=who[1],
    )  # fmt: skip


async def say(
    street: Street, who: tuple[UserId, str], approval_id: UUID, word: Word = Word.APPROVE
) -> None:
    await decide_approval(
        street.house, street.now, lender_id=street.lender_id, approval_id=approval_id,
        user_id=who[0], actor=who[1], word=word, note="seen",
    )  # fmt: skip


async def in_force(street: Street) -> str:
    async with street.store.unit(street.lender_id) as unit:
        found = await find_template(unit, street.house, "first_missed", Channel.SMS, "es")
    return found.id


async def state(street: Street, edition_id: UUID) -> str:
    return str(await street.value("SELECT state FROM templates WHERE id = :id", id=edition_id))


async def test_two_people_put_words_into_force(street: Street, sara: Any, coral: Any) -> None:
    edition = await write(street, sara)
    assert await in_force(street) == "first_missed/1"
    approval = await propose(street, sara, edition)
    assert await in_force(street) == "first_missed/1"
    await say(street, coral, approval)
    assert await in_force(street) == "first_missed/own-1"
    assert await state(street, edition) == "published"


async def test_nobody_publishes_his_own_words(street: Street, coral: Any) -> None:
    other = await person(street, Role.COMPLIANCE, "celia")
    edition = await write(street, coral)
    approval = await propose(street, coral, edition)
    with pytest.raises(NotAllowed):
        await say(street, coral, approval)
    assert await in_force(street) == "first_missed/1"
    refused = await street.value("SELECT count(*) FROM audit WHERE act = 'refused'")
    assert refused == 1
    await say(street, other, approval)
    assert await in_force(street) == "first_missed/own-1"


async def test_the_writer_does_not_publish_what_somebody_else_proposed(
    street: Street, sara: Any, coral: Any
) -> None:
    edition = await write(street, coral)
    approval = await propose(street, sara, edition)
    with pytest.raises(NotAllowed, match="wrote"):
        await say(street, coral, approval)
    assert await in_force(street) == "first_missed/1"
    assert await state(street, edition) == "proposed"


@pytest.mark.parametrize("role", [Role.COLLECTOR, Role.COLLECTION_MANAGER, Role.SUPERVISOR])
async def test_who_may_not_publish_does_not(street: Street, sara: Any, role: Role) -> None:
    approval = await propose(street, sara, await write(street, sara))
    with pytest.raises(NotAllowed):
        await say(street, await person(street, role, "other"), approval)
    assert await in_force(street) == "first_missed/1"


async def test_an_older_edition_is_brought_back_the_same_way(
    street: Street, sara: Any, coral: Any
) -> None:
    first = await write(street, sara)
    await say(street, coral, await propose(street, sara, first))
    second = await write(street, sara, BODY + " Gracias.")
    assert second != first
    await say(street, coral, await propose(street, sara, second))
    assert await state(street, first) == "retired"
    assert await in_force(street) == "first_missed/own-2"
    await say(street, coral, await propose(street, sara, first))
    assert await in_force(street) == "first_missed/own-1"
    assert await state(street, second) == "retired"


async def test_taking_words_out_of_force_needs_two_people_too(
    street: Street, sara: Any, coral: Any
) -> None:
    edition = await write(street, sara)
    await say(street, coral, await propose(street, sara, edition))
    approval = await propose(street, sara, edition)
    assert await in_force(street) == "first_missed/own-1"
    await say(street, coral, approval)
    assert await in_force(street) == "first_missed/1"
    assert await state(street, edition) == "retired"


async def test_words_without_anything_to_take_their_place_stay(
    street: Street, sara: Any, coral: Any
) -> None:
    edition = await write(street, sara, name="our_own")
    await say(street, coral, await propose(street, sara, edition))
    with pytest.raises(Conflict, match="take its place"):
        await propose(street, sara, edition)


@pytest.mark.parametrize("word", [Word.REFUSE, Word.WITHDRAW])
async def test_a_no_makes_it_a_draft_again(
    street: Street, sara: Any, coral: Any, word: Word
) -> None:
    edition = await write(street, sara)
    approval = await propose(street, sara, edition)
    await say(street, coral if word is Word.REFUSE else sara, approval, word)
    assert await state(street, edition) == "draft"
    assert await in_force(street) == "first_missed/1"
    await say(street, coral, await propose(street, sara, edition))
    assert await in_force(street) == "first_missed/own-1"


async def test_one_writes_over_ones_own_draft_and_nobody_elses(
    street: Street, sara: Any, coral: Any
) -> None:
    first = await write(street, sara)
    assert await write(street, sara, BODY + " Hola.") == first
    assert await write(street, coral, BODY) != first
    await propose(street, sara, first)
    assert await write(street, sara, BODY) != first, "what others look at does not change"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (BODY + " {{iban}}", "iban"),
        (BODY + " {{promise_on}}", "body"),
        ("Hola {{link}} BAJA", "body"),
        ("{{lender}}: {{link}}", "body"),
        ("", "body"),
        (BODY + " o avisaremos a su jefe: vamos a llamar a su jefe", "body"),
        (BODY + " Debe pagar.", "body"),
        (BODY + " {{name", "body"),
    ],
)
async def test_words_that_could_not_be_sent_are_not_kept(
    street: Street, sara: Any, body: str, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await write(street, sara, body)
    assert refused.value.field == field
    assert await street.value("SELECT count(*) FROM templates") == 0


async def test_a_place_that_is_empty_when_it_is_sent_is_refused(street: Street, sara: Any) -> None:
    body = "Hola {{name}}: {{promise_on}} {{stop_link}} {{lender}}"
    with pytest.raises(Invalid) as refused:
        await write(street, sara, body, channel=Channel.EMAIL, subject="Sol")
    assert refused.value.field == "promise_on"
    with pytest.raises(Invalid) as refused:
        await write(street, sara, body, channel=Channel.EMAIL, subject="Sol", name="our_own")
    assert refused.value.field == "promise_on"
    assert "amount_due" in refused.value.mend
    given = {"channel": Channel.EMAIL, "subject": "Sol", "name": "promise_reminder"}
    assert await state(street, await write(street, sara, body, **given)) == "draft"


async def test_what_changed_stands_in_the_audit_old_and_new(
    street: Street, sara: Any, coral: Any
) -> None:
    for body in (BODY, BODY + " Gracias."):
        await say(street, coral, await propose(street, sara, await write(street, sara, body)))
    rows = await street.rows(
        "SELECT actor, before, after FROM audit WHERE act = 'publish_template' ORDER BY at, id"
    )
    assert [row.actor for row in rows] == [coral[1], coral[1]]
    assert rows[0].before == {}
    assert rows[1].before["body"] == BODY
    assert rows[1].after["body"] == BODY + " Gracias."


async def test_rules_of_today_hold_for_words_of_yesterday(street: Street, sara: Any) -> None:
    edition = await write(street, sara)
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE templates SET body = 'You owe us, or else.'"))
    with pytest.raises(Invalid):
        await propose(street, sara, edition)
    assert await state(street, edition) == "draft"


async def test_two_at_once_publish_one(street: Street, sara: Any, coral: Any) -> None:
    other = await person(street, Role.APPROVER, "otto")
    editions = [await write(street, who) for who in (sara, coral)]
    assert len(set(editions)) == 2
    approvals = [await propose(street, sara, edition) for edition in editions]
    await asyncio.gather(*(say(street, other, approval) for approval in approvals))
    states = await street.rows("SELECT state FROM templates ORDER BY state")
    assert [row.state for row in states] == ["published", "retired"]


async def test_another_lender_cannot_touch_it(street: Street, sara: Any) -> None:
    edition = await write(street, sara)
    other = await make_lender(street.store, street.now)
    with pytest.raises(NotFound):
        await propose_template(
            street.house, street.now, lender_id=other, edition_id=edition, reason="x",
            user_id=sara[0], actor=sara[1],
        )  # fmt: skip
    async with street.store.unit(other) as unit:
        assert await waiting(unit, ApprovalKind.TEMPLATE, edition) is None


async def test_what_leaves_carries_the_stamp_of_its_words(
    street: Street, sara: Any, coral: Any
) -> None:
    own = "{{lender}}: nuestras palabras: {{link}} BAJA"
    edition = await write(street, sara, own, name="click_and_pay")
    await say(street, coral, await propose(street, sara, edition))
    who = await street.neighbour()
    await street.money_seen(who)
    await street.tick()
    (sent,) = street.carrier.taken
    assert "nuestras palabras" in sent.sms.body
    stamp = await street.value("SELECT wording FROM messages WHERE borrower_id = :id", id=who.id)
    assert stamp == "click_and_pay/own-1"
