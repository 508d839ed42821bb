"""Who gets what, at the desk: rules, people and leave, and the reason beside each task."""

from __future__ import annotations

import pytest

from app.domain.assignment import Rules, Skills
from app.domain.roles import Role
from app.flows.work.assign_tasks import assign_tasks
from tests.flows.assigning import AFTERNOON, profile, rules
from tests.flows.street import Street
from tests.flows.test_next_case import some_task
from tests.web.conftest import Browser, Desk

pytestmark = pytest.mark.anyio


async def test_a_supervisor_writes_rules_and_profiles_and_leave(
    street: Street, sign_in_as: Desk
) -> None:
    await street.neighbour()
    lead: Browser = await sign_in_as(Role.SUPERVISOR)
    await sign_in_as(Role.COLLECTOR)
    page = await lead.open("/assignment")
    assert "Tasks stand on the board for everybody" in page.text
    assert page.problems == []
    page = await lead.send(page, "rules", active="1", large_EUR="five")
    assert lead.status == 422
    assert page.form("rules").fields["large_EUR"] == "five", "what was typed stays"
    page = await lead.send(
        page, "rules", active="1", languages="pl", kinds="dispute", large_EUR="500.00"
    )
    assert "Tasks are given to whoever can do them" in page.text
    row = (await street.rows("SELECT * FROM assignment_rules"))[0]
    assert (row.active, row.languages, row.kinds) == (True, ["pl"], ["dispute"])
    assert row.large_from == {"EUR": 50_000}
    user_id = await street.value("SELECT id FROM users WHERE role = 'collector'")
    page = await lead.open(f"/assignment/people/{user_id}")
    assert page.problems == []
    assert page.form("profile").fields["hours_0"] == "09:00-17:00"
    page = await lead.send(page, "profile", hours_5="9 to 5")
    assert lead.status == 422
    assert "of Saturday cannot be read" in page.text
    page = await lead.send(
        page, "profile", hours_5="10:00-14:00", languages="pl", kinds="dispute", cap="12"
    )
    for words in ("Speaks Polish, takes disputes.", "0 of 12", "On shift"):
        assert words in page.text, words
    assert "Mon–Fri 09:00–17:00; Sat 10:00–14:00" in page.text
    today = street.now.date()
    page = await lead.send(page, "leave", person="", until_on=today.isoformat())
    assert "Say who is away" in page.text
    page = await lead.send(page, "leave", person=str(user_id), until_on=today.isoformat())
    assert "Away until 3 Mar" in page.text
    page = await lead.send(page, "leave", person=str(user_id), until_on=today.isoformat())
    assert lead.status == 409
    page = await lead.send(await lead.open("/assignment"), "call-off")
    assert "Called off" in page.text
    assert "No leave is noted" in page.text


async def test_a_box_that_no_page_has_is_refused(street: Street, sign_in_as: Desk) -> None:
    lead: Browser = await sign_in_as(Role.SUPERVISOR)
    page = await lead.open("/assignment")
    for sent in ("a\0b", "p" * 300):
        await lead.send(page, "rules", active="1", products=sent)
        assert lead.status == 422
    assert await street.rows("SELECT 1 FROM assignment_rules") == []


async def test_others_look_and_change_nothing(street: Street, sign_in_as: Desk) -> None:
    await sign_in_as(Role.COLLECTOR)
    user_id = await street.value("SELECT id FROM users WHERE role = 'collector'")
    auditor: Browser = await sign_in_as(Role.AUDITOR)
    page = await auditor.open("/assignment")
    assert not page.has("rules")
    assert not page.has("leave")
    page = await auditor.open(f"/assignment/people/{user_id}")
    assert page.form("profile").buttons == []
    other = await street.value("SELECT id FROM users WHERE role = 'auditor'")
    await auditor.open(f"/assignment/people/{other}")
    assert auditor.status == 404


async def test_the_board_says_why_him_and_why_nobody(street: Street, sign_in_as: Desk) -> None:
    desk: Browser = await sign_in_as(Role.COLLECTOR)
    eva = await street.value("SELECT id FROM users")
    polish, spanish = await street.neighbour(language="pl"), await street.neighbour()
    await some_task(street, polish)
    await some_task(street, spanish)
    page = await desk.open("/")
    assert "On the board:" not in page.text
    await rules(street, Rules(languages=frozenset({"pl"})))
    page = await desk.open("/")
    assert "On the board: nobody speaks Polish, so everybody may take it." in page.text
    assert "On the board: nobody works by these rules" in page.text
    await profile(street, eva, Skills(languages=frozenset({"pl"})), hours=AFTERNOON, cap=2)
    await assign_tasks(street.house, street.now)
    page = await desk.open("/")
    assert "By the rules: speaks Polish; 0 of 2 open; next on shift 14:00." in page.text
    assert "Kept for you" in page.text
    third = await street.neighbour(language="pl")
    await some_task(street, third)
    page = await desk.open("/")
    assert "On the board: everybody who speaks Polish has as many as he may have." in page.text
    page = await desk.open(f"/cases/{polish.cases[0]}")
    assert (
        "Kept for you. By the rules: speaks Polish; 0 of 2 open; next on shift 14:00." in page.text
    )
    assert "Task given to" in page.text
    assert "before the next shift" in page.text
    # Seen by a colleague, it says with whom it is.
    other: Browser = await sign_in_as(Role.COLLECTION_MANAGER)
    assert "kept for" in (await other.open("/?pile=others")).text
