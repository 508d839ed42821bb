"""The pages of experiments in a real browser: started by hand, drawn, and never too wide."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import expect

from app.domain.roles import Role
from tests.browser.conftest import Site
from tests.browser.test_pages import look_over

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


@pytest.mark.long
async def test_an_experiment_is_started_and_its_interval_drawn(site: Site) -> None:
    desk = await site.signed_in(Role.SUPERVISOR, width=390)
    await desk.goto(f"{site.url}/experiments")
    await look_over(desk)
    await desk.get_by_label("Name").fill("What asking is worth")
    await desk.get_by_label("Kind").select_option("holdout")
    await desk.get_by_label("Per cent drawn").fill("50")
    await desk.get_by_role("button", name="Start").click()
    await expect(desk.get_by_text("Nothing is measured yet")).to_be_visible()
    await look_over(desk)
    for number in range(8):
        who = await site.street.neighbour()
        arm = await site.street.value("SELECT arm FROM case_arms ORDER BY case_id DESC LIMIT 1")
        if arm == "treated":
            await site.street.repaid(who, f"all {number}")
    site.street.hands.now += timedelta(days=31)
    # A session does not last so long: somebody else looks.
    other = await site.signed_in(Role.COMPLIANCE, width=390)
    await other.goto(f"{site.url}/experiments")
    await look_over(other)
    await other.get_by_role("link", name="What asking is worth").click()
    await expect(other.get_by_role("img", name="Lift:")).to_be_visible()
    await look_over(other)
    assert site.complaints == []
    assert site.strangers == set()
