"""Who gets what, in a real browser: the page fits, and what is chosen there is carried out."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from app.domain.assignment import Skills
from app.domain.desk_profile import read_hours
from app.domain.roles import Role
from app.domain.task import TaskReason
from app.flows.work.assign_tasks import assign_tasks
from tests.browser.conftest import Site
from tests.browser.test_pages import look_over
from tests.flows.assigning import hand
from tests.flows.test_next_case import some_task

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_rules_and_a_profile_by_hand_and_the_reason_on_the_board(site: Site) -> None:
    street = site.street
    split = read_hours(("09:00-13:00, 15:00-18:00",) * 5 + ("", ""))
    await hand(
        street,
        "Marta Wójcik",
        Skills(frozenset({"pl", "uk"}), large=True),
        hours=split,
    )
    polish, spanish = await street.neighbour(language="pl"), await street.neighbour()
    collector = await site.signed_in(Role.COLLECTOR)
    page = await site.signed_in(Role.SUPERVISOR)
    await page.goto(f"{site.url}/assignment")
    await page.get_by_label("Give tasks to people by these rules").check()
    await page.get_by_label("Polish").check()
    await page.get_by_label("Broken promises").check()
    await page.locator("#large-EUR").fill("2000")
    await page.locator("[data-step=rules] button").click()
    await expect(page.get_by_text("Tasks are given to whoever can do them")).to_be_visible()
    await page.get_by_label("Who", exact=True).select_option(label="Marta Wójcik")
    await page.get_by_label("Last day").fill("2026-03-06")
    await page.get_by_role("button", name="Note the leave").click()
    await expect(page.get_by_text("Away until 6 Mar")).to_be_visible()
    await look_over(page)
    await page.get_by_role("link", name="Pat collector").click()
    await page.get_by_label("Polish").check()
    await page.get_by_label("Friday").fill("09:00-14:00")
    await look_over(page)
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Mon–Thu 09:00–17:00; Fri 09:00–14:00")).to_be_visible()
    await some_task(street, polish, reason=TaskReason.CALL_BORROWER)
    await some_task(street, spanish, reason=TaskReason.PROMISE_BROKEN)
    await assign_tasks(street.house, street.now)
    await collector.goto(site.url)
    await expect(
        collector.get_by_text("By the rules: speaks Polish; 0 of 30 open; on shift.")
    ).to_be_visible()
    await expect(
        collector.get_by_text("On the board: nobody takes broken promises")
    ).to_be_visible()
    await look_over(collector)
    assert site.complaints == []
    assert site.strangers == set()
