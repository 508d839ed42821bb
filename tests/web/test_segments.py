"""Segments at the desk: overlaps and gaps, tried, proposed by one and published by another."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from app.domain.errors import NotAllowed
from app.domain.roles import Role
from app.flows.approvals.decide_approval import Word
from app.flows.cases.flag_cases import flag_cases
from app.flows.strategies.install_segments import install_segments
from tests.flows.street import Street
from tests.rig import make_lender
from tests.web.conftest import Browser, Desk, OpenBrowser, desk_of
from tests.web.strategy_desk import changed, decide, ship

pytestmark = pytest.mark.anyio


@pytest.fixture
async def rules(street: Street) -> None:
    """The rules that ship, for the street's lender."""
    async with street.store.unit(street.lender_id) as unit:
        await install_segments(unit, street.now, street.lender_id)


async def segment(street: Street, name: str, number: int = 1) -> UUID:
    found = await street.value(
        "SELECT id FROM segments WHERE name = :name AND number = :number", name=name, number=number
    )
    assert isinstance(found, UUID)
    return found


async def state(street: Street, name: str, number: int) -> str:
    query = "SELECT state FROM segments WHERE id = :id"
    return str(await street.value(query, id=await segment(street, name, number)))


LATE: dict[str, Any] = {
    "name": "late", "title": "Late", "rank": "5", "join": "all", "do": "review",
    "ask": "Have a look", "reason": "New",
    "row-0-field": "days_past_due", "row-0-op": "at_least", "row-0-value": "3",
    "row-1-field": "owed", "row-1-op": "at_least", "row-1-value": "10.00 EUR, 40.00 PLN",
}  # fmt: skip


async def test_the_page_shows_order_overlaps_and_gaps(
    street: Street, rules: None, sign_in_as: Desk
) -> None:
    await street.neighbour(dues=(1_000, 1_000, 1_000, 1_000))
    await street.neighbour()
    desk: Browser = await sign_in_as(Role.AUDITOR)
    page = await desk.open("/segments")
    for words in ("Several loans at once", "Frequently late", "rank 20",
                  "Several loans at once and Frequently late: 4 cases",
                  "Never comes first", "No rule decides"):  # fmt: skip
        assert words in page.text, words
    assert page.problems == []
    page = await desk.open(f"/segments/{await segment(street, 'several_loans')}")
    assert "open loans at least 3" in page.text
    # Who only reads gets no form.
    assert not page.has("propose-segment")


async def test_a_rule_is_tried_proposed_and_published_by_another(
    street: Street, rules: None, sign_in_as: Desk
) -> None:
    who = await street.neighbour()
    writer: Browser = await sign_in_as(Role.SUPERVISOR)
    await sign_in_as(Role.APPROVER)
    page = await writer.open("/segments/new")
    form = page.form("propose-segment")
    before = await street.value("SELECT count(*) FROM segments")
    answer = await writer.http.post("/segments/try", data={**form.fields, **LATE, "reason": ""})
    assert "the rule holds for 1 of 1 open cases" in answer.text
    assert await street.value("SELECT count(*) FROM segments") == before
    page = await writer.send(page, "propose-segment", **LATE)
    assert "Somebody else decides" in page.text
    beside = await street.value("SELECT considered FROM approvals")
    assert beside["when"] == (
        "days past due at least 3 and amount due at least 10.00 EUR or 40.00 PLN"
    )
    # The same again, while it waits.
    page = await writer.open("/segments/new")
    page = await writer.send(page, "propose-segment", **LATE)
    assert writer.status == 409
    with pytest.raises(NotAllowed):
        await decide(street, Role.SUPERVISOR, Word.APPROVE)
    await decide(street, Role.APPROVER, Word.APPROVE)
    assert await state(street, "late", 1) == "published"
    street.hands.go_on(hours=21)
    await flag_cases(street.house, street.now)
    assert await street.value("SELECT flag FROM case_flags WHERE borrower_id = :b", b=who.id) == (
        "late"
    )


async def test_a_change_is_another_edition_and_a_refusal_leaves_the_old_one(
    street: Street, rules: None, sign_in_as: Desk
) -> None:
    writer: Browser = await sign_in_as(Role.COMPLIANCE)
    await sign_in_as(Role.APPROVER)
    address = f"/segments/{await segment(street, 'several_loans')}"
    for word, after in ((Word.REFUSE, ("published", "draft")), (Word.APPROVE, None)):
        page = await writer.open(address)
        typed = changed({"row-0-value": "2", "reason": "x", "ask": "Look at all of them"})
        page = await writer.send(page, "propose-segment", **typed)
        await decide(street, Role.APPROVER, word, "because")
        if after is not None:
            states = tuple([await state(street, "several_loans", n) for n in (1, 2)])
            assert states == after
    states = tuple([await state(street, "several_loans", n) for n in (1, 2, 3)])
    assert states == ("retired", "draft", "published")
    # The history says who, and what it was before.
    (line,) = await street.rows("SELECT * FROM audit WHERE act = 'publish_segment'")
    assert line.actor.startswith("approver@")
    assert (line.before["number"], line.after["number"]) == (1, 3)
    assert line.before["when"].startswith("open loans at least 3 and")
    assert line.after["when"].startswith("open loans at least 2 and")
    auditor: Browser = await sign_in_as(Role.AUDITOR)
    page = await auditor.open("/audit?group=words_and_rules&about=several_loans")
    for words in ("open loans at least 3", "open loans at least 2", "Look at all of them"):
        assert words in page.text, words


async def test_a_rule_goes_out_of_force_by_two_people_too(
    street: Street, rules: None, sign_in_as: Desk
) -> None:
    writer: Browser = await sign_in_as(Role.SUPERVISOR)
    await sign_in_as(Role.APPROVER)
    page = await writer.open(f"/segments/{await segment(street, 'frequently_late')}")
    await writer.send(page, "remove", reason="Not useful")
    assert await state(street, "frequently_late", 1) == "published"
    await decide(street, Role.APPROVER, Word.APPROVE)
    assert [await state(street, "frequently_late", n) for n in (1, 2)] == ["retired", "retired"]
    (line,) = await street.rows("SELECT * FROM audit WHERE act = 'retire_segment'")
    assert set(line.before) > {"when", "then", "rank"}
    assert line.after == {"number": 2}
    # What was taken out on purpose does not come back by itself.
    street.hands.go_on(days=1)
    await flag_cases(street.house, street.now)
    assert await street.value(
        "SELECT count(*) FROM segments WHERE name = 'frequently_late' AND state = 'published'"
    ) == 0  # fmt: skip


async def test_what_cannot_be_read_is_shown_again_with_its_place(
    street: Street, rules: None, sign_in_as: Desk
) -> None:
    await ship(street)
    writer: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await writer.open("/segments/new")
    before = await street.value("SELECT count(*) FROM segments")
    for change, words in (
        ({"name": "Late!"}, "name: has 2 to 40"),
        ({"title": ""}, "title: has 1 to 80"),
        ({"rank": "first"}, "rank: is not a whole number"),
        ({"row-0-op": ""}, "comparison 1: is not complete"),
        ({"row-0-value": "many"}, "comparison 1:"),
        ({"row-1-value": "10 euros"}, "is not a currency"),
        ({"row-1-value": "10"}, "is not an amount"),
        ({"row-0-field": "age", "row-0-op": "is"}, "no rule may ask for"),
        ({"text": "{"}, "line 1"),
        ({"text": '{"all": []}'}, "when.all"),
        ({"do": "start", "strategy": ""}, "action.strategy"),
        ({"ask": ""}, "action.ask"),
        ({"reason": ""}, "reason: has 1 to"),
    ):
        answer = await writer.send(page, "propose-segment", **{**LATE, **change})
        assert writer.status == 422, change
        assert words in answer.text, (words, answer.text[:500])
        assert answer.problems == []
    await writer.send(page, "propose-segment", **{**LATE, "do": "start", "strategy": "nowhere"})
    assert writer.status == 404
    assert await street.value("SELECT count(*) FROM segments") == before


async def test_a_richer_condition_is_kept_as_text(
    street: Street, rules: None, sign_in_as: Desk
) -> None:
    writer: Browser = await sign_in_as(Role.SUPERVISOR)
    await sign_in_as(Role.APPROVER)
    page = await writer.open("/segments/new")
    tree = (
        '{"all": [{"field": "open_loans", "op": "at_least", "value": 1}, '
        '{"not": {"field": "reach", "op": "is", "value": "none"}}]}'
    )
    await writer.send(page, "propose-segment", **{**LATE, "text": tree})
    await decide(street, Role.APPROVER, Word.APPROVE)
    page = await writer.open(f"/segments/{await segment(street, 'late')}")
    assert "richer than rows can show" in page.text
    reader: Browser = await sign_in_as(Role.AUDITOR)
    page = await reader.open(f"/segments/{await segment(street, 'late')}")
    assert '"not"' in page.text


async def test_two_decisions_at_once_put_one_edition_in_force(
    street: Street, rules: None, sign_in_as: Desk
) -> None:
    import asyncio

    writer: Browser = await sign_in_as(Role.SUPERVISOR)
    await sign_in_as(Role.APPROVER)
    page = await writer.open("/segments/new")
    await writer.send(page, "propose-segment", **LATE)
    ends = await asyncio.gather(
        *(decide(street, Role.APPROVER, Word.APPROVE) for _ in range(2)), return_exceptions=True
    )
    refused = [one for one in ends if isinstance(one, BaseException)]
    assert len(refused) == 1, ends
    assert isinstance(refused[0], Exception)
    assert not isinstance(refused[0], AssertionError)
    assert await street.value(
        "SELECT count(*) FROM segments WHERE name = 'late' AND state = 'published'"
    ) == 1  # fmt: skip


async def test_a_rule_of_another_lender_is_not_there(
    street: Street, rules: None, browser: OpenBrowser
) -> None:
    other = await make_lender(street.store, street.now)
    stranger = await desk_of(street, browser, Role.COMPLIANCE, lender_id=other)
    address = f"/segments/{await segment(street, 'several_loans')}"
    await stranger.open(address)
    assert stranger.status == 404
    token = (await stranger.open("/account")).forms[0].fields["csrf"]
    answer = await stranger.http.post(f"{address}/remove", data={"csrf": token, "reason": "x"})
    assert answer.status_code == 404
    page = await stranger.open("/segments")
    assert "Several loans" not in page.text


async def test_the_page_says_how_well_rules_flag_and_leads_to_the_cases(
    street: Street, rules: None, sign_in_as: Desk, browser: OpenBrowser
) -> None:
    many = await street.neighbour(dues=(1_000, 1_000, 1_000))
    await street.neighbour()
    await flag_cases(street.house, street.now)
    await street.repaid(many, "R-1")
    street.hands.go_on(days=60)
    desk: Browser = await sign_in_as(Role.AUDITOR)
    page = await desk.open("/segments")
    assert page.problems == []
    for words in ("Edition 1, since", "2 not paid1 paid", "2 of 3",
                  "2 found, half within 0 days; 1 missed", "3 of 4", "Too few to tell",
                  "All rules together"):  # fmt: skip
        assert words in page.text, (words, page.text)
    several = await segment(street, "several_loans")
    for which, refs in (("bad", ["B1-L1", "B1-L2"]), ("paid", ["B1-L0"]), ("missed", ["B2-L0"])):
        page = await desk.open(f"/segments/{several}/cases?which={which}&horizon=60")
        assert page.problems == []
        for ref in ("B1-L0", "B1-L1", "B1-L2", "B2-L0"):
            assert (ref in page.text) == (ref in refs), (which, ref)
    page = await desk.open("/segments/all/cases?which=bad&horizon=nonsense")
    assert "B1-L1" in page.text
    # Younger than 90 days.
    page = await desk.open("/segments?horizon=90")
    assert "3 too young" in page.text
    other = await make_lender(street.store, street.now)
    stranger = await desk_of(street, browser, Role.SUPERVISOR, lender_id=other)
    assert "Too few" in (await stranger.open("/segments")).text
    assert "B1-L1" not in (await stranger.open("/segments/all/cases?which=bad")).text
    await stranger.open(f"/segments/{several}/cases")
    assert stranger.status == 404
    collector: Browser = await sign_in_as(Role.COLLECTOR)
    await collector.open("/segments/all/cases")
    assert collector.status == 403


async def test_from_thirty_on_a_share_has_its_interval(
    street: Street, rules: None, sign_in_as: Desk
) -> None:
    people = await street.neighbours(10, dues=(1_000, 1_000, 1_000))
    await flag_cases(street.house, street.now)
    for number, who in enumerate(people):
        await street.repaid(who, f"R-{number}")
    street.hands.go_on(days=60)
    desk: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await desk.open("/segments")
    # By hand: (20 + 1.92) / (30 + 3.84) = 0.6477, and 1.96 / 33.84 * sqrt(6.67 + 0.96) = 0.16.
    for words in ("66.7%", "48.8% to 80.8%", "20 of 30"):
        assert words in page.text, words
