"""One key, one act: in a real browser, with and without script."""

from __future__ import annotations

import pytest

from app.domain.roles import Role
from app.domain.task import TaskReason
from tests.browser.conftest import Site
from tests.browser.test_pages import look_over
from tests.flows.test_tasks_and_brakes import some_task

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_a_case_is_served_and_ended_with_two_keys(site: Site) -> None:
    who = await site.street.neighbour()
    await some_task(site.street, who, reason=TaskReason.CALL_BORROWER)
    page = await site.signed_in(Role.COLLECTOR)
    await page.keyboard.press("n")
    await page.wait_for_url(f"**/cases/{who.cases[0]}**")
    # What is typed into a field is text, not an outcome.
    await page.get_by_label("Note").first.fill("")
    await page.get_by_label("Note").first.press("2")
    assert await site.street.value("SELECT state FROM tasks") == "taken"
    await page.locator("h1").click()
    await page.keyboard.press("2")
    await page.get_by_text("Noted. The task is finished.").wait_for()
    row = (await site.street.rows("SELECT state, outcome, note FROM tasks"))[0]
    assert tuple(row) == ("done", "no_answer", "2")
    assert site.complaints == []


@pytest.mark.long
async def test_the_pages_of_peoples_work_fit_a_phone(site: Site) -> None:
    who = await site.street.neighbour()
    await some_task(site.street, who, reason=TaskReason.CALL_BORROWER)
    page = await site.signed_in(Role.SUPERVISOR, width=390, height=844)
    await page.get_by_role("button", name="Next case").click()
    await page.get_by_text("This is the next case").wait_for()
    await look_over(page)
    for path in ("/promises", "/hand-over", "/?pile=later"):
        await page.goto(site.url + path)
        await look_over(page)
    assert site.complaints == []
    assert site.strangers == set()
