"""The pages of contact rules in a real browser: written, refused by name, never too wide."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from app.domain.roles import Role
from tests.browser.conftest import Site
from tests.browser.test_pages import look_over

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


@pytest.mark.long
async def test_own_rules_are_written_and_looser_ones_refused(site: Site) -> None:
    await site.street.neighbour()
    desk = await site.signed_in(Role.SUPERVISOR, width=390)
    await desk.goto(f"{site.url}/rules")
    await look_over(desk)
    await desk.get_by_role("link", name="Spain").click()
    hours = desk.get_by_label("Monday to Friday 09:00–21:00")
    await hours.fill("mon-sun 08:00-22:00")
    await desk.get_by_role("button", name="Save as a draft").click()
    await expect(desk.get_by_text("is looser than the rules of Spain")).to_be_visible()
    await look_over(desk)
    await hours.fill("mon-fri 17:00-19:00")
    await desk.get_by_label("Days without any contact").fill("2026-12-24 2026-12-31")
    await desk.get_by_role("button", name="Save as a draft").click()
    await expect(desk.get_by_role("heading", name="What it would block")).to_be_visible()
    await look_over(desk)
    assert site.complaints == []
    assert site.strangers == set()
