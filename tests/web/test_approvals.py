"""Approvals at the desk: proposed on one page, decided on another, by another person."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.roles import Role
from tests.flows.desk_people import Desk as People
from tests.flows.street import Neighbour, Street
from tests.web.conftest import PASSWORD, Browser, Desk, OpenBrowser

pytestmark = pytest.mark.anyio

WRITE_OFF: dict[str, Any] = {
    "reason": "He emigrated.",
    "option": ["defer", "extend_term"],
    "why_not": "No income.",
}


async def proposed(street: Street, desk: Browser, who: Neighbour) -> str:
    """A supervisor proposes the write-off on the case's page; returns the proposal's address."""
    page = await desk.open(f"/cases/{who.cases[0]}/relief")
    assert page.problems == []
    page = await desk.send(page, "write-off", **WRITE_OFF)
    assert desk.status == 200
    assert "Somebody else decides" in page.text
    return f"/approvals/{await street.value('SELECT id FROM approvals')}"


async def state(street: Street) -> tuple[Any, Any]:
    return (
        await street.value("SELECT state FROM approvals ORDER BY proposed_at DESC LIMIT 1"),
        await street.value("SELECT state FROM loans"),
    )


async def test_a_write_off_from_case_to_decision_and_back(street: Street, sign_in_as: Desk) -> None:
    who = await street.neighbour()
    sue, april = await sign_in_as(Role.SUPERVISOR), await sign_in_as(Role.APPROVER)
    case = await sue.open(f"/cases/{who.cases[0]}")
    assert f"/cases/{who.cases[0]}/relief" in case.links
    where = await proposed(street, sue, who)

    mine = await sue.open(where)
    assert not mine.has("approve")
    assert not mine.has("refuse")
    assert mine.has("withdraw")
    assert "You proposed this yourself" in mine.text

    waiting = await april.open("/approvals")
    assert waiting.problems == []
    assert where in waiting.links
    page = await april.open(where)
    assert page.problems == []
    for word in ("He emigrated.", "No income.", "Defer all or part", "Extend the term", "120"):
        assert word in page.text, word
    page = await april.send(page, "approve")
    assert "Approved, and done." in page.text
    assert page.problems == []
    assert await state(street) == ("approved", "written_off")
    assert not page.has("approve")

    page = await sue.open(f"/cases/{who.cases[0]}/relief")
    assert page.problems == []
    assert "Written off" in page.text
    await sue.send(page, "reverse", reason="He came back.")
    again = f"/approvals/{await street.value(_LATEST)}"
    page = await april.send(await april.open(again), "approve")
    assert await state(street) == ("approved", "active")
    case = await sue.open(f"/cases/{who.cases[0]}")
    assert "Taken back: write-off" in case.text
    decided = await april.open("/approvals?decided=1")
    assert decided.problems == []
    assert {where, again} <= set(decided.links)


_LATEST = "SELECT id FROM approvals ORDER BY proposed_at DESC, id DESC LIMIT 1"


async def test_a_refusal_comes_with_a_reason(street: Street, sign_in_as: Desk) -> None:
    who = await street.neighbour()
    sue, april = await sign_in_as(Role.SUPERVISOR), await sign_in_as(Role.APPROVER)
    where = await proposed(street, sue, who)
    page = await april.send(await april.open(where), "refuse", note=" ")
    assert april.status == 422
    assert "Say why" in page.text
    page = await april.send(page, "refuse", note="Try a plan first.")
    assert "Try a plan first." in page.text
    assert await state(street) == ("refused", "active")
    page = await sue.open(f"/cases/{who.cases[0]}/relief")
    assert "Try a plan first." in page.text


async def test_a_robots_proposal_takes_a_name_and_then_another_one(
    street: Street, sign_in_as: Desk
) -> None:
    who = await street.neighbour()
    where = f"/approvals/{(await People(street).robot_proposes(who.loans[0])).id}"
    april, sue = await sign_in_as(Role.APPROVER), await sign_in_as(Role.SUPERVISOR)
    listed = await april.open("/approvals")
    assert "A name behind it" in listed.text
    page = await sue.open(where)
    assert page.problems == []
    assert not page.has("approve")
    page = await sue.send(page, "endorse", why_not="No income.")
    assert sue.status == 422, "no measure was ticked"
    page = await sue.send(page, "endorse", option=["defer"], why_not="No income.")
    assert "Your name stands behind it" in page.text
    assert not page.has("endorse")
    assert not page.has("approve")
    page = await april.send(await april.open(where), "approve")
    assert await state(street) == ("approved", "written_off")


async def test_a_manager_forgives_a_part_and_sees_no_write_off(
    street: Street, sign_in_as: Desk
) -> None:
    who = await street.neighbour()
    max_, april = await sign_in_as(Role.COLLECTION_MANAGER), await sign_in_as(Role.APPROVER)
    page = await max_.open(f"/cases/{who.cases[0]}/relief")
    assert page.problems == []
    assert page.has("forgive")
    assert not page.has("write-off")
    page = await max_.send(page, "forgive", amount="120.00", reason="All of it.")
    assert max_.status == 403, "all of it is a write-off"
    page = await max_.send(page, "forgive", amount="1.234,5", reason="Typo.")
    assert max_.status == 422
    page = await max_.send(page, "forgive", amount="40.00", reason="He lost his job.")
    assert max_.status == 200
    assert page.has("withdraw")
    assert not page.has("forgive")
    where = f"/approvals/{await street.value('SELECT id FROM approvals')}"
    await april.send(await april.open(where), "approve")
    assert await street.value("SELECT sum(paid_minor)::int FROM instalments") == 4_000
    page = await max_.open(f"/cases/{who.cases[0]}/relief")
    assert page.problems == []
    assert "Forgiveness" in page.text


async def test_one_takes_back_what_one_proposed(street: Street, sign_in_as: Desk) -> None:
    who = await street.neighbour()
    max_ = await sign_in_as(Role.COLLECTION_MANAGER)
    page = await max_.open(f"/cases/{who.cases[0]}/relief")
    page = await max_.send(page, "forgive", amount="40.00", reason="He lost his job.")
    page = await max_.send(page, "withdraw")
    assert "The proposal is withdrawn." in page.text
    assert await state(street) == ("withdrawn", "active")


async def test_compliance_states_the_amounts(street: Street, sign_in_as: Desk) -> None:
    coral, sue = await sign_in_as(Role.COMPLIANCE), await sign_in_as(Role.SUPERVISOR)
    assert not (await sue.open("/approvals/tiers")).has("tiers")
    page = await coral.open("/approvals/tiers")
    assert page.problems == []
    page = await coral.send(
        page, "tiers", currency="eur", small="0", single="50.00", reason="The board wants it."
    )
    assert "The amounts are changed." in page.text
    row = (await street.rows("SELECT * FROM audit WHERE act = 'set_tiers'"))[0]
    assert row.before == {"EUR": None}
    assert row.after == {"EUR": {"small_minor": 0, "single_minor": 5_000, "monthly_minor": None}}
    for bad in (
        {"small": "9", "single": "3"},
        {"small": "x"},
        {"currency": "ZZZ", "small": "1"},
        {"monthly": "-1"},
    ):
        given = {"currency": "EUR", "small": "1", "single": "2", "reason": "x", **bad}
        page = await coral.send(page, "tiers", **given)
        assert coral.status == 422, bad
    who = await street.neighbour()
    where = await proposed(street, sue, who)
    april = await sign_in_as(Role.APPROVER)
    page = await april.send(await april.open(where), "approve")
    assert "needs one more" in page.text
    assert await state(street) == ("proposed", "active")


async def test_a_full_month_is_said_on_the_page_before_anybody_presses(
    street: Street, sign_in_as: Desk
) -> None:
    coral = await sign_in_as(Role.COMPLIANCE)
    given = {"currency": "EUR", "small": "500", "single": "5000", "monthly": "50.00"}
    page = await coral.send(await coral.open("/approvals/tiers"), "tiers", **given, reason="x")
    assert "€50.00" in page.text
    who = await street.neighbour()
    max_ = await sign_in_as(Role.COLLECTION_MANAGER)
    page = await max_.open(f"/cases/{who.cases[0]}/relief")
    await max_.send(page, "forgive", amount="60.00", reason="He lost his job.")
    approval_id = await street.value("SELECT id FROM approvals")
    april = await sign_in_as(Role.APPROVER)
    page = await april.open(f"/approvals/{approval_id}")
    assert "above the 50.00 EUR that one person may approve in a month" in page.text
    assert not page.has("approve")


async def test_the_auditor_reads_and_does_nothing(street: Street, sign_in_as: Desk) -> None:
    who = await street.neighbour()
    where = await proposed(street, await sign_in_as(Role.SUPERVISOR), who)
    auditor = await sign_in_as(Role.AUDITOR)
    for path in ("/approvals", where, "/approvals?decided=1", "/approvals/tiers"):
        page = await auditor.open(path)
        assert (auditor.status, page.problems) == (200, []), path
        assert [form.step for form in page.forms if form.method == "post"] == ["sign-out"]


async def test_an_approver_begins_with_what_waits(
    street: Street, sign_in_as: Desk, browser: OpenBrowser
) -> None:
    await sign_in_as(Role.APPROVER)
    door = browser()
    page = await door.open("/sign-in")
    email = f"approver@{street.lender_id.hex[-8:]}.example"
    page = await door.send(page, "sign-in", email=email, password=PASSWORD)
    assert page.title.startswith("Approvals")
