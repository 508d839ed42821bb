"""Strategies at the desk: chosen for new cases, tried on the book, moved to; and by whom."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from app.domain.errors import Conflict
from app.domain.roles import Act, Role
from app.flows.approvals.decide_approval import Word
from app.flows.strategies.move_cases import Selection, move_cases
from app.flows.strategies.write_strategy import begin_draft
from app.flows.work.set_hold import set_hold
from tests.flows.street import Street
from tests.rig import make_lender
from tests.web.conftest import Browser, Desk, OpenBrowser, desk_of
from tests.web.strategy_desk import changed, decide, drafted, ship, version

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shipped(street: Street) -> UUID:
    """The version of `soft` that ships."""
    return await ship(street)


async def test_a_new_strategy_is_begun_chosen_and_taken_back(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    writer: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await writer.open(f"/strategies/versions/{shipped}")
    page = await writer.send(page, "begin", name="soft")
    assert writer.status == 409
    page = await writer.open(f"/strategies/versions/{shipped}")
    page = await writer.send(page, "begin", name="Firm")
    page = await writer.send(page, "save", **changed({"stage-0-from": "2", "message-1-day": "2"}))
    firm = await street.value("SELECT id FROM strategies WHERE name = 'Firm'")
    who = await street.neighbour()
    # It has nothing in force: it cannot be chosen yet, not even by a crafted form.
    page = await writer.open("/strategies")
    refused = await writer.send(
        page, "choose", scope="product", product="Loan", strategy=str(firm), reason="Try"
    )
    assert writer.status == 409
    page = await writer.open(f"/strategies/versions/{await version(street, 1, 'Firm')}")
    await writer.send(page, "propose", reason="New")
    await sign_in_as(Role.APPROVER)
    await decide(street, Role.APPROVER, Word.APPROVE)
    page = await writer.open("/strategies")
    refused = await writer.send(page, "choose", scope="product", product="Loan",
                                strategy=str(firm), reason="")  # fmt: skip
    assert writer.status == 422
    assert "reason" in refused.text
    page = await writer.send(
        page, "choose", scope="product", product="Loan", strategy=str(firm), reason="Firmer"
    )
    # One person chooses for so many once he has looked at what becomes different.
    assert "Look before you choose" in page.text
    assert "Firm, version 1" in page.text
    for words in ("soft, version 1", "Stage grace", "from day 1", "from day 2"):
        assert words in page.text, words
    assert await street.value("SELECT count(*) FROM strategy_choices WHERE scope = 'product'") == 0
    page = await writer.send(page, "confirm-choice")
    assert "New cases follow this choice" in page.text
    assert "Product Loan" in page.text
    (line,) = await street.rows("SELECT * FROM audit WHERE act = 'choose_strategy'")
    assert (line.before["name"], line.after["name"]) == (None, "Firm")
    page = await writer.send(
        page, "choose", scope="borrower", target=who.ref, strategy=str(firm), reason="His wish"
    )
    assert f"Borrower {who.ref}" in page.text
    page = await writer.send(page, "choose", scope="loan", target="nobody", strategy=str(firm),
                             reason="x")  # fmt: skip
    assert writer.status == 404
    page = await writer.open("/strategies")
    page = await writer.send(page, "choose", scope="borrower", target=who.ref, strategy="",
                             reason="Over")  # fmt: skip
    assert f"Borrower {who.ref}" not in page.text
    page = await writer.send(page, "choose", scope="lender", strategy="", reason="None")
    assert writer.status == 409
    fresh = await street.neighbour()
    given = await street.value(
        "SELECT strategy_version_id FROM cases WHERE id = :id", id=fresh.cases[0]
    )
    assert given == await version(street, 1, "Firm")


async def test_trying_it_on_the_live_book_changes_nothing(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    for late in (2, 9, 16, 30, 30):
        await street.neighbour(days_late=late, email=None)
    held = await street.neighbour(days_late=30)
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit, street.now, borrower_id=held.id, case_id=None, kind="dispute", reason="x",
            ends_at=None, set_by="desk",
        )  # fmt: skip
    before = await counts(street)
    desk: Browser = await sign_in_as(Role.AUDITOR)
    page = await desk.open(f"/strategies/versions/{shipped}/preview")
    assert "Would move 6 of 6 cases to another stage today: 2 calls" in page.text
    assert "Waiting: on hold" in page.text
    assert await counts(street) == before
    page = await desk.open(f"/strategies/versions/{shipped}/preview?product=Card")
    assert "No running case is meant" in page.text


async def counts(street: Street) -> list[int]:
    tables = ("messages", "tasks", "strategy_steps", "timeline", "contacts", "approvals")
    return [int(await street.value(f"SELECT count(*) FROM {one}")) for one in tables]


async def test_running_cases_are_moved_with_a_preview_in_batches(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    people = [await street.neighbour() for _ in range(3)]
    gentle = await street.neighbour()
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit, street.now, borrower_id=gentle.id, case_id=None, kind="hardship", reason="x",
            ends_at=None, set_by="desk",
        )  # fmt: skip
    writer: Browser = await sign_in_as(Role.SUPERVISOR)
    await sign_in_as(Role.APPROVER)
    page = await drafted(writer, shipped, **{"message-2-day": "4"})
    await writer.send(page, "propose", reason="Later")
    await decide(street, Role.APPROVER, Word.APPROVE)
    target = await version(street, 2)
    page = await writer.open(f"/strategies/versions/{target}/move")
    assert "Move 4 cases" in page.text
    page = await writer.send(page, "move", reason="")
    assert writer.status == 422
    # Who saw fewer cases than are meant has not seen what he does.
    form = page.form("move")
    fewer = {**form.fields, "reason": "Everybody alike", "seen": "3"}
    answer = await writer.http.post(form.action, data=fewer)
    assert answer.status_code == 422
    assert "4 cases are meant now, and 3 were shown" in answer.text
    assert await street.value("SELECT count(*) FROM audit WHERE act = 'move_cases'") == 0
    page = await writer.send(page, "move", reason="Everybody alike")
    assert "The cases are moved" in page.text
    assert "1 case of people who are treated with care stayed" in page.text
    rows = await street.rows("SELECT id, strategy_version_id, next_step_at FROM cases")
    moved = {row.id for row in rows if row.strategy_version_id == target}
    assert moved == {one.cases[0] for one in people}
    lines = await street.rows("SELECT details FROM timeline WHERE kind = 'strategy_changed'")
    assert [line.details["before"] for line in lines] == ["soft 1"] * 3
    note = (await street.rows("SELECT after, reason FROM audit WHERE act = 'move_cases'"))[0]
    assert (note.after["cases"], note.reason) == (3, "Everybody alike")
    page = await writer.send(page, "move", reason="All of them", with_care="1")
    assert await street.value(
        "SELECT count(*) FROM cases WHERE strategy_version_id = :id", id=target
    ) == 4  # fmt: skip
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    page = await desk.open(f"/cases/{people[0].cases[0]}")
    assert "Now under the strategy soft 2" in page.text


async def test_cases_of_a_running_challenger_stay_where_they_are(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    who, other = await street.neighbour(), await street.neighbour()
    await street.rows("UPDATE cases SET strategy_version_id = NULL RETURNING 1")
    experiment = await street.value(
        "INSERT INTO experiments (id, lender_id, name, kind, made_by, started_at) VALUES "
        "(gen_random_uuid(), :lender, 'x', 'challenger', 'eva', :now) RETURNING id",
        lender=street.lender_id, now=street.now,
    )  # fmt: skip
    await street.rows(
        "INSERT INTO case_arms (lender_id, experiment_id, case_id, arm, drawn_at, due_minor, "
        "currency) VALUES (:lender, :experiment, :case, 'control', :now, 1, 'EUR') RETURNING 1",
        lender=street.lender_id, experiment=experiment, case=who.cases[0], now=street.now,
    )  # fmt: skip
    desk: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await desk.open(f"/strategies/versions/{shipped}/move")
    page = await desk.send(page, "move", reason="All", with_care="1")
    assert "1 case of a running experiment stayed" in page.text
    under = "SELECT strategy_version_id FROM cases WHERE id = :id"
    assert await street.value(under, id=who.cases[0]) is None
    assert await street.value(under, id=other.cases[0]) == shipped
    # Its measuring time over, it is a case like any other.
    street.hands.now += timedelta(days=31)
    page = await desk.open(f"/strategies/versions/{shipped}/move")
    await desk.send(page, "move", reason="The rest")
    assert await street.value(under, id=who.cases[0]) == shipped


async def test_a_move_is_taken_back_on_its_page_and_who_stays_is_named(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    here, paid = await street.neighbours(2)
    writer: Browser = await sign_in_as(Role.SUPERVISOR)
    await sign_in_as(Role.APPROVER)
    page = await drafted(writer, shipped, **{"message-2-day": "4"})
    await writer.send(page, "propose", reason="Later")
    await decide(street, Role.APPROVER, Word.APPROVE)
    street.hands.now += timedelta(minutes=1)
    target = await version(street, 2)
    page = await writer.open(f"/strategies/versions/{target}/move")
    assert "Moved before" not in page.text
    page = await writer.send(page, "move", reason="Everybody alike")
    assert "Moved before" in page.text
    link = next(one for one in page.links if one.startswith("/strategies/moves/"))
    await street.repaid(paid, "R1")
    street.hands.now += timedelta(minutes=1)
    auditor: Browser = await sign_in_as(Role.AUDITOR)
    assert not (await auditor.open(link)).has("back")
    page = await writer.open(link)
    assert "2 cases moved" in page.text
    page = await writer.send(page, "back", reason="")
    assert writer.status == 422
    page = await writer.send(page, "back", reason="It was the wrong one")
    assert "1 moved back, 1 stayed" in page.text
    assert "It is closed" in page.text
    assert f"/cases/{paid.cases[0]}" in page.links
    assert page.problems == []
    row = await street.value(
        "SELECT strategy_version_id FROM cases WHERE id = :id", id=here.cases[0]
    )
    assert row == shipped


async def test_no_case_is_moved_to_what_is_not_in_force(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    await street.neighbour()
    draft = await begin_draft(
        street.house, street.now, lender_id=street.lender_id, source_id=shipped, actor="x"
    )
    with pytest.raises(Conflict, match="not in force"):
        await move_cases(
            street.house, street.now, lender_id=street.lender_id, version_id=draft.version_id,
            selection=Selection(), reason="x", actor="x", seen=9,
        )  # fmt: skip
    desk: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await desk.open(f"/strategies/versions/{draft.version_id}/move")
    assert not page.has("move")


async def test_forms_need_their_token_and_their_right(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    writer: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await writer.open("/strategies")
    good = page.form("choose").fields["csrf"]
    posts = {
        f"/strategies/versions/{shipped}/draft": Act.WRITE_STRATEGY,
        f"/strategies/versions/{shipped}/begin": Act.WRITE_STRATEGY,
        f"/strategies/versions/{shipped}/save": Act.WRITE_STRATEGY,
        f"/strategies/versions/{shipped}/save-text": Act.WRITE_STRATEGY,
        f"/strategies/versions/{shipped}/compare": Act.WRITE_STRATEGY,
        f"/strategies/versions/{shipped}/propose": Act.WRITE_STRATEGY,
        f"/strategies/versions/{shipped}/move": Act.MOVE_CASES,
        f"/strategies/moves/{shipped}/back": Act.MOVE_CASES,
        "/strategies/choose": Act.MOVE_CASES,
        "/segments/propose": Act.WRITE_STRATEGY,
        "/segments/try": Act.WRITE_STRATEGY,
    }
    before = await street.rows("SELECT id, state, body FROM strategy_versions")
    for path in posts:
        answer = await writer.http.post(path, data={"csrf": "forged", "reason": "x"})
        assert answer.status_code == 403, path
    for role in (Role.COLLECTOR, Role.COLLECTION_MANAGER, Role.APPROVER, Role.AUDITOR, Role.ADMIN):
        desk: Browser = await sign_in_as(role)
        token = (await desk.open("/account")).forms[0].fields["csrf"]
        assert token != good
        for path in posts:
            answer = await desk.http.post(path, data={"csrf": token, "reason": "x"})
            assert answer.status_code == 403, (role, path)
    assert await street.rows("SELECT id, state, body FROM strategy_versions") == before


async def test_a_strategy_of_another_lender_is_not_there(
    street: Street, shipped: UUID, browser: OpenBrowser
) -> None:
    other = await make_lender(street.store, street.now)
    stranger = await desk_of(street, browser, Role.COMPLIANCE, lender_id=other)
    strategy_id = await street.value("SELECT strategy_id FROM strategy_versions")
    for path in (f"/strategies/{strategy_id}", f"/strategies/versions/{shipped}",
                 f"/strategies/versions/{shipped}/edit",
                 f"/strategies/versions/{shipped}/preview",
                 f"/strategies/versions/{shipped}/move"):  # fmt: skip
        await stranger.open(path)
        assert stranger.status == 404, path
    token = (await stranger.open("/account")).forms[0].fields["csrf"]
    for verb in ("draft", "begin", "save-text", "compare", "propose", "move"):
        answer = await stranger.http.post(
            f"/strategies/versions/{shipped}/{verb}",
            data={"csrf": token, "reason": "x", "name": "Mine", "text": "stages = []"},
        )
        assert answer.status_code == 404, verb
    page = await stranger.open("/strategies")
    assert "soft" not in page.text
    assert await street.value("SELECT count(*) FROM strategy_versions") == 1


async def test_the_next_day_looks_different(
    street: Street, shipped: UUID, sign_in_as: Desk
) -> None:
    """The preview counts from the debt's dates: the same book, another day, another answer."""
    await street.neighbour(days_late=22)
    desk: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await desk.open(f"/strategies/versions/{shipped}/preview")
    assert "0 calls" in page.text
    street.hands.now += timedelta(days=1)
    page = await desk.open(f"/strategies/versions/{shipped}/preview")
    assert "1 call" in page.text
