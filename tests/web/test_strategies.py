"""Strategies at the desk: written by one, published by another, rolled back; never by one."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from app.domain.approval import ApprovalState
from app.domain.errors import Conflict, NotAllowed
from app.domain.roles import Act, Role, may
from app.flows.approvals.decide_approval import Decided, Word, decide_approval
from app.flows.strategies.write_strategy import begin_draft
from tests.flows.street import Street
from tests.web.conftest import Browser, Desk
from tests.web.strategy_desk import changed, decide, drafted, person, ship, state, version

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shipped(street: Street) -> UUID:
    """The version of `soft` that ships."""
    return await ship(street)


async def test_the_pages_are_whole_and_for_those_who_may(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    await street.neighbour()
    await begin_draft(
        street.house, street.now, lender_id=street.lender_id, source_id=shipped, actor="x"
    )
    draft = await version(street, 2)
    pages = {
        "/strategies": Act.SEE_STRATEGIES,
        f"/strategies/versions/{shipped}": Act.SEE_STRATEGIES,
        f"/strategies/versions/{shipped}/preview": Act.SEE_STRATEGIES,
        f"/strategies/versions/{draft}": Act.SEE_STRATEGIES,
        f"/strategies/versions/{draft}/edit": Act.WRITE_STRATEGY,
        f"/strategies/versions/{shipped}/move": Act.MOVE_CASES,
        "/segments": Act.SEE_STRATEGIES,
        "/segments/new": Act.WRITE_STRATEGY,
    }
    for role in set(Role) - {Role.INTEGRATION}:
        desk: Browser = await sign_in_as(role)
        for path, act in pages.items():
            page = await desk.open(path)
            assert desk.status == (200 if may(role, act) else 403), (role, path)
            assert page.problems == [], path


async def test_the_list_says_who_uses_which(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    await street.neighbour()
    desk: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await desk.open("/strategies")
    for words in ("soft", "Shipped", "Version 1", "by installation", "every new case"):
        assert words in page.text, words
    page = await desk.open(f"/strategies/versions/{shipped}")
    for words in ("In force", "Stage calls", "Call the borrower, 3 times, once a day", "E-mail",
                  "Propose write off", "Against version") :  # fmt: skip
        assert (words in page.text) == (words != "Against version"), words
    # Nobody edits what is in force.
    await desk.open(f"/strategies/versions/{shipped}/edit")
    assert desk.status == 409


async def test_one_writes_another_publishes_and_running_cases_stay(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    who = await street.neighbour()
    writer: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await drafted(writer, shipped, **{"stage-0-from": "2", "message-1-day": "2"})
    assert "Saved" in page.text
    for words in ("Stage grace", "from day 1", "from day 2", "email day 2"):
        assert words in page.text, words
    assert writer.status == 200
    page = await writer.send(page, "propose", reason="A day more of grace")
    assert "Waits for a second person" in page.text
    assert await state(street, 2) == "proposed"
    beside = await street.value("SELECT considered FROM approvals")
    assert (beside["title"], beside["in_force"]) == ("soft, version 2", "version 1")
    assert "Stage grace: from day 1 → from day 2" in beside["changes"]
    # Its writer publishes it on no way; another person does.
    with pytest.raises(NotAllowed):
        await decide(street, Role.SUPERVISOR, Word.APPROVE)
    await sign_in_as(Role.APPROVER)
    decided = await decide(street, Role.APPROVER, Word.APPROVE)
    assert decided.state is ApprovalState.APPROVED
    assert [await state(street, number) for number in (1, 2)] == ["retired", "published"]
    kept = await street.value(
        "SELECT strategy_version_id FROM cases WHERE id = :id", id=who.cases[0]
    )
    assert kept == shipped
    fresh = await street.neighbour()
    given = await street.value(
        "SELECT strategy_version_id FROM cases WHERE id = :id", id=fresh.cases[0]
    )
    assert given == await version(street, 2)
    lines = {row.act: row for row in await street.rows("SELECT * FROM audit ORDER BY at, id")}
    for act in ("begin_draft", "save_draft", "propose_strategy", "publish_strategy"):
        assert act in lines
    # The history says what it was before, and of what stayed nothing.
    published = lines["publish_strategy"]
    assert (published.before["number"], published.after["number"]) == (1, 2)
    assert published.before["Stage grace"] == "from day 1"
    assert published.after["Stage grace"] == "from day 2"
    assert "End" not in published.after
    auditor: Browser = await sign_in_as(Role.AUDITOR)
    page = await auditor.open("/audit?group=words_and_rules")
    for words in ("Stage grace:", "from day 1", "from day 2", "email day 2"):
        assert words in page.text, words


async def test_compliance_writes_and_another_compliance_person_is_needed(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    """Both rights in one hand do not help: neither who proposed nor who wrote decides."""
    compliance: Browser = await sign_in_as(Role.COMPLIANCE)
    page = await drafted(compliance, shipped, **{"stage-0-from": "2", "message-1-day": "2"})
    supervisor: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await supervisor.open(f"/strategies/versions/{await version(street, 2)}")
    await supervisor.send(page, "propose", reason="Agreed")
    # Somebody else proposed it, but these are its own words.
    with pytest.raises(NotAllowed, match="wrote"):
        await decide(street, Role.COMPLIANCE, Word.APPROVE)
    assert await state(street, 2) == "proposed"


async def test_a_refused_version_is_a_draft_again(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    writer: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await drafted(writer, shipped, note="A try")
    await writer.send(page, "propose", reason="Try")
    await sign_in_as(Role.APPROVER)
    await decide(street, Role.APPROVER, Word.REFUSE, "Too soft")
    assert await state(street, 2) == "draft"
    page = await writer.open(f"/strategies/versions/{await version(street, 2)}/edit")
    assert writer.status == 200


async def test_a_version_that_was_in_force_is_rolled_back_to_and_never_edited(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    writer: Browser = await sign_in_as(Role.SUPERVISOR)
    await sign_in_as(Role.APPROVER)
    page = await drafted(writer, shipped, **{"stage-0-from": "2", "message-1-day": "2"})
    await writer.send(page, "propose", reason="A day more")
    await decide(street, Role.APPROVER, Word.APPROVE)
    page = await writer.open(f"/strategies/versions/{shipped}")
    assert "Propose to roll back to it" in page.text
    await writer.send(page, "propose", reason="It was better")
    await decide(street, Role.APPROVER, Word.REFUSE, "Wait a week")
    # Refused it is no draft that somebody could write to.
    await writer.open(f"/strategies/versions/{shipped}/edit")
    assert writer.status == 409
    page = await writer.open(f"/strategies/versions/{shipped}")
    await writer.send(page, "propose", reason="A week passed")
    await decide(street, Role.APPROVER, Word.APPROVE)
    assert [await state(street, number) for number in (1, 2)] == ["published", "retired"]


async def test_a_stale_draft_is_neither_proposed_nor_published(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    writer: Browser = await sign_in_as(Role.SUPERVISOR)
    await sign_in_as(Role.APPROVER)
    first = await drafted(writer, shipped, **{"stage-0-from": "2", "message-1-day": "2"})
    second = await drafted(writer, shipped, **{"message-2-day": "4"})
    await writer.send(first, "propose", reason="First")
    await decide(street, Role.APPROVER, Word.APPROVE)
    page = await writer.send(second, "propose", reason="Second")
    assert writer.status == 409
    assert "Version 2 came into force" in page.text
    page = await writer.open(f"/strategies/versions/{await version(street, 3)}")
    assert "came into force since this draft was begun" in page.text
    page = await writer.send(page, "compare")
    page = await writer.send(page, "propose", reason="Compared")
    assert "Waits for a second person" in page.text
    await decide(street, Role.APPROVER, Word.APPROVE)
    assert await state(street, 3) == "published"


async def test_what_was_overtaken_while_it_waited_is_not_published(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    writer: Browser = await sign_in_as(Role.SUPERVISOR)
    await sign_in_as(Role.APPROVER)
    first = await drafted(writer, shipped, **{"message-2-day": "4"})
    second = await drafted(writer, shipped, **{"message-2-day": "5"})
    for page in (first, second):
        await writer.send(page, "propose", reason="Both at once")
    waiting = [row.id for row in await street.rows("SELECT id FROM approvals ORDER BY id")]
    who = await person(street, Role.APPROVER)

    async def approve(approval_id: UUID) -> Decided:
        return await decide_approval(
            street.house, street.now, lender_id=street.lender_id, approval_id=approval_id,
            user_id=who.id, actor=who.email, word=Word.APPROVE,
        )  # fmt: skip

    await approve(waiting[0])
    with pytest.raises(Conflict, match="came into force"):
        await approve(waiting[1])
    assert [await state(street, number) for number in (1, 2, 3)] == [
        "retired", "published", "proposed",
    ]  # fmt: skip


async def test_two_editors_do_not_overwrite_each_other(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    one: Browser = await sign_in_as(Role.SUPERVISOR)
    two: Browser = await sign_in_as(Role.COMPLIANCE)
    page = await one.open(f"/strategies/versions/{shipped}")
    first = await one.send(page, "draft")
    second = await two.open(f"/strategies/versions/{await version(street, 2)}/edit")
    await one.send(first, "save", **changed({"message-2-day": "4"}))
    page = await two.send(second, "save", **changed({"message-2-day": "5"}))
    assert two.status == 409
    assert "Somebody else saved this draft" in page.text
    body = await street.value("SELECT body FROM strategy_versions WHERE number = 2")
    days = [notice["day"] for notice in body["stages"][0]["notices"]]
    assert days == [1, 4]


async def test_what_cannot_be_read_is_shown_again_with_its_place(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    writer: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await writer.open(f"/strategies/versions/{shipped}")
    form = await writer.send(page, "draft")
    before = await street.value("SELECT body FROM strategy_versions WHERE number = 2")
    for fields, words in (
        ({"stage-0-from": "soon"}, "Stage 1: from day is not a whole number"),
        ({"stage-1-name": ""}, "Stage 2: name is missing"),
        ({"message-0-template": ""}, "Message 1: text is missing"),
        ({"message-1-day": "0"}, "Message 2: day 0 is before the first stage begins"),
        ({"message-1-day": "9999"}, "is a whole number from"),
        ({"stage-3-attempts": "", "stage-3-gap": "2"}, "Stage 4: calls are missing"),
        ({"promise-max_parts": "many"}, "Promise: most parts is not a whole number"),
        ({"end-wait_days": "-1"}, "is a whole number from"),
    ):
        page = await writer.send(form, "save", **changed(fields))
        assert writer.status == 422, fields
        assert words in page.text, (words, page.text[:600])
        # What was typed stands there still.
        for name, value in fields.items():
            if value:
                assert page.form("save").fields[name] == value
        assert page.problems == []
    assert await street.value("SELECT body FROM strategy_versions WHERE number = 2") == before


async def test_findings_keep_a_draft_from_being_proposed(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    writer: Browser = await sign_in_as(Role.SUPERVISOR)
    # No end, two stages on one day: it may be saved, and not used.
    page = await drafted(writer, shipped, **{"end-do": "", "stage-1-from": "1"})
    assert "Something blocks" in page.text
    assert "There is no end" in page.text
    assert "never be reached" in page.text
    page = await writer.send(page, "propose", reason="Please")
    assert writer.status == 422
    assert "Not proposed" in page.text
    assert await state(street, 2) == "draft"


async def test_experts_edit_the_text(street: Street, shipped: UUID, sign_in_as: Desk) -> None:
    writer: Browser = await sign_in_as(Role.COMPLIANCE)
    page = await writer.open(f"/strategies/versions/{shipped}")
    form = await writer.send(page, "draft")
    for text, words in (
        ("", "Text is empty"),
        ("{", "line 1"),
        ("a = [", "cannot be read"),
        ('{"stages": 7}', "Stages is not a list"),
        ('{"stages": [{"name": "x", "from_day": 1, "colour": "red"}]}', "Stage 1: colour"),
    ):
        page = await writer.send(form, "save-text", text=text)
        assert writer.status == 422, text
        assert words in page.text, page.text[:500]
    toml = '[[stages]]\nname = "calls"\nfrom_day = 5\n[stages.calls]\nattempts = 2\n'
    page = await writer.send(form, "save-text", text=toml + '[end]\ndo = "hand_to_person"\n')
    assert "Saved" in page.text
    body = await street.value("SELECT body FROM strategy_versions WHERE number = 2")
    # It keeps the name of its strategy, whatever the text says.
    assert body["name"] == "soft"
    assert [stage["from_day"] for stage in body["stages"]] == [5]
    form = await writer.open(f"/strategies/versions/{await version(street, 2)}/edit")
    again = dict(body, name="other")
    page = await writer.send(form, "save-text", text=json.dumps(again))
    assert "Saved" in page.text
    assert (await street.value("SELECT body FROM strategy_versions WHERE number = 2")) == body
