"""A lender's own rules: written by one, published by compliance, kept by the gate, taken back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from app.domain.contact_policy import Verdict
from app.domain.errors import Conflict, Invalid, NotAllowed, NotFound
from app.domain.message import Channel
from app.domain.pack_edition import read_edition
from app.domain.roles import Role
from app.domain.stages import End, EndAct, Notice, Stage, StrategyBody
from app.flows.approvals.decide_approval import Word
from app.flows.lenders.manage_users import change_role
from app.flows.messages.ask_gate import ask_gate
from app.flows.strategies.check_strategy import findings_of
from app.flows.strategies.preview_rules import preview_rules
from app.flows.strategies.write_pack_edition import propose_pack_edition, write_pack_edition
from app.store.contacts import note_contact
from app.store.locks import lock_borrower
from tests.flows.desk_people import Desk
from tests.flows.street import Neighbour, Street
from tests.rig import make_lender

pytestmark = pytest.mark.anyio

# It is Tuesday, eleven in Madrid: one of these is over by then.
MORNINGS = [["09:00-10:30"]] * 5 + [[], []]


@pytest.fixture
def desk(street: Street) -> Desk:
    """The people of the street's lender."""
    return Desk(street)


async def written(street: Street, *, by: str = "sue", country: str = "ES", **fields: Any) -> UUID:
    return await write_pack_edition(
        street.house, street.now, lender_id=street.lender_id, actor=by,
        pack=street.house.packs.of(country), edition=read_edition(fields),
    )  # fmt: skip


async def proposed(street: Street, desk: Desk, edition: UUID, *, by: str = "sue") -> UUID:
    return await propose_pack_edition(
        street.house, street.now, lender_id=street.lender_id, edition_id=edition,
        reason="Too many calls.", actor=by, user_id=await desk.person(by, Role.SUPERVISOR),
    )  # fmt: skip


async def published(street: Street, desk: Desk, edition: UUID) -> None:
    approval = await proposed(street, desk, edition)
    await desk.says(Word.APPROVE, approval, by="coral", role=Role.COMPLIANCE)


async def verdict(street: Street, who: Neighbour, channel: Channel = Channel.CALL) -> Verdict:
    async with street.store.unit(street.lender_id) as unit:
        person = await lock_borrower(unit, who.id)
        asked = await ask_gate(
            unit, street.house.packs, street.now, person, case_ids=who.cases, channel=channel
        )
    return asked.verdict


async def states(street: Street) -> list[str]:
    rows = await street.rows("SELECT state FROM pack_editions ORDER BY number")
    return [row.state for row in rows]


async def test_what_compliance_publishes_the_gate_asks_and_an_older_one_comes_back(
    street: Street, desk: Desk
) -> None:
    who = await street.neighbour()
    first = await written(street, hours={"es.hours": MORNINGS})
    assert await written(street, hours={"es.hours": MORNINGS}, contacts_per_week=5) == first
    assert (await verdict(street, who)).allowed, "a draft decides nothing"
    await published(street, desk, first)
    refused = await verdict(street, who)
    assert not refused.allowed
    assert refused.pack.endswith("own edition 1")
    (failed,) = [check for check in refused.checks if not check.passed]
    assert failed.rule == "own.es.hours"
    assert failed.source.startswith("The lender's own rules, edition 1.")
    assert refused.earliest_at is not None
    assert refused.earliest_at > street.now

    second = await written(street, closed_on=["2026-03-04"])
    assert second != first
    await published(street, desk, second)
    assert await states(street) == ["retired", "published"]
    assert (await verdict(street, who)).allowed
    street.hands.go_on(days=1)
    assert "contacts nobody" in (await verdict(street, who)).because

    await published(street, desk, first)
    assert await states(street) == ["published", "retired"]
    acts = await street.rows("SELECT act, actor FROM audit WHERE act LIKE '%_pack' ORDER BY at, id")
    assert [row.act for row in acts][:4] == [
        "write_pack", "write_pack", "propose_pack", "publish_pack",
    ]  # fmt: skip
    assert {row.actor for row in acts if row.act == "publish_pack"} == {"coral"}


async def test_longer_memory_of_ones_own_rules_is_looked_back_for(
    street: Street, desk: Desk
) -> None:
    """The United States rest seven days after a talk; this lender rests twenty."""
    who = await street.neighbour(country="US", time_zone="America/New_York", phone="+12125550123")
    street.hands.go_on(hours=6)
    pack = street.house.packs.of("US")
    (rest,) = [rule.id for rule in pack.rules if type(rule.limit).__name__ == "CoolDown"]
    async with street.store.unit(street.lender_id) as unit:
        await note_contact(
            unit, street.now, lender_id=street.lender_id, borrower_id=who.id,
            channel=Channel.CALL, outbound=True, conversation=True, case_ids=who.cases,
        )  # fmt: skip
    street.hands.go_on(days=14)
    assert (await verdict(street, who)).allowed
    await published(street, desk, await written(street, country="US", cool_downs={rest: 20}))
    assert not (await verdict(street, who)).allowed
    street.hands.go_on(days=7)
    assert (await verdict(street, who)).allowed


async def test_nobody_alone_and_none_but_compliance(street: Street, desk: Desk) -> None:
    await desk.person("ada", Role.ADMIN)
    solo = await desk.person("solo", Role.SUPERVISOR)
    edition = await written(street, by="solo", contacts_per_week=2)
    approval = await proposed(street, desk, edition, by="solo")
    for role in (*Role, Role.COMPLIANCE):
        await change_role(
            street.house, street.now, lender_id=street.lender_id, user_id=solo, role=role,
            actor="ada",
        )  # fmt: skip
        for word in (Word.APPROVE, Word.REFUSE):
            with pytest.raises(NotAllowed):
                await desk.says(word, approval, by="solo")
        assert await states(street) == ["proposed"]
    for name, role in (("april", Role.APPROVER), ("sam", Role.SUPERVISOR)):
        with pytest.raises(NotAllowed):
            await desk.says(Word.APPROVE, approval, by=name, role=role)
    with pytest.raises(Conflict):
        await proposed(street, desk, edition)
    await desk.says(Word.REFUSE, approval, by="coral", role=Role.COMPLIANCE, note="No.")
    assert await states(street) == ["draft"]
    # Somebody else proposes it: who wrote it still does not publish it.
    again = await proposed(street, desk, edition)
    with pytest.raises(NotAllowed) as refused:
        await desk.says(Word.APPROVE, again, by="solo")
    assert refused.value.code == "OwnWork"
    await desk.says(Word.APPROVE, again, by="coral")
    assert await states(street) == ["published"]


async def test_looser_rules_are_not_kept_and_the_preview_counts_people(
    street: Street, desk: Desk
) -> None:
    for _ in range(3):
        await street.neighbour()
    with pytest.raises(Invalid, match=r"es.hours: Monday 07:00–22:00 instead of Monday to Friday"):
        await written(street, hours={"es.hours": [["07:00-22:00"], [], [], [], [], [], []]})
    assert await street.value("SELECT count(*) FROM pack_editions") == 0
    seen = await preview_rules(
        street.house, street.now, lender_id=street.lender_id,
        pack=street.house.packs.of("ES"),
        edition=read_edition({"hours": {"es.hours": [[], [], [], [], ["09:00-10:00"], [], []]}}),
    )  # fmt: skip
    assert (seen.people, seen.more) == (3, False)
    for line in seen.lines:
        assert (line.by_pack, line.now, line.then) == (3, 3, 0)
        assert line.hours_now > line.hours_then == 0


async def test_another_lenders_rules_are_his_alone(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    mine, luna = street.lender_id, await make_lender(street.store, street.now)
    stranger = Desk(street)
    street.lender_id = luna
    try:
        theirs = await written(street, hours={"es.hours": MORNINGS})
        await published(street, stranger, theirs)
    finally:
        street.lender_id = mine
    assert (await verdict(street, who)).allowed
    with pytest.raises(NotFound):
        await proposed(street, desk, theirs)


async def test_a_strategy_is_checked_against_the_lenders_own_rules_too(
    street: Street, desk: Desk
) -> None:
    """Else it passes, and the gate puts its messages off for ever."""
    await street.neighbour()
    notices = (Notice(1, Channel.EMAIL, "first_missed"), Notice(3, Channel.SMS, "first_missed"))
    body = StrategyBody("ours", (Stage("grace", 1, notices),), end=End(EndAct.HAND_TO_PERSON))

    async def said() -> list[str]:
        async with street.store.unit(street.lender_id) as unit:
            return [one.words for one in await findings_of(unit, street.house, body) if one.blocks]

    assert await said() == []
    await published(street, desk, await written(street, contacts_per_week=1))
    (words,) = await said()
    assert "own.contacts_per_week: The lender's own rules, edition 1." in words


async def test_a_strategy_is_checked_against_the_day_on_which_a_case_begins(street: Street) -> None:
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE lenders SET case_after_days = 10"))
    body = StrategyBody("ours", (Stage("grace", 1), Stage("late", 8)))
    async with street.store.unit(street.lender_id) as unit:
        found = await findings_of(unit, street.house, body)
    assert any(one.blocks and "grace would never be reached" in one.words for one in found)
